"""Scratch clusters: they run caged, and nothing of them is left after their block."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from dbops.engines.postgresql.account import account_to_run
from dbops.engines.postgresql.binaries import Installation
from dbops.engines.postgresql.cluster import SCRATCH_SETTINGS, Cluster, scratch_cluster
from dbops.errors import Failed, NotFound, Refused
from tests.engines.postgresql.processes import mentioning
from tests.fix_postgresql import Connection, PgDatabase, PgServer
from tests.fix_tools import require_root


def connect(cluster: Cluster, dbname: str = "postgres") -> Connection:
    """A connection as the cluster itself says that one connects."""
    return psycopg.connect(make_conninfo(**cluster.conninfo(dbname)), autocommit=True)


def shell(connection: Connection, command: str) -> list[str]:
    """What restored code could see: the output of a shell command that the server runs."""
    connection.execute("CREATE TEMP TABLE said (line text)")
    connection.execute(f"COPY said FROM PROGRAM '{command}' (DELIMITER E'\\x01')")
    lines = [str(line) for (line,) in connection.execute("TABLE said")]
    connection.execute("DROP TABLE said")
    return lines


def test_a_scratch_cluster_answers_as_its_conninfo_says(
    pg_installation: Installation, scratch_parent: Path
) -> None:
    """It is of the installation's major version, UTF8, and runs with the settings promised."""
    with scratch_cluster(pg_installation, scratch_parent, settings={"work_mem": "7MB"}) as cluster:
        with connect(cluster) as connection:
            assert connection.info.server_version // 10000 == pg_installation.major
            query = "SELECT lower(name), current_setting(name) FROM pg_settings"
            shown: dict[str, str] = dict(connection.execute(query).fetchall())
    assert {name: shown[name] for name in SCRATCH_SETTINGS} == dict(SCRATCH_SETTINGS)
    assert (shown["work_mem"], shown["server_encoding"]) == ("7MB", "UTF8")


def test_nothing_is_left_after_the_block(
    pg_installation: Installation, scratch_parent: Path
) -> None:
    """When the block ends, its processes, files and watchdog have ended too."""
    with scratch_cluster(pg_installation, scratch_parent) as cluster:
        running = mentioning(cluster.directory.name)
    assert len(running) >= 3
    assert not mentioning(cluster.directory.name)
    assert list(scratch_parent.iterdir()) == []


def test_nothing_is_left_after_an_exception(pg_newest: Installation, scratch_parent: Path) -> None:
    """An exception leaves the block as it was raised, and the cluster is removed."""
    with pytest.raises(ZeroDivisionError):
        with scratch_cluster(pg_newest, scratch_parent) as cluster:
            _ = 1 / 0
    assert not mentioning(cluster.directory.name)
    assert list(scratch_parent.iterdir()) == []


def test_stopping_twice_is_harmless(pg_newest: Installation, scratch_parent: Path) -> None:
    """A cluster that was stopped early is not missed at the end of the block."""
    with scratch_cluster(pg_newest, scratch_parent) as cluster:
        cluster.stop()
        assert not cluster.directory.exists()
        cluster.stop()


def test_a_server_that_does_not_listen_is_removed(
    pg_newest: Installation, scratch_parent: Path
) -> None:
    """A frozen postmaster with a busy backend is killed with everything it started."""
    with scratch_cluster(pg_newest, scratch_parent) as cluster:
        with connect(cluster) as connection:
            pid = connection.info.backend_pid
            connection.execute("SELECT 1")
            os.kill(pid, signal.SIGSTOP)
            os.kill(cluster.process.pid, signal.SIGSTOP)
            cluster.stop()
    assert not mentioning(cluster.directory.name)


