"""The repair that brings rows back as a backup has them: its manifest, script and payload; pure.

Rows that are gone are inserted, rows that differ are updated, rows that are the same are left
alone. Neither a key nor a value stands in the manifest or the script: all of them are sealed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dbops.errors import NotFound, Refused, UsageFault
from dbops.repair.manifest_writing import Tree, document_text, fields, located
from dbops.repair.parameter import Argument, ParameterType
from dbops.repair.payload import Payload, RowSet
from dbops.repair.ports import Binding
from dbops.repair.table import Key, KeyedRow, Row, Shape
from dbops.sql.script import parse_fragment
from dbops.sql.statement import Statement

LOST: Final = "lost"
CHANGED: Final = "changed"
KEYS_MOST: Final = 500

_COLUMN: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows: of one table, by the texts of their keys, each in the order of the key."""

    shape: Shape
    keys: tuple[tuple[str, ...], ...]

    @property
    def where(self) -> str:
        """The rows with these keys, by sealed parameters."""
        names = self.shape.key_names
        return " OR ".join(
            "("
            + " AND ".join(f"{_quoted(n)} = :{_key(row, at)}" for at, n in enumerate(names))
            + ")"
            for row in range(len(self.keys))
        )

    @property
    def statement(self) -> Statement:
        """The same, to be read with."""
        return parse_fragment(self.where, "repair.yml", 1)

    @property
    def arguments(self) -> Mapping[str, str]:
        """The sealed texts of the keys, by parameter."""
        return {
            _key(row, at): part for row, key in enumerate(self.keys) for at, part in enumerate(key)
        }

    @property
    def binding(self) -> Binding:
        """The same, to be bound."""
        bound = {name: Argument(ParameterType.TEXT, text) for name, text in self.arguments.items()}
        return Binding(bound)


@dataclass(frozen=True, slots=True)
class Found:
    """The rows of the backup that the database does not have like that."""

    lost: tuple[Row, ...]
    changed: tuple[Row, ...]
    columns: tuple[str, ...]  # in which the changed ones differ


def wanted(shape: Shape, keys: Sequence[tuple[str, ...]]) -> Wanted:
    """Return the choice of rows.

    Raises Refused `no-key` where the table has none, and UsageFault `key-form` for keys that are
    none of this table.
    """
    if not shape.key:
        raise Refused(
            "no-key",
            f"{shape.table} has no key by which a row could be chosen",
            hint="restore the table beside the original: dbops restore run --table",
        )
    parts = len(shape.key)
    unfit = sum(1 for key in keys if len(key) != parts)
    if unfit or not keys or len(keys) > KEYS_MOST:
        names = ", ".join(shape.key_names)
        raise UsageFault(
            "key-form",
            f"a key of {shape.table} has {parts} part{'s' if parts > 1 else ''}:"
            f" {unfit} of {len(keys)} given do not"
            if unfit
            else f"{len(keys)} keys were given for {shape.table}",
            hint=f"give 1 to {KEYS_MOST} keys, the parts ({names}) separated by commas",
        )
    return Wanted(shape, tuple(dict.fromkeys(keys)))


def compare(asked: Wanted, backup: Sequence[KeyedRow], live: Sequence[KeyedRow]) -> Found:
    """Return what of the backup's rows is gone or differs in the database.

    Raises NotFound `rows-not-in-backup` where one of the keys is not in the backup, and Refused
    `nothing-to-bring-back` where the database has all of them as they are.
    """
    if len(backup) != len(asked.keys):
        raise NotFound(
            "rows-not-in-backup",
            f"{asked.shape.table}: the backup has rows for {len(backup)} of {len(asked.keys)}"
            f" key{'s' if len(asked.keys) > 1 else ''}",
            hint="choose another backup: dbops backup list",
        )
    now: Mapping[Key, Row] = {each.order: each.row for each in live}
    lost = tuple(each.row for each in backup if each.order not in now)
    pairs = [(each.row, now[each.order]) for each in backup if each.order in now]
    changed = [(then, row) for then, row in pairs if then != row]
    if not lost and not changed:
        raise Refused(
            "nothing-to-bring-back",
            f"{asked.shape.table}: the database has the rows of {len(backup)}"
            f" key{'s' if len(backup) > 1 else ''} as the backup has them",
            hint="choose an earlier backup: dbops backup list",
        )
    columns = tuple(
        name
        for place, name in enumerate(asked.shape.names)
        if any(then[place] != row[place] for then, row in changed)
    )
    return Found(lost, tuple(then for then, _ in changed), columns)


def script_text(asked: Wanted, found: Found, *, overruling: bool) -> str:
    """Return `repair.sql`: an insert and an update, each for every row of its sealed set.

    `overruling` says that an insert has to overrule the server where it assigns a column itself.
    """
    shape = asked.shape
    table = ".".join(_quoted(part) for part in (shape.table.schema, shape.table.name) if part)
    names, aliases = shape.names, _aliases(shape)
    statements = []
    if found.lost:
        columns = ", ".join(map(_quoted, names))
        values = ", ".join(f":{LOST}.{alias}" for alias in aliases)
        assigned = overruling and any(column.assigned for column in shape.columns)
        clause = "OVERRIDING SYSTEM VALUE " if assigned else ""
        statements.append(f"INSERT INTO {table} ({columns})\n{clause}VALUES ({values});\n")
    if found.changed:
        alias_of = dict(zip(names, aliases, strict=True))
        settings = ",\n    ".join(
            f"{_quoted(name)} = :{CHANGED}.{alias_of[name]}" for name in found.columns
        )
        chosen = " AND ".join(
            f"{_quoted(name)} = :{CHANGED}.{alias_of[name]}" for name in shape.key_names
        )
        statements.append(f"UPDATE {table} SET\n    {settings}\nWHERE {chosen};\n")
    return "\n".join(statements)


def manifest_text(head: Mapping[str, Tree], asked: Wanted, found: Found) -> str:
    """Return `repair.yml` with this head."""
    sets = {LOST: found.lost, CHANGED: found.changed}
    sealed: dict[str, Tree] = {name: {"type": "text", "sealed": "true"} for name in asked.arguments}
    for name, rows in sets.items():
        if rows:
            sealed[name] = {"type": "rows", "sealed": "true"}
    counts = {"insert": len(found.lost), "update": len(found.changed)}
    watch: dict[str, Tree] = {
        "table": str(asked.shape.table),
        "where": asked.where,
        "expect": {name: str(count) for name, count in counts.items() if count},
    }
    if found.changed:
        watch["may_change"] = found.columns
    tree: dict[str, Tree] = {
        **head,
        "params": sealed,
        "watch": (watch,),
        "limits": {"rows": str(len(found.lost) + len(found.changed))},
    }
    return document_text(fields({key: located(each) for key, each in tree.items()}))


def payload_of(asked: Wanted, found: Found) -> Payload:
    """Return the keys and the rows that are to be sealed."""
    columns = _aliases(asked.shape)
    sets = {LOST: found.lost, CHANGED: found.changed}
    return Payload(
        dict(asked.arguments), {name: RowSet(columns, rows) for name, rows in sets.items() if rows}
    )


def _aliases(shape: Shape) -> tuple[str, ...]:
    """What the script calls the columns of a set: by their names where it can."""
    return tuple(_alias(shape.names))


def _alias(names: Sequence[str]) -> Iterator[str]:
    for place, name in enumerate(names):
        yield name if _COLUMN.fullmatch(name) else f"column_{place + 1}"


def _key(row: int, at: int) -> str:
    return f"key_{row + 1}" if at == 0 else f"key_{row + 1}_{at + 1}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
