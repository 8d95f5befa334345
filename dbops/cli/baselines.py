"""The schema that each database is to have, as the ledger knows it and this host keeps it.

The ledger holds the digest, with who agreed to it; the text lies in the state directory under that
digest. A text that is not of the ledger's digest counts for nothing.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from dbops.errors import DbopsError, Failed, NotFound, Unreachable
from dbops.locks import try_lock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dbops.audit.entry import Entry
    from dbops.change.diff import Difference
    from dbops.change.schema import Schema
    from dbops.cli.wiring import Wiring

WAIT: Final = timedelta(seconds=5)
_PAUSE: Final = 0.05  # seconds


@dataclass(frozen=True, slots=True)
class Kept:
    """The digest of a schema that this host keeps, what differs from it, and what to say of it.

    None where nothing is kept: what was recorded before cannot be read.
    """

    digest: str | None
    drift: tuple[Difference, ...]
    remarks: tuple[str, ...] = ()


@contextmanager
def recorded_alone(wiring: Wiring, database: str, wait: timedelta = WAIT) -> Iterator[None]:
    """No other process of this host alters meanwhile what the database is to have.

    To be held from before it is read until the outcome that names the new one is in the ledger: two
    at once would both build on the same one, and what the first made would be drift from then on.
    Raises Unreachable `change-running` where others hold it all the while; the lock ends with the
    process.
    """
    path, end = wiring.state.locks / f"schema-{database}.lock", time.monotonic()
    end += wait.total_seconds()
    while True:
        with try_lock(path) as ours:
            if ours:
                yield
                return
        if time.monotonic() >= end:
            raise Unreachable(
                "change-running",
                f"another process is recording the schema of {database}, or runs a change there",
                hint=f"wait for it, or see who it is: fuser -v {path}",
            )
        wiring.sleep(_PAUSE)


def keep_schema(wiring: Wiring, database: str, schema: Schema) -> str:
    """Afterwards this host has the text of the schema; returns its digest, for the ledger."""
    from dbops.change.schema_text import schema_text

    wiring.state.keep_schema(database, schema.digest, schema_text(schema))
    return schema.digest


def record_run(
    wiring: Wiring, database: str, before: Schema, after: Schema, live: Schema | None = None
) -> Kept:
    """Afterwards this host has the recorded schema with what a run made of it, and no drift.

    Where none was recorded it has all of `after`. Where what was recorded cannot be read nothing is
    kept: nobody could say then what was altered by hand before, and `baseline_of` goes on raising.
    `live` is what the database has, where that is not `after`.
    """
    from dbops.change.drift import drift
    from dbops.change.recorded import recorded_after

    remarks: tuple[str, ...] = ()
    try:
        recorded, _ = baseline_of(wiring, database)
        schema = recorded_after(recorded, before, after)
        found = drift(schema, after if live is None else live, database)
    except NotFound:
        schema, found = after, ()
    except DbopsError as fault:
        remark = f"{fault.message}: what {database} is to have has to be recorded anew"
        return Kept(None, (), (remark,))
    if found:
        remarks = (
            f"{database} also differs from what was recorded before: dbops change drift {database}",
        )
    return Kept(keep_schema(wiring, database, schema), found, remarks)


def has_baseline(wiring: Wiring, database: str) -> bool:
    """Whether a schema of the database was recorded that can be read."""
    try:
        baseline_of(wiring, database)
    except DbopsError:
        return False
    return True


def baseline_of(wiring: Wiring, database: str) -> tuple[Schema, Entry]:
    """The schema that was recorded last, and the entry of the ledger that says so.

    Raises NotFound `no-baseline` where none was recorded, and Failed `baseline-lost` where its text
    is not what the ledger says.
    """
    from dbops.audit.entry import DigestOf

    entry = _recorded(wiring, database)
    if entry is None:
        raise NotFound(
            "no-baseline",
            f"no schema of {database} was ever recorded",
            hint=f"have it recorded: dbops change record {database} --id ID --author PRINCIPAL",
        )
    digest = entry.draft.digests[DigestOf.SCHEMA]
    text = wiring.state.schema(database, digest)
    schema = None if text is None else _parsed(text, database)
    if schema is None or schema.digest != digest:
        raise Failed(
            "baseline-lost",
            f"the schema of {database} that ledger entry {entry.sequence} recorded does not lie on"
            " this host as it was",
            hint=f"record it anew: dbops change record {database} --id ID --author PRINCIPAL",
        )
    return schema, entry


def _parsed(text: bytes, database: str) -> Schema | None:
    """The schema that the text says; None where it is damaged, Refused `schema-old` as it says."""
    from dbops.change.schema_text import parse_schema

    try:
        return parse_schema(text, f"the recorded schema of {database}")
    except DbopsError as fault:
        if fault.code == "schema-old":
            raise
        return None


def _recorded(wiring: Wiring, database: str) -> Entry | None:
    """The last outcome that gave the database a schema; None where there is none."""
    from dbops.audit.entry import DigestOf, Event, Phase, Result
    from dbops.audit.links import entries_about_work
    from dbops.cli.ledger import segments_of

    segments = segments_of(wiring)
    if not segments.exist:
        return None
    events = {
        Event.CHANGE_RUN,
        Event.CHANGE_REVERT,
        Event.CHANGE_RESUME,
        Event.CHANGE_RECORD,
    }
    found = [
        entry
        for entry in entries_about_work(segments)
        if entry.draft.event in events
        and entry.draft.phase is Phase.OUTCOME
        and entry.draft.target == database
        and entry.draft.result is Result.DONE
        and DigestOf.SCHEMA in entry.draft.digests
    ]
    return found[-1] if found else None
