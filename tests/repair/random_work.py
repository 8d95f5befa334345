"""Random schemas, rows and statements for property tests, in SQL that both engines understand."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from dbops.sql.written import Written

TABLES = ("a", "b", "c")
Rows = dict[str, dict[object, tuple[object, ...]]]
_VALUES = st.sampled_from(["NULL", "''", "'x'", "'中'", "'y y'"])
_IDS = st.integers(1, 8)
_SOME = st.one_of(
    _IDS.map(lambda n: f"id = {n}"),
    _IDS.map(lambda n: f"id > {n}"),
    st.just("v IS NULL"),
    st.just("1 = 1"),
)


# A type, and three different values of it. None are equal in Python and different in a database.
_TYPES = {
    "integer": ("7", "-1", "0"),
    "numeric(9,3)": ("1.250", "-0.001", "999999.999"),
    "double precision": ("0.1", "1e300", "-2.5"),
    "text": ("'甲'", "''", "' a''b '"),
    "varchar(8)": ("''", "'é'", "'ab  '"),
    "char(4)": ("'ab'", "'中'", "''"),
    "date": ("'2024-02-29'", "'0001-01-01'", "'9999-12-31'"),
    "timestamp": ("'2026-01-01 00:00:00.5'", "'1970-01-01 00:00:00'", "'2026-11-23 04:00:00'"),
    "boolean": ("TRUE", "FALSE", "TRUE"),
}


@dataclass(frozen=True, slots=True)
class Extra:
    """A column of any type, which may refuse NULL."""

    name: str
    type: str
    required: bool

    @property
    def definition(self) -> str:
        needed = "NOT NULL" if self.required else ""
        return f"{self.name} {self.type} {needed} DEFAULT {_TYPES[self.type][0]}"


@dataclass(frozen=True, slots=True)
class Schema:
    """Parents a, their children b, and a tree c, each with the columns x and y."""

    on_delete: str
    on_update: str
    unique: bool
    key: str
    extras: tuple[Extra, Extra]

    @property
    def statements(self) -> tuple[str, ...]:
        link = f"ON DELETE {self.on_delete} ON UPDATE {self.on_update}"
        unique = "UNIQUE" if self.unique else ""
        thirds = {
            "a": f"u integer {unique}",
            "b": f"a {self.key} REFERENCES a (id) {link}",
            "c": f"up {self.key} REFERENCES c (id) {link}",
        }
        more = ", ".join(each.definition for each in self.extras)
        return tuple(
            f"CREATE TABLE {table} (id {self.key} NOT NULL PRIMARY KEY, v text, {third}, {more})"
            for table, third in thirds.items()
        )

    def spelled(self, statements: Sequence[str]) -> list[str]:
        """The statements with values of the columns' types in the places of `:x0` and the like."""
        values = {
            f":{each.name}{place}": value
            for each in self.extras
            for place, value in enumerate(_TYPES[each.type])
        }
        return [_VALUE_PLACE.sub(lambda found: values[found[0]], each) for each in statements]


_VALUE_PLACE = re.compile(":[xy][0-2]")


def _extra(name: str) -> st.SearchStrategy[Extra]:
    return st.builds(Extra, st.just(name), st.sampled_from(sorted(_TYPES)), st.booleans())


SCHEMAS = st.builds(
    Schema,
    st.sampled_from(["CASCADE", "SET NULL", "NO ACTION"]),
    st.sampled_from(["CASCADE", "NO ACTION"]),
    st.booleans(),
    st.sampled_from(["integer", "bigint"]),  # to SQLite one is the rowid, the other is not
    st.tuples(_extra("x"), _extra("y")),
)


def _insert(table: str, number: int, value: str, third: str) -> str:
    columns = f"id, v, {_THIRD_NAME[table]}"
    return f"INSERT INTO {table} ({columns}) VALUES ({number}, {value}, {third})"


_THIRD = st.one_of(st.just("NULL"), _IDS.map(str))
_TABLE = st.sampled_from(TABLES)
_THIRD_NAME = {"a": "u", "b": "a", "c": "up"}
_EXTRA = st.sampled_from("xy")
INSERTS = st.builds(_insert, _TABLE, st.integers(1, 10), _VALUES, _THIRD)
STATEMENTS = st.one_of(
    INSERTS,
    st.builds("UPDATE {} SET v = {} WHERE {}".format, _TABLE, _VALUES, _SOME),
    st.builds("UPDATE {0} SET v = coalesce(v, '') || 'z' WHERE {1}".format, _TABLE, _SOME),
    st.builds(
        lambda table, third, some: (
            f"UPDATE {table} SET {_THIRD_NAME[table]} = {third} WHERE {some}"
        ),
        _TABLE,
        _THIRD,
        _SOME,
    ),
    st.builds(
        "UPDATE {0} SET {1} = :{1}{2} WHERE {3}".format, _TABLE, _EXTRA, st.integers(0, 2), _SOME
    ),
    st.builds("UPDATE {} SET {} = NULL WHERE {}".format, _TABLE, _EXTRA, _SOME),
    st.builds("UPDATE {} SET id = {} WHERE id = {}".format, _TABLE, st.integers(1, 20), _IDS),
    st.builds("DELETE FROM {} WHERE {}".format, _TABLE, _SOME),
)
DATA = st.lists(INSERTS, min_size=10, max_size=30)
SCRIPTS = st.lists(STATEMENTS, min_size=2, max_size=6)
LATER = st.lists(STATEMENTS, max_size=3)


def by_key(read: Callable[[str], Sequence[tuple[object, ...]]]) -> Rows:
    """All rows of all tables, by table and key."""
    return {t: {row[0]: row for row in read(f"SELECT * FROM {t}")} for t in TABLES}


def differing_keys(one: Rows, other: Rows) -> set[tuple[str, object]]:
    """The rows that are not the same in both."""
    return {
        (table, key)
        for table in TABLES
        for key in one[table].keys() | other[table].keys()
        if one[table].get(key) != other[table].get(key)
    }


def operations(before: Rows, after: Rows) -> dict[str, Written]:
    """What a comparison of both shows of each table."""
    found = {}
    for table in TABLES:
        old, new = before[table], after[table]
        changed = sum(new[key] != row for key, row in old.items() if key in new)
        found[table] = Written(len(new.keys() - old.keys()), changed, len(old.keys() - new.keys()))
    return found
