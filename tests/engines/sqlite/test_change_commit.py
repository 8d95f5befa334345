"""Transactions of a change on a SQLite file: locks, COMMIT, and what is there after a crash."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dbops.change.ports import CommitUnknown, LockTimeout
from dbops.engines.sqlite.change_hold import MARK
from dbops.errors import DbopsError, Failed, NotFound, Refused, Unreachable
from tests.engines.change_suite_site import WAIT, begun, entry, order, reading, step
from tests.engines.sqlite.changes import SqliteChangeSite, ran, schema_of
from tests.engines.sqlite.files import give_up, held, unprivileged

SCHEMA = ("CREATE TABLE t (id INTEGER PRIMARY KEY, v)", "INSERT INTO t VALUES (1, 'old')")
MANY = (
    "INSERT INTO t (v) SELECT hex(randomblob(2000)) FROM (WITH RECURSIVE g (n) AS"
    " (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < 3000) SELECT n FROM g)"
)

# A run in a process of its own, which stops before or after COMMIT and says so.
_RUN = f"""
import sys
from dataclasses import replace
from pathlib import Path
from tests.engines.change_suite_site import entry, order
from tests.engines.sqlite.changes import SqliteChangeSite, ran
engine = replace(SqliteChangeSite(Path(sys.argv[1])).engine, cache=1 << 20)
with engine.session(order()) as session:
    session.hold_work()
    session.begin()
    ran(session, "ALTER TABLE t ADD COLUMN w TEXT", "{MANY}")
    session.note([entry(1)])
    if sys.argv[2] == "after":
        session.commit()
    print("here", flush=True)
    sys.stdin.read()
"""


# Reads again and again until its input ends, and says how many seconds the longest read took.
_READS = """
import select, sqlite3, sys, time
print("here", flush=True)
longest = 0.0
while not select.select([sys.stdin], [], [], 0.01)[0]:
    began = time.monotonic()
    sqlite3.connect(sys.argv[1], timeout=30).execute("SELECT * FROM t").fetchall()
    longest = max(longest, time.monotonic() - began)
print(longest)
"""


@pytest.fixture(params=["delete", "wal"])
def site(tmp_path: Path, request: pytest.FixtureRequest) -> SqliteChangeSite:
    """A database of either journal mode."""
    site = SqliteChangeSite(tmp_path / "lab.db")
    site.run(f"PRAGMA journal_mode = {request.param}", *SCHEMA)
    return site


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_killed_run_leaves_nothing_unrecorded(site: SqliteChangeSite, when: str) -> None:
    """After kill -9 schema and journal say the same, and nobody is kept out."""
    identity = site.engine.identity()
    child = subprocess.Popen(
        [sys.executable, "-c", _RUN, str(site.path), when],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"here\n"
        os.kill(child.pid, signal.SIGKILL)
    assert site.engine.identity() == identity
    with reading(site) as session:
        done = [one.step for one in session.journal()]
        assert (site.column("t", "w") in session.schema().objects) is (when == "after")
    assert done == ([1] if when == "after" else [])
    assert site.rows("SELECT count(*) FROM t") == [(3001 if when == "after" else 1,)]
    with site.engine.session(order(identity=identity)) as session:
        session.hold_work()
        session.begin()
        session.commit()
    assert not site.path.with_name(site.path.name + MARK).exists()


def test_a_commit_that_does_not_get_its_lock(tmp_path: Path) -> None:
    """A reader of a rollback journal keeps writers from COMMIT: they wait, then all is undone."""
    site = SqliteChangeSite(tmp_path / "lab.db")
    site.run(*SCHEMA)
    with begun(site) as session:
        with held(site.path, "BEGIN", "SELECT * FROM t"):
            ran(session, "DROP TABLE t")
            session.note([entry(1)])
            began = time.monotonic()
            with pytest.raises(LockTimeout) as caught:
                session.commit()
            assert time.monotonic() - began < WAIT.total_seconds() + 2
            assert site.rows("SELECT v FROM t") == [("old",)]  # nobody waits behind it
        assert caught.value.code == "lock-timeout"
        assert str(caught.value) == "lab is locked by somebody else and stayed so for 0.2 seconds"
        assert session.journal() == ()
        session.begin()
        ran(session, "DROP TABLE t")
        session.note([entry(1)])
        session.commit()
    assert schema_of(site).objects.keys().isdisjoint({site.table("t")})


def test_new_readers_queue_behind_a_commit_no_longer_than_it_waits(tmp_path: Path) -> None:
    """The readers of before keep it back, and it keeps those that come: within its `lock_wait`."""
    site = SqliteChangeSite(tmp_path / "lab.db")
    site.run(*SCHEMA)
    wait = 3 * WAIT
    with begun(site, lock_wait=wait) as session:
        ran(session, "DROP TABLE t")
        reader = [sys.executable, "-c", _READS, str(site.path)]
        pipe = subprocess.PIPE
        with subprocess.Popen(reader, stdin=pipe, stdout=pipe, text=True) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == "here\n"
            with held(site.path, "BEGIN", "SELECT * FROM t"), pytest.raises(LockTimeout):
                session.commit()
            waited = float(child.communicate()[0])
    assert wait.total_seconds() / 2 < waited < wait.total_seconds() + 0.5


def test_readers_go_on_until_commit(site: SqliteChangeSite) -> None:
    """While steps run, what they change is in memory, and the file is as others know it."""
    with begun(site) as session:
        ran(session, "ALTER TABLE t ADD COLUMN w TEXT", MANY)
        assert site.rows("SELECT * FROM t") == [(1, "old")]
        session.commit()
    assert site.rows("SELECT count(w), count(*) FROM t") == [(0, 3001)]


@contextmanager
def _no_room() -> Iterator[None]:
    """No file can grow over 100 kB."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("noted", [True, False])
