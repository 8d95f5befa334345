"""Lint of schema changes: a module a rule, each with a page in docs/reference/rules and a test."""
