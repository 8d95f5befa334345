"""The ledger: what dbops did on this host, in a form that two parties can check."""
