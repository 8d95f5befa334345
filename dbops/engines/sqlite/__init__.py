"""The SQLite engine: databases that are files, through apsw."""
