"""No process that dbops starts carries a password among its arguments or its variables."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from tests.crash.postgresql import NAME, fill, found_postgresql_estate
from tests.crash.processes import Run, start
from tests.engines.postgresql.processes import program, tree
from tests.engines.postgresql.sealed import fresh_database
from tests.fix_postgresql import PgDatabase, PgServer

COPY = "lab-restored"
VARIABLE = "LAB_PASSWORD"
BACKUP = ("backup", "run", NAME, "--jobs", "2")
RESTORE = ("restore", "run", NAME, "--to", COPY, "--jobs", "2")
ATTEMPTS = 6
READERS = {"psql", "pg_dump", "pg_dumpall", "worker"}


@pytest.fixture
def source(pg17: PgServer) -> Iterator[PgDatabase]:
    """Two tables and a large object."""
    with fresh_database(pg17, "secrets_source") as database:
        fill(database, "result", 60_000)
        fill(database, "more", 60_000)
        yield database


def _words_of(run: Run) -> list[str]:
    """The command line of the run itself."""
    words = run.process.args
    assert isinstance(words, list)
    return [str(word) for word in words]


def _seen(root: Path, words: tuple[str, ...], environ: Mapping[str, str]) -> dict[str, bytes]:
    """Whatever the descendants of a run showed, by program; the run itself ends well."""
    run = start(root, *words, environ=environ)
    # Until it runs its own program, a child shows what its parent was started with.
    own = b"".join(os.fsencode(word) + b"\0" for word in _words_of(run))
    seen: defaultdict[str, set[bytes]] = defaultdict(set)
    while not run.ended:
        for pid in tree(run.process.pid)[1:]:
            with suppress(OSError):
                # In this order: a child that runs its own program by now has its own variables.
                arguments = Path(f"/proc/{pid}/cmdline").read_bytes()
                variables = Path(f"/proc/{pid}/environ").read_bytes()
                if arguments != own:
                    name = "worker" if b"spawn_main" in arguments else program(pid)
                    seen[name] |= {arguments, variables}
    outcome = run.finish()
    assert outcome.status == 0, outcome
    return {name: b"\n".join(texts) for name, texts in seen.items()}


def _seen_while_reading(root: Path, environ: Mapping[str, str]) -> dict[str, bytes]:
    """The same of as many backups as it takes to have seen every program; some live briefly."""
    seen: dict[str, bytes] = {}
    for _ in range(ATTEMPTS):
        for name, text in _seen(root, BACKUP, environ).items():
            seen[name] = seen.get(name, b"") + text
        if set(seen) >= READERS:
            return seen
    raise AssertionError(f"only {sorted(seen)} were seen")


def _carriers(seen: Mapping[str, bytes], secret: str) -> list[str]:
    return [name for name, text in seen.items() if secret.encode() in text]


def test_password_of_a_file_is_in_no_child(tmp_path: Path, source: PgDatabase) -> None:
    """Neither workers nor psql, pg_dump, pg_dumpall and pg_restore hold it, nor its file's name."""
    root = found_postgresql_estate(tmp_path / "estate", source)
    seen = _seen_while_reading(root, os.environ)
    with fresh_database(source.server, "secrets_copy") as copy:
        config = root / "dbops.toml"
        config.write_text(
            config.read_text()
            + f"""
[targets.{COPY}]
engine = "postgresql"
host = "{copy.server.host}"
port = {copy.server.port}
dbname = "{copy.name}"
user = "{copy.server.superuser}"
password = {{ file = "secrets/{NAME}" }}
sslmode = "disable"
"""
        )
        restoring = _seen(root, RESTORE, os.environ)
    assert "pg_restore" in restoring
    for each in (seen, restoring):
        assert _carriers(each, source.server.password) == []


def test_password_of_a_variable_is_in_no_child(tmp_path: Path, source: PgDatabase) -> None:
    """A variable with a password ends with the command that was given it."""
    root = found_postgresql_estate(tmp_path / "estate", source, password="not from this file")
    config = root / "dbops.toml"
    by_file = f'password = {{ file = "secrets/{NAME}" }}'
    assert by_file in config.read_text()
    by_variable = f'password = {{ env = "{VARIABLE}" }}'
    config.write_text(config.read_text().replace(by_file, by_variable))
    seen = _seen_while_reading(root, {**os.environ, VARIABLE: source.server.password})
    assert _carriers(seen, source.server.password) == []
