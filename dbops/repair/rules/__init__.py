"""Lint of repairs: one rule a module, each with a page in docs/reference/rules and a test."""
