"""SQLite backups put back: whole, in part, never over anything, and compared row by row."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dbops.backup.contents import BackupContents
from dbops.backup.ports import RestoreOrder
from dbops.backup.prove import prove
from dbops.backup.restore import restore_backup
from dbops.engines.sqlite.engine import SqliteScratch
from dbops.errors import DbopsError, Failed, NotFound, Refused
from dbops.repository.manifest import Catalogue
from tests.engines.sqlite.files import engine, give_up, read_all, unprivileged
from tests.engines.sqlite.test_rows import UNUSUAL
from tests.support.estate import (
    SCHEMA,
    BuiltEstate,
    contents_of,
    found_test_estate,
    ignore_progress,
    run_sql,
    take_backup,
)

ALL = RestoreOrder()


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> BuiltEstate:
    """A backup of a small hospital."""
    built = found_test_estate(tmp_path_factory.mktemp("restore") / "estate", SCHEMA + UNUSUAL)
    take_backup(built)
    return built


@pytest.fixture(scope="module")
def contents(estate: BuiltEstate) -> BackupContents:
    return contents_of(estate)


@pytest.mark.parametrize("mode", ["delete", "wal"])
@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16le", "UTF-16be"])
def test_a_restored_file_equals_its_source(tmp_path: Path, mode: str, encoding: str) -> None:
    """Schema and rows are the same to another SQLite, in every encoding and journal mode."""
    settings = f"PRAGMA encoding = '{encoding}'; PRAGMA journal_mode = {mode};"
    built = found_test_estate(
        tmp_path / "estate",
        f"{settings}{SCHEMA}INSERT INTO ward VALUES (9, CAST(x'ff00fe' AS TEXT));"
        "PRAGMA user_version = 7; PRAGMA application_id = 42;",
    )
    take_backup(built)
    target = tmp_path / "restored.db"
    found = contents_of(built)
    engine(target).restore(found, ALL)
    assert read_all(target) == read_all(built.database)
    assert target.stat().st_mode & 0o777 == 0o600
    assert prove(engine(target), found, ignore_progress) == ()


def test_every_kind_of_object_is_restored(
    estate: BuiltEstate, contents: BackupContents, tmp_path: Path
) -> None:
    """Odd names, generated columns, virtual tables: the file is the same page by page."""
    target = tmp_path / "restored.db"
    engine(target).restore(contents, ALL)
    assert read_all(target) == read_all(estate.database)
    assert engine(target).check() == ()


MUTATIONS = {
    "a changed digit": (
        "UPDATE sample SET value = 1.6 WHERE id = 1",
        ["table sample: rows differ (200 rows on both sides)"],
    ),
    "a missing row": (
        "DELETE FROM sample WHERE id = 7",
        ["table sample: 199 rows instead of 200", "count sample: differs"],
    ),
    "a doubled row": (
        "INSERT INTO sample SELECT 999, ward, value, note FROM sample WHERE id = 7",
        ["table sample: 201 rows instead of 200", "count sample: differs"],
    ),
    "values swapped between rows": (
        "UPDATE sample SET note = CASE id WHEN 1 THEN '标本2' ELSE '标本1' END WHERE id IN (1, 2)",
        ["table sample: rows differ (200 rows on both sides)"],
    ),
    "a number that became text": (
        "UPDATE sample SET note = x'e6a0' WHERE id = 3",
        ["table sample: rows differ (200 rows on both sides)"],
    ),
    "a dropped index": (
        "DROP INDEX sample_by_ward",
        ["schema index sample_by_ward: missing from the restored copy"],
    ),
    "a changed trigger": (
        "DROP TRIGGER sample_note; CREATE TRIGGER sample_note AFTER INSERT ON sample"
        " BEGIN SELECT 1; END",
        ["schema trigger sample_note: differs"],
    ),
    "a dropped view": ("DROP VIEW seen", ["schema view seen: missing from the restored copy"]),
    "another table": (
        "CREATE TABLE stray(a)",
        [
            "table stray: not in the backup",
            "count stray: not in the backup",
            "schema table stray: not in the backup",
        ],
    ),
    "another version": ("PRAGMA user_version = 8", ["pragma user_version: differs"]),
    "another application": ("PRAGMA application_id = 8", ["pragma application_id: differs"]),
    "another journal mode": ("PRAGMA journal_mode = wal", ["pragma journal_mode: differs"]),
    "a full-text entry": (
        "INSERT INTO report VALUES ('血型 B')",
        ["table report_content: 3 rows instead of 2"],
    ),
    "a moved autoincrement": (
        "UPDATE sqlite_sequence SET seq = 9",
        ["table sqlite_sequence: rows differ (1 rows on both sides)"],
    ),
}


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_mutation_of_the_restored_copy_is_named(
    contents: BackupContents, tmp_path: Path, mutation: str
) -> None:
    """Whatever was changed in the copy is named by table or object, with counts and no values."""
    script, expected = MUTATIONS[mutation]
    target = tmp_path / "restored.db"
    engine(target).restore(contents, ALL)
    run_sql(target, script)
    found = prove(engine(target), contents, ignore_progress)
    assert set(expected) <= set(found)
    if not mutation.startswith("a full-text"):
        assert list(found) == expected


def test_some_tables_are_restored_with_all_that_is_theirs(
    estate: BuiltEstate, contents: BackupContents, tmp_path: Path
) -> None:
    """Rows, indexes and triggers of the named tables, and nothing of the others."""
    target = tmp_path / "restored.db"
    engine(target).restore(contents, RestoreOrder(tables=("sample", "血库")))
    lines = read_all(target).decode().splitlines()
    whole = read_all(estate.database).decode().splitlines()
    rows = whole[whole.index("b'sample'") :]
    assert lines[lines.index("b'sample'") :][:201] == rows[:201]
    schema = [line for line in lines if line.startswith(("(b'index'", "(b'table'", "(b'trigger'"))]
    assert schema == [line for line in whole if line in schema]
    assert len(schema) == 4
    assert [item.name for item in tmp_path.iterdir()] == ["restored.db"]


@pytest.mark.parametrize(
    "table", ['a "quoted" name', "generated", "shadowed", "half_shadowed", "strictly"]
)
def test_an_odd_table_is_restored_alone(
    contents: BackupContents, tmp_path: Path, table: str
) -> None:
    """Its proof is the same as in the whole database: values, types and rowids."""
    target = tmp_path / "restored.db"
    engine(target).restore(contents, RestoreOrder(tables=(table,)))
    with engine(target).snapshot() as snapshot:
        assert (
            snapshot.tables(contents.catalogue.key)[table]
            == (contents.catalogue.table_proofs[table])
        )


def test_rowids_with_gaps_are_kept(tmp_path: Path) -> None:
    """A table without a key of its own is known by its rowids, also when restored alone."""
    built = found_test_estate(
        tmp_path / "estate",
        "CREATE TABLE t(a); INSERT INTO t VALUES (1), (2), (3); DELETE FROM t WHERE a = 2;",
    )
    take_backup(built)
    found = contents_of(built)
    target = tmp_path / "restored.db"
    engine(target).restore(found, RestoreOrder(tables=("t",)))
    with engine(target).snapshot() as snapshot:
        assert snapshot.tables(found.catalogue.key) == found.catalogue.table_proofs


@pytest.mark.parametrize("mode", ["delete", "wal"])
@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16le"])
def test_a_table_of_another_encoding_is_restored_alone(
    tmp_path: Path, mode: str, encoding: str
) -> None:
    """The new file has the encoding of the old one, and no journal is left beside it."""
    settings = f"PRAGMA encoding = '{encoding}'; PRAGMA journal_mode = {mode};"
    built = found_test_estate(tmp_path / "estate", settings + SCHEMA)
    take_backup(built)
    (tmp_path / "to").mkdir()
    target = tmp_path / "to" / "restored.db"
    found = contents_of(built)
    engine(target).restore(found, RestoreOrder(tables=("ward",)))
    with engine(target).snapshot() as snapshot:
        proofs = snapshot.tables(found.catalogue.key)
    assert proofs == {"ward": found.catalogue.table_proofs["ward"]}
    assert [item.name for item in target.parent.iterdir()] == ["restored.db"]


def test_unknown_tables_are_all_named(contents: BackupContents, tmp_path: Path) -> None:
    """Nothing is restored where a name is wrong."""
    with pytest.raises(NotFound) as caught:
        engine(tmp_path / "restored.db").restore(
            contents, RestoreOrder(tables=("sample", "wards", "beds"))
        )
    assert caught.value.message == "the backup of lab has no table wards, beds"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["t.db", "t.db-wal", "t.db-shm", "t.db-journal"])
def test_anything_in_the_way_is_an_obstacle(
    contents: BackupContents, tmp_path: Path, name: str
) -> None:
    """A stray log would be replayed into the restored file: it counts as the file itself does."""
    (tmp_path / name).write_bytes(b"12345")
    target = engine(tmp_path / "t.db")
    assert target.obstacles() == (f"{tmp_path / name} (5 bytes)",)
    with pytest.raises(Refused) as caught:
        target.restore(contents, ALL)
    assert caught.value.message == f"{tmp_path / 't.db'} is in the way of the restore"
    assert (tmp_path / name).read_bytes() == b"12345"
    target.clear()
    assert list(tmp_path.iterdir()) == []


def test_a_restore_that_was_told_replaces_the_file(
    contents: BackupContents, tmp_path: Path
) -> None:
    """The old database goes with its log, and the new one is proven."""
    run_sql(tmp_path / "t.db", "PRAGMA journal_mode = wal; CREATE TABLE old(a);")
    (tmp_path / "t.db-wal").write_bytes(b"stray")
    report = restore_backup(
        engine(tmp_path / "t.db"),
        "t",
        contents,
        ALL,
        overwrite=True,
        compare=True,
        advance=ignore_progress,
    )
    assert report.differences == ()
    assert report.tables == len(contents.catalogue.table_proofs)


def test_a_directory_in_the_way_is_left_alone(contents: BackupContents, tmp_path: Path) -> None:
    """Even a restore that was told to replace does not remove a directory."""
    (tmp_path / "t.db").mkdir()
    (tmp_path / "t.db" / "file").write_text("kept")
    with pytest.raises(Failed) as caught:
        engine(tmp_path / "t.db").clear()
    assert caught.value.code == "target-unwritable"
    assert (tmp_path / "t.db" / "file").read_text() == "kept"


def test_a_directory_that_is_missing_or_closed_is_named(contents: BackupContents) -> None:
    """The message names the directory and the reason, and nothing is left there."""
    with unprivileged() as place:
        give_up()
        with pytest.raises(Failed) as closed:
            engine(place / "t.db").restore(contents, ALL)
        with pytest.raises(Failed) as missing:
            engine(place / "none" / "t.db").restore(contents, ALL)
    assert closed.value.message == (
        f"{place} cannot take the restored database (Permission denied)"
    )
    assert missing.value.message == (
        f"{place}/none cannot take the restored database (No such file or directory)"
    )


def test_a_damaged_backup_leaves_no_target(estate: BuiltEstate, tmp_path: Path) -> None:
    """A restore that fails half-way leaves nothing that could be taken for a database."""
    found = contents_of(estate)
    foreign = BackupContents(
        found.store, found.envelope, contents_with_other_key(found), found.identities
    )
    with pytest.raises(DbopsError) as caught:
        engine(tmp_path / "t.db").restore(foreign, ALL)
    assert caught.value.code == "range-damaged"
    assert list(tmp_path.iterdir()) == []


def test_scratch_is_private_and_gone(contents: BackupContents, tmp_path: Path) -> None:
    """What is restored to be proven lies where only this account can look, and only meanwhile."""
    place = SqliteScratch(tmp_path)
    with place.open(contents) as copy:
        copy.restore(contents, ALL)
        (directory,) = (item for item in tmp_path.iterdir() if item.is_dir())
        assert directory.stat().st_mode & 0o777 == 0o700
        with SqliteScratch(tmp_path).open(contents):
            assert directory.is_dir()
    assert list(tmp_path.iterdir()) == []
    assert place.title.startswith("SQLite 3.")


def contents_with_other_key(found: BackupContents) -> Catalogue:
    return replace(found.catalogue, head=replace(found.catalogue.head, proof_key="00" * 32))
