-- The record of who did what stays, also of people who are forgotten: of them it keeps the ids alone. So rows of the audit may be
-- reduced to that, and changed in no other way.
CREATE OR REPLACE FUNCTION sallyport_audit_is_append_only() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    IF NEW.source = 'erased' AND NEW.detail = '{}'
        AND (NEW.id, NEW.at, NEW.who, NEW.what, NEW.subject, NEW.run) IS NOT DISTINCT FROM (OLD.id, OLD.at, OLD.who, OLD.what, OLD.subject, OLD.run)
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'rows of sallyport_audit are never changed';
END
$$;
