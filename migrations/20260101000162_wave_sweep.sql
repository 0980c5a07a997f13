-- The last invitation by id that the job has looked through. NULL: all of them.
ALTER TABLE sallyport_waves ADD COLUMN swept_to UUID;
