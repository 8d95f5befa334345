"""Fixtures for every test, one plugin for each thing that a test may need running."""

from __future__ import annotations

from hypothesis import settings

pytest_plugins = ["tests.fix_postgresql"]

# How long an example takes says something about the machine and nothing about the code. Half of
# the usual number of examples keeps a run of all tests short; whoever changes a format runs more:
# pytest --hypothesis-profile=thorough
settings.register_profile("dbops", deadline=None, max_examples=50)
settings.register_profile("thorough", deadline=None, max_examples=1000)
settings.load_profile("dbops")
