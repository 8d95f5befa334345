"""What the words of a statement say, by the forms that databases document; pure.

No text is written anew, and a form that is not known comes back with a doubt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from dbops.change.reading import Act, Does, Doubt, Flag, Name, Reading
from dbops.change.reading_clauses import alterations
from dbops.change.reading_creates import ROLES, create, is_online, kind_of, one
from dbops.change.reading_domains import domain_clauses
from dbops.change.reading_words import Cursor, Word, calls_in, parts, upper_words
from dbops.change.schema import ObjectKind

_CONTROL: Final = (
    *("BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE", "PREPARE"),
)
_FIRST: Final = {
    **dict.fromkeys(_CONTROL, Does.TRANSACTION),
    **dict.fromkeys(["SET", "RESET", "PRAGMA", "USE", "DISCARD"], Does.SETTING),
    **dict.fromkeys(["SELECT", "WITH", "VALUES", "TABLE", "SHOW", "EXPLAIN"], Does.QUERY),
    **dict.fromkeys(["DO", "CALL", "DECLARE", "IF", "WHILE", "EXEC", "EXECUTE"], Does.BLOCK),
    **dict.fromkeys(["REINDEX", "VACUUM", "ANALYZE", "ANALYSE", "CLUSTER"], Does.UPKEEP),
    **dict.fromkeys(["OPTIMIZE", "CHECKPOINT", "UPDATE_STATISTICS"], Does.UPKEEP),
    "PURGE": Does.OTHER,
    "COMMENT": Does.COMMENT,
}
# Functions that no query writes with, and words that stand before parentheses and call nothing.
_HARMLESS_SPELLED: Final = """
count sum min max avg bool_and bool_or every string_agg array_agg group_concat coalesce nullif
ifnull greatest least lower upper length char_length trim ltrim rtrim substr substring replace
concat concat_ws abs round floor ceil mod now current_timestamp current_date current_time
localtimestamp localtime current_user session_user user date_trunc date_part extract to_char
to_date to_timestamp date datetime strftime row_number rank dense_rank lag lead typeof set_config
current_setting current_database current_schema to_regclass pg_typeof
select from where on using by having case when then else end exists any all some over filter
within between like ilike is distinct union except intersect limit offset values with recursive
materialized join lateral left right full cross inner outer interval partition order group
"""
_HARMLESS: Final = frozenset(_HARMLESS_SPELLED.split())


def read_words(place: str, line: int, words: tuple[Word, ...], dialect: str) -> Reading:
    """Return what the words of a statement say."""
    uppers = upper_words(words)
    blank = Reading(place, line, Does.OTHER, words=uppers)
    cursor = Cursor(words, dialect)
    first = cursor.peek()
    read = _READERS.get(first)
    if read is not None:
        cursor.take(first)
        return read(blank, cursor)
    if first == "EXEC" and any(word.text.casefold().endswith("sp_rename") for word in words[:5]):
        return replace(blank, does=Does.RENAME, names=tuple(_renamed_by_call(words)))
    if first == "BEGIN" and uppers[1:2] not in {(), ("TRANSACTION",), ("TRAN",), ("WORK",)}:
        modes = {"ISOLATION", "READ", "IMMEDIATE", "EXCLUSIVE", "DEFERRED", "CONCURRENT"}
        if uppers[1] not in modes:
            return replace(blank, does=Does.BLOCK, doubt=Doubt.OPAQUE)
    does = _FIRST.get(first)
    if does is None:
        return replace(blank, doubt=Doubt.UNKNOWN)
    if does is Does.QUERY:
        return _query(blank, words)
    return replace(blank, does=does, doubt=Doubt.OPAQUE if does is Does.BLOCK else None)


def _query(blank: Reading, words: tuple[Word, ...]) -> Reading:
    """A query reads, unless something in its WITH writes, or a function that it calls."""
    written = {"INSERT", "UPDATE", "DELETE", "MERGE", "INTO"} & set(blank.words)
    only_explains = blank.words[0] == "EXPLAIN" and not {"ANALYZE", "ANALYSE"} & set(blank.words)
    if written and not only_explains:
        return replace(blank, does=Does.WRITE, doubt=Doubt.PART)
    unknown = set() if only_explains else set(calls_in(words)) - _HARMLESS
    return replace(blank, does=Does.QUERY, doubt=Doubt.OPAQUE if unknown else None)


def _renamed_by_call(words: tuple[Word, ...]) -> Iterator[Name]:
    texts = [word.text for word in words if word.upper == "" and not word.text.startswith("@")]
    if texts:
        yield Name(tuple(part.strip('[]"') for part in texts[0].split(".")))


def _alter(blank: Reading, cursor: Cursor) -> Reading:
    found = replace(blank, does=Does.ALTER)
    cursor.take_any("ONLINE", "OFFLINE", "IGNORE", "FORCE")
    if cursor.peek() in ROLES and not cursor.at("USER", "MAPPING"):
        return found
    if cursor.at("SYSTEM") or cursor.at("SESSION"):
        return replace(found, does=Does.SETTING)
    kind = kind_of(cursor)
    if kind is None:
        return replace(found, doubt=Doubt.UNKNOWN)
    found = replace(found, kind=kind)
    if cursor.at("ALL", "IN"):  # what lies in a tablespace
        return replace(found, doubt=Doubt.PART)
    if kind not in {ObjectKind.TABLE, ObjectKind.FOREIGN_TABLE}:
        return _altered(found, cursor)
    flags = {Flag.IF_EXISTS} if cursor.take("IF", "EXISTS") else set[Flag]()
    cursor.take("ONLY")
    name = cursor.name()
    cursor.take("*")
    clauses = tuple(alterations(cursor.rest, cursor.dialect))
    if is_online(found.words):
        flags.add(Flag.ONLINE)
    vague = name is None or not clauses or any(c.act is Act.OTHER for c in clauses)
    return replace(
        found,
        names=one(name),
        table=name,
        clauses=clauses,
        flags=frozenset(flags),
        doubt=Doubt.PART if vague else None,
    )


def _altered(found: Reading, cursor: Cursor) -> Reading:
    """Return the reading of an ALTER of something else than a table."""
    cursor.take("IF", "EXISTS")
    if found.kind in {ObjectKind.USER_MAPPING, ObjectKind.DEFAULT_PRIVILEGES}:
        return found
    name = None if cursor.take("ALL") else cursor.name()
    flags = {Flag.ONLINE} if is_online(found.words) else set[Flag]()
    if found.has("SECURITY", "DEFINER"):
        flags.add(Flag.DEFINER)
    table = None
    if cursor.take("ON"):
        table = cursor.name()
    if found.kind in {ObjectKind.FUNCTION, ObjectKind.PROCEDURE, ObjectKind.AGGREGATE}:
        cursor.group()
    clauses = tuple(domain_clauses(cursor)) if found.kind is ObjectKind.DOMAIN else ()
    renamed = cursor.name() if cursor.take("RENAME", "TO") else None
    return replace(
        found,
        names=one(name),
        table=table,
        renamed=renamed,
        clauses=clauses,
        flags=frozenset(flags),
    )


def _drop(blank: Reading, cursor: Cursor) -> Reading:
    found = replace(blank, does=Does.DROP)
    cursor.take_any("TEMPORARY", "TEMP")
    if cursor.peek() in ROLES or cursor.take("OWNED"):
        return found
    kind = kind_of(cursor)
    if kind is None:
        return replace(found, doubt=Doubt.UNKNOWN)
    flags = {Flag.CONCURRENTLY} if cursor.take("CONCURRENTLY") else set[Flag]()
    flags |= {Flag.IF_EXISTS} if cursor.take("IF", "EXISTS") else set()
    flags |= {Flag.CASCADE} if "CASCADE" in found.words else set()
    flags |= {Flag.PURGE} if "PURGE" in found.words else set()
    flags |= {Flag.ONLINE} if is_online(found.words) else set()
    names: list[Name] = []
    table = None
    for part in parts(cursor.rest):
        each = Cursor(part, cursor.dialect)
        name = each.name()
        if name is not None:
            names.append(name)
        each.group()
        if each.take("ON"):
            table = each.name()
    return replace(
        found,
        kind=kind,
        names=tuple(names),
        table=table,
        flags=frozenset(flags),
        doubt=None if names else Doubt.PART,
    )


def _truncate(blank: Reading, cursor: Cursor) -> Reading:
    cursor.take("TABLE")
    cursor.take("ONLY")
    found = (Cursor(part, cursor.dialect).name() for part in parts(cursor.rest))
    names = tuple(name for name in found if name is not None)
    doubt = None if names else Doubt.PART
    return replace(blank, does=Does.TRUNCATE, kind=ObjectKind.TABLE, names=names, doubt=doubt)


def _rename(blank: Reading, cursor: Cursor) -> Reading:
    """RENAME TABLE a TO b of MySQL, RENAME a TO b of Oracle."""
    cursor.take("TABLE")
    name = cursor.name()
    renamed = cursor.name() if cursor.take("TO") else None
    found = replace(blank, does=Does.RENAME, kind=ObjectKind.TABLE, names=one(name))
    return replace(found, renamed=renamed, doubt=None if renamed else Doubt.PART)


def _write(blank: Reading, cursor: Cursor) -> Reading:
    if cursor.take("OR"):  # SQLite: UPDATE OR IGNORE, INSERT OR REPLACE
        cursor.next()
    if blank.words[0] != "UPDATE":
        cursor.until("INTO", "FROM", "WHERE", "SET")
    cursor.take_any("INTO", "FROM", "ONLY")
    cursor.take_any("TABLE", "ONLY", "LOW_PRIORITY", "IGNORE")
    flags = {Flag.WHERE} if "WHERE" in blank.words else set[Flag]()
    return replace(
        blank,
        does=Does.WRITE,
        kind=ObjectKind.TABLE,
        names=one(cursor.name()),
        flags=frozenset(flags | ({Flag.QUERY} if "SELECT" in blank.words else set())),
    )


def _copy(blank: Reading, cursor: Cursor) -> Reading:
    return replace(blank, does=Does.WRITE, kind=ObjectKind.TABLE, names=one(cursor.name()))


def _refresh(blank: Reading, cursor: Cursor) -> Reading:
    cursor.take("MATERIALIZED", "VIEW")
    cursor.take("CONCURRENTLY")
    kind = ObjectKind.MATERIALIZED_VIEW
    return replace(blank, does=Does.UPKEEP, kind=kind, names=one(cursor.name()))


def _lock(blank: Reading, cursor: Cursor) -> Reading:
    """PostgreSQL's LOCK TABLE; no rule looks into that of others."""
    found = replace(blank, does=Does.LOCK, doubt=Doubt.OPAQUE)
    if cursor.dialect != "postgres":
        return found
    cursor.take("TABLE")
    names: list[Name] = []
    for part in parts(cursor.until("IN", "NOWAIT")):
        each = Cursor(part, cursor.dialect)
        each.take("ONLY")
        names += one(each.name())
    return replace(found, kind=ObjectKind.TABLE, names=tuple(names))


