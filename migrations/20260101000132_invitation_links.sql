-- What became of each link of an invitation.
ALTER TABLE sallyport_invitation_steps
    -- The request that is being answered with it, and until when no other is: so that of many one has success.
    ADD COLUMN claimed_by UUID,
    ADD COLUMN claimed_until TIMESTAMPTZ,
    ADD COLUMN spent_at TIMESTAMPTZ;
