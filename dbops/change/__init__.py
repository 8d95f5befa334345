"""Schema changes: proposed as files, rehearsed on restored data, signed, and only then run."""
