"""Rehearse a repair on a copy: run it, take it back, try to take it back twice, and write it down.

The copy is thrown away afterwards. What stays are three files for the work's folder: the rows
before and after, sealed to those who review them; the evidence, which holds no value; and the
signature of the host that saw it happen.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from dbops.crypto.age import Identity, Recipient
from dbops.crypto.signing import Signer
from dbops.crypto.sshsig import Namespace
from dbops.errors import Failed, Partly, Refused
from dbops.repair.batches import run_batches
from dbops.repair.bundle import Bundle, BundleWriter
from dbops.repair.bundle_union import BundleUnion
from dbops.repair.bundles import BundlePlace
from dbops.repair.evidence import (
    ROWS,
    RepairEvidence,
    TableEvidence,
    TransactionEvidence,
    UndoEvidence,
    evidence_text,
)
from dbops.repair.manifest import Repair, UndoOf
from dbops.repair.payload import Payload
from dbops.repair.ports import RepairEngine
from dbops.repair.report import RunReport, TableEffect
from dbops.repair.run import run_repair
from dbops.repair.run_order import RunOrder, UndoOrder, session_order
from dbops.repair.script import Statement
from dbops.repair.table import Ops, TableName
from dbops.repair.transaction import Stage
from dbops.repair.undo import undo_repair
from dbops.review.folder import FILE_MOST
from dbops.review.work import EVIDENCE, EVIDENCE_SIGNATURE, Work

REHEARSED: Final = frozenset({EVIDENCE, EVIDENCE_SIGNATURE, ROWS})
"""The files of the folder that a rehearsal makes, and makes anew."""

_NOT_PREPARED: Final = "repair-not-prepared"
_AGAIN: Final = "undo-already"


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsalOrder:
    """What is rehearsed, on a copy of what, and who will read the rows.

    `work` holds the files as they will run. The copy is of `backup` (such as `his@12`), which was
    `taken` then and verified up to `proof`. `readers` open the rows, `signer` is the key of the
    host that is called `host`. `directory` is private to this account, for sealed files.
    """

    work: Work
    repair: Repair
    script: tuple[Statement, ...]
    payload: Payload | None
    host: str
    backup: str
    taken: datetime
    proof: str
    readers: Sequence[Recipient]
    signer: Signer
    directory: Path
    token: Callable[[], str] = field(default=lambda: secrets.token_hex(16), repr=False)


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What was found, and the files that say so, in the order in which they are written."""

    evidence: RepairEvidence
    files: Mapping[str, bytes]


def rehearse(
    order: RehearsalOrder,
    engine: RepairEngine,
    prepare: Callable[[Sequence[TableName]], None],
    now: Callable[[], datetime],
    observe: Callable[[Stage], None] = lambda _: None,
) -> Rehearsal:
    """Return the evidence that the repair does what it says, and can be taken back.

    `engine` is the copy, as the role that repairs; `prepare` makes it ready for repairs of these
    tables, and is called where it is not. Afterwards the copy has been repaired and restored.
    Raises what `run_repair` and `undo_repair` raise, as they would on the database itself; Refused
    `rehearse-undo` for an undo, and `rehearse-rows` where the rows have no room in the folder;
    Failed `undo-repeatable` where a second undo was not refused.
    """
    repair = order.repair
    if repair.undo_of is not None:
        raise Refused(
            "rehearse-undo",
            f"{repair.id} takes {repair.undo_of.work} back, which was rehearsed with its undo",
            hint=f"have it approved as it is: dbops review request {repair.id}",
        )
    _prepare(repair, engine, prepare)
    secret = Identity.generate()
    place = BundlePlace(order.directory)
    reports = _run(_run_order(order, engine, secret), engine, place, observe)
    bundles = [place.open(place.find(each.sha256), (secret,), each.sha256) for each in reports]
    undo_of = UndoOf(repair.id, tuple(each.sha256 for each in reports))
    undone = _take_back(order, undo_of, bundles, engine, place, secret)
    rows = _for_readers(order, undo_of, bundles)
    return _written(order, _found(order, reports, undone, bundles, now()), rows)


def _prepare(
    repair: Repair, engine: RepairEngine, prepare: Callable[[Sequence[TableName]], None]
) -> None:
    """The copy is as the database is: only where nobody prepared that is it done here."""
    try:
        with engine.session(session_order(repair)) as session:
            session.begin()
    except Refused as refusal:
        if refusal.code != _NOT_PREPARED:
            raise
        prepare(written_tables(repair))


def written_tables(repair: Repair) -> tuple[TableName, ...]:
    """Return the tables that the repair writes, as its manifest names them, each once."""
    watched = [watch.table for watch in repair.watches]
    return tuple(dict.fromkeys((*watched, *(effect.table for effect in repair.side_effects))))


def _run_order(order: RehearsalOrder, engine: RepairEngine, secret: Identity) -> RunOrder:
    return RunOrder(
        repair=order.repair,
        script=order.script,
        payload=order.payload,
        plan=order.work.plan,
        run=order.token(),
        database=order.repair.database,
        identity=engine.identity(),
        recipients=(secret.recipient,),
        key=order.token() + order.token(),
        scratch=order.directory,
    )


