"""What goes wrong on a first day: one `error:` line, one `hint:` line, and the right status."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from dbops.engines.postgresql.binaries import Installation, find_installations
from tests.cli.mistakes import MISTAKES, Mistake
from tests.cli.review_mistakes import REVIEW_MISTAKES
from tests.crash.postgresql import NAME, found_postgresql_estate
from tests.crash.processes import Outcome, dbops
from tests.fix_postgresql import PgDatabase, PgServer
from tests.fix_tools import absent
from tests.support.estate import DATABASE, found_test_estate, run_sql
from tests.support.warm import run_warm

IN_A_SMALL_PLACE = """
mount -t tmpfs -o size=2m tmpfs "$1"; cp -a "$2/." "$1"; shift 2; exec "$@"
"""
WITHOUT_PLACES = """
while [ "$1" != -- ]; do mount -t tmpfs tmpfs "$1"; shift; done; shift; exec "$@"
"""
NOISE = (
    "CREATE TABLE noise(v BLOB); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
    " WHERE i < 1500) INSERT INTO noise SELECT randomblob(2000) FROM n;"
)


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working estate with one backup."""
    root = tmp_path_factory.mktemp("bad") / "estate"
    found_test_estate(root)
    assert dbops(root, "backup", "run", DATABASE).status == 0
    return root


@pytest.fixture
def root(founded: Path, tmp_path: Path) -> Path:
    """A copy of it, to be spoilt."""
    return shutil.copytree(founded, tmp_path / "estate", symlinks=True)


def _run(root: Path, *words: str, environ: dict[str, str] | None = None) -> Outcome:
    """What `dbops` answers in that directory."""
    process = run_warm(
        words, cwd=root, environ={**os.environ, "DBOPS_ESTATE": "", **(environ or {})}
    )
    return Outcome(process.returncode, process.stdout, process.stderr)


def _run_program(root: Path, words: list[str]) -> Outcome:
    process = subprocess.run(
        words,
        cwd=root,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "DBOPS_ESTATE": ""},
        check=False,
    )
    return Outcome(process.returncode, process.stdout, process.stderr)


def _json_error(text: str) -> object:
    """The error that the document tells, of the command or of its only database."""
    found = json.loads(text)
    return found["error"] if "error" in found else found["databases"][0]["error"]


@pytest.mark.parametrize("mistake", [*MISTAKES, *REVIEW_MISTAKES], ids=lambda mistake: mistake.name)
def test_mistake_gets_an_error_and_a_hint(root: Path, mistake: Mistake) -> None:
    """Two lines on standard error, exactly these; the same in JSON where there is JSON."""
    size = (root / f"{DATABASE}.db").stat().st_size
    mistake.prepare(root)
    error, hint = (text.format(root=root, size=size) for text in (mistake.error, mistake.hint))
    words = mistake.words.split()
    outcome = _run(root, *words)
    assert outcome == Outcome(mistake.status, "", f"error: {error}\nhint: {hint}\n")
    if mistake.json:
        outcome = _run(root, *words, "--json")
        assert outcome.status == mistake.status
        expected = {"code": mistake.code, "message": error, "hint": hint}
        assert _json_error(outcome.out) == expected


def _in_own_mounts(root: Path, script: str, *words: str) -> Outcome:
    """What the words answer after the script has mounted what only they will see."""
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    shell = ["unshare", "--mount", *user, "sh", "-euc", script, "sh"]
    if _run_program(root, [*shell[:-3], "-c", "mount -t tmpfs tmpfs /mnt"]).status != 0:
        absent("mount", "this machine lets nobody mount a tmpfs: run as root, outside a container")
    return _run_program(root, [*shell, *words])


def _in_a_small_place(root: Path, small: Path, *words: str) -> Outcome:
    """What `dbops` answers where the directory `small` lies on a disk of 2 MB."""
    copy = root.parent / "contents"
    shutil.copytree(small, copy)
    program = (sys.executable, "-m", "dbops")
    return _in_own_mounts(root, IN_A_SMALL_PLACE, str(small), str(copy), *program, *words)


