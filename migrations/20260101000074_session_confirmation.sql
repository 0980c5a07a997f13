-- Who is confirming a session at its provider: one at a time, since a refresh token that comes twice ends the session there.
ALTER TABLE sallyport_sessions
  ADD COLUMN confirming_by UUID,
  ADD COLUMN confirming_until TIMESTAMPTZ;
