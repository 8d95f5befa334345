"""One instant of a SQLite file, whatever is done to it meanwhile, or a clear error."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from dbops.engines.sqlite.connect import open_copy
from dbops.errors import Failed, NotFound, Refused, Unreachable
from dbops.repository.records import ProofLevel
from tests.engines.sqlite.files import engine, give_up, held, unprivileged, written
from tests.support.estate import contents_of, found_test_estate, run_sql, take_backup, verify

TWO_TABLES = """
CREATE TABLE one(id INTEGER PRIMARY KEY, v TEXT);
CREATE TABLE two(id INTEGER PRIMARY KEY, v TEXT);
"""
KEY = b"k" * 32


def snapshot_error(path: Path) -> BaseException:
    with pytest.raises((Failed, NotFound, Refused, Unreachable)) as caught:
        with engine(path).snapshot() as snapshot:
            snapshot.tables(KEY)
    return caught.value


def leftovers(path: Path) -> list[str]:
    return sorted(item.name for item in path.parent.iterdir() if "dbops" in item.name)


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_backup_beside_a_writer_is_one_instant(tmp_path: Path, mode: str) -> None:
    """While another process commits without pause, the copy holds whole transactions only."""
    estate = found_test_estate(tmp_path, f"PRAGMA journal_mode = {mode};{TWO_TABLES}")
    with written(estate.database):
        for _ in range(3):
            take_backup(estate)
            counts = contents_of(estate).facts["count"]
            assert counts["one"] == counts["two"]
    last = contents_of(estate).catalogue.table_proofs
    assert last["one"].records == last["two"].records >= 20
    assert verify(estate, ProofLevel.PROVEN).findings == ()


def test_writers_go_on_while_a_wal_database_is_backed_up(tmp_path: Path) -> None:
    """What they commit meanwhile is not in the proof."""
    path = tmp_path / "lab.db"
    run_sql(path, f"PRAGMA journal_mode = wal;{TWO_TABLES}INSERT INTO one VALUES (1, 'a');")
    with engine(path).snapshot() as snapshot:
        run_sql(path, "INSERT INTO one VALUES (2, 'b')")
        assert snapshot.tables(KEY)["one"].records == 1


def test_a_writer_that_holds_the_file_is_named(tmp_path: Path) -> None:
    """An exclusive lock is waited for, and then reported."""
    path = tmp_path / "lab.db"
    run_sql(path, TWO_TABLES)
    with held(path, "BEGIN EXCLUSIVE"):
        error = snapshot_error(path)
    assert isinstance(error, Unreachable)
    assert error.message == "lab is locked by a writer and stayed so for 10 seconds"
    assert error.hint == f"end the writing program, or wait for it: fuser -v {path}"
    assert leftovers(path) == []


@pytest.mark.parametrize("content", [os.urandom(8192), b"not a database at all, " * 50])
def test_an_encrypted_or_foreign_file_is_named(tmp_path: Path, content: bytes) -> None:
    """Bytes that are no SQLite header may be an encrypted database."""
    path = tmp_path / "lab.db"
    path.write_bytes(content)
    error = snapshot_error(path)
    assert str(error) == "lab is not a SQLite database, or it is encrypted"
    assert leftovers(path) == []


@pytest.mark.parametrize("page", [1, 2, 3])
def test_a_corrupt_page_is_named(tmp_path: Path, page: int) -> None:
    """No backup is made that could never be proven."""
    path = tmp_path / "lab.db"
    run_sql(path, f"{TWO_TABLES}INSERT INTO one VALUES (1, 'a');")
    data = bytearray(path.read_bytes())
    start = (page - 1) * 4096 + (100 if page == 1 else 0)
    data[start : start + 64] = b"\xfe" * 64
    path.write_bytes(data)
    error = snapshot_error(path)
    assert isinstance(error, Failed)
    assert error.code == "database-corrupt"
    assert str(error) in {
        "lab is corrupt: SQLite cannot read all of it",
        "lab is corrupt: SQLite's quick_check finds damage",
    }
    assert leftovers(path) == []


def test_a_file_that_was_cut_off_is_named(tmp_path: Path) -> None:
    """A header that promises more pages than there are is corruption."""
    path = tmp_path / "lab.db"
    run_sql(path, f"{TWO_TABLES}INSERT INTO one SELECT NULL, hex(randomblob(3000));")
    path.write_bytes(path.read_bytes()[:-4096])
    assert snapshot_error(path).args[0].startswith("lab is corrupt: ")


@pytest.mark.parametrize("kind", ["missing", "directory"])
def test_what_is_no_file_is_missing(tmp_path: Path, kind: str) -> None:
    """Nothing is created where a database should be."""
    path = tmp_path / "lab.db"
    if kind == "directory":
        path.mkdir()
    error = snapshot_error(path)
    assert isinstance(error, NotFound)
    assert error.message == f"lab: {path} cannot be opened"
    assert path.is_dir() is (kind == "directory")


def test_a_file_that_may_not_be_read_is_named() -> None:
    """This account's rights are the matter, not the file."""
    with unprivileged() as place:
        path = place / "lab.db"
        run_sql(path, TWO_TABLES)
        path.chmod(0)
        give_up()
        error = snapshot_error(path)
    assert isinstance(error, Refused)
    assert error.message == f"lab: this account may not read {path}"


