"""A made-up hospital: fifty SQLite databases, built in seconds, and a day's work in all of them.

Nobody in it exists: names are characters by chance, identity numbers begin with the region 99,
telephone numbers with 100, and the city is called 虚构市. The same seed gives the same rows.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Literal

from dbops.demo.systems import read_systems
from dbops.demo.wrong_ward import TABLE, Act
from dbops.errors import Failed, NotFound, Refused

# What the files hold after the build, with room for the work of some days (bytes).
SPACE_NEEDED = 130_000_000


def build_hospital(directory: Path, seed: int) -> tuple[Path, ...]:
    """Fifty databases `<code>.db` are in `directory` (made if missing), in the order of the list.

    They take about 80 MB, are readable by their owner only, and depend on nothing but `seed`.
    Raises Refused if one of them is there already, Failed if they cannot be written. A crash
    leaves files that are not to be used: remove the directory.
    """
    paths = database_paths(directory)
    present = sum(path.exists() for path in paths)
    if present:
        raise Refused(
            "demo-hospital-exists",
            f"{directory} holds {present} of the made-up databases already",
            hint="name a directory that does not exist yet",
        )
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _not_written(directory, type(error).__name__) from None
    _write("build", directory, str(seed))
    return paths


def live_one_day(directory: Path, seed: int) -> None:
    """One day's work is done in every database of `directory`: rows added, changed and removed.

    The same seed on the same databases does the same work; take another seed for another day.
    Raises NotFound unless all fifty are there, Failed if they cannot be written. A crash leaves
    each database as it was or with the whole day's work.
    """
    paths = database_paths(directory)
    missing = sum(not path.is_file() for path in paths)
    if missing:
        raise NotFound(
            "demo-hospital-missing",
            f"{missing} of the {len(paths)} made-up databases are not in {directory}",
            hint="build the hospital anew: dbops demo",
        )
    _write("live", directory, str(seed))


def act_in_hospital(directory: Path, act: Act) -> None:
    """Somebody has done that in the database of the wrong ward, in one transaction.

    Raises Failed if it cannot be written. A crash leaves the database as it was, or with all of it.
    """
    _write("act", directory, act.value)


def digest_of_visits(directory: Path) -> str:
    """Return the sha256 of every visit in the database of the wrong ward; raises Failed."""
    return _write("digest", directory, TABLE).strip()


def database_paths(directory: Path) -> tuple[Path, ...]:
    """Return where the databases of all systems are in `directory`, in the order of the list."""
    return tuple(directory / f"{system.code}.db" for system in read_systems())


def _write(work: Literal["build", "live", "act", "digest"], directory: Path, what: str) -> str:
    """Run the writer as a child, which ends before this returns: see `dbops/demo/writing.py`.

    Returns what it said on standard output.
    """
    module = [sys.executable, "-P", "-m", "dbops.demo.writing"]
    child = subprocess.run(
        [*module, work, str(directory.resolve()), what],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    if child.returncode != 0:
        raise _not_written(directory, _fault(child.stderr) or f"status {child.returncode}")
    return child.stdout.decode()


def _fault(stderr: bytes) -> str:
    """Return the class of the error that ended the child; its words may hold values."""
    lines = stderr.decode(errors="replace").strip().splitlines()
    return lines[-1].partition(":")[0] if lines else ""


def _not_written(directory: Path, reason: str) -> Failed:
    return Failed(
        "demo-hospital-not-written",
        f"the made-up databases cannot be written in {directory} ({reason})",
        hint=f"check that the directory can be written and has {SPACE_NEEDED // 10**6} MB free",
    )
