"""Fixtures for every test, one plugin for each thing that a test may need running."""

from __future__ import annotations

from hypothesis import settings

pytest_plugins = ["tests.fix_postgresql"]

# How long an example takes says something about the machine and nothing about the code.
settings.register_profile("dbops", deadline=None)
settings.load_profile("dbops")
