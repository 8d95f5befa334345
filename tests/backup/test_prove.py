"""Comparing a copy with its backup, for any engine."""

from __future__ import annotations

import pytest

from dbops.backup.contents import BackupContents
from dbops.backup.ports import RestoreOrder
from dbops.backup.prove import prove
from dbops.backup.restore import restore_backup
from dbops.errors import Failed, Refused, UsageFault
from tests.support.estate import (
    BuiltEstate,
    contents_of,
    found_test_estate,
    ignore_progress,
    take_backup,
)
from tests.support.memory_engine import MemoryEngine

ROWS = {"ward": (b"1\tA", b"2\tB", b"3\tC"), "empty": (), "bed": (b"1\t7",)}


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory) -> BackupContents:
    """A backup of three tables, one of them empty, whose server took a witness."""
    estate: BuiltEstate = found_test_estate(tmp_path_factory.mktemp("prove") / "estate")
    take_backup(estate, engine=MemoryEngine(dict(ROWS), extra={"witness": {"ward": "42"}}))
    return contents_of(estate)


def restored(contents: BackupContents) -> MemoryEngine:
    copy = MemoryEngine()
    copy.restore(contents, RestoreOrder())
    copy.tables.setdefault("empty", ())
    return copy


def test_a_restored_copy_is_equal(contents: BackupContents) -> None:
    """Nothing differs, an empty table included."""
    assert prove(restored(contents), contents, ignore_progress) == ()


def test_a_lost_empty_table_is_missed(contents: BackupContents) -> None:
    """A table without rows is still a table."""
    copy = restored(contents)
    del copy.tables["empty"]
    assert prove(copy, contents, ignore_progress) == (
        "table empty: missing from the restored copy",
        "count empty: missing from the restored copy",
    )


def test_a_witness_that_differs_is_named(contents: BackupContents) -> None:
    """The server's own sums are compared where the source took them."""
    copy = restored(contents)
    copy.extra["witness"]["ward"] = "43"
    assert prove(copy, contents, ignore_progress) == ("witness ward: differs",)


def test_a_copy_that_changes_while_it_is_read_proves_nothing(contents: BackupContents) -> None:
    """The instant of the copy has to hold as well."""
    copy = restored(contents)
    copy.breaks = True
    with pytest.raises(Failed) as caught:
        prove(copy, contents, ignore_progress)
    assert caught.value.code == "snapshot-lost"


def test_a_restore_into_something_is_refused(contents: BackupContents) -> None:
    """What is in the way is named, three of it at most, and left alone."""
    target = MemoryEngine(dict.fromkeys(("a", "b", "c", "d", "e"), ()))
    with pytest.raises(Refused) as caught:
        restore_backup(
            target,
            "lab-restored",
            contents,
            RestoreOrder(),
            overwrite=False,
            compare=True,
            advance=ignore_progress,
        )
    assert caught.value.message == (
        "lab-restored is not empty: table a, table b, table c and 2 more"
    )
    assert caught.value.hint == "restore elsewhere, or replace it: add --overwrite lab-restored"
    assert sorted(target.tables) == ["a", "b", "c", "d", "e"]


def test_a_restore_that_was_told_replaces_what_is_there(contents: BackupContents) -> None:
    """With the target named, it holds the backup and nothing else, and is compared."""
    target = MemoryEngine({"old": (b"1",)})
    report = restore_backup(
        target,
        "lab-restored",
        contents,
        RestoreOrder(),
        overwrite=True,
        compare=False,
        advance=ignore_progress,
    )
    assert "old" not in target.tables
    assert (report.tables, report.differences) == (3, None)


def test_single_tables_are_added_to_what_is_there(contents: BackupContents) -> None:
    """They come beside what the target holds."""
    target = MemoryEngine({"old": (b"1",)})
    report = restore_backup(
        target,
        "lab-restored",
        contents,
        RestoreOrder(tables=("bed",)),
        overwrite=False,
        compare=False,
        advance=ignore_progress,
    )
    assert target.tables == {"old": (b"1",), "bed": ROWS["bed"]}
    assert (report.tables, report.differences) == (1, None)


@pytest.mark.parametrize(("overwrite", "compare"), [(True, False), (False, True)])
def test_single_tables_neither_replace_nor_prove(
    contents: BackupContents, overwrite: bool, compare: bool
) -> None:
    """Only a restore of everything can equal everything; nothing is done."""
    target = MemoryEngine({"old": (b"1",)})
    with pytest.raises(UsageFault) as caught:
        restore_backup(
            target,
            "lab-restored",
            contents,
            RestoreOrder(tables=("bed",)),
            overwrite=overwrite,
            compare=compare,
            advance=ignore_progress,
        )
    assert caught.value.message == (
        "single tables are added to what is there: they cannot overwrite or be proven"
    )
    assert target.tables == {"old": (b"1",)}
