"""The made-up hospital: whole, plausible, the same for the same seed, and alive."""

from __future__ import annotations

import hashlib
import marshal
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from dbops.demo.hospital import (
    act_in_hospital,
    build_hospital,
    digest_of_visits,
    live_one_day,
)
from dbops.demo.kinds.assignment import kinds
from dbops.demo.systems import Product, read_systems
from dbops.demo.writing import build_database
from dbops.demo.wrong_ward import CLOSED, DATABASE, RIGHT, SINCE, VISITS, Act
from dbops.errors import Failed, NotFound, Refused

SEED = 20260101


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        yield database


def tables_of(database: sqlite3.Connection) -> list[str]:
    rows = database.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
    return [name for (name,) in rows]


def digest_of(path: Path) -> str:
    """Digest the schema and every value of every table, with its type, in the order of the keys."""
    seen = hashlib.blake2b()
    with reading(path) as database:
        for row in database.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY 1, 2"):
            seen.update(repr(row).encode())
        for table in tables_of(database):
            rows = database.execute(f'SELECT * FROM "{table}" ORDER BY 1').fetchall()
            # Marshal's version 0 writes type and value and nothing that depends on the process.
            seen.update(marshal.dumps(rows, 0))
    return seen.hexdigest()


def schema_of(path: Path) -> list[tuple[str, ...]]:
    with reading(path) as database:
        return database.execute("SELECT type, name, sql FROM sqlite_schema").fetchall()


def rows_in(path: Path) -> int:
    with reading(path) as database:
        counts = [
            database.execute(f'SELECT count(*) FROM "{table}"').fetchone()
            for table in tables_of(database)
        ]
    return sum(count for (count,) in counts)


def digests_of(directory: Path) -> dict[str, str]:
    return {path.stem: digest_of(path) for path in sorted(directory.glob("*.db"))}


@dataclass(frozen=True)
class Hospital:
    """A hospital as it was built, its digests then, and a copy that has lived one day."""

    built: Path
    paths: tuple[Path, ...]
    digests: dict[str, str]
    lived: Path


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    root = tmp_path_factory.mktemp("hospital")
    paths = build_hospital(root / "built", SEED)
    shutil.copytree(root / "built", root / "lived")
    live_one_day(root / "lived", SEED + 1)
    yield Hospital(root / "built", paths, digests_of(root / "built"), root / "lived")
    shutil.rmtree(root)


def test_the_list_names_fifty_systems() -> None:
    """The list in the package has fifty systems, numbered from 1, with distinct codes."""
    systems = read_systems()
    assert [system.no for system in systems] == list(range(1, 51))
    assert len({system.code for system in systems}) == 50
    assert {system.tier for system in systems} == {1, 2, 3}
    assert {system.engine for system in systems} == set(Product)


def test_every_system_has_a_kind() -> None:
    """Each code is assigned a kind of database, and no kind is assigned to an unknown code."""
    assert set(kinds()) == {system.code for system in read_systems()}


def test_there_is_one_file_for_each_system(hospital: Hospital) -> None:
    """Fifty files, named by the codes in the order of the list, and nothing beside them."""
    assert [path.stem for path in hospital.paths] == [system.code for system in read_systems()]
    assert sorted(hospital.built.iterdir()) == sorted(hospital.paths)
    assert {path.stat().st_mode & 0o777 for path in hospital.paths} == {0o600}


def test_the_hospital_fits_on_a_small_disk(hospital: Hospital) -> None:
    """All files together stay under 130 MB; the pictures alone are 30 to 50 MB."""
    sizes = {path.stem: path.stat().st_size for path in hospital.paths}
    assert sum(sizes.values()) <= 130_000_000
    assert 30_000_000 <= sizes.pop("pacs-ris") <= 50_000_000
    assert min(sizes.values()) >= 200_000
    assert max(sizes.values()) <= 3_000_000


@pytest.mark.parametrize("lived", [False, True], ids=["built", "lived"])
def test_every_database_is_whole(hospital: Hospital, *, lived: bool) -> None:
    """SQLite's own checks find nothing, neither after the build nor after a day's work."""
    for path in sorted((hospital.lived if lived else hospital.built).glob("*.db")):
        with reading(path) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)], path.stem
            assert database.execute("PRAGMA foreign_key_check").fetchall() == [], path.stem


