"""Fixtures for every test, one plugin for each thing that a test may need running."""

from __future__ import annotations

pytest_plugins = ["tests.fix_postgresql"]
