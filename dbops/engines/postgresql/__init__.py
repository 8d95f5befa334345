"""PostgreSQL: everything that speaks its protocol, runs its programs or starts its servers."""