def test_a_directory_that_may_not_be_entered_is_named() -> None:
    """Whether the file exists cannot even be seen."""
    with unprivileged() as place:
        path = place / "closed" / "lab.db"
        path.parent.mkdir(mode=0o700)
        run_sql(path, TWO_TABLES)
        give_up()
        error = snapshot_error(path)
    assert isinstance(error, Refused)
    assert error.message == f"lab: this account may not read {path}"


def test_a_directory_that_takes_no_copy_is_named() -> None:
    """The private copy lies beside the database, so its directory has to be writable."""
    with unprivileged() as place:
        path = place / "lab.db"
        run_sql(path, TWO_TABLES)
        give_up()
        error = snapshot_error(path)
    assert isinstance(error, Refused)
    assert error.message == f"lab: no private copy can be made in {place} (EACCES)"
    assert error.hint == f"give this account write access to that directory: ls -ld {place}"


def test_the_private_copy_is_private_and_goes(tmp_path: Path) -> None:
    """Mode 0600 while it exists, and nothing of it afterwards, even after an error."""
    path = tmp_path / "lab.db"
    run_sql(path, TWO_TABLES)
    with engine(path).snapshot():
        names = leftovers(path)
        assert len(names) == 2
        assert {(tmp_path / name).stat().st_mode & 0o777 for name in names} == {0o600}
    assert leftovers(path) == []
    with pytest.raises(KeyError), engine(path).snapshot():
        raise KeyError
    assert leftovers(path) == []


@pytest.mark.parametrize("name", ["lab.db", "lab[1].db", "检验 %20?#.db"])
def test_the_copy_of_a_killed_backup_is_removed_by_the_next(tmp_path: Path, name: str) -> None:
    """SIGKILL leaves plaintext beside the source; the next run takes it away, whatever its name."""
    path = tmp_path / name
    run_sql(path, TWO_TABLES)
    program = (
        "import sys, pathlib\n"
        "from tests.engines.sqlite.files import engine\n"
        "with engine(pathlib.Path(sys.argv[1])).snapshot():\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        living = leftovers(path)
        with engine(path).snapshot():
            assert set(living) < set(leftovers(path))
        os.kill(child.pid, signal.SIGKILL)
    assert leftovers(path) == living
    with engine(path).snapshot():
        assert not set(living) & set(leftovers(path))
    assert leftovers(path) == []


def test_an_empty_file_is_an_empty_database(tmp_path: Path) -> None:
    """SQLite takes 0 bytes for a database without tables, and so does a backup."""
    estate = found_test_estate(tmp_path)
    estate.database.write_bytes(b"")
    assert take_backup(estate).totals.streams == 1
    assert contents_of(estate).catalogue.table_proofs == {}
    assert verify(estate, ProofLevel.PROVEN).findings == ()


@pytest.mark.parametrize("page_size", [512, 4096, 65536])
def test_every_page_size_is_backed_up(tmp_path: Path, page_size: int) -> None:
    """Ranges are pages of the file's own size."""
    estate = found_test_estate(tmp_path, f"PRAGMA page_size = {page_size};{TWO_TABLES}")
    envelope = take_backup(estate)
    assert envelope.totals.bytes == estate.database.stat().st_size
    assert envelope.totals.records == estate.database.stat().st_size // page_size
    assert verify(estate, ProofLevel.PROVEN).findings == ()


def test_a_copy_is_opened_without_a_trace(tmp_path: Path) -> None:
    """Reading a finished copy of a WAL database leaves no log and no lock file beside it."""
    path = tmp_path / "lab.db"
    run_sql(path, f"PRAGMA journal_mode = wal;{TWO_TABLES}")
    with open_copy("lab", path) as connection:
        assert isinstance(connection, apsw.Connection)
        connection.execute("SELECT * FROM one").fetchall()
        assert [item.name for item in tmp_path.iterdir()] == ["lab.db"]
