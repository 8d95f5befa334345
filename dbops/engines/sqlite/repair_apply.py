"""Rows written by their keys, with values exactly as they were read: what an undo does."""

from __future__ import annotations

from collections.abc import Sequence

from dbops.engines.sqlite.connect import quoted
from dbops.engines.sqlite.repair_catalog import Facts
from dbops.engines.sqlite.repair_read import match_key
from dbops.engines.sqlite.repair_values import Bindable, Plain, bound, decode
from dbops.errors import Refused
from dbops.repair.table import Change, Reference, Row, Value

_Text = tuple[str, tuple[Plain, ...]]


def change_text(facts: Facts, change: Change) -> _Text | None:
    """The statement that makes the change, and what to bind; None where nothing differs.

    What the table says about conflicts is overruled: a conflict is an error, and never replaces
    or leaves out a row.
    """
    before, after = change.before, change.after
    if before is None and after is None:
        return None
    if before is None:
        return _insert(facts, _row(after))
    if after is None:
        where, values = _match(facts, before)
        return f"DELETE FROM main.{quoted(facts.name)} WHERE {where}", values  # noqa: S608
    return _update(facts, before, after)


def refuse_count(facts: Facts, found: int) -> None:
    """Raise Refused `row-count` unless exactly one row was written."""
    if found != 1:
        raise Refused(
            "row-count",
            f"a change of one row of {facts.shape.table} wrote {found} rows",
            hint="the table is not as it was, or a trigger swallows the change",
        )


def children_text(
    reference: Reference, facts: Facts, collations: Sequence[str], key: Sequence[Value]
) -> _Text | None:
    """The query that counts the rows that point at a row of the parent; None for a key with NULL.

    `facts` and `collations` are the parent's and its columns': they decide what is equal.
    """
    places = [facts.shape.names.index(name) for name in reference.target_columns]
    terms, values = [], []
    for column, place, collation, part in zip(
        reference.columns, places, collations, key, strict=True
    ):
        value = decode(part, facts.affinities[place])
        if value is None:
            return None
        text, plain = bound(value)
        terms.append(f"{quoted(column)} = +{text} COLLATE {quoted(collation)}")
        values.append(plain)
    table = quoted(reference.child.name)
    return f"SELECT count(*) FROM main.{table} WHERE {' AND '.join(terms)}", tuple(values)  # noqa: S608


def _insert(facts: Facts, row: Row) -> _Text:
    places = [bound(value) for value in _decoded(facts, row)]
    names = ", ".join(map(quoted, facts.shape.names))
    marks = ", ".join(text for text, _ in places)
    text = f"INSERT OR ABORT INTO main.{quoted(facts.name)} ({names}) VALUES ({marks})"  # noqa: S608
    return text, tuple(value for _, value in places)


def _update(facts: Facts, before: Row, after: Row) -> _Text | None:
    differing = [place for place, value in enumerate(after) if value != before[place]]
    if not differing:
        return None
    new = _decoded(facts, after)
    places = [(facts.shape.names[place], bound(new[place])) for place in differing]
    sets = ", ".join(f"{quoted(name)} = {text}" for name, (text, _) in places)
    where, key = _match(facts, before)
    text = f"UPDATE OR ABORT main.{quoted(facts.name)} SET {sets} WHERE {where}"  # noqa: S608
    return text, (*(value for _, (_, value) in places), *key)


def _match(facts: Facts, row: Row) -> _Text:
    decoded = _decoded(facts, row)
    return match_key(facts, [decoded[place] for place in facts.shape.key])


def _decoded(facts: Facts, row: Row) -> list[Bindable]:
    if len(row) != len(facts.affinities):
        raise Refused(
            "undo-schema",
            f"{facts.shape.table} has other columns than the rows that are to be written",
            hint="the table was changed since: write a new repair",
        )
    return [decode(value, kind) for value, kind in zip(row, facts.affinities, strict=True)]


def _row(row: Row | None) -> Row:
    return () if row is None else row
