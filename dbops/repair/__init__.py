"""Reviewed data repair: exactly the rows that were approved, or nothing; and the way back."""