def test_the_server_gets_no_secret_from_the_environment(
    pg_newest: Installation, scratch_parent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither PGPASSWORD nor anything else of the caller's environment reaches the server."""
    secret = secrets.token_hex(8)
    for name in ("PGPASSWORD", "DBOPS_KEY", "HOME", "LD_PRELOAD_NOT"):
        monkeypatch.setenv(name, secret)
    with scratch_cluster(pg_newest, scratch_parent) as cluster, connect(cluster) as connection:
        environment = shell(connection, "env")
        limit = shell(connection, "ulimit -c")
    own = {"PWD", "PGLOCALEDIR", "PGSYSCONFDIR", "PATH", "LANG", "TZ", "SHLVL", "_", "OLDPWD"}
    names = {line.partition("=")[0] for line in environment}
    assert {name for name in names if not name.startswith("LC_")} <= own
    assert not [line for line in environment if secret in line]
    assert limit == ["0"]


def test_only_the_socket_leads_in(pg_newest: Installation, scratch_parent: Path) -> None:
    """No TCP port is open, and the socket's directory lets nobody else in."""
    with scratch_cluster(pg_newest, scratch_parent) as cluster, connect(cluster) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
        modes = {
            place.name: place.stat().st_mode & 0o777
            for place in (cluster.directory, cluster.socket_directory)
        }
    assert modes[cluster.directory.name] in (0o710, 0o700)
    assert modes["socket"] == 0o700


def test_restored_code_is_not_root(pg_newest: Installation, scratch_parent: Path) -> None:
    """As root the server runs under another account, with no group of root's, in its cage."""
    require_root("another account")
    key = scratch_parent / "key"
    key.write_text("AGE-SECRET-KEY")
    key.chmod(0o600)
    account = account_to_run(None)
    assert account is not None
    with scratch_cluster(pg_newest, scratch_parent) as cluster, connect(cluster) as connection:
        owner = cluster.directory / "owner"
        assert shell(connection, "id -un; id -G") == [account.name, str(account.gid)]
        assert shell(connection, f"cat {key} 2>&1 || echo refused")[-1] == "refused"
        touch = f"touch {cluster.directory}/x {owner} 2>&1 || echo refused"
        assert shell(connection, touch)[-1] == "refused"
    key.unlink()


def test_values_stay_out_of_the_log(pg_installation: Installation, scratch_parent: Path) -> None:
    """A failing statement leaves neither its text nor a row's value in the server's log."""
    with scratch_cluster(pg_installation, scratch_parent) as cluster:
        with connect(cluster) as connection:
            connection.execute("CREATE TABLE patient (name text PRIMARY KEY)")
            connection.execute("INSERT INTO patient VALUES ('Zhang-San-7')")
            with pytest.raises(psycopg.errors.UniqueViolation):
                connection.execute("INSERT INTO patient VALUES ('Zhang-San-7')")
        log = (cluster.directory / "server.log").read_text()
    assert "Success" in log
    assert "Zhang" not in log
    assert "patient" not in log


@pytest.mark.parametrize("name", ["with space, comma and 'quotes'", "化验", "long-" * 24])
def test_any_parent_directory_will_do(
    pg_newest: Installation, scratch_parent: Path, name: str
) -> None:
    """Neither strange characters nor a path longer than a socket may have is in the way."""
    place = scratch_parent / name
    place.mkdir()
    with scratch_cluster(pg_newest, place) as cluster, connect(cluster) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert list(place.iterdir()) == []
    assert not cluster.socket_directory.exists()
    place.rmdir()


def test_a_setting_the_server_refuses_is_said(
    pg_installation: Installation, scratch_parent: Path
) -> None:
    """The server's own reason is in the error, and nothing is left."""
    with pytest.raises(Failed) as refusal:
        with scratch_cluster(pg_installation, scratch_parent, settings={"no_such_thing": "1"}):
            pass
    assert refusal.value.code == "scratch-not-started"
    assert refusal.value.message == (
        f"PostgreSQL {pg_installation.major} scratch server did not start: "
        'unrecognized configuration parameter "no_such_thing"'
    )
    assert refusal.value.hint == "dbops doctor"


def test_a_missing_parent_is_said(pg_newest: Installation, scratch_parent: Path) -> None:
    """A scratch directory that cannot be made is an expected failure with its reason."""
    missing = scratch_parent / "missing"
    with pytest.raises(Failed) as refusal:
        with scratch_cluster(pg_newest, missing):
            pass
    assert refusal.value.code == "scratch-not-made"
    assert refusal.value.message == (
        f"no scratch cluster can be made in {missing}: no such file or directory"
    )
    assert refusal.value.hint == f"df -h {missing}"


def test_programs_the_account_cannot_read_are_said(
    pg_newest: Installation, scratch_parent: Path
) -> None:
    """Programs below a closed directory are refused before anything is made with them."""
    require_root("another account")
    account = account_to_run(None)
    assert account is not None
    closed = scratch_parent / "closed"
    closed.mkdir(mode=0o700)
    (closed / "bin").symlink_to(pg_newest.bindir)
    with pytest.raises(Failed) as refusal:
        with scratch_cluster(replace(pg_newest, bindir=closed / "bin"), scratch_parent):
            pass
    assert refusal.value.code == "server-out-of-reach"
    assert refusal.value.message == (f"account {account.name} cannot run {closed}/bin/postgres")
    assert refusal.value.hint == (
        f"install postgresql-{pg_newest.major} where every account can read it"
    )
    shutil.rmtree(closed)


def test_a_parent_the_account_cannot_enter_is_said(
    pg_newest: Installation, scratch_parent: Path
) -> None:
    """A parent that is closed to the account is refused with a place that is open."""
    require_root("another account")
    account = account_to_run(None)
    assert account is not None
    closed = scratch_parent / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(Failed) as refusal:
        with scratch_cluster(pg_newest, closed):
            pass
    assert refusal.value.code == "scratch-out-of-reach"
    assert refusal.value.message == f"account {account.name} cannot enter {closed}"
    assert refusal.value.hint == (
        "name a scratch directory whose parents every account may enter: /var/tmp"
    )
    closed.rmdir()


def test_accounts_that_do_not_fit_are_refused() -> None:
    """Neither an unknown account nor root runs restored code."""
    require_root("another account")
    with pytest.raises(NotFound) as missing:
        account_to_run("no-such-account")
    assert missing.value.message == "no account no-such-account to run a scratch server"
    assert missing.value.hint == "useradd --system no-such-account"
    with pytest.raises(Refused) as root:
        account_to_run("root")
    assert root.value.message == "account root is root, which must not run restored code"
    assert root.value.hint == "useradd --system dbops-scratch"


def test_source_servers_ask_for_the_password_over_tcp(pg_server: PgServer) -> None:
    """The tests' source servers are met as a hospital's are: by TCP, with SCRAM."""
    with pg_server.connect("postgres") as connection:
        assert connection.info.server_version // 10000 == pg_server.major
        assert connection.info.host == "127.0.0.1"
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        pg_server.connect("postgres", password="wrong")


def test_each_test_gets_an_empty_database(pg_database: PgDatabase) -> None:
    """A fresh database holds no relation outside the system's own schemas."""
    query = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
    with pg_database.connect() as connection:
        assert connection.execute(query).fetchone() == (0,)


def test_databases_of_other_encodings_can_be_made(pg_server: PgServer) -> None:
    """An old Chinese system's encoding is one argument away, and the database drops again."""
    pg_server.create_database("old_system", encoding="EUC_CN")
    with pg_server.connect("old_system", user=pg_server.superuser) as connection:
        assert connection.execute("SHOW server_encoding").fetchone() == ("EUC_CN",)
    pg_server.drop_database("old_system")
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        pg_server.connect("old_system")
