-- The account may get its first grants while the transaction that links it is open: neither sees the other. So each link is queued, and
-- what the account has by then is found when it is applied. Where no event ever came, nothing reads the inbox, and none is queued.
CREATE OR REPLACE FUNCTION sallyport_link_event() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO sallyport_webhook_events (id, instance_id, subject, sequence, digest, position, type, source,
        organization, payload, occurred_at, received_at, urgent, due_at)
    SELECT gen_random_uuid(), '', NEW.subject, NULL,
        encode(sha256(convert_to(jsonb_build_array('account.linked', NEW.issuer, NEW.subject, NEW.user_id, clock_timestamp())::text, 'UTF8')), 'hex'),
        coalesce((
            SELECT greatest(i.created_position, i.state_position, i.organization_position, 0)
            FROM sallyport_identities i WHERE i.issuer = 'zitadel' AND i.subject = NEW.subject
        ), 0), 'account.linked', 'event', NULL, '{}', NULL, now(), false, now()
    WHERE EXISTS (SELECT FROM sallyport_webhook_events) OR EXISTS (SELECT FROM sallyport_identities)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
