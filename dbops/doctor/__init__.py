"""The doctor: looks at everything that a night depends on, and says what to do about it."""
