"""Which entries of the schema's archive a restore takes: all, or those of some tables.

With tables named, a restore takes them with their partitions and all that is theirs: columns'
defaults and sequences, indexes, constraints, triggers, rules, policies, comments, grants. Into an
empty database it also takes whatever these need (schemas, types, functions, extensions). What ties
a table to one that is not restored, such as a foreign key, is left out and named in `left_out`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from dbops.engines.postgresql.connect import quoted
from dbops.engines.postgresql.streams import SPECIAL
from dbops.engines.postgresql.toc import Contents, Entry
from dbops.errors import NotFound, UsageFault
from dbops.repository.ranges import Stream

EVENT_TRIGGER = "EVENT TRIGGER"
REFRESH = "MATERIALIZED VIEW DATA"
OF_DATABASE = ("DATABASE", "DATABASE PROPERTIES")
"""What bears the source database's name; `database` restores it under the target's."""
NOT_IN_SCRATCH = ("USER MAPPING", "SUBSCRIPTION", "SUBSCRIPTION TABLE")
"""What a scratch copy must not have: the passwords of other servers, and ways to reach them."""

_RELATIONS = frozenset({"TABLE", "FOREIGN TABLE", "VIEW", "MATERIALIZED VIEW"})
_OF_TABLE = frozenset(
    {
        "ACL",
        "CHECK CONSTRAINT",
        "COMMENT",
        "CONSTRAINT",
        "DEFAULT",
        "FK CONSTRAINT",
        "INDEX",
        "INDEX ATTACH",
        "POLICY",
        "ROW SECURITY",
        "RULE",
        "SECURITY LABEL",
        "SEQUENCE",
        "SEQUENCE OWNED BY",
        "STATISTICS",
        "TABLE ATTACH",
        "TRIGGER",
    }
)
# An owned sequence needs its table or is needed by a default of it; only these two are sought.
_PART = r'"(?:[^"]|"")+"|[^".]+'
_NAME = re.compile(rf"(?:({_PART})\.)?({_PART})")


@dataclass(frozen=True, slots=True)
class Selection:
    """The archive's entries and the streams to restore.

    `chosen` names the tables as (schema, name); it is None where everything is restored.
    `left_out` names what cannot come along.
    """

    entries: tuple[Entry, ...]
    streams: tuple[Stream, ...]
    chosen: frozenset[tuple[str, str]] | None
    left_out: tuple[str, ...] = ()

    def part(self, section: str) -> tuple[Entry, ...]:
        """The section's entries but those that must wait until every row is in."""
        late = {entry.id for entry in self.event_triggers}
        return tuple(
            entry
            for entry in self.entries
            if entry.section == section and entry.kind != REFRESH and entry.id not in late
        )

    @property
    def event_triggers(self) -> tuple[Entry, ...]:
        """Event triggers and what belongs to them: made last, for they see every change before."""
        triggers = {entry.id for entry in self.entries if entry.kind == EVENT_TRIGGER}
        return tuple(
            entry for entry in self.entries if entry.id in triggers or entry.needs & triggers
        )

    @property
    def refreshes(self) -> tuple[Entry, ...]:
        """Materialized views that were filled, in the order of their dependencies."""
        return tuple(entry for entry in self.entries if entry.kind == REFRESH)

    @property
    def tables(self) -> tuple[Stream, ...]:
        """The streams that are tables."""
        return tuple(stream for stream in self.streams if stream.name not in SPECIAL)

    def special(self, name: str) -> Stream | None:
        """The stream of this name, where it is to be restored."""
        return next((stream for stream in self.streams if stream.name == name), None)


def select_all(
    contents: Contents, streams: Sequence[Stream], without: Sequence[str] = ()
) -> Selection:
    """Everything but the kinds in `without` and what belongs to them."""
    kinds = {*without, *OF_DATABASE}
    unwanted = {entry.id for entry in contents.entries if entry.kind in kinds}
    entries = (
        entry
        for entry in contents.entries
        if entry.id not in unwanted and not entry.needs & unwanted
    )
    return Selection(tuple(entries), tuple(streams), None)


