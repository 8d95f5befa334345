"""The machine itself: its clock, and the programs that a recovery without dbops needs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime

from dbops.doctor.finding import Finding, ok, problem, warning

EARLIEST = datetime(2025, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
RECOVERY_PROGRAMS = ("age", "zstd")


def check_clock(now: datetime) -> Finding:
    """A clock that is years off makes retention keep the wrong backups."""
    if EARLIEST <= now < LATEST:
        return ok("clock", f"this host's clock says {now.astimezone(UTC):%Y-%m-%d %H:%M} UTC")
    return problem(
        "clock",
        f"this host's clock says {now.astimezone(UTC):%Y-%m-%d %H:%M} UTC, which cannot be",
        "set it by NTP: timedatectl; chronyc tracking",
    )


def check_programs() -> Iterator[Finding]:
    """`age` and `zstd`: dbops does without them, `docs/recovery.md` does not."""
    for name in RECOVERY_PROGRAMS:
        found = shutil.which(name)
        if found is None:
            yield warning(
                "recovery-program",
                f"{name} is not installed: a recovery without dbops would need it",
                f"apt-get install {name}",
            )
        else:
            yield ok("recovery-program", f"{name} is installed: {found}")
