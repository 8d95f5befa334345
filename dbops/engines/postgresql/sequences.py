"""Where each sequence stands.

A sequence is not versioned: whoever asks sees its present value, whatever his snapshot. So all are
read once, right after the snapshot was taken: not before any row that the snapshot sees, hence
never behind a number that a row already has. The stream and the facts are made of that one reading.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dbops.engines.postgresql.connect import Session, literal
from dbops.engines.postgresql.tables import Relation
from dbops.engines.postgresql.units import copy_text

_PER_QUERY = 100


@dataclass(frozen=True, slots=True)
class SequenceState:
    """A sequence and its position; `is_called` says whether `last_value` was given out."""

    name: str
    schema: str
    relname: str
    last_value: int
    is_called: bool


def read_sequences(session: Session, relations: Sequence[Relation]) -> tuple[SequenceState, ...]:
    """The sequences among the relations as they stand now; each stays locked against DROP."""
    wanted = [one for one in relations if one.kind == "S"]
    return tuple(
        state
        for start in range(0, len(wanted), _PER_QUERY)
        for state in _read_some(session, wanted[start : start + _PER_QUERY])
    )


def _read_some(session: Session, wanted: Sequence[Relation]) -> Iterator[SequenceState]:
    by_oid = {one.oid: one for one in wanted}
    query = " UNION ALL ".join(
        f"SELECT {one.oid}::bigint, last_value, is_called FROM {one.sql}"  # noqa: S608 - quoted
        for one in wanted
    )
    for oid, last_value, is_called in session.rows(query, doing="reading sequences"):
        one = by_oid[oid]
        yield SequenceState(one.name, one.schema, one.relname, last_value, is_called)


def sequence_text(states: Sequence[SequenceState]) -> str:
    """The rows of the stream of sequences."""
    return copy_text(
        (one.schema, one.relname, str(one.last_value), "t" if one.is_called else "f")
        for one in states
    )


def sequence_facts(session: Session, states: Sequence[SequenceState]) -> dict[str, str]:
    """Parameters and position of each sequence."""
    found = session.rows(
        "SELECT format('%I.%I', n.nspname, c.relname),"
        " concat_ws(' ', format_type(s.seqtypid, NULL), 'start', s.seqstart,"
        " 'by', s.seqincrement, 'from', s.seqmin, 'to', s.seqmax,"
        " 'cache', s.seqcache, CASE WHEN s.seqcycle THEN 'cycle' END)"
        " FROM pg_sequence AS s JOIN pg_class AS c ON c.oid = s.seqrelid"
        " JOIN pg_namespace AS n ON n.oid = c.relnamespace",
        doing="reading sequences",
    )
    parameters: dict[str, str] = dict(found)
    return {
        one.name: f"{parameters[one.name]} last {one.last_value}"
        f"{'' if one.is_called else ' not called'}"
        for one in states
    }


def counting_query(states: Sequence[SequenceState]) -> str:
    """A query of how many of these sequences the catalog has, whoever read them."""
    names = ", ".join(f"({literal(one.schema)}, {literal(one.relname)})" for one in states)
    if not names:
        return "SELECT 0::bigint"
    return (
        "SELECT count(*) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"  # noqa: S608
        f" WHERE c.relkind = 'S' AND (n.nspname, c.relname) IN ({names})"
    )