def test_every_database_is_plausible(hospital: Hospital) -> None:
    """Each has some thousands of rows in its tables, references, indexes, views and triggers."""
    for path in hospital.paths:
        with reading(path) as database:
            tables = [name for name in tables_of(database) if not name.startswith("sqlite_")]
            rows = [
                database.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0]
                for table in tables
            ]
            kinds_of_object = {
                kind for (kind,) in database.execute("SELECT type FROM sqlite_schema")
            }
            schema = " ".join(
                sql or "" for (sql,) in database.execute("SELECT sql FROM sqlite_schema")
            )
            views = database.execute("SELECT name FROM sqlite_schema WHERE type = 'view'")
            for (view,) in views.fetchall():
                assert database.execute(f'SELECT count(*) FROM "{view}"').fetchone()[0] > 0
        assert 5 <= len(tables) <= 9, path.stem
        assert 2000 <= sum(rows) <= 8000, path.stem
        assert kinds_of_object == {"table", "index", "view", "trigger"}, path.stem
        for feature in ("REFERENCES", "CHECK", "WITHOUT ROWID", "AUTOINCREMENT"):
            assert feature in schema, (path.stem, feature)


def test_every_type_of_value_is_there(hospital: Hospital) -> None:
    """NULL, INTEGER, REAL, TEXT and BLOB all occur in every database."""
    for path in hospital.paths:
        found: set[str] = set()
        with reading(path) as database:
            for table in tables_of(database):
                for _, name, *_ in database.execute(f'PRAGMA table_info("{table}")').fetchall():
                    kinds_found = database.execute(f'SELECT DISTINCT typeof({name}) FROM "{table}"')
                    found.update(kind for (kind,) in kinds_found)
        assert found == {"null", "integer", "real", "text", "blob"}, path.stem


def test_some_files_are_laid_out_differently(hospital: Hospital) -> None:
    """One file is in WAL mode, one in UTF-16, some have other page sizes, one vacuums itself."""

    def pragma(code: str, name: str) -> object:
        with reading(hospital.built / f"{code}.db") as database:
            return database.execute(f"PRAGMA {name}").fetchone()[0]

    assert pragma("lis", "journal_mode") == "wal"
    assert pragma("lab", "journal_mode") == "delete"
    assert pragma("oa", "encoding") == "UTF-16le"
    assert pragma("pacs-ris", "page_size") == 8192
    assert pragma("e-invoice", "page_size") == 1024
    assert pragma("booking", "auto_vacuum") == 1


def test_nobody_in_it_can_exist(hospital: Hospital) -> None:
    """Identity numbers have the impossible region 99, telephone numbers begin with 100."""
    checked = 0
    for path in hospital.paths:
        with reading(path) as database:
            for table in tables_of(database):
                for _, name, *_ in database.execute(f'PRAGMA table_info("{table}")').fetchall():
                    pattern = {"id_number": "99%", "phone": "100%"}.get(name)
                    if pattern is None:
                        continue
                    statement = f'SELECT count(*) FROM "{table}" WHERE {name} NOT LIKE ?'
                    assert database.execute(statement, (pattern,)).fetchone()[0] == 0
                    checked += 1
    assert checked >= 50


def test_the_same_seed_gives_the_same_database(hospital: Hospital, tmp_path: Path) -> None:
    """One that is built again equals the first in every value."""
    for system in read_systems()[::9]:
        path = tmp_path / f"{system.code}.db"
        build_database(path, system, kinds()[system.code], SEED)
        assert digest_of(path) == hospital.digests[system.code]


@pytest.mark.sweep
def test_the_same_seed_gives_the_same_hospital(hospital: Hospital, tmp_path: Path) -> None:
    """A second build and a second day with the same seeds equal the first in every value."""
    build_hospital(tmp_path / "again", SEED)
    assert digests_of(tmp_path / "again") == hospital.digests
    live_one_day(tmp_path / "again", SEED + 1)
    assert digests_of(tmp_path / "again") == digests_of(hospital.lived)
    shutil.rmtree(tmp_path / "again")


def test_a_day_adds_changes_and_removes_rows_everywhere(hospital: Hospital) -> None:
    """In every database rows are new, changed and gone, and most are as they were."""
    for path in hospital.paths:
        added = changed = removed = kept = 0
        with reading(path) as database:
            database.execute("ATTACH ? AS later", (str(hospital.lived / path.name),))
            for table in tables_of(database):
                if table in {"sqlite_sequence", "change_log"}:
                    continue
                before = {row[0]: row for row in database.execute(f'SELECT * FROM main."{table}"')}
                after = {row[0]: row for row in database.execute(f'SELECT * FROM later."{table}"')}
                added += len(after.keys() - before.keys())
                removed += len(before.keys() - after.keys())
                same = sum(before[key] == after[key] for key in before.keys() & after.keys())
                changed += len(before.keys() & after.keys()) - same
                kept += same
            logged = database.execute("SELECT count(*) FROM later.change_log").fetchone()[0]
        assert added >= 20, path.stem
        assert changed >= 20, path.stem
        assert removed >= 2, path.stem
        assert logged >= 1, path.stem
        assert kept >= 0.9 * (kept + changed + removed), path.stem


