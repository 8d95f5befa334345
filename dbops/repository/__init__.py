"""Repository format 1: how sealed backups lie in a store. `FORMAT.md` is its specification."""
