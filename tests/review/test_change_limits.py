"""The limits that people sign for a change are those that it has."""

from __future__ import annotations

from dbops.change.manifest import Limits
from dbops.durations import duration_text
from dbops.review.change_limits import DEFAULTS, with_defaults


def test_the_defaults_are_those_of_the_run() -> None:
    """As texts of a manifest, each key once."""
    limits = Limits()
    assert {
        "lock_wait": duration_text(limits.lock_wait),
        "statement": duration_text(limits.statement),
        "attempts": str(limits.attempts),
        "pause": duration_text(limits.pause),
    } == DEFAULTS


def test_what_is_said_stands_as_it_is_written() -> None:
    """In its place and its words; the rest comes behind."""
    assert with_defaults(("statement: 60m", "attempts: 5")) == (
        "statement: 60m",
        "attempts: 5",
        "lock_wait: 3s",
        "pause: 10s",
    )
