"""Lint of schema changes: one rule a module, each with a page in docs/reference/rules and a test."""
