COMMENT ON COLUMN sessions.access_token_hash IS 'SHA-256 of the access token; the token itself is stored nowhere';
COMMENT ON COLUMN sessions.refresh_token_hash IS 'SHA-256 of the refresh token; the token itself is stored nowhere';
