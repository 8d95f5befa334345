"""Rows of a backup, by their keys, beside what the database has now."""

from __future__ import annotations

import csv
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from dbops.repair.ports import SessionOrder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dbops.cli.wiring import Wiring
    from dbops.repair.bring_back import Found, Wanted
    from dbops.repair.payload import RowSet
    from dbops.repair.ports import RepairEngine
    from dbops.repair.table import KeyedRow, Shape, TableName
    from dbops.repository.chain import Backup
    from dbops.repository.reader import Repository


@dataclass(frozen=True, slots=True)
class FromBackup:
    """Which rows, as typed: of the work `work`, by their keys; `identities` are files."""

    work: str
    database: str
    backup: str
    table: str
    keys: tuple[str, ...]
    identities: tuple[str, ...]


def rows_to_bring_back(wiring: Wiring, asked: FromBackup) -> tuple[Wanted, Found]:
    """The rows of the backup that the database does not have like that.

    The table is restored into scratch for it, and nothing of it is left; the ledger has that the
    backup was opened. Raises as `bring_back`.
    """
    from dbops.repair.bring_back import compare

    chosen, then = _of_backup(wiring, asked)
    now = _read(wiring.repair_engine(wiring.database(asked.database)), chosen)
    return chosen, compare(chosen, then, now)


def rows_of_backup(wiring: Wiring, asked: FromBackup) -> RowSet:
    """The rows of the backup, whatever the database has now."""
    from dbops.repair.payload import RowSet

    chosen, then = _of_backup(wiring, asked)
    return RowSet(chosen.shape.names, tuple(each.row for each in then))


def _of_backup(wiring: Wiring, asked: FromBackup) -> tuple[Wanted, list[KeyedRow]]:
    from dbops.repair.bring_back import wanted

    # A key in quotes is one part, whatever commas it has.
    parted = [tuple(next(csv.reader([key]), [])) for key in asked.keys]
    name = _named(asked.table)
    with _copy(wiring, asked) as engine:
        engine.install(engine.prepare_sql((name,)))  # so that who repairs can read the copy
        chosen = wanted(_shape(engine, name), parted)
        return chosen, _read(engine, chosen)


@contextmanager
def _copy(wiring: Wiring, asked: FromBackup) -> Iterator[RepairEngine]:
    """The table as the backup has it, in a database of its own."""
    from dbops.backup.contents import open_contents
    from dbops.backup.ports import RestoreOrder
    from dbops.cli.repair_entries import brought_back
    from dbops.cli.reviewing import recording_if_there

    source = wiring.database(asked.database)
    repository = wiring.repository(source.repository)
    chosen = _backup(wiring, repository, asked)
    draft = brought_back(asked.work, asked.database, str(chosen.id))
    with recording_if_there(wiring, draft):
        contents = open_contents(repository, chosen.envelope, wiring.identities(asked.identities))
        with wiring.scratch(source).open(contents) as copy:
            copy.restore(contents, RestoreOrder(tables=(asked.table,)))
            yield wiring.repair_engine_of_copy(source, copy)


def _backup(wiring: Wiring, repository: Repository, asked: FromBackup) -> Backup:
    """The backup of that id, or the newest one where the database alone is named."""
    from dbops.cli.tasks import parse_backup_id, pick_backup, require_backup_id
    from dbops.errors import UsageFault

    named = None if parse_backup_id(asked.backup) is None else require_backup_id(asked.backup)
    if (asked.backup if named is None else named.database) != asked.database:
        raise UsageFault(
            "backup-of-other",
            f"{asked.backup} is no backup of {asked.database}",
            hint=f"dbops backup list {asked.database}",
        )
    return pick_backup(wiring.history(repository, asked.database), named)


def _named(table: str) -> TableName:
    from dbops.errors import UsageFault
    from dbops.repair.table import TABLE_RULE, TableName

    try:
        return TableName.parse(table)
    except ValueError:
        raise UsageFault("table-name", "--table is no table", hint=f"name {TABLE_RULE}") from None


def _shape(engine: RepairEngine, table: TableName) -> Shape:
    with engine.session(_ORDER) as session:
        session.begin()
        return session.shape(table)


def _read(engine: RepairEngine, asked: Wanted) -> list[KeyedRow]:
    with engine.session(_ORDER) as session:
        session.begin()
        shape = replace(session.shape(asked.shape.table), key=asked.shape.key)
        return list(session.read(shape, asked.statement, asked.binding, lock=False))


_ORDER: Final = SessionOrder(
    work="repair-from-backup",
    lock_wait=timedelta(seconds=5),
    statement=timedelta(minutes=10),
    read_only=True,
)