def select_tables(
    contents: Contents, streams: Sequence[Stream], names: Sequence[str], *, with_needs: bool
) -> Selection:
    """The named tables and what is theirs; `with_needs` adds whatever these need.

    Raises NotFound for a table that the backup does not have, UsageFault for an ambiguous name.
    """
    tables = _with_partitions(contents, [_find(contents, name) for name in names])
    entries, left_out = _belonging(contents, tables)
    chosen = frozenset((entry.schema or "", entry.name) for entry in tables.values())
    if with_needs:
        entries = _closure(contents, entries)
    wanted = {f"{quoted(schema)}.{quoted(name)}" for schema, name in chosen}
    picked = [stream for stream in streams if _always_quoted(stream.name) in wanted]
    ordered = tuple(entry for entry in contents.entries if entry.id in entries)
    return Selection(ordered, tuple(picked), chosen, left_out)


def split_name(name: str) -> tuple[str | None, str]:
    """Schema and table of a name as SQL has it, where quotes are optional; raises UsageFault."""
    whole = _NAME.fullmatch(name)
    if whole is None:
        raise UsageFault(
            "table-name-invalid",
            f"not the name of a table: {name}",
            hint='write schema.table, or "Schema"."Table" for names with dots or quotes',
        )
    parts = [part for part in whole.groups() if part is not None]
    parts = [part[1:-1].replace('""', '"') if part.startswith('"') else part for part in parts]
    return (parts[0], parts[1]) if len(parts) == 2 else (None, parts[0])


def _always_quoted(stream: str) -> str:
    if stream in SPECIAL:
        return ""
    schema, name = split_name(stream)
    return f"{quoted(schema or '')}.{quoted(name)}"


def _find(contents: Contents, name: str) -> Entry:
    schema, table = split_name(name)
    found = [
        entry
        for entry in contents.of_kind("TABLE")
        if entry.name == table and schema in (None, entry.schema)
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageFault(
            "table-ambiguous",
            f"{len(found)} schemas have a table {table}: "
            + ", ".join(sorted(entry.schema or "" for entry in found)),
            hint="name its schema too: schema.table",
        )
    raise NotFound(
        "table-not-in-backup",
        f"the backup has no table {name}",
        hint="dbops backup show lists its tables",
    )


def _with_partitions(contents: Contents, named: Sequence[Entry]) -> dict[int, Entry]:
    """The tables and all their partitions, by dump id."""
    by_id = contents.by_id()
    chosen = {entry.id: entry for entry in named}
    grown = True
    while grown:
        grown = False
        for attach in contents.of_kind("TABLE ATTACH"):
            parents = {
                number
                for number in attach.needs
                if number in by_id
                and (by_id[number].schema, by_id[number].name) != (attach.schema, attach.name)
            }
            for number in attach.needs - parents:
                if parents & chosen.keys() and number not in chosen and number in by_id:
                    chosen[number] = by_id[number]
                    grown = True
    return chosen


def _belonging(contents: Contents, tables: dict[int, Entry]) -> tuple[set[int], tuple[str, ...]]:
    """What is theirs, and the names of what ties them to relations that are not chosen."""
    by_id = contents.by_id()
    taken = set(tables)
    left_out: list[str] = []
    owned = {
        number
        for entry in contents.entries
        if entry.kind == "DEFAULT" and entry.needs & taken
        for number in entry.needs
        if number in by_id and by_id[number].kind == "SEQUENCE" and _of(by_id[number], taken)
    }
    taken |= owned
    for entry in contents.entries:
        if entry.id in taken or entry.kind not in _OF_TABLE or not entry.needs & taken:
            continue
        strangers = [
            number
            for number in entry.needs - taken
            if number in by_id and by_id[number].kind in _RELATIONS | _OF_TABLE
        ]
        if strangers:
            left_out.append(entry.title)
        else:
            taken.add(entry.id)
    return taken, tuple(left_out)


def _of(sequence: Entry, tables: set[int]) -> bool:
    return bool(sequence.needs & tables)


def _closure(contents: Contents, entries: set[int]) -> set[int]:
    """The entries and everything that they need, directly or not."""
    by_id = contents.by_id()
    closed: set[int] = set()
    waiting = list(entries)
    while waiting:
        number = waiting.pop()
        if number not in closed and number in by_id:
            closed.add(number)
            waiting += by_id[number].needs
    return closed
