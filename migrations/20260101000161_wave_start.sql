-- A wave takes its people in pages when it starts, so that no statement grows with their number.
ALTER TABLE sallyport_waves
    -- The last user by id who was looked at. NULL: nobody yet.
    ADD COLUMN taken_to UUID,
    ADD COLUMN taken INTEGER NOT NULL DEFAULT 0,
    -- The last person by lot whom its limit takes. NULL: there is none, or it takes everybody.
    ADD COLUMN cut JSONB,
    DROP CONSTRAINT sallyport_waves_state_check,
    ADD CONSTRAINT sallyport_waves_state_check CHECK (state IN ('planned', 'starting', 'running', 'paused', 'done', 'cancelled'));
