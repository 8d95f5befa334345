"""One run over many databases: each for itself, so that no failure stops the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from dbops.errors import DbopsError, ExitStatus, Failed
from dbops.repository.chain import Damage
from dbops.repository.manifest import Envelope

BUG = "bug"


@dataclass(frozen=True, slots=True)
class NightResult:
    """How it went for one database: an envelope or an error, never both.

    `damages` is what is wrong with the chain of its earlier backups.
    """

    database: str
    seconds: float
    envelope: Envelope | None = None
    error: DbopsError | None = None
    damages: tuple[Damage, ...] = ()


def run_night(
    databases: Iterable[str], back_up: Callable[[str], tuple[Envelope, tuple[Damage, ...]]]
) -> Iterator[NightResult]:
    """The result of each database as it comes; only an interruption ends the night early."""
    for database in databases:
        start = time.monotonic()
        try:
            envelope, damages = back_up(database)
        except DbopsError as error:
            yield NightResult(database, time.monotonic() - start, error=error)
        except Exception as bug:  # noqa: BLE001 - a bug at one database must not cost the others
            yield NightResult(database, time.monotonic() - start, error=bug_at(database, bug))
        else:
            took = time.monotonic() - start
            yield NightResult(database, took, envelope=envelope, damages=damages)


def bug_at(database: str, bug: Exception) -> DbopsError:
    """The error for a defect: its kind, and never its words, which may hold values."""
    return Failed(
        BUG,
        f"a bug in dbops at {database}: {type(bug).__name__}",
        hint="report this line; the command can be run again safely",
    )


def night_status(results: Iterable[NightResult]) -> ExitStatus:
    """0 where all went well, 4 where all have backups but a chain is damaged, 3 where some have.

    Where none has, the failure's own status, or 1 for several.
    """
    listed = tuple(results)
    errors = [result.error for result in listed if result.error is not None]
    if not errors:
        damaged = any(result.damages for result in listed)
        return ExitStatus.FINDING if damaged else ExitStatus.DONE
    if len(errors) < len(listed):
        return ExitStatus.PARTLY
    if len(errors) > 1:
        return ExitStatus.FAILED
    return ExitStatus.BUG if errors[0].code == BUG else errors[0].status
