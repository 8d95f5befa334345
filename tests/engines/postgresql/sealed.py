"""Real backups for tests of restoring: taken by `create_backup`, sealed, in a local repository."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dbops.backup.contents import BackupContents, open_contents
from dbops.backup.create import BackupOrder, SealingKeys, create_backup
from dbops.backup.ports import Engine, RestoreOrder
from dbops.crypto.age import Identity
from dbops.engines.postgresql.engine import PostgresqlEngine
from dbops.estate.values import PostgresqlAddress, SslMode, Witness
from dbops.repository.reader import Repository, create_repository
from dbops.repository.recipients import RECIPIENTS_FORMAT, RecipientEntry, RecipientList, Role
from dbops.stores.local import LocalStore
from tests.fix_postgresql import PgDatabase, PgServer
from tests.support.made_repository import make_signer, trust

NAME = "his"


def address(server: PgServer, dbname: str, user: str | None = None) -> PostgresqlAddress:
    """Where that database is, over TCP."""
    return PostgresqlAddress(
        name=NAME,
        host=server.host,
        port=server.port,
        dbname=dbname,
        user=user or server.superuser,
        password=None,
        sslmode=SslMode.DISABLE,
        sslrootcert=None,
        jobs=2,
    )


def engine_of(server: PgServer, dbname: str) -> PostgresqlEngine:
    """The engine for that database, as the superuser, with the server's own programs."""
    return PostgresqlEngine(
        address(server, dbname), lambda: server.password, (server.installation,)
    )


@dataclass(frozen=True, slots=True)
class Sealed:
    """One backup and where it lies."""

    contents: BackupContents
    directory: Path


@contextmanager
def scratch_directory() -> Iterator[Path]:
    """A directory that the account of a scratch server may enter; gone afterwards."""
    place = Path(tempfile.mkdtemp(prefix="dbops-test-"))
    place.chmod(0o755)
    try:
        yield place
    finally:
        shutil.rmtree(place)


def back_up(engine: Engine, directory: Path, *, jobs: int = 1, pack_bytes: int = 1 << 20) -> Sealed:
    """A backup of the engine's database in a fresh repository below `directory`, opened."""
    signer = make_signer(directory)
    store = LocalStore(directory / "repository", "the repository")
    create_repository(store, "repository-1")
    identity = Identity.generate()
    now = datetime.now(UTC).replace(microsecond=0)
    entry = RecipientEntry(Role.RECOVERY, "recovery", identity.recipient.text)
    recipients = RecipientList(RECIPIENTS_FORMAT, now, (entry,))
    catalogue = Identity.generate().recipient
    repository = Repository(store, trust(signer), now)
    order = BackupOrder(
        database=NAME,
        engine="postgresql",
        host="host",
        tool="dbops test",
        keys=SealingKeys(recipients, b"recipients", catalogue, signer),
        proof_key=os.urandom(32),
        jobs=jobs,
        witness=Witness.ALWAYS,
        pack_bytes=pack_bytes,
    )
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)  # noqa: E731 - a clock
    history = repository.history(NAME, None)
    envelope, _ = create_backup(engine, repository, history, order, clock, lambda _: None)
    return Sealed(open_contents(repository, envelope, [identity]), directory)


@contextmanager
def fresh_database(server: PgServer, name: str) -> Iterator[PgDatabase]:
    """An empty database of that name on the server, dropped afterwards."""
    server.create_database(name)
    try:
        yield PgDatabase(server, name)
    finally:
        server.drop_database(name)


def restore_until_told(server: PgServer, dbname: str, contents: BackupContents, said: Path) -> None:
    """The life of a process that restores and stops dead once the first rows have gone in."""

    def stop(_: int) -> None:
        said.touch()
        time.sleep(600)

    engine_of(server, dbname).restore(contents, RestoreOrder(advance=stop))