def test_days_can_follow_each_other(hospital: Hospital) -> None:
    """Another day after the first, and the same day once more, add rows everywhere again."""
    for _ in range(2):
        before = {path.stem: rows_in(path) for path in hospital.lived.glob("*.db")}
        live_one_day(hospital.lived, SEED + 2)
        after = {path.stem: rows_in(path) for path in hospital.lived.glob("*.db")}
        assert [code for code in before if after[code] <= before[code]] == []


def test_another_seed_gives_another_hospital(hospital: Hospital, tmp_path: Path) -> None:
    """With another seed a database has the same schema and other rows."""
    for system in read_systems()[:5]:
        path = tmp_path / f"{system.code}.db"
        build_database(path, system, kinds()[system.code], SEED + 1)
        assert schema_of(path) == schema_of(hospital.built / path.name)
        assert digest_of(path) != hospital.digests[system.code]


def test_the_parent_loads_no_second_sqlite() -> None:
    """Who builds a hospital does not load the standard library's SQLite beside its own."""
    script = "import sys, dbops.demo.hospital; print('sqlite3' in sys.modules)"
    child = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert child.stdout == b"False\n"


def test_a_hospital_is_never_built_over_another(tmp_path: Path) -> None:
    """A directory that holds one of the databases is refused, and the file is left alone."""
    (tmp_path / "lab.db").write_bytes(b"mine")
    with pytest.raises(Refused) as caught:
        build_hospital(tmp_path, SEED)
    assert caught.value.message == f"{tmp_path} holds 1 of the made-up databases already"
    assert caught.value.hint == "name a directory that does not exist yet"
    assert [path.name for path in tmp_path.iterdir()] == ["lab.db"]
    assert (tmp_path / "lab.db").read_bytes() == b"mine"


def test_no_day_without_a_hospital(tmp_path: Path) -> None:
    """A day in an empty directory is refused, and no database appears."""
    with pytest.raises(NotFound) as caught:
        live_one_day(tmp_path, SEED)
    assert caught.value.message == f"50 of the 50 made-up databases are not in {tmp_path}"
    assert caught.value.hint == "build the hospital anew: dbops demo"
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    """Where a file stands in the way of the directory, one sentence says so."""
    (tmp_path / "file").touch()
    with pytest.raises(Failed) as caught:
        build_hospital(tmp_path / "file" / "hospital", SEED)
    assert caught.value.message == (
        f"the made-up databases cannot be written in {tmp_path}/file/hospital (NotADirectoryError)"
    )
    assert caught.value.hint == "check that the directory can be written and has 130 MB free"


def test_visits_are_booked_to_a_closed_ward(hospital: Hospital, tmp_path: Path) -> None:
    """Exactly so many visits as the demo repairs stand in a ward that was closed before them."""
    shutil.copy(hospital.lived / f"{DATABASE}.db", tmp_path)
    act_in_hospital(tmp_path, Act.BOOK_WRONGLY)
    with reading(tmp_path / f"{DATABASE}.db") as database:
        wrong = database.execute(
            "SELECT count(*) FROM visit JOIN department ON department.code = department_code"
            " WHERE department_code = ? AND admitted_at >= ? AND closed_at <= admitted_at",
            (CLOSED, SINCE),
        )
        assert wrong.fetchone() == (VISITS,)
        still = database.execute("SELECT closed_at FROM department WHERE code = ?", (RIGHT,))
        assert still.fetchone() == (None,)
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []


def test_a_move_of_a_bed_can_be_taken_back(hospital: Hospital, tmp_path: Path) -> None:
    """The digest of the visits tells one edited bed, and that it is as it was again."""
    shutil.copy(hospital.lived / f"{DATABASE}.db", tmp_path)
    act_in_hospital(tmp_path, Act.BOOK_WRONGLY)
    before = digest_of_visits(tmp_path)
    act_in_hospital(tmp_path, Act.MOVE_TO_ANOTHER_BED)
    assert digest_of_visits(tmp_path) != before
    act_in_hospital(tmp_path, Act.MOVE_BACK)
    assert digest_of_visits(tmp_path) == before


def test_a_fault_of_the_writer_is_named_by_its_class(hospital: Hospital) -> None:
    """A database that is none ends the writer, and the message holds the error's class only."""
    path = hospital.lived / "eicu.db"
    path.write_bytes(b"no database" * 100)
    with pytest.raises(Failed) as caught:
        live_one_day(hospital.lived, SEED)
    assert caught.value.message == (
        f"the made-up databases cannot be written in {hospital.lived} (sqlite3.DatabaseError)"
    )
