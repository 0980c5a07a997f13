-- The organisation of each user, since its removal removes them too; and, as a user who was removed may be made again under the
-- same id, where lives begin and end. All of it changes the catalogue only.
ALTER TABLE sallyport_identities
  ADD COLUMN organization text,
  ADD COLUMN organization_position bigint,
  ADD COLUMN created_position bigint,
  ADD COLUMN removed_position bigint,
  ADD COLUMN standing text;

COMMENT ON COLUMN sallyport_identities.subject IS 'Id of a user; org:<id> of an organisation, which is there once it was removed';
COMMENT ON COLUMN sallyport_identities.state IS 'removed while no creation lies above the removal; else the standing';
COMMENT ON COLUMN sallyport_identities.standing IS 'active or suspended, by the event at state_position; kept of a removed user too';
COMMENT ON COLUMN sallyport_webhook_events.subject IS 'The user the event is about; org:<id> where it is about an organisation';
