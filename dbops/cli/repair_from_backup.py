"""Rows of a backup, by their keys, beside what the database has now."""

from __future__ import annotations

import csv
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from dbops.repair.ports import SessionOrder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dbops.cli.wiring import Wiring
    from dbops.repair.bring_back import Found, Wanted
    from dbops.repair.payload import RowSet
    from dbops.repair.ports import RepairEngine
    from dbops.repair.table import KeyedRow, Shape, TableName


def rows_to_bring_back(
    wiring: Wiring,
    database: str,
    backup: str,
    table: str,
    keys: Sequence[str],
    identities: Sequence[str],
) -> tuple[Wanted, Found]:
    """The rows of the backup that the database does not have like that.

    The table is restored into scratch for it, and nothing of it is left. Raises as `bring_back`.
    """
    from dbops.repair.bring_back import compare

    asked, then = _of_backup(wiring, database, backup, table, keys, identities)
    now = _read(wiring.repair_engine(wiring.database(database)), asked)
    return asked, compare(asked, then, now)


def rows_of_backup(
    wiring: Wiring,
    database: str,
    backup: str,
    table: str,
    keys: Sequence[str],
    identities: Sequence[str],
) -> RowSet:
    """The rows of the backup, whatever the database has now."""
    from dbops.repair.payload import RowSet

    asked, then = _of_backup(wiring, database, backup, table, keys, identities)
    return RowSet(asked.shape.names, tuple(each.row for each in then))


def _of_backup(
    wiring: Wiring,
    database: str,
    backup: str,
    table: str,
    keys: Sequence[str],
    identities: Sequence[str],
) -> tuple[Wanted, list[KeyedRow]]:
    from dbops.repair.bring_back import wanted

    parted = [tuple(next(csv.reader([key]), [])) for key in keys]  # "a,b" in quotes is one part
    name = _named(table)
    with _copy(wiring, database, backup, table, identities) as engine:
        engine.install(engine.prepare_sql((name,)))  # so that who repairs can read the copy
        asked = wanted(_shape(engine, name), parted)
        return asked, _read(engine, asked)


@contextmanager
def _copy(
    wiring: Wiring, database: str, backup: str, table: str, identities: Sequence[str]
) -> Iterator[RepairEngine]:
    """The table as the backup has it, in a database of its own."""
    from dbops.backup.contents import open_contents
    from dbops.backup.ports import RestoreOrder
    from dbops.cli.rehearsing import engine_of_copy
    from dbops.cli.tasks import parse_backup_id, pick_backup, require_backup_id
    from dbops.errors import UsageFault

    source = wiring.database(database)
    named = None if parse_backup_id(backup) is None else require_backup_id(backup)
    if (backup if named is None else named.database) != database:
        raise UsageFault(
            "backup-of-other",
            f"{backup} is no backup of {database}",
            hint=f"dbops backup list {database}",
        )
    repository = wiring.repository(source.repository)
    chosen = pick_backup(wiring.history(repository, database), named)
    contents = open_contents(repository, chosen.envelope, wiring.identities(identities))
    with wiring.scratch(source).open(contents) as copy:
        copy.restore(contents, RestoreOrder(tables=(table,)))
        yield engine_of_copy(wiring, source, copy)


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
