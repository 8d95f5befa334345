"""Transactions of a repair on a SQLite file: locks, COMMIT, and what is there after a crash."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dbops.engines.sqlite.repair import SqliteRepairEngine
from dbops.errors import DbopsError, NotFound, Refused, Unreachable
from dbops.estate.values import SqliteAddress
from dbops.repair.ports import CommitUnknown
from tests.engines.repair_site import NOTHING, begun, marker, order, read, sql
from tests.engines.sqlite.files import give_up, held, unprivileged
from tests.engines.sqlite.repairs import SqliteSite, made

SCHEMA = ("CREATE TABLE t (id INTEGER PRIMARY KEY, v)", "INSERT INTO t VALUES (1, 'old')")

# A run in a process of its own, which stops before or after COMMIT and says so.
_RUN = """
import sys
from pathlib import Path
from tests.engines.repair_site import NOTHING, begun, marker, sql
from tests.engines.sqlite.repairs import SqliteSite
with begun(SqliteSite(Path(sys.argv[1]))) as session:
    session.run(sql("UPDATE t SET v = 'new'"), NOTHING)
    session.run(sql(
        "INSERT INTO t (v) SELECT hex(randomblob(2000)) FROM (WITH RECURSIVE g (n) AS"
        " (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < 3000) SELECT n FROM g)"
    ), NOTHING)
    session.mark(marker("r1"))
    if sys.argv[2] == "after":
        session.commit()
    print("here", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(params=["delete", "wal"])
def site(tmp_path: Path, request: pytest.FixtureRequest) -> SqliteSite:
    """A database of either journal mode."""
    return made(tmp_path / "lab.db", f"PRAGMA journal_mode = {request.param}", *SCHEMA)


@contextmanager
def killed(site: SqliteSite, when: str) -> Iterator[None]:
    """A run that has come so far, for the length of the `with`; it is killed at its end."""
    child = subprocess.Popen(
        [sys.executable, "-c", _RUN, str(site.path), when],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"here\n"
        yield
        os.kill(child.pid, signal.SIGKILL)


def spilled(tmp_path: Path) -> SqliteSite:
    """A database whose last writer was killed after pages had gone to the disk: a hot journal."""
    site = made(tmp_path / "lab.db", *SCHEMA)
    with killed(site, "before"):
        pass
    assert site.path.with_name("lab.db-journal").stat().st_size > 0
    assert site.path.stat().st_size > 1 << 20
    return site


def test_a_killed_writers_file_says_which_it_is(tmp_path: Path) -> None:
    """What the writer left is taken back first, which a reader cannot do."""
    before = made(tmp_path / "other.db", *SCHEMA).engine.identity()
    site = spilled(tmp_path)
    assert site.engine.identity() == before.replace("other.db", "lab.db")
    assert not site.path.with_name("lab.db-journal").exists()
    assert site.rows("SELECT id, v FROM t") == [(1, "old")]


def test_a_killed_writers_file_can_be_read(tmp_path: Path) -> None:
    """By a session that writes nothing itself."""
    site = spilled(tmp_path)
    with site.engine.session(order(read_only=True)) as session:
        session.begin()
        assert len(read(session, session.shape(site.table("t")))) == 1


def test_a_killed_writers_file_that_cannot_be_written() -> None:
    """Whoever may not write it cannot say which it is, and is told why."""
    with unprivileged() as place:
        site = spilled(place)
        give_up()
        with pytest.raises(Refused) as caught:
            site.engine.identity()
    assert caught.value.code == "database-read-only"
    assert caught.value.message == "lab cannot be written here"


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_killed_run_is_told_apart(site: SqliteSite, when: str) -> None:
    """After kill -9 the database is before or after, with what spilled to disk, and says which."""
    with killed(site, when):
        if when == "before":
            with pytest.raises(Unreachable) as caught:
                site.engine.committed("r1", "w-1")
            assert caught.value.code == "work-running"
    assert site.engine.committed("r1", "w-1") is (when == "after")
    assert site.rows("SELECT count(*), min(v) = 'old' FROM t WHERE id = 1") == [
        (1, int(when == "before"))
    ]
    assert site.rows("SELECT count(*) FROM t") == [(1 if when == "before" else 3001,)]
    assert site.rows("PRAGMA integrity_check") == [("ok",)]


def test_a_commit_that_does_not_get_its_lock(tmp_path: Path) -> None:
    """A reader of a rollback journal keeps writers from COMMIT: they wait, and then give up."""
    site = made(tmp_path / "lab.db", *SCHEMA)
    with held(site.path, "BEGIN", "SELECT * FROM t"):
        with begun(site) as session:
            session.run(sql("UPDATE t SET v = 'new'"), NOTHING)
            with pytest.raises(Unreachable) as caught:
                session.commit()
            assert caught.value.code == "lock-timeout"
            assert not isinstance(caught.value, CommitUnknown)
            assert (
                str(caught.value) == "lab is locked by somebody else and stayed so for 0.2 seconds"
            )
    assert site.rows("SELECT v FROM t") == [("old",)]


def test_a_commit_that_nobody_knows(site: SqliteSite) -> None:
    """An error of the disk at COMMIT is no answer; a new connection has one."""
    most = site.path.stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with begun(site) as session:
        session.run(sql("UPDATE t SET v = hex(zeroblob(300000))"), NOTHING)
        session.mark(marker("r1"))
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
        try:
            with pytest.raises(CommitUnknown) as caught:
                session.commit()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            signal.signal(signal.SIGXFSZ, handler)
    assert caught.value.code == "commit-unknown"
    assert str(caught.value).startswith("lab: COMMIT ended with SQLITE_")
    assert not site.engine.committed("r1", "w-1")
    assert site.rows("SELECT v FROM t") == [("old",)]


def test_a_writer_is_waited_for(site: SqliteSite) -> None:
    """A repair begins when the lock is free, and says so when it is not."""
    with held(site.path, "BEGIN IMMEDIATE"):
        with pytest.raises(Unreachable) as caught, begun(site):
            pass
    assert caught.value.code == "lock-timeout"
    assert caught.value.hint == f"see who has it open: fuser -v {site.path}"
    with begun(site):
        pass


def test_nothing_stands_between_two_uses(site: SqliteSite) -> None:
    """After COMMIT and after ROLLBACK the session does nothing more."""
    for end in ("commit", "rollback"):
        with begun(site) as session:
            getattr(session, end)()
            with pytest.raises(Refused) as caught:
                session.run(sql("DELETE FROM t"), NOTHING)
            assert caught.value.code == "transaction-lost"
    assert site.rows("SELECT v FROM t") == [("old",)]


def test_a_session_that_has_not_begun(site: SqliteSite) -> None:
    """Nothing can be done with it."""
    with site.engine.session(order()) as session:
        with pytest.raises(Refused):
            session.shape(site.table("t"))
        with pytest.raises(Refused):
            session.own_rows(None)  # type: ignore[arg-type] # it never looks
        with pytest.raises(Refused):
            session.commit()


def test_a_reading_session_needs_no_preparation(tmp_path: Path) -> None:
    """It works on a database that knows nothing of dbops, and that it cannot write."""
    site = SqliteSite(tmp_path / "lab.db")
    site.run(*SCHEMA)
    with held(site.path, "BEGIN IMMEDIATE"), begun(site, read_only=True) as session:
        assert len(read(session, session.shape(site.table("t")))) == 1
        assert session.markers("w-1") == ()
        with pytest.raises(Refused) as caught:
            session.run(sql("DELETE FROM t"), NOTHING)
    assert caught.value.code == "database-read-only"


def test_a_file_that_cannot_be_written() -> None:
    """It is refused before anything is tried."""
    with unprivileged() as place:
        site = made(place / "lab.db", *SCHEMA)
        give_up()
        with pytest.raises(Refused) as caught, begun(site):
            pass
    assert caught.value.code == "database-read-only"
    assert str(caught.value) == "lab cannot be written here"


@pytest.mark.parametrize("content", [None, b"not a database at all, " * 50])
def test_what_is_no_database(tmp_path: Path, content: bytes | None) -> None:
    """A file that is missing is not made; one of another kind is named."""
    path = tmp_path / "lab.db"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DbopsError) as caught, begun(SqliteSite(path)):
        pass
    assert isinstance(caught.value, NotFound) is (content is None)
    assert path.exists() is (content is not None)


def test_the_clock_is_the_hosts(site: SqliteSite) -> None:
    """SQLite has no clock of its own: the transaction and its marker have the one that is given."""
    noon = datetime(2026, 11, 20, 12, tzinfo=UTC)
    engine = SqliteRepairEngine(SqliteAddress(name="lab", path=site.path), lambda: noon)
    with engine.session(order(lock_wait=timedelta(0))) as session:
        session.begin()
        session.mark(marker("r1"))
        session.commit()
        assert (session.began, session.encoding) == (noon, "utf-8")
    assert site.rows("SELECT at FROM dbops_run") == [("2026-11-20T12:00:00.000+00:00",)]


def test_another_table_of_that_name(tmp_path: Path) -> None:
    """A table `dbops_run` with other columns is not taken for dbops' own."""
    site = SqliteSite(tmp_path / "lab.db")
    site.run("CREATE TABLE dbops_run (run TEXT)")
    with pytest.raises(Refused) as caught, begun(site):
        pass
    assert caught.value.code == "repair-not-prepared"
    assert caught.value.hint == "have it made, once: dbops repair prepare lab"
    assert not site.engine.committed("r1", "w-1")


@pytest.mark.parametrize(
    "text", ["COMMIT; CREATE TABLE x (a)", "ATTACH ':memory:' AS o", "CREATE TABLE t (a)"]
)
def test_preparing_is_one_transaction(site: SqliteSite, text: str) -> None:
    """What ends it, leaves the file, or fails, leaves nothing."""
    with pytest.raises(DbopsError):
        site.engine.install(f"CREATE TABLE first (a); {text}")
    assert site.rows("SELECT name FROM sqlite_schema WHERE name IN ('first', 'x')") == []


def test_the_marker_table_is_plain(site: SqliteSite) -> None:
    """An application's old SQLite can still open the file: no STRICT, no WITHOUT ROWID."""
    text = site.engine.prepare_sql([])
    assert text.endswith(");\n")
    assert "STRICT" not in text
    assert "ROWID" not in text
