"""What a rehearsal of a repair found, as `evidence.yml` says it: counts and names, never values.

Pure. The keys that every sort of evidence has are judged by `review/evidence`; here is what a
repair's says besides. The text of a value is always the same, and reads back as that value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, TypeVar

from dbops.errors import Refused
from dbops.repair.judgement import Approved
from dbops.repair.ports import Strength
from dbops.repair.table import Ops, TableName
from dbops.review.work import EVIDENCE, Work
from dbops.review.yaml_text import Fields, Items, Located, Scalar, parse_yaml

VERSION: Final = "evidence/v1"
ROWS: Final = "rows.age"
"""The file beside it that holds the rows themselves, sealed."""

_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_COUNT: Final = re.compile(r"0|[1-9][0-9]{0,17}")
_NAME: Final = re.compile(r"\S([^\x00-\x1f\x7f]{0,298}\S)?")
_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True)
class TableEvidence:
    """What was written to one watched table.

    `columns` counts the rows in which an update changed each column; `schema` is the digest of the
    table's description.
    """

    ops: Ops
    columns: Mapping[str, int]
    schema: str


@dataclass(frozen=True, slots=True)
class TransactionEvidence:
    """One transaction: the keyed digest of its rows before and after, and how many they are.

    The key stands in the sealed rows only, so that nobody can try values on the digest.
    """

    difference: str
    tables: Mapping[TableName, Ops]


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
        raise _fault(EVIDENCE, 1, "it would not read back as what was found")
    return data


def read_evidence(work: Work) -> RepairEvidence | None:
    """Return what the folder's evidence says, **unverified**; None where there is none.

    Whether it counts is asked of `review.judge`. Raises Refused `evidence-form`, `yaml-…`.
    """
    data = work.files.get(EVIDENCE)
    return None if data is None else parse_evidence(data, f"{work.folder}/{EVIDENCE}")


def parse_evidence(data: bytes, source: str) -> RepairEvidence:
    """Return what the bytes say; `source` names them in errors. Raises as `read_evidence`."""
    tree = parse_yaml(data, source)
    if not isinstance(tree, Fields):
        raise _fault(source, 1, "not a mapping of keys to values")
    top = _Reader(source, tree)
    top.text("dbops", VERSION.__eq__)
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
        tables={table: _table_evidence(below) for table, below in top.below("tables").tables()},
        side_effects=_side_effects(top.below("side_effects")),
        sequences=top.names("sequences"),
        transactions=tuple(_transaction(below) for below in top.items("transactions")),
        undo=UndoEvidence(undo.count("restored"), undo.text("again")),
        took=top.count("took"),
        files=top.below("files").each(_Reader.digest),
    )
    undo.refuse_others()
    top.refuse_others()
    return found


def _lines(evidence: RepairEvidence) -> Iterator[str]:
    yield f"dbops: {VERSION}"
    yield f"id: {_quoted(evidence.id)}"
    yield f"at: {evidence.at.astimezone(UTC):{_TIME}}"
    yield f"host: {_quoted(evidence.host)}"
    yield f"database: {_quoted(evidence.database)}"
    yield f"backup: {_quoted(evidence.backup)}"
    yield f"taken: {evidence.taken.astimezone(UTC):{_TIME}}"
    yield f"proof: {_quoted(evidence.proof)}"
    yield f"server: {_quoted(evidence.server)}"
    yield f"strength: {evidence.strength.value}"
    yield f"counted_by: {_quoted(evidence.counted_by)}"
    yield "tables:" if evidence.tables else "tables: {}"
    for table, found in sorted(evidence.tables.items()):
        yield from _table_lines(table, found)
    yield from _mapping("side_effects", {str(t): n for t, n in evidence.side_effects.items()})
    yield f"sequences: [{', '.join(map(_quoted, evidence.sequences))}]"
    yield "transactions:" if evidence.transactions else "transactions: []"
    for part in evidence.transactions:
        yield f"  - difference: {part.difference}"
        tables = (f"{_quoted(str(t))}: {_ops(ops)}" for t, ops in sorted(part.tables.items()))
        yield f"    tables: {{{', '.join(tables)}}}"
    yield f"undo: {{restored: {evidence.undo.restored}, again: {_quoted(evidence.undo.again)}}}"
    yield f"took: {evidence.took}"
    yield from _mapping("files", evidence.files)


def _table_lines(table: TableName, found: TableEvidence) -> Iterator[str]:
    yield f"  {_quoted(str(table))}:"
    yield f"    ops: {_ops(found.ops)}"
    columns = (f"{_quoted(name)}: {count}" for name, count in sorted(found.columns.items()))
    yield f"    columns: {{{', '.join(columns)}}}"
    yield f"    schema: {found.schema}"


def _ops(ops: Ops) -> str:
    return f"{{inserted: {ops.inserted}, updated: {ops.updated}, deleted: {ops.deleted}}}"


def _mapping(key: str, entries: Mapping[str, object]) -> Iterator[str]:
    yield f"{key}:" if entries else f"{key}: {{}}"
    for name, value in sorted(entries.items()):
        yield f"  {_quoted(name)}: {value}"


def _quoted(text: str) -> str:
    """A JSON string, which YAML reads as the same text; Chinese stays readable."""
    return json.dumps(text, ensure_ascii=False)


def _table_evidence(reader: _Reader) -> TableEvidence:
    found = TableEvidence(
        _read_ops(reader.below("ops")),
        reader.below("columns").each(_Reader.count),
        reader.digest("schema"),
    )
    reader.refuse_others()
    return found


def _transaction(reader: _Reader) -> TransactionEvidence:
    tables = {table: _read_ops(below) for table, below in reader.below("tables").tables()}
    found = TransactionEvidence(reader.digest("difference"), tables)
    reader.refuse_others()
    return found


def _read_ops(reader: _Reader) -> Ops:
    found = Ops(reader.count("inserted"), reader.count("updated"), reader.count("deleted"))
    reader.refuse_others()
    return found


def _side_effects(reader: _Reader) -> dict[TableName, int]:
    return {reader.table(name): count for name, count in reader.each(_Reader.count).items()}


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads typed values out of a mapping, and says where one is not allowed."""

    source: str
    tree: Fields
    read: set[str] = field(default_factory=set)

    def text(self, key: str, allowed: Callable[[str], bool] = lambda _: True) -> str:
        """The text of a key."""
        node = self._node(key)
        if not isinstance(node, Scalar) or not _NAME.fullmatch(node.text) or not allowed(node.text):
            raise self._bad(key)
        return node.text

    def time(self, key: str) -> datetime:
        """A time in UTC to the second."""
        try:
            return datetime.strptime(self.text(key), _TIME).replace(tzinfo=UTC)
        except ValueError:
            raise self._bad(key) from None

    def count(self, key: str) -> int:
        """A number that is not below zero."""
        return int(self.text(key, lambda text: _COUNT.fullmatch(text) is not None))

    def digest(self, key: str) -> str:
        """64 hex digits."""
        return self.text(key, lambda text: _DIGEST.fullmatch(text) is not None)

    def names(self, key: str) -> tuple[str, ...]:
        """A list of texts."""
        node = self._node(key)
        items = node.items if isinstance(node, Items) else ()
        found = tuple(item.text for item in items if isinstance(item, Scalar))
        whole = isinstance(node, Items) and len(found) == len(items)
        if not whole or not all(map(_NAME.fullmatch, found)):
            raise self._bad(key)
        return found

    def items(self, key: str) -> Iterator[_Reader]:
        """The mappings of a list."""
        node = self._node(key)
        if not isinstance(node, Items):
            raise self._bad(key)
        for item in node.items:
            if not isinstance(item, Fields):
                raise self._bad(key)
            yield _Reader(self.source, item)

    def below(self, key: str) -> _Reader:
        """The mapping of a key."""
        node = self._node(key)
        if not isinstance(node, Fields):
            raise self._bad(key)
        return _Reader(self.source, node)

    def tables(self) -> Iterator[tuple[TableName, _Reader]]:
        """The mappings in it, by the tables that its keys name."""
        for name in self.tree.fields:
            yield self.table(name), self.below(name)

    def table(self, key: str) -> TableName:
        """The table that a key names."""
        try:
            return TableName.parse(key)
        except ValueError:
            line = self.tree.lines[key]
            raise _fault(self.source, line, "not the name of a table") from None

    def each(self, read: Callable[[_Reader, str], _Read]) -> dict[str, _Read]:
        """Every key with what `read` makes of it."""
        return {key: read(self, key) for key in self.tree.fields}

    def refuse_others(self) -> None:
        """Raise Refused for a key that nobody has asked for."""
        for key, line in self.tree.lines.items():
            if key not in self.read:
                raise _fault(self.source, line, f"unknown key {key[:60]}")

    def _node(self, key: str) -> Located:
        if key not in self.tree.fields:
            raise _fault(self.source, self.tree.line, f"{key} is missing")
        self.read.add(key)
        return self.tree.fields[key]

    def _bad(self, key: str) -> Refused:
        return _fault(self.source, self.tree.lines[key], f"{key} is not allowed")


def _fault(source: str, line: int, what: str) -> Refused:
    return Refused("evidence-form", f"{source} line {line}: {what}", hint="rehearse the work again")
