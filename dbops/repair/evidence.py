"""What a rehearsal of a repair found, as `evidence.yml` says it: counts and names, never values.

Pure. The keys that every sort of evidence has are judged by `review/evidence`; here is what a
repair's says besides. The text of a value is always the same, and reads back as that value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from dbops.repair.judgement import Approved
from dbops.repair.ports import Strength
from dbops.repair.table import TableName
from dbops.review.evidence_text import (
    VERSION,
    EvidenceReader,
    evidence_fault,
    mapping_lines,
    open_evidence,
    quoted_text,
    time_text,
)
from dbops.review.work import EVIDENCE, Work
from dbops.sql.written import Written


@dataclass(frozen=True, slots=True)
class TableEvidence:
    """What was written to one watched table.

    `columns` counts the rows in which an update changed each column; `schema` is the digest of the
    table's description.
    """

    ops: Written
    columns: Mapping[str, int]
    schema: str


@dataclass(frozen=True, slots=True)
class TransactionEvidence:
    """One transaction: the keyed digest of its rows before and after, and how many they are.

    The key stands in the sealed rows only, so that nobody can try values on the digest.
    """

    difference: str
    tables: Mapping[TableName, Written]


@dataclass(frozen=True, slots=True)
class UndoEvidence:
    """How the way back was tried: rows that were restored, and how a second try was refused."""

    restored: int
    again: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairEvidence:
    """What the verifying host `host` found at `at` when it rehearsed the repair `id`.

    It ran on `backup` (such as `his@12`), `taken` then and verified up to `proof`, on `server`,
    whose counters are of `strength` and called `counted_by`. `side_effects` are inserts by table,
    `sequences` what was advanced; `transactions` has one part for a repair without batches. `took`
    is the repair's time in milliseconds. `files` are the sha256 of all other files, by path.
    """

    id: str
    at: datetime
    host: str
    database: str
    backup: str
    taken: datetime
    proof: str
    server: str
    strength: Strength
    counted_by: str
    tables: Mapping[TableName, TableEvidence]
    side_effects: Mapping[TableName, int] = field(default_factory=dict)
    sequences: tuple[str, ...] = ()
    transactions: tuple[TransactionEvidence, ...]
    undo: UndoEvidence
    took: int
    files: Mapping[str, str]

    @property
    def rows(self) -> int:
        """How many watched rows were written."""
        return sum(table.ops.total for table in self.tables.values())

    def approved(self, key: str) -> tuple[Approved, ...]:
        """Return what a run must come to again; `key` is that of the sealed rows."""
        return tuple(Approved(key, each.difference, each.tables) for each in self.transactions)


def evidence_text(evidence: RepairEvidence) -> bytes:
    """Return the bytes of `evidence.yml`.

    Raises Refused `evidence-form`, `yaml-…` or `text-…` where they would not read back as the
    value, such as for a table whose name hides a character.
    """
    data = "".join(f"{line}\n" for line in _lines(evidence)).encode("utf-8", "surrogatepass")
    if parse_evidence(data, EVIDENCE) != evidence:
        raise evidence_fault(EVIDENCE, 1, "it would not read back as what was found")
    return data


def read_evidence(work: Work) -> RepairEvidence | None:
    """Return what the folder's evidence says, **unverified**; None where there is none.

    Whether it counts is asked of `review.judge`. Raises Refused `evidence-form`, `yaml-…`.
    """
    data = work.files.get(EVIDENCE)
    return None if data is None else parse_evidence(data, f"{work.folder}/{EVIDENCE}")


def parse_evidence(data: bytes, source: str) -> RepairEvidence:
    """Return what the bytes say; `source` names them in errors. Raises as `read_evidence`."""
    top = open_evidence(data, source)
    undo = top.below("undo")
    found = RepairEvidence(
        id=top.text("id"),
        at=top.time("at"),
        host=top.text("host"),
        database=top.text("database"),
        backup=top.text("backup"),
        taken=top.time("taken"),
        proof=top.text("proof"),
        server=top.text("server"),
        strength=Strength(top.text("strength", lambda text: text in set(Strength))),
        counted_by=top.text("counted_by"),
        tables={table: _table_evidence(below) for table, below in _tables(top.below("tables"))},
        side_effects=_side_effects(top.below("side_effects")),
        sequences=top.names("sequences"),
        transactions=tuple(_transaction(below) for below in top.items("transactions")),
        undo=UndoEvidence(undo.count("restored"), undo.text("again")),
        took=top.count("took"),
        files=top.below("files").each(EvidenceReader.digest),
    )
    undo.refuse_others()
    top.refuse_others()
    return found


def _lines(evidence: RepairEvidence) -> Iterator[str]:
    yield f"dbops: {VERSION}"
    yield f"id: {quoted_text(evidence.id)}"
    yield f"at: {time_text(evidence.at)}"
    yield f"host: {quoted_text(evidence.host)}"
    yield f"database: {quoted_text(evidence.database)}"
    yield f"backup: {quoted_text(evidence.backup)}"
    yield f"taken: {time_text(evidence.taken)}"
    yield f"proof: {quoted_text(evidence.proof)}"
    yield f"server: {quoted_text(evidence.server)}"
    yield f"strength: {evidence.strength.value}"
    yield f"counted_by: {quoted_text(evidence.counted_by)}"
    yield "tables:" if evidence.tables else "tables: {}"
    for table, found in sorted(evidence.tables.items()):
        yield from _table_lines(table, found)
    yield from mapping_lines("side_effects", {str(t): n for t, n in evidence.side_effects.items()})
    yield f"sequences: [{', '.join(map(quoted_text, evidence.sequences))}]"
    yield "transactions:" if evidence.transactions else "transactions: []"
    for part in evidence.transactions:
        yield f"  - difference: {part.difference}"
        tables = (f"{quoted_text(str(t))}: {_ops(ops)}" for t, ops in sorted(part.tables.items()))
        yield f"    tables: {{{', '.join(tables)}}}"
    yield f"undo: {{restored: {evidence.undo.restored}, again: {quoted_text(evidence.undo.again)}}}"
    yield f"took: {evidence.took}"
    yield from mapping_lines("files", evidence.files)


def _table_lines(table: TableName, found: TableEvidence) -> Iterator[str]:
    yield f"  {quoted_text(str(table))}:"
    yield f"    ops: {_ops(found.ops)}"
    columns = (f"{quoted_text(name)}: {count}" for name, count in sorted(found.columns.items()))
    yield f"    columns: {{{', '.join(columns)}}}"
    yield f"    schema: {found.schema}"


def _ops(ops: Written) -> str:
    return f"{{inserted: {ops.inserted}, updated: {ops.updated}, deleted: {ops.deleted}}}"


def _table_evidence(reader: EvidenceReader) -> TableEvidence:
    found = TableEvidence(
        _read_ops(reader.below("ops")),
        reader.below("columns").each(EvidenceReader.count),
        reader.digest("schema"),
    )
    reader.refuse_others()
    return found


def _transaction(reader: EvidenceReader) -> TransactionEvidence:
    tables = {table: _read_ops(below) for table, below in _tables(reader.below("tables"))}
    found = TransactionEvidence(reader.digest("difference"), tables)
    reader.refuse_others()
    return found


def _read_ops(reader: EvidenceReader) -> Written:
    found = Written(reader.count("inserted"), reader.count("updated"), reader.count("deleted"))
    reader.refuse_others()
    return found


def _side_effects(reader: EvidenceReader) -> dict[TableName, int]:
    return {
        _table(reader, name): count for name, count in reader.each(EvidenceReader.count).items()
    }


def _tables(reader: EvidenceReader) -> Iterator[tuple[TableName, EvidenceReader]]:
    """The mappings in a mapping, by the tables that its keys name."""
    for name in reader.tree.fields:
        yield _table(reader, name), reader.below(name)


def _table(reader: EvidenceReader, key: str) -> TableName:
    """The table that a key names."""
    try:
        return TableName.parse(key)
    except ValueError:
        line = reader.tree.lines[key]
        raise evidence_fault(reader.source, line, "not the name of a table") from None
