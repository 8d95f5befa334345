"""Rows of a table as a repair sees them: read by a predicate, or looked up by their keys.

A text is read as the bytes that are stored, because it need not be valid Unicode. Rows come in
the order of the key's own index wherever that compares binary; else SQLite sorts them, and what
does not fit into its memory lies in a file without a name while it does.
"""

from __future__ import annotations

from collections.abc import Sequence

from dbops.engines.sqlite.connect import quoted
from dbops.engines.sqlite.repair_catalog import BINARY, Facts
from dbops.engines.sqlite.repair_counters import Counters
from dbops.engines.sqlite.repair_order import order_part, part_value, text_part
from dbops.engines.sqlite.repair_values import Bindable, Plain, Raw, bound, encoder
from dbops.errors import Refused
from dbops.repair.table import KeyedRow

Found = tuple[Plain, ...]


def select_where(facts: Facts, predicate: str) -> str:
    """The text that reads the rows for which the predicate holds, ascending by key."""
    # On its own lines: a predicate may end with a comment.
    return f"{_select(facts)} WHERE (\n{predicate}\n) ORDER BY {_ordered(facts)}"


def refuse_keyless(facts: Facts) -> None:
    """Raise Refused `no-key` for a table whose rows nothing identifies."""
    if not facts.shape.key:
        raise Refused(
            "no-key",
            f"{facts.shape.table} has neither a primary key nor a unique key without NULL",
            hint="its rows cannot be told apart: repair it by other means",
        )


class RowReader:
    """Makes rows of what a statement of `select_where` or `look_up` yields."""

    def __init__(self, facts: Facts, counters: Counters | None, codec: str) -> None:
        self._facts = facts
        self._counters = counters
        self._codec = codec
        self._key = facts.shape.key
        self._encoders = tuple(encoder(affinity, codec) for affinity in facts.affinities)

    def row(self, found: Found) -> KeyedRow:
        """The row; raises Refused `null-key` where a part of its key is NULL."""
        kinds, stored = found[1::2], found[2::2]
        order = tuple([self._part(kinds[place], stored[place]) for place in self._key])
        columns = zip(self._encoders, kinds, stored, strict=True)
        values = tuple([make(kind, value) for make, kind, value in columns])
        return KeyedRow(order, values, self._is_own(found[0], kinds, stored))

    def _part(self, kind: Plain, value: Plain) -> bytes:
        if value is None:
            raise Refused(
                "null-key",
                f"a row of {self._facts.shape.table} has NULL in its key"
                f" ({', '.join(self._facts.shape.key_names)})",
                hint="leave such rows out of the watch set, or give them a key first",
            )
        return (
            text_part(value) if kind == "text" and isinstance(value, bytes) else order_part(value)
        )

    def _is_own(self, rowid: Plain, kinds: Found, stored: Found) -> bool:
        if self._counters is None or not self._counters.any:
            return False
        if isinstance(rowid, int):
            return self._counters.is_own_rowid(self._facts.name, rowid)
        try:
            key = tuple([self._comparable(kinds[place], stored[place]) for place in self._key])
        except UnicodeDecodeError:
            return False  # `own_rows` refuses such a table
        return self._counters.is_own_key(self._facts.name, key)

    def _comparable(self, kind: Plain, value: Plain) -> Plain:
        """The value as the preupdate hook shows it."""
        return value.decode(self._codec) if kind == "text" and isinstance(value, bytes) else value


class LookUp:
    """Reads single rows by the key of their `order`."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._select = _select(facts)
        # Nearly all keys are bound as they are, and then the text is always the same.
        where, values = match_key(facts, [0] * len(facts.shape.key))
        self._usual = f"{self._select} WHERE {where}"
        self._once = len(values) == len(facts.shape.key)

    def statement(self, order: Sequence[bytes]) -> tuple[str, tuple[Plain, ...]]:
        """The text that reads the row, and what to bind; Refused `order-form` for no key."""
        facts = self._facts
        if len(order) != len(facts.shape.key):
            part_value(b"")
        key = [part_value(part) for part in order]
        plain = tuple([part for part in key if not isinstance(part, Raw)])
        if self._once and len(plain) == len(key):
            return self._usual, plain
        where, values = match_key(facts, key)
        return f"{self._select} WHERE {where}", values


def match_key(facts: Facts, key: Sequence[Bindable]) -> tuple[str, tuple[Plain, ...]]:
    """The predicate that holds for the row with this key, and what to bind.

    Where the key's index folds case, rows are told apart by their bytes all the same.
    """
    terms: list[str] = []
    values: list[Plain] = []
    pairs = zip(facts.shape.key_names, key, facts.collations, strict=True)
    for name, part, collation in pairs:
        for one in dict.fromkeys((collation, BINARY)):
            text, value = bound(part)
            terms.append(f"{quoted(name)} = +{text} COLLATE {quoted(one)}")
            values.append(value)
    return " AND ".join(terms), tuple(values)


def _select(facts: Facts) -> str:
    shown = [facts.rowid or "NULL"]
    for column in facts.shape.names:
        name = quoted(column)
        # Text as a blob: its bytes as stored, even where they are no valid text.
        shown += [
            f"typeof({name})",
            f"CASE typeof({name}) WHEN 'text' THEN CAST({name} AS BLOB) ELSE {name} END",
        ]
    return f"SELECT {', '.join(shown)} FROM main.{quoted(facts.name)}"  # noqa: S608 - quoted


def _ordered(facts: Facts) -> str:
    return ", ".join(f"{quoted(name)} COLLATE BINARY" for name in facts.shape.key_names)
