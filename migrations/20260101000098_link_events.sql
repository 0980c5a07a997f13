-- What the identity provider's events gave to an account under its own id follows it to the user that it is linked to later, through
-- the inbox of events: in order with those of the same account, and again until done.
CREATE FUNCTION sallyport_link_event() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO sallyport_webhook_events (id, instance_id, subject, sequence, digest, position, type, source,
        organization, payload, occurred_at, received_at, urgent, due_at)
    SELECT gen_random_uuid(), '', i.subject, NULL,
        encode(sha256(convert_to(jsonb_build_array('account.linked', NEW.issuer, NEW.subject, NEW.user_id, clock_timestamp())::text, 'UTF8')), 'hex'),
        greatest(i.created_position, i.state_position, i.organization_position, 0), 'account.linked', 'event',
        i.organization, '{}', NULL, now(), false, now()
    FROM sallyport_identities i
    WHERE i.issuer = 'zitadel' AND i.subject = NEW.subject AND i.state <> 'removed'
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;

-- An account under the user's own id keeps its name: provisioning makes all of them so.
CREATE TRIGGER sallyport_link_event
    AFTER INSERT OR UPDATE OF user_id ON sallyport_links
    FOR EACH ROW WHEN (NEW.subject <> NEW.user_id::text)
    EXECUTE FUNCTION sallyport_link_event();
