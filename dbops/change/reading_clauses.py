"""The clauses of ALTER TABLE, and the elements of CREATE TABLE, in every dialect; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from dbops.change.reading import Act, Clause, Column, Name
from dbops.change.reading_columns import column_of, constraint_of, default_of, definition_of
from dbops.change.reading_using import using_of
from dbops.change.reading_words import Cursor, Word, parts, upper_words

_OPTIONS: Final = frozenset(
    [
        *("OWNER", "SET", "RESET", "CLUSTER", "INHERIT", "NO", "REPLICA", "FORCE", "ENGINE"),
        *("CONVERT", "ALGORITHM", "LOCK", "COMMENT", "AUTO_INCREMENT", "DEFAULT", "CHARACTER"),
        *("CHARSET", "COLLATE", "ROW_FORMAT", "ORDER", "READ", "PARALLEL", "NOLOGGING", "LOGGING"),
        *("COMPRESS", "NOCOMPRESS", "STORAGE", "TABLESPACE", "OF", "NOT", "CACHE", "NOCACHE"),
        *("KEY_BLOCK_SIZE", "MAX_ROWS", "STATS_PERSISTENT", "WAIT", "NOWAIT"),
    ]
)
_PARTITIONS: Final = frozenset(
    [
        "ATTACH",
        "DETACH",
        "SWITCH",
        "SPLIT",
        "MERGE",
        "TRUNCATE",
        "EXCHANGE",
        "PARTITION",
        "REORGANIZE",
    ]
)
_ACTIONS: Final = frozenset(
    [
        *("ADD", "DROP", "ALTER", "MODIFY", "CHANGE", "RENAME", "VALIDATE", "ENABLE", "DISABLE"),
        *("CHECK", "NOCHECK", "REBUILD", "MOVE", "SHRINK", "WITH"),
    ]
)
_CONSTRAINTS: Final = frozenset(["PRIMARY", "UNIQUE", "FOREIGN", "CHECK", "EXCLUDE", "CONSTRAINT"])


def elements(words: Sequence[Word], dialect: str) -> Iterator[Clause]:
    """Yield the columns, constraints and indexes in the parentheses of CREATE TABLE."""
    for part in parts(words):
        yield _element(Cursor(part, dialect))


def alterations(words: Sequence[Word], dialect: str) -> Iterator[Clause]:
    """Yield the clauses of ALTER TABLE; `words` is what follows the table's name."""
    before: tuple[str, ...] = ()
    for part in parts(words):
        cursor = Cursor(part, dialect)
        if cursor.peek() in _ACTIONS | _OPTIONS | _PARTITIONS:
            before = _head(cursor)
        elif before:  # T-SQL: ADD a int, b int; DROP COLUMN a, b
            yield from _continued(before, cursor)
            continue
        yield from _alteration(cursor, upper_words(part))


def _head(cursor: Cursor) -> tuple[str, ...]:
    begin = 2 if cursor.peek() == "WITH" else 0  # T-SQL: WITH NOCHECK ADD
    return tuple(word for word in (cursor.peek(begin), cursor.peek(begin + 1)) if word)


def _continued(head: tuple[str, ...], cursor: Cursor) -> Iterator[Clause]:
    if head[0] == "ADD":
        yield _element(cursor)
    elif head[:2] in {("DROP", "COLUMN"), ("DROP", "CONSTRAINT")}:
        cursor.take_any(head[1])
        act = Act.DROP_COLUMN if head[1] == "COLUMN" else Act.DROP_CONSTRAINT
        name = cursor.identifier()
        yield Clause(act, column=name) if act is Act.DROP_COLUMN else Clause(act, name=name)
    else:
        yield Clause(Act.OTHER, words=upper_words(cursor.rest))


def _alteration(cursor: Cursor, words: tuple[str, ...]) -> Iterator[Clause]:
    first = cursor.peek()
    if first == "WITH":  # T-SQL: WITH NOCHECK ADD CONSTRAINT
        cursor.take("WITH")
        cursor.take_any("CHECK", "NOCHECK")
        first = cursor.peek()
    read = _READERS.get(first)
    if read is not None:
        cursor.take(first)
        yield from (replace(clause, words=words) for clause in read(cursor))
    elif first in _PARTITIONS:
        yield Clause(Act.PARTITION, part=_part(cursor), words=words)
    elif first in _OPTIONS:
        yield Clause(Act.OPTION, words=words)
    else:
        yield Clause(Act.OTHER, words=words)