def test_a_commit_that_the_disk_fails(site: SqliteChangeSite, *, noted: bool) -> None:
    """The journal tells what became of it; without an entry in it nobody knows."""
    with begun(site) as session:
        ran(session, "CREATE TABLE big (v)", "INSERT INTO big VALUES (hex(zeroblob(300000)))")
        if noted:
            session.note([entry(1)])
        with _no_room(), pytest.raises(DbopsError) as caught:
            session.commit()
    if noted:
        assert isinstance(caught.value, Failed)
        assert caught.value.code == "change-commit"
        assert caught.value.message.startswith("lab: COMMIT ended with SQLITE_")
        assert caught.value.message.endswith(", and nothing was changed")
    else:
        assert isinstance(caught.value, CommitUnknown)
        assert caught.value.hint == "dbops change resume c-1 finds out"
    assert site.table("big") not in schema_of(site).objects


def test_a_writer_is_waited_for(site: SqliteChangeSite) -> None:
    """A session opens and a transaction begins when the lock is free, and say so when it is not."""
    with held(site.path, "BEGIN IMMEDIATE"):
        with pytest.raises(LockTimeout), site.engine.session(order()):
            pass  # the journal cannot be made
    with site.engine.session(order()) as session:
        with held(site.path, "BEGIN IMMEDIATE"), pytest.raises(LockTimeout) as caught:
            session.begin()
        session.begin()
    assert caught.value.hint == f"see who has it open: fuser -v {site.path}"


def test_a_hold_through_a_link(site: SqliteChangeSite) -> None:
    """Two names of one file are one database."""
    link = SqliteChangeSite(site.path.with_name("link.db"))
    link.path.symlink_to(site.path)
    with site.engine.session(order()) as session, link.engine.session(order()) as other:
        session.hold_work()
        session.hold_work()  # again is nothing new
        with pytest.raises(Unreachable) as caught:
            other.hold_work()
    lock = site.path.with_name(site.path.name + MARK)
    assert str(caught.value) == "another change is running on lab"
    assert caught.value.hint == f"wait for it, or see who it is: fuser -v {lock}"
    assert not lock.exists()


def test_a_hold_that_is_no_file(site: SqliteChangeSite) -> None:
    """What cannot be locked keeps the change out."""
    site.path.with_name(site.path.name + MARK).symlink_to("/dev/null")
    with site.engine.session(order()) as session, pytest.raises(Unreachable) as caught:
        session.hold_work()
    assert caught.value.code == "change-running"


def test_a_file_that_cannot_be_written() -> None:
    """It can be read, and is refused before anything is tried."""
    with unprivileged() as place:
        site = SqliteChangeSite(place / "lab.db")
        site.run(*SCHEMA)
        give_up()
        with reading(site) as session:
            assert site.table("t") in session.schema().objects
            assert session.journal() == ()
            assert session.settle() == ()
            with pytest.raises(Refused) as hold:
                session.hold_work()
        with pytest.raises(Refused) as caught, site.engine.session(order()):
            pass
    assert hold.value.code == "read-only"
    assert str(caught.value) == "lab cannot be written here"


@pytest.mark.parametrize("content", [None, b"not a database at all, " * 50])
def test_what_is_no_database(tmp_path: Path, content: bytes | None) -> None:
    """A file that is missing is not made; one of another kind is named."""
    site = SqliteChangeSite(tmp_path / "lab.db")
    if content is not None:
        site.path.write_bytes(content)
    with pytest.raises(DbopsError) as caught, site.engine.session(order()):
        pass
    assert isinstance(caught.value, NotFound) is (content is None)
    assert site.path.exists() is (content is not None)


def test_a_reading_session_sees_one_moment(tmp_path: Path) -> None:
    """Between its begin and its rollback nothing that others commit is seen."""
    site = SqliteChangeSite(tmp_path / "lab.db")
    site.run("PRAGMA journal_mode = wal", *SCHEMA)
    with reading(site) as session:
        session.begin()
        before = session.schema()
        site.run("CREATE TABLE later (a)")
        assert session.schema() == before
        with pytest.raises(Refused) as caught:
            session.run(step("DROP TABLE t"))
        assert caught.value.code == "read-only"
        session.rollback()
        assert site.table("later") in session.schema().objects
