"""What the SQLite engine finds about a file before its backup."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbops.doctor.finding import Finding, Verdict
from dbops.doctor.ports import Inspectable
from dbops.engines.sqlite.engine import SqliteEngine
from dbops.engines.sqlite.inspect import _check_place, inspect_file
from dbops.errors import DbopsError
from dbops.estate.values import SqliteAddress
from tests.support.estate import run_sql


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "lab.db"
    run_sql(path, "CREATE TABLE t(a); INSERT INTO t VALUES ('canary-row');")
    path.chmod(0o600)
    return path


def inspect(path: Path) -> dict[str, Finding]:
    return {item.code: item for item in inspect_file("lab", path)}


def test_the_engine_can_be_inspected(database: Path) -> None:
    """SqliteEngine implements the port, and a good file has nothing but ok."""
    engine = SqliteEngine(SqliteAddress(name="lab", path=database))
    assert isinstance(engine, Inspectable)
    found = engine.inspect()
    assert [item.code for item in found] == ["sqlite-opens", "sqlite-room"]
    assert {item.verdict for item in found} == {Verdict.OK}
    assert found[0].text.endswith(f"opens {database}: 1 objects, 0.0 MB, journal mode delete")
    assert not any("canary" in item.text for item in found)


def test_looking_leaves_no_file_behind(database: Path) -> None:
    """The directory holds the same files afterwards, with the same bytes."""
    before = {path.name: path.read_bytes() for path in database.parent.iterdir()}
    inspect(database)
    assert {path.name: path.read_bytes() for path in database.parent.iterdir()} == before


def test_a_file_that_everybody_can_read_is_a_warning(database: Path) -> None:
    """The file holds patients' data; the advice takes the mode away."""
    database.chmod(0o644)
    database.parent.chmod(0o755)
    assert inspect(database)["sqlite-readable-by-all"] == Finding(
        "sqlite-readable-by-all",
        Verdict.WARNING,
        "every account of this host can read lab (mode 0644)",
        f"chmod o-rwx {database}",
    )


def test_a_write_ahead_log_that_only_grows_is_a_warning(database: Path) -> None:
    """Larger than 64 MiB and than the database: some reader holds the checkpoint up."""
    run_sql(database, "PRAGMA journal_mode=wal;")
    with database.with_name("lab.db-wal").open("wb") as log:
        log.truncate(70_000_000)
    found = inspect(database)["sqlite-wal"]
    assert found.verdict is Verdict.WARNING
    assert found.text == (
        "the write-ahead log of lab has grown to 70.0 MB: no checkpoint gets done"
    )


def test_a_copy_of_a_killed_backup_is_a_warning(database: Path) -> None:
    """It holds rows in clear; the next backup removes it."""
    database.with_name("lab.db.dbops-copy-00").write_bytes(b"rows")
    database.with_name("lab.db.dbops-copy-00.lock").touch()
    found = inspect(database)["sqlite-copies"]
    assert found.text == "1 private copies of lab were left by backups that were killed"
    assert found.advice == "the next backup removes them: dbops backup run lab"


def test_a_disk_without_room_for_the_copy_is_a_problem(database: Path) -> None:
    """The copy lies beside the source and needs as much again."""
    (finding,) = _check_place("lab", database, 1 << 60)
    assert finding.verdict is Verdict.PROBLEM
    assert finding.text.endswith(
        "MB are free beside lab, and its copy needs 1,152,921,504,606.8 MB"
    )
    assert finding.advice == f"free some space: df -h {database.parent}"


def test_what_is_no_database_is_said(tmp_path: Path) -> None:
    """An encrypted file, and one that is not there, fail with the engine's own words."""
    path = tmp_path / "lab.db"
    with pytest.raises(DbopsError) as caught:
        inspect(path)
    assert caught.value.code == "database-missing"
    path.write_bytes(b"encrypted" * 1000)
    with pytest.raises(DbopsError) as caught:
        inspect(path)
    assert caught.value.message == "lab is not a SQLite database, or it is encrypted"
