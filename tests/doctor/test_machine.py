"""The clock and the programs of this machine."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from dbops.doctor.finding import Verdict
from dbops.doctor.machine import check_clock, check_programs


@pytest.mark.parametrize(
    ("year", "verdict"),
    [(1970, Verdict.PROBLEM), (2024, Verdict.PROBLEM), (2026, Verdict.OK), (2100, Verdict.PROBLEM)],
)
def test_a_clock_that_is_years_off_is_a_problem(year: int, verdict: Verdict) -> None:
    """A battery that died, or a typing mistake, shows."""
    finding = check_clock(datetime(year, 1, 1, tzinfo=UTC))
    assert finding.verdict is verdict
    assert finding.text.startswith(f"this host's clock says {year}-01-01 00:00 UTC")


def test_a_missing_recovery_program_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """dbops works without it; the recovery without dbops does not."""
    program = tmp_path / "age"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    age, zstd = check_programs()
    assert (age.verdict, age.text) == (Verdict.OK, f"age is installed: {program}")
    assert (zstd.verdict, zstd.text, zstd.advice) == (
        Verdict.WARNING,
        "zstd is not installed: a recovery without dbops would need it",
        "apt-get install zstd",
    )
