-- sallyport:no-transaction
-- Statement by statement, so that no two tables of the application are locked at a time. None of the triggers reads a column that the
-- clean-up drops.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgname = 'sallyport_note_insert' AND tgrelid = 'users'::regclass) THEN
        CREATE TRIGGER sallyport_note_insert AFTER INSERT ON users REFERENCING NEW TABLE AS new_rows
            FOR EACH STATEMENT EXECUTE FUNCTION sallyport_note_people();
    END IF;
END $$;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgname = 'sallyport_note_update' AND tgrelid = 'users'::regclass) THEN
        CREATE TRIGGER sallyport_note_update AFTER UPDATE ON users REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
            FOR EACH STATEMENT EXECUTE FUNCTION sallyport_note_people();
    END IF;
END $$;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgname = 'sallyport_note_delete' AND tgrelid = 'users'::regclass) THEN
        CREATE TRIGGER sallyport_note_delete AFTER DELETE ON users REFERENCING OLD TABLE AS old_rows
            FOR EACH STATEMENT EXECUTE FUNCTION sallyport_note_people();
    END IF;
END $$;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgname = 'sallyport_note_truncate' AND tgrelid = 'users'::regclass) THEN
        CREATE TRIGGER sallyport_note_truncate AFTER TRUNCATE ON users
            FOR EACH STATEMENT EXECUTE FUNCTION sallyport_note_people();
    END IF;
END $$;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgname = 'sallyport_note_insert' AND tgrelid = 'sallyport_people'::regclass) THEN
        CREATE TRIGGER sallyport_note_insert AFTER INSERT ON sallyport_people REFERENCING NEW TABLE AS new_rows
            FOR EACH STATEMENT EXECUTE FUNCTION sallyport_note_people();
    END IF;
END $$;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgname = 'sallyport_note_update' AND tgrelid = 'sallyport_people'::regclass) THEN
        CREATE TRIGGER sallyport_note_update AFTER UPDATE ON sallyport_people REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
            FOR EACH STATEMENT EXECUTE FUNCTION sallyport_note_people();
    END IF;
END $$;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgname = 'sallyport_note_delete' AND tgrelid = 'sallyport_people'::regclass) THEN
        CREATE TRIGGER sallyport_note_delete AFTER DELETE ON sallyport_people REFERENCING OLD TABLE AS old_rows
            FOR EACH STATEMENT EXECUTE FUNCTION sallyport_note_people();
    END IF;
END $$;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgname = 'sallyport_note_truncate' AND tgrelid = 'sallyport_people'::regclass) THEN
        CREATE TRIGGER sallyport_note_truncate AFTER TRUNCATE ON sallyport_people
            FOR EACH STATEMENT EXECUTE FUNCTION sallyport_note_people();
    END IF;
END $$;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgname = 'sallyport_note_insert' AND tgrelid = 'sallyport_links'::regclass) THEN
        CREATE TRIGGER sallyport_note_insert AFTER INSERT ON sallyport_links REFERENCING NEW TABLE AS new_rows
            FOR EACH STATEMENT EXECUTE FUNCTION sallyport_note_people();
    END IF;
END $$;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgname = 'sallyport_note_update' AND tgrelid = 'sallyport_links'::regclass) THEN
        CREATE TRIGGER sallyport_note_update AFTER UPDATE ON sallyport_links REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
            FOR EACH STATEMENT EXECUTE FUNCTION sallyport_note_people();
    END IF;
END $$;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgname = 'sallyport_note_delete' AND tgrelid = 'sallyport_links'::regclass) THEN
        CREATE TRIGGER sallyport_note_delete AFTER DELETE ON sallyport_links REFERENCING OLD TABLE AS old_rows
            FOR EACH STATEMENT EXECUTE FUNCTION sallyport_note_people();
    END IF;
END $$;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgname = 'sallyport_note_truncate' AND tgrelid = 'sallyport_links'::regclass) THEN
        CREATE TRIGGER sallyport_note_truncate AFTER TRUNCATE ON sallyport_links
            FOR EACH STATEMENT EXECUTE FUNCTION sallyport_note_people();
    END IF;
END $$;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgname = 'sallyport_note_insert' AND tgrelid = 'sessions'::regclass) THEN
        CREATE TRIGGER sallyport_note_insert AFTER INSERT ON sessions REFERENCING NEW TABLE AS new_rows
            FOR EACH STATEMENT EXECUTE FUNCTION sallyport_note_sessions();
    END IF;
END $$;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgname = 'sallyport_note_insert' AND tgrelid = 'sallyport_audit'::regclass) THEN
        CREATE TRIGGER sallyport_note_insert AFTER INSERT ON sallyport_audit REFERENCING NEW TABLE AS new_rows
            FOR EACH STATEMENT EXECUTE FUNCTION sallyport_note_audit();
    END IF;
END $$;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgname = 'sallyport_note_insert' AND tgrelid = 'sallyport_invitations'::regclass) THEN
        CREATE TRIGGER sallyport_note_insert AFTER INSERT ON sallyport_invitations REFERENCING NEW TABLE AS new_rows
            FOR EACH STATEMENT EXECUTE FUNCTION sallyport_note_invitations();
    END IF;
END $$;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgname = 'sallyport_note_update' AND tgrelid = 'sallyport_invitations'::regclass) THEN
        CREATE TRIGGER sallyport_note_update AFTER UPDATE ON sallyport_invitations REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
            FOR EACH STATEMENT EXECUTE FUNCTION sallyport_note_invitations();
    END IF;
END $$;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgname = 'sallyport_note_delete' AND tgrelid = 'sallyport_invitations'::regclass) THEN
        CREATE TRIGGER sallyport_note_delete AFTER DELETE ON sallyport_invitations REFERENCING OLD TABLE AS old_rows
            FOR EACH STATEMENT EXECUTE FUNCTION sallyport_note_invitations();
    END IF;
END $$;