def _run(
    order: RunOrder, engine: RepairEngine, place: BundlePlace, observe: Callable[[Stage], None]
) -> tuple[RunReport, ...]:
    """Run it as it will be run: in one transaction, or in batches."""
    if order.repair.batch is None:
        return (run_repair(order, engine, place, observe),)
    try:
        return run_batches(order, engine, place, observe).batches
    except Partly as failure:
        # What stayed of it is on a copy: nothing was done by halves.
        raise Refused(failure.code, failure.message, hint=failure.hint) from None


def _take_back(
    order: RehearsalOrder,
    undo_of: UndoOf,
    bundles: Sequence[Bundle],
    engine: RepairEngine,
    place: BundlePlace,
    secret: Identity,
) -> RunReport:
    """Undo the run, and see that it is undone once only."""
    repair = order.repair
    undo = replace(repair, undo_of=undo_of, watches=(), before=(), after=(), batch=None)
    once = UndoOrder(
        repair=undo,
        plan=order.work.plan,
        run=order.token(),
        database=repair.database,
        identity=engine.identity(),
        recipients=(secret.recipient,),
        key=order.token() + order.token(),
    )
    undone = undo_repair(once, bundles, engine, place, _unobserved)
    try:
        undo_repair(replace(once, run=order.token()), bundles, engine, place, _unobserved)
    except Refused as refusal:
        if refusal.code == _AGAIN:
            return undone
        raise
    raise Failed(
        "undo-repeatable",
        f"the undo of {repair.id} was done twice, and the second time was not refused",
        hint="do not run it; report this with dbops doctor",
    )


def _unobserved(_stage: Stage) -> None:
    """Nobody waits for an undo's stages here."""


def _for_readers(order: RehearsalOrder, undo_of: UndoOf, bundles: Sequence[Bundle]) -> bytes:
    """All rows in one bundle, from before the first transaction to after the last, sealed anew.

    Whoever sealed the others is forgotten with this process.
    """
    union = BundleUnion(undo_of, bundles)
    sink = _Memory()
    with BundleWriter(sink, order.readers, union.header) as writer:
        for index, change in union:
            writer.add(index, change)
    if len(sink.data) > FILE_MOST:
        raise Refused(
            "rehearse-rows",
            f"the rows of {order.repair.id} take more than {FILE_MOST >> 20} MiB sealed, "
            "and its folder has no room for them",
            hint="make several repairs of it, each of fewer rows",
        )
    return bytes(sink.data)


def _found(
    order: RehearsalOrder,
    reports: Sequence[RunReport],
    undone: RunReport,
    bundles: Sequence[Bundle],
    now: datetime,
) -> RepairEvidence:
    first = reports[0]
    schemas = {table.table: table.schema for table in bundles[0].header.tables}
    effects = [effect for report in reports for effect in report.tables]
    appended = sum((Counter(report.appended) for report in reports), Counter[TableName]())
    return RepairEvidence(
        id=order.repair.id,
        at=_whole_second(now),
        host=order.host,
        database=order.repair.database,
        backup=order.backup,
        taken=_whole_second(order.taken),
        proof=order.proof,
        server=first.server,
        strength=first.strength,
        counted_by=first.counted_by,
        tables={
            table: _table([effect for effect in effects if effect.table == table], schema)
            for table, schema in schemas.items()
        },
        side_effects={table: appended[table] for table in first.appended},
        sequences=tuple(sorted({name for report in reports for name in report.sequences})),
        transactions=tuple(
            TransactionEvidence(report.digest, {each.table: each.ops for each in report.tables})
            for report in reports
        ),
        undo=UndoEvidence(undone.rows, _AGAIN),
        took=round(1000 * sum(report.seconds for report in reports)),
        files={path: own for path, own in order.work.digests.items() if path not in REHEARSED},
    )


def _table(effects: Sequence[TableEffect], schema: str) -> TableEvidence:
    columns = sum((Counter(effect.columns) for effect in effects), Counter[str]())
    return TableEvidence(sum((effect.ops for effect in effects), Ops()), dict(columns), schema)


def _whole_second(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)


def _written(order: RehearsalOrder, found: RepairEvidence, rows: bytes) -> Rehearsal:
    evidence = replace(found, files={**found.files, ROWS: hashlib.sha256(rows).hexdigest()})
    text = evidence_text(evidence)
    signature = order.signer.sign(text, Namespace.EVIDENCE).encode("ascii")
    return Rehearsal(evidence, {ROWS: rows, EVIDENCE: text, EVIDENCE_SIGNATURE: signature})


@dataclass(slots=True)
class _Memory:
    data: bytearray = field(default_factory=bytearray)

    def write(self, block: bytes, /) -> int:
        """Keep the block; what would never fit is not kept, so that memory stays bounded."""
        if len(self.data) <= FILE_MOST:
            self.data += block
        return len(block)