def _grant(blank: Reading, _cursor: Cursor) -> Reading:
    return replace(blank, does=Does.GRANT)


def _revoke(blank: Reading, _cursor: Cursor) -> Reading:
    return replace(blank, does=Does.REVOKE)


def _switch(blank: Reading, cursor: Cursor) -> Reading:
    """T-SQL's DISABLE TRIGGER and ENABLE TRIGGER."""
    kind = kind_of(cursor)
    name = cursor.name()
    table = cursor.name() if cursor.take("ON") else None
    doubt = None if kind is ObjectKind.TRIGGER else Doubt.OPAQUE
    found = replace(blank, does=Does.ALTER, kind=kind, names=one(name), table=table)
    return replace(found, doubt=doubt)


_READERS: Final[dict[str, Callable[[Reading, Cursor], Reading]]] = {
    "CREATE": create,
    "ALTER": _alter,
    "DROP": _drop,
    "TRUNCATE": _truncate,
    "RENAME": _rename,
    "INSERT": _write,
    "REPLACE": _write,
    "UPDATE": _write,
    "DELETE": _write,
    "MERGE": _write,
    "COPY": _copy,
    "LOCK": _lock,
    "REFRESH": _refresh,
    "GRANT": _grant,
    "REVOKE": _revoke,
    "DENY": _revoke,
    "ENABLE": _switch,
    "DISABLE": _switch,
}
