"""What a rehearsal is of, and what it leaves: sealed rows, evidence, and a signature.

The rows go to those who review them; the evidence holds no value, and the host that saw it happen
signs it.
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

from dbops.crypto.age import Recipient
from dbops.crypto.signing import Signer
from dbops.crypto.sshsig import Namespace
from dbops.errors import Refused
from dbops.repair.bundle import Bundle, BundleWriter
from dbops.repair.bundle_union import BundleUnion
from dbops.repair.evidence import (
    RepairEvidence,
    TableEvidence,
    TransactionEvidence,
    UndoEvidence,
    evidence_text,
)
from dbops.repair.manifest import Repair, UndoOf
from dbops.repair.payload import Payload
from dbops.repair.report import RunReport, TableEffect
from dbops.repair.table import TableName
from dbops.review.folder import FILE_MOST
from dbops.review.work import EVIDENCE, EVIDENCE_SIGNATURE, ROWS, Work
from dbops.sql.statement import Statement
from dbops.sql.written import Written

REHEARSED: Final = frozenset({EVIDENCE, EVIDENCE_SIGNATURE, ROWS})
"""The files of the folder that a rehearsal makes, and makes anew."""


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


def write_down(
    order: RehearsalOrder,
    reports: Sequence[RunReport],
    bundles: Sequence[Bundle],
    undo: UndoEvidence,
    now: datetime,
) -> Rehearsal:
    """Return what was found as files: of each transaction the report, and its bundle, opened.

    Raises Refused `rehearse-rows` where the rows have no room in the folder.
    """
    undo_of = UndoOf(order.repair.id, tuple(each.sha256 for each in reports))
    rows = _for_readers(order, undo_of, bundles)
    return _written(order, _found(order, reports, bundles, undo, now), rows)


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
    bundles: Sequence[Bundle],
    undo: UndoEvidence,
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
        undo=undo,
        took=round(1000 * sum(report.seconds for report in reports)),
        files={path: own for path, own in order.work.digests.items() if path not in REHEARSED},
    )


def _table(effects: Sequence[TableEffect], schema: str) -> TableEvidence:
    columns = sum((Counter(effect.columns) for effect in effects), Counter[str]())
    return TableEvidence(sum((effect.ops for effect in effects), Written()), dict(columns), schema)


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
