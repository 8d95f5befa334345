"""What is to be run, and what it runs as; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dbops.crypto.age import Recipient
from dbops.repair.judgement import Approved
from dbops.repair.manifest import Repair
from dbops.repair.payload import Payload
from dbops.repair.ports import SessionOrder
from dbops.sql.statement import Statement


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOrder:
    """A reviewed repair on one database, once.

    `plan` is the sha256 of the reviewed files, `run` a new uuid (32 hex digits), `database` the
    alias and `identity` the engine's own identity of the database that was approved. The bundle is
    sealed to `recipients`. `key` (64 hex digits) keys the digest of the difference; `approved` has
    what each transaction must come to again, with the rehearsal's key, and is empty where nothing
    must. `scratch` is a directory for sealed files without a name.
    """

    repair: Repair
    script: tuple[Statement, ...]
    payload: Payload | None
    plan: str
    run: str
    database: str
    identity: str
    recipients: Sequence[Recipient]
    key: str
    scratch: Path
    approved: tuple[Approved, ...] = ()


def session_order(repair: Repair, identity: str | None = None) -> SessionOrder:
    """Return how a session for this repair is opened, on the database with that identity."""
    return SessionOrder(
        work=repair.id,
        lock_wait=repair.limits.lock_wait,
        statement=repair.limits.statement,
        search_path=repair.search_path,
        temporary=repair.temporary,
        identity=identity,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoOrder:
    """A reviewed undo on one database, once; `repair` has `undo_of`. All else as in RunOrder."""

    repair: Repair
    plan: str
    run: str
    database: str
    identity: str
    recipients: Sequence[Recipient]
    key: str
