"""Watch sets proposed from a script, for its author to read and to complete; pure.

A proposal is a beginning: only the author knows how many rows there should be, and only the
engine's counters know what was written. Conditions are the script's own words. Where they had to be
put together from several parts the draft says `# check:`. What could not be read is listed.
It loads sqlglot, so commands import it when they run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from dbops.repair.manifest_parameters import BATCH_PLACES
from dbops.repair.parsed import read_statement
from dbops.repair.reading import Op, Predicate, Reading, Target, Write
from dbops.review.work import SCRIPT
from dbops.sql.script import parse_script
from dbops.sql.statement import Bound, Identifier, Piece, RowColumn, Statement


@dataclass(frozen=True, slots=True)
class ProposedWatch:
    """A table that the script writes. `where` is "" where its author has to say which rows.

    `table` and `may_change` are spelled as in a manifest. `exact` says that `where` stands so in
    the script; `lines` are those of the statements, and `parts` their conditions.
    """

    table: str
    where: str
    exact: bool
    ops: frozenset[Op]
    may_change: tuple[str, ...]
    lines: tuple[int, ...]
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unseen:
    """A statement of which the proposal knows nothing, or not all; `why` ends "the statement …"."""

    line: int
    why: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a script seems to write, and what it needs.

    `values`, `tables`, `columns` and `rows` are the names of its placeholders; `temporary` the
    temporary tables that it makes.
    """

    watches: tuple[ProposedWatch, ...]
    unseen: tuple[Unseen, ...] = ()
    values: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    temporary: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Part:
    """One write of one statement."""

    line: int
    write: Write


def propose(script_text: str, dialect: str) -> Proposal:
    """Return the watch sets that the script seems to need; `dialect` is sqlglot's name.

    Raises Refused `script-…` or `text-…` as `parse_script`, for text that no repair may hold.
    """
    ended = script_text if script_text.endswith("\n") else f"{script_text}\n"
    statements = parse_script(ended.encode(), SCRIPT)
    readings = [read_statement(each, dialect, f"line {each.line}") for each in statements]
    temporary = tuple(
        made.table.name for reading in readings for made in reading.makes if made.temporary
    )
    parts = [
        _Part(statement.line, write)
        for statement, reading in zip(statements, readings, strict=True)
        for write in reading.writes
        if write.target.table is None or write.target.table.name not in temporary
    ]
    named = [part for part in parts if _spelled(part.write.target)]
    pieces = [piece for statement in statements for piece in statement.pieces]
    tables = {part.write.target.parameter for part in named}
    identifiers = _names(piece.name for piece in pieces if isinstance(piece, Identifier))
    return Proposal(
        watches=tuple(_watches(named)),
        unseen=tuple(_unseen(statements, readings)),
        values=_names(_values(pieces)),
        tables=tuple(name for name in identifiers if name in tables),
        columns=tuple(name for name in identifiers if name not in tables),
        rows=_names(_rows(pieces)),
        temporary=temporary,
    )


def _watches(parts: Sequence[_Part]) -> Iterator[ProposedWatch]:
    for table in _names(_spelled(part.write.target) for part in parts):
        own = [part for part in parts if _spelled(part.write.target) == table]
        where = _joined([part.write.where for part in own])
        sets = [_column(name) for part in own for name in part.write.sets]
        yield ProposedWatch(
            table=table,
            where=where.text,
            exact=where.exact,
            ops=frozenset(op for part in own for op in part.write.ops),
            may_change=_names(sets),
            lines=tuple(dict.fromkeys(part.line for part in own)),
            parts=tuple(part.write.where.text for part in own if part.write.where.text),
        )


def _joined(parts: Sequence[Predicate]) -> Predicate:
    """Return one condition for the rows of all; none where one of them is not known."""
    texts = _names(part.text for part in parts)
    if "" in texts:
        return Predicate("", exact=False)
    if len(texts) == 1:
        return Predicate(texts[0], all(part.exact for part in parts))
    return Predicate(" OR ".join(f"({text})" for text in texts), exact=False)


def _unseen(statements: Iterable[Statement], readings: Iterable[Reading]) -> Iterator[Unseen]:
    for statement, reading in zip(statements, readings, strict=True):
        hidden = [write for write in reading.writes if not _spelled(write.target)]
        if reading.doubt is not None and not reading.makes:
            yield Unseen(statement.line, reading.doubt.value)
        elif hidden:
            yield Unseen(statement.line, "writes something that is not named as a table")
        elif reading.calls:
            yield Unseen(statement.line, "calls functions, which may write too")


def _spelled(target: Target) -> str:
    if target.parameter is not None:
        return f':"{target.parameter}"'
    return "" if target.table is None else str(target.table)


def _column(name: str) -> str:
    return f':"{name[1:]}"' if name.startswith(":") else name


def _values(pieces: Iterable[Piece]) -> Iterator[str]:
    """The parameters that have values of their own; the bounds of a batch are given by the run."""
    named = (piece.name for piece in pieces if isinstance(piece, Bound))
    return (name for name in named if name not in BATCH_PLACES)


def _rows(pieces: Iterable[Piece]) -> Iterator[str]:
    return (piece.name for piece in pieces if isinstance(piece, RowColumn))


def _names(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