def _without(root: Path, hidden: Iterable[Installation], *words: str) -> Outcome:
    """What `dbops` answers where these PostgreSQL programs are not installed."""
    places = sorted({str(one.bindir) for one in hidden})
    program = ("env", "PATH=/nowhere", sys.executable, "-m", "dbops")
    return _in_own_mounts(root, WITHOUT_PLACES, *places, "--", *program, *words)


def test_no_space_in_the_repository(root: Path) -> None:
    """The backup does not exist, the spool is gone, and the error says what to free."""
    run_sql(root / f"{DATABASE}.db", NOISE)
    outcome = _in_a_small_place(root, root / "backups", "backup", "run", DATABASE)
    assert outcome == Outcome(
        1,
        "",
        "error: repository main has no space left\n"
        "hint: free some space, or run: dbops backup expire --dry-run\n",
    )


def test_no_space_for_the_copy(root: Path) -> None:
    """SQLite's private copy needs room beside the database; the error says where."""
    run_sql(root / f"{DATABASE}.db", NOISE.replace("1500", "700"))
    place = root / "small"
    place.mkdir()
    (root / f"{DATABASE}.db").rename(place / f"{DATABASE}.db")
    config = root / "dbops.toml"
    config.write_text(config.read_text().replace('"example.db"', '"small/example.db"'))
    outcome = _in_a_small_place(root, place, "backup", "run", DATABASE)
    assert outcome == Outcome(
        1,
        "",
        "error: there is no space left beside example for its copy\n"
        f"hint: free as much as the database is large: df -h {place}\n",
    )


@pytest.fixture
def lab(tmp_path: Path, pg_database: PgDatabase) -> Path:
    """An estate with a PostgreSQL database, on each of the servers."""
    return found_postgresql_estate(tmp_path / "estate", pg_database)


def test_wrong_password(lab: Path, pg_database: PgDatabase) -> None:
    """The error names the role and the server, never the password."""
    (lab / "secrets" / NAME).write_text("wrong-and-secret")
    server = pg_database.server
    place = f"{pg_database.name} at {server.host}:{server.port} as role {server.superuser}"
    assert _run(lab, "backup", "run", NAME) == Outcome(
        11,
        "",
        f"error: database {place}: the server refuses the login (28P01)\n"
        "hint: check user and password in dbops.toml, and pg_hba.conf on the server\n",
    )


def test_no_client_tools(lab: Path, pg_database: PgDatabase) -> None:
    """Without pg_dump nothing is backed up, and the hint says what to install."""
    outcome = _without(lab, find_installations(), "backup", "run", NAME)
    assert outcome == Outcome(
        10,
        "",
        "error: no pg_dump, psql and pg_restore found\n"
        f"hint: install postgresql-client-{pg_database.server.major} or newer\n",
    )


def test_client_tools_older_than_the_server(tmp_path: Path, pg15: PgServer, pg17: PgServer) -> None:
    """A pg_dump of version 15 is not let near a server of version 17."""
    root = found_postgresql_estate(tmp_path / "estate", PgDatabase(pg17, "postgres"))
    newer = [one for one in find_installations() if one.major > pg15.major]
    assert _without(root, newer, "backup", "run", NAME) == Outcome(
        1,
        "",
        "error: pg_dump 15 is older than the server (17)\n"
        "hint: install postgresql-client-17 or newer\n",
    )


def test_no_server_program_to_prove_with(tmp_path: Path, pg17: PgServer) -> None:
    """A backup that cannot be restored here is not found wrong: it could not be verified."""
    root = found_postgresql_estate(tmp_path / "estate", PgDatabase(pg17, "postgres"))
    assert _run(root, "backup", "run", NAME).status == 0
    newer = [one for one in find_installations() if one.major >= 17]
    assert _without(root, newer, "backup", "verify", NAME) == Outcome(
        11,
        "",
        "error: no scratch database: no PostgreSQL 17 server is installed here (found 15)\n"
        "hint: apt-get install postgresql-17\n",
    )


def test_secret_open_to_others(lab: Path) -> None:
    """A password file that others can read is refused before it is used."""
    secret = lab / "secrets" / NAME
    secret.chmod(0o644)
    assert _run(lab, "backup", "run", NAME) == Outcome(
        5,
        "",
        f"error: secret file {secret} is open to other accounts\nhint: chmod 600 {secret}\n",
    )