def _part(cursor: Cursor) -> Name | None:
    """Return the table that ATTACH or DETACH PARTITION names."""
    attached = cursor.take_any("ATTACH", "DETACH") and cursor.take("PARTITION")
    return cursor.name() if attached else None


def _element(cursor: Cursor) -> Clause:
    """Return the column, constraint or index that is defined next."""
    if cursor.peek() in _CONSTRAINTS:
        name = cursor.identifier() if cursor.take("CONSTRAINT") else None
        constraint = constraint_of(cursor, name)
        if constraint is None:  # T-SQL: CONSTRAINT name DEFAULT value FOR column
            return Clause(Act.SET_DEFAULT if cursor.at("DEFAULT") else Act.OTHER, name=name)
        return Clause(Act.ADD_CONSTRAINT, name=name, constraint=constraint)
    if cursor.at("DEFAULT") and cursor.dialect == "tsql":
        return Clause(Act.SET_DEFAULT)
    if cursor.at("LIKE"):
        return Clause(Act.OPTION, words=("LIKE",))
    if cursor.dialect == "mysql" and cursor.take_any("INDEX", "KEY", "FULLTEXT", "SPATIAL"):
        cursor.take_any("INDEX", "KEY")
        return Clause(Act.ADD_INDEX, name=None if cursor.at("(") else cursor.identifier())
    column = column_of(cursor.rest, cursor.dialect)
    return _added(column)


def _added(column: Column | None) -> Clause:
    if column is None:
        return Clause(Act.OTHER)
    return Clause(Act.ADD_COLUMN, column=column.name, definition=column)


def _add(cursor: Cursor) -> Iterator[Clause]:
    if cursor.at("PARTITION"):
        yield Clause(Act.PARTITION)
        return
    column = cursor.take("COLUMN")
    cursor.take("IF", "NOT", "EXISTS")
    if column and not cursor.at("("):
        yield _added(column_of(cursor.rest, cursor.dialect))
    elif cursor.at("("):  # Oracle and MySQL: several in parentheses
        yield from elements(cursor.group(), cursor.dialect)
    else:
        yield _element(cursor)


def _drop(cursor: Cursor) -> Iterator[Clause]:
    kind = cursor.take_any("COLUMN", "CONSTRAINT", "PRIMARY", "FOREIGN", "CHECK", "INDEX", "KEY")
    if kind in {"PRIMARY", "FOREIGN"}:
        cursor.take("KEY")
    if not kind and cursor.take("PARTITION"):
        yield Clause(Act.PARTITION)
        return
    cursor.take("IF", "EXISTS")
    if kind in {"CONSTRAINT", "PRIMARY", "FOREIGN", "CHECK"}:
        name = "PRIMARY KEY" if kind == "PRIMARY" else cursor.identifier()
        yield Clause(Act.DROP_CONSTRAINT, name=name)
    elif kind in {"INDEX", "KEY"}:
        yield Clause(Act.DROP_INDEX, name=cursor.identifier())
    elif cursor.at("("):
        yield from (Clause(Act.DROP_COLUMN, column=name) for name in cursor.names())
    else:
        yield Clause(Act.DROP_COLUMN, column=cursor.identifier())


def _alter(cursor: Cursor) -> Iterator[Clause]:
    if cursor.take("CONSTRAINT") or cursor.take("CHECK"):
        yield Clause(Act.SWITCH_CONSTRAINT, name=cursor.identifier())
        return
    if cursor.take("INDEX"):
        yield Clause(Act.OPTION, name=cursor.identifier())
        return
    cursor.take("COLUMN")
    name = cursor.identifier()
    if name is None:
        yield Clause(Act.OTHER)
    elif cursor.take("SET", "NOT", "NULL"):
        yield Clause(Act.SET_NOT_NULL, column=name)
    elif cursor.take("DROP", "NOT", "NULL"):
        yield Clause(Act.DROP_NOT_NULL, column=name)
    elif cursor.take("SET", "DEFAULT"):
        default = replace(
            definition_of(name, Cursor((), cursor.dialect)), default=default_of(cursor)
        )
        yield Clause(Act.SET_DEFAULT, column=name, definition=default)
    elif cursor.take("DROP", "DEFAULT"):
        yield Clause(Act.DROP_DEFAULT, column=name)
    elif (
        cursor.take("TYPE")
        or cursor.take("SET", "DATA", "TYPE")
        or (cursor.dialect == "tsql" and cursor.peek() not in {"ADD", "DROP"})
    ):
        yield _retyped(name, cursor)
    elif cursor.peek() in {"SET", "ADD", "DROP", "RESET", "RESTART"}:
        yield Clause(Act.ALTER_COLUMN, column=name)
    else:
        yield Clause(Act.OTHER)


