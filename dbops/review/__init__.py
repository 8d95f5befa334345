"""The sign-off: who must agree to a piece of work, and whether they have."""
