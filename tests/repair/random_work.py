"""Random schemas, rows and statements for property tests, in SQL that both engines understand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from dbops.repair.table import Ops

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


@dataclass(frozen=True, slots=True)
class Schema:
    """Parents a, their children b, and a tree c."""

    on_delete: str
    on_update: str
    unique: bool

    @property
    def statements(self) -> tuple[str, ...]:
        link = f"ON DELETE {self.on_delete} ON UPDATE {self.on_update}"
        unique = "UNIQUE" if self.unique else ""
        return (
            f"CREATE TABLE a (id integer NOT NULL PRIMARY KEY, v text, u integer {unique})",
            "CREATE TABLE b (id integer NOT NULL PRIMARY KEY, v text,"
            f" a integer REFERENCES a (id) {link})",
            "CREATE TABLE c (id integer NOT NULL PRIMARY KEY, v text,"
            f" up integer REFERENCES c (id) {link})",
        )


SCHEMAS = st.builds(
    Schema,
    st.sampled_from(["CASCADE", "SET NULL", "NO ACTION"]),
    st.sampled_from(["CASCADE", "NO ACTION"]),
    st.booleans(),
)


def _insert(table: str, number: int, value: str, third: str) -> str:
    return f"INSERT INTO {table} VALUES ({number}, {value}, {third})"


_THIRD = st.one_of(st.just("NULL"), _IDS.map(str))
_TABLE = st.sampled_from(TABLES)
_THIRD_NAME = {"a": "u", "b": "a", "c": "up"}
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


def operations(before: Rows, after: Rows) -> dict[str, Ops]:
    """What a comparison of both shows of each table."""
    found = {}
    for table in TABLES:
        old, new = before[table], after[table]
        changed = sum(new[key] != row for key, row in old.items() if key in new)
        found[table] = Ops(len(new.keys() - old.keys()), changed, len(old.keys() - new.keys()))
    return found
