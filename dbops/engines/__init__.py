"""The engines: one folder for each kind of database, with the same file names inside."""