def _retyped(name: str, cursor: Cursor) -> Clause:
    definition = definition_of(name, Cursor(cursor.until("USING"), cursor.dialect))
    using = using_of(cursor.rest, name, cursor.dialect) if cursor.take("USING") else None
    return Clause(Act.RETYPE, column=name, definition=definition, using=using)


def _modify(cursor: Cursor) -> Iterator[Clause]:
    if cursor.take("CONSTRAINT"):
        yield Clause(Act.SWITCH_CONSTRAINT, name=cursor.identifier())
        return
    cursor.take("COLUMN")
    cursor.take("IF", "EXISTS")
    given = parts(cursor.group()) if cursor.at("(") else iter([cursor.rest])
    for part in given:
        yield from _redefined(Cursor(part, cursor.dialect))


def _redefined(cursor: Cursor) -> Iterator[Clause]:
    """Yield what MODIFY says of a column: its definition anew, or in Oracle a part of it."""
    column = column_of(cursor.rest, cursor.dialect)
    if column is None:
        yield Clause(Act.OTHER)
        return
    if column.type.text:
        yield Clause(Act.RETYPE, column=column.name, definition=column)
    elif column.not_null:
        yield Clause(Act.SET_NOT_NULL, column=column.name)
    elif column.default is not None:
        yield Clause(Act.SET_DEFAULT, column=column.name, definition=column)
    else:
        yield Clause(Act.DROP_NOT_NULL, column=column.name)


def _change(cursor: Cursor) -> Iterator[Clause]:
    """Yield what MySQL's CHANGE does: a new name, and a definition anew."""
    cursor.take("COLUMN")
    cursor.take("IF", "EXISTS")
    old = cursor.identifier()
    column = column_of(cursor.rest, cursor.dialect)
    if old is None or column is None:
        yield Clause(Act.OTHER)
        return
    if column.name.casefold() != old.casefold():
        yield Clause(Act.RENAME_COLUMN, column=old, name=column.name)
    yield Clause(Act.RETYPE, column=old, definition=column)


def _rename(cursor: Cursor) -> Iterator[Clause]:
    if cursor.take_any("TO", "AS"):
        yield Clause(Act.RENAME_TABLE, name=cursor.identifier())
        return
    kind = cursor.take_any("CONSTRAINT", "INDEX", "KEY", "COLUMN")
    old = cursor.identifier()
    if old is None or not cursor.take("TO"):
        yield Clause(Act.OTHER)
    elif kind == "CONSTRAINT":
        yield Clause(Act.RENAME_CONSTRAINT, name=old, becomes=cursor.identifier())
    elif kind in {"INDEX", "KEY"}:
        yield Clause(Act.RENAME_INDEX, name=old)
    else:
        yield Clause(Act.RENAME_COLUMN, column=old, name=cursor.identifier())


def _validate(cursor: Cursor) -> Iterator[Clause]:
    cursor.take("CONSTRAINT")
    yield Clause(Act.VALIDATE, name=cursor.identifier())


def _switch(cursor: Cursor) -> Iterator[Clause]:
    """Yield what ENABLE, DISABLE, CHECK and NOCHECK switch."""
    cursor.take_any("ALWAYS", "REPLICA", "VALIDATE", "NOVALIDATE", "ALL")
    kind = cursor.take_any("TRIGGER", "TRIGGERS", "CONSTRAINT", "PRIMARY", "UNIQUE", "RULE", "ROW")
    if kind in {"TRIGGER", "TRIGGERS", "RULE"}:
        yield Clause(Act.SWITCH_TRIGGER, name=cursor.identifier())
    elif kind in {"CONSTRAINT", "PRIMARY", "UNIQUE"}:
        yield Clause(Act.SWITCH_CONSTRAINT, name=cursor.identifier())
    else:
        yield Clause(Act.OPTION)


def _rebuild(_cursor: Cursor) -> Iterator[Clause]:
    yield Clause(Act.REBUILD)


_READERS: Final[dict[str, Callable[[Cursor], Iterator[Clause]]]] = {
    "ADD": _add,
    "DROP": _drop,
    "ALTER": _alter,
    "MODIFY": _modify,
    "CHANGE": _change,
    "RENAME": _rename,
    "VALIDATE": _validate,
    "ENABLE": _switch,
    "DISABLE": _switch,
    "CHECK": _switch,
    "NOCHECK": _switch,
    "REBUILD": _rebuild,
    "MOVE": _rebuild,
    "SHRINK": _rebuild,
}
