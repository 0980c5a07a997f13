-- An invitation that is deleted, once its time is up or its person is erased, has reached what it reached: the funnel goes on counting it.
DROP TRIGGER IF EXISTS sallyport_note_delete ON sallyport_invitations;
