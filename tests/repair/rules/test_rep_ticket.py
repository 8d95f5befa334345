"""REP-TICKET: ticket, cause, and what keeps the error from returning."""

from __future__ import annotations

import pytest

from tests.repair.rules.judging import found, judged


@pytest.mark.parametrize(
    ("manifest", "sentence"),
    [
        ("ticket:", "there is no ticket"),
        ("cause:", "the cause of the error is not found yet"),
        ("cause: {found: an old map}", "nothing says what keeps it from returning"),
    ],
)
def test_what_is_missing_is_said(manifest: str, sentence: str) -> None:
    """It is shown, and stops nobody: the cause may be found after the repair."""
    (finding,) = found(judged(manifest=manifest), "REP-TICKET")
    assert (finding.sentence, finding.severity) == (sentence, "warning")


def test_all_three_are_enough() -> None:
    """Ticket, cause and fix."""
    assert found(judged(), "REP-TICKET") == []
