-- Each mail is leased and committed before it ends: with room on its page both leave the indexes as they are.
ALTER TABLE sallyport_outbox SET (fillfactor = 40);
