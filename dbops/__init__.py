"""dbops keeps a hospital's databases safe: proven backups, reviewed repairs, signed changes."""

__version__ = "0.1.0"
