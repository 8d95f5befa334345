"""A made-up hospital of fifty systems, so that everything can be tried without a real one."""
