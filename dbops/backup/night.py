"""One run over many databases: each for itself, so that no failure stops the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from dbops.errors import DbopsError, ExitStatus, Failed
from dbops.repository.manifest import Envelope


@dataclass(frozen=True, slots=True)
class NightResult:
    """How it went for one database: an envelope or an error, never both."""

    database: str
    seconds: float
    envelope: Envelope | None = None
    error: DbopsError | None = None


def run_night(
    databases: Iterable[str], back_up: Callable[[str], Envelope]
) -> Iterator[NightResult]:
    """The result of each database as it comes; only an interruption ends the night early."""
    for database in databases:
        start = time.monotonic()
        try:
            envelope = back_up(database)
        except DbopsError as error:
            yield NightResult(database, time.monotonic() - start, error=error)
        except Exception as bug:  # noqa: BLE001 - a bug at one database must not cost the others
            error = Failed(
                "bug",
                f"a bug in dbops at {database}: {type(bug).__name__}",
                hint=f"report this; run it alone to see the place: dbops backup run {database}",
            )
            yield NightResult(database, time.monotonic() - start, error=error)
        else:
            yield NightResult(database, time.monotonic() - start, envelope=envelope)


def night_status(results: Iterable[NightResult]) -> ExitStatus:
    """0 where all went well, 3 where some did, else the failure's own status."""
    listed = tuple(results)
    errors = [result.error for result in listed if result.error is not None]
    if not errors:
        return ExitStatus.DONE
    if len(errors) < len(listed):
        return ExitStatus.PARTLY
    return errors[0].status if len(errors) == 1 else ExitStatus.FAILED
