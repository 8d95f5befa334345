"""What a step outside of a transaction locks and rewrites.

Its locks are what the server's documentation says of it, and what was seen while it ran: a fast
step is over before anybody has looked. What it wrote anew is exact: it lies in another file.
https://www.postgresql.org/docs/current/sql-reindex.html#SQL-REINDEX-CONCURRENTLY
https://www.postgresql.org/docs/current/sql-vacuum.html
https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-DETACH-PARTITION
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from dbops.change.ports import Lock
from dbops.change.step import Step
from dbops.engines.postgresql.change_effects import (
    MODES,
    Relation,
    locks_told,
    rank,
    relations,
    rewritten_told,
    written,
)
from dbops.engines.postgresql.change_wire import ask
from dbops.engines.postgresql.change_words import (
    Alone,
    Named,
    Target,
    is_concurrent,
    target_of,
    vacuumed,
)
from dbops.engines.postgresql.connect import Session

MOST: Final = 200
"""How many locks of one step are told by name."""

_LIGHT, _SHARE, _STRONG = "ShareUpdateExclusiveLock", "ShareLock", "AccessExclusiveLock"
_ONLY_OWN: Final = 16  # since when REINDEX DATABASE leaves the server's own tables alone
_FAMILY: Final = """
    SELECT %s::pg_catalog.oid UNION SELECT p.relid FROM pg_catalog.pg_partition_tree(%s) AS p"""


@dataclass(frozen=True, slots=True)
class Expected:
    """What is known of a step before it runs: all relations, and the locks it is to take, by OID.

    `system` says whether it goes through the server's own tables, which nobody can do without.
    """

    known: Mapping[int, Relation]
    modes: Mapping[int, str] = field(default_factory=dict)
    system: bool = False


def expected_of(session: Session, step: Step) -> Expected:
    """Return what the documentation says of the step, as the database is now."""
    known = relations(session)
    target = target_of(step)
    modes: dict[int, str] = {}
    for oid, mode in _Documented(session, step, target, known).locks():
        if rank(mode) > rank(modes.get(oid)):
            modes[oid] = mode
    return Expected(known, modes, _is_of_system(session, step, target))


def locks_of(expected: Expected, seen: Mapping[int, str]) -> tuple[Lock, ...]:
    """Return the strongest lock of each relation, documented or seen."""
    modes = dict(expected.modes)
    for oid, mode in seen.items():
        if oid in expected.known and rank(mode) > rank(modes.get(oid)):
            modes[oid] = mode
    own = (Lock("pg_catalog", _STRONG, MODES[_STRONG][1]),) if expected.system else ()
    return (*own, *_few_locks(locks_told(modes, expected.known, {})))


def rewritten_of(session: Session, expected: Expected) -> tuple[str, ...]:
    """Return what lies in another file than before, by its name: a new index may have the old's."""
    before = {one.title: one.file for one in expected.known.values() if one.is_stored}
    now = relations(session)
    anew = {
        oid
        for oid, one in now.items()
        if one.is_stored and before.get(one.title, one.file) != one.file
    }
    found = rewritten_told(anew, now)
    return found if len(found) <= MOST else (_counted(len(found)),)


@dataclass(frozen=True, slots=True)
class _Documented:
    session: Session
    step: Step
    target: Target
    known: Mapping[int, Relation]

    def locks(self) -> Iterator[tuple[int, str]]:
        target = self.target
        match target.kind:
            case Alone.CREATE_INDEX:
                yield from self._of([target.table], _LIGHT)
            case Alone.DROP_INDEX:
                yield from self._of([target.name], _LIGHT)
            case Alone.DETACH:
                yield from self._of([target.name], _STRONG)
                yield from self._of([target.table], _LIGHT, parts=False)
            case Alone.REINDEX:
                yield from self._reindexed()
            case Alone.VACUUM:
                mode = _STRONG if target.scope == "FULL" else _LIGHT
                names = vacuumed(self.step)
                yield from self._of(names, mode) if names else self._all(mode)

    def _reindexed(self) -> Iterator[tuple[int, str]]:
        scope = self.target.scope
        if scope in {"INDEX", "TABLE"}:
            yield from self._of([self.target.name], _LIGHT)
        elif scope in {"SCHEMA", "DATABASE"}:
            within = self.target.name.name if scope == "SCHEMA" else None
            if is_concurrent(self.step):
                yield from self._all(_LIGHT, within)
            else:
                yield from self._all(_SHARE, within)
                yield from self._all(_STRONG, within, indexes=True)

    def _of(
        self, names: Iterable[Named], mode: str, *, parts: bool = True
    ) -> Iterator[tuple[int, str]]:
        """Of tables, and of the tables of indexes, with all their partitions."""
        titles = {written(name.schema, name.name) for name in names}
        for oid in [oid for oid, one in self.known.items() if one.title in titles]:
            family = ask(self.session, _FAMILY, [oid, oid], doing="looking for partitions")
            for (member,) in family if parts else [(oid,)]:
                one = self.known.get(member)
                if one is not None:
                    yield one.table or member, mode

    def _all(
        self, mode: str, schema: str | None = None, *, indexes: bool = False
    ) -> Iterator[tuple[int, str]]:
        """Of all that have storage, in one schema or in all."""
        for oid, one in self.known.items():
            if one.is_stored and bool(one.table) is indexes and _is_in(one.title, schema):
                yield oid, mode


def _is_in(title: str, schema: str | None) -> bool:
    return schema is None or title.startswith(written(schema, "x")[:-1])


def _is_of_system(session: Session, step: Step, target: Target) -> bool:
    if target.kind is Alone.VACUUM:
        return target.scope == "FULL" and not vacuumed(step)
    if target.kind is not Alone.REINDEX or is_concurrent(step):
        return False
    return target.scope == "SYSTEM" or (target.scope == "DATABASE" and session.major < _ONLY_OWN)


def _few_locks(locks: tuple[Lock, ...]) -> tuple[Lock, ...]:
    """Return the locks, those of a mode in one where there are very many of all."""
    if len(locks) <= MOST:
        return locks
    modes = sorted({(lock.mode, lock.blocks) for lock in locks})
    return tuple(
        Lock(_counted(sum(lock.mode == mode for lock in locks)), mode, blocks)
        for mode, blocks in modes
    )


def _counted(number: int) -> str:
    return f"{number} tables and indexes"
