"""From the estate to working parts: the only place that knows every adapter.

Parts are made when a command asks for them: `backup list` needs no engine, `systems list` no key.
"""

from __future__ import annotations

import dataclasses
import difflib
import getpass
import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from dbops import __version__
from dbops.backup.create import SealingKeys
from dbops.backup.host_state import HostState
from dbops.backup.ports import Contents, Engine, ScratchPlace
from dbops.crypto.age import Identity, load_identities
from dbops.crypto.signed import open_document
from dbops.crypto.signing import KeyFileSigner
from dbops.crypto.sshsig import Namespace
from dbops.crypto.trust import TrustRoot, load_trust_root
from dbops.errors import DbopsError, NotFound, Refused, UsageFault
from dbops.estate.load import find_estate, load_estate
from dbops.estate.secrets import resolve_secret
from dbops.estate.values import (
    Address,
    Database,
    Estate,
    Policy,
    PostgresqlAddress,
    Secret,
    SecretEnv,
)
from dbops.locks import sweep_directories
from dbops.repository.chain import Head, History
from dbops.repository.reader import Repository
from dbops.repository.recipients import RecipientList, read_recipients
from dbops.stores.local import LocalStore

TOOL = f"dbops {__version__}"
if TYPE_CHECKING:
    from dbops.change.ports import ChangeEngine
    from dbops.change.schema import Schema
    from dbops.engines.postgresql.connect import Parameters
    from dbops.engines.postgresql.scratch import PostgresqlScratchPlace
    from dbops.repair.ports import RepairEngine

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The clock of every command; tests and the demo bring their own."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Wiring:
    """The parts that commands are made of, for one estate."""

    estate: Estate
    environ: Mapping[str, str]
    clock: Clock = utc_now
    sleep: Callable[[float], None] = time.sleep

    @cached_property
    def state(self) -> HostState:
        return HostState(self.estate.state)

    @cached_property
    def trust(self) -> TrustRoot:
        return load_trust_root(self.estate.trust, self.estate.zone)

    @cached_property
    def actor(self) -> str:
        """Who typed the command: the login user, also behind sudo."""
        return f"{self.environ.get('SUDO_USER') or getpass.getuser()}@{socket.gethostname()}"

    def choose(self, names: Sequence[str], *, every: bool) -> tuple[Database, ...]:
        """The databases that a command line means; raises for none and for unknown ones."""
        known = self.estate.databases
        if every == bool(names):
            raise UsageFault(
                "which-databases",
                "name databases or say --all, not both"
                if every
                else "name databases, or say --all",
                hint="dbops systems list shows their names",
            )
        return tuple(known.values()) if every else tuple(self.database(name) for name in names)

    def database(self, name: str) -> Database:
        found = self.estate.databases.get(name)
        if found is None:
            raise _unknown("database", name, self.estate.databases)
        return found

    def target(self, name: str) -> Address:
        """Where a restore may go: a target, or a database of the estate."""
        places: dict[str, Address] = {**self.estate.databases, **self.estate.targets}
        if name not in places:
            raise _unknown("target", name, places)
        return places[name]

    def policy(self, database: Database) -> Policy:
        return self.estate.policies[database.policy]

    def store(self, repository: str) -> LocalStore:
        found = self.estate.repositories.get(repository)
        if found is None:
            raise _unknown("repository", repository, self.estate.repositories)
        return LocalStore(found.path, f"repository {repository}")

    def repository(self, name: str) -> Repository:
        return Repository(self.store(name), self.trust, self.clock())

    def history(self, repository: Repository, database: str) -> History:
        """The backups there, held against what this host has seen before."""
        history = repository.history(database, self.state.head(repository.id, database))
        replaced = self.state.check_repository(repository.store.title, repository.id)
        return dataclasses.replace(history, damages=(*replaced, *history.damages))

    def remember(self, repository: Repository, database: str, head: Head | None) -> None:
        """What this host will miss if it is ever gone."""
        self.state.remember_repository(repository.store.title, repository.id)
        if head is not None:
            self.state.remember(repository.id, database, head)

    def engine(self, address: Address) -> Engine:
        """The adapter for the address; its driver is imported here and not before."""
        if isinstance(address, PostgresqlAddress):
            from dbops.engines.postgresql.engine import PostgresqlEngine

            return PostgresqlEngine(
                address,
                self._password(address.password),
                reference=self._postgresql_scratch().reference,
            )
        from dbops.engines.sqlite.engine import SqliteEngine

        return SqliteEngine(address, self.clock)

    def scratch(self, address: Address) -> ScratchPlace:
        """Where backups of this engine are restored to be proven."""
        if isinstance(address, PostgresqlAddress):
            return self._postgresql_scratch()
        from dbops.engines.sqlite.engine import SqliteScratch

        return SqliteScratch(self.state.scratch())

    def repair_engine(self, address: Address) -> RepairEngine:
        """The adapter that repairs rows there, by the logins that the estate has for it."""
        if isinstance(address, PostgresqlAddress):
            from dbops.engines.postgresql.repair import PostgresqlRepairEngine

            repair, admin = address.as_login(address.repair), address.as_login(address.admin)
            return PostgresqlRepairEngine(
                lambda: self._parameters(repair), lambda: self._parameters(admin), repair.user
            )
        from dbops.engines.sqlite.repair import SqliteRepairEngine

        return SqliteRepairEngine(address, self.clock)

    def repair_engine_of_copy(self, source: Address, copy: Engine) -> RepairEngine:
        """A scratch copy of `source`, seen by the role that repairs the source."""
        if isinstance(source, PostgresqlAddress):
            from dbops.engines.postgresql.engine import PostgresqlEngine
            from dbops.engines.postgresql.repair_scratch import repair_engine_of_copy

            assert isinstance(copy, PostgresqlEngine)  # noqa: S101 - what its scratch place yields
            return repair_engine_of_copy(copy, source.as_login(source.repair).user)
        from dbops.engines.sqlite.engine import SqliteEngine

        assert isinstance(copy, SqliteEngine)  # noqa: S101 - what its scratch place yields
        return self.repair_engine(copy.address)

    def change_engine(self, address: Address) -> ChangeEngine:
        """The adapter that changes the schema there, by the administrator's login."""
        if isinstance(address, PostgresqlAddress):
            from dbops.engines.postgresql.change import PostgresqlChangeEngine

            admin = address.as_login(address.admin)
            return PostgresqlChangeEngine(lambda: self._parameters(admin))
        from dbops.engines.sqlite.change import SqliteChangeEngine

        return SqliteChangeEngine(address, self.clock)

    def change_engine_of_copy(self, source: Address, copy: Engine) -> ChangeEngine:
        """A scratch copy of `source`, seen by the role that changes the source."""
        if isinstance(source, PostgresqlAddress):
            from dbops.engines.postgresql.change import change_engine_of_copy
            from dbops.engines.postgresql.engine import PostgresqlEngine

            assert isinstance(copy, PostgresqlEngine)  # noqa: S101 - what its scratch place yields
            return change_engine_of_copy(copy, source.as_login(source.admin).user)
        from dbops.engines.sqlite.engine import SqliteEngine

        assert isinstance(copy, SqliteEngine)  # noqa: S101 - what its scratch place yields
        return self.change_engine(copy.address)

    def source_schema(self, source: Address, contents: Contents) -> Schema | None:
        """The schema of the source itself as its backup has it.

        None where the restored copy is the source, byte for byte, and says it as well.
        """
        if not isinstance(source, PostgresqlAddress):
            return None
        from dbops.engines.postgresql.change_schema_backup import source_schema

        return source_schema(contents)

    def refuse_foreign_scratch(self, source: Database) -> None:
        """Raise Refused where copies of `source` come to a server that is not dbops' own.

        Who rehearses makes a login in the copy's server, for the role that writes the source.
        """
        if isinstance(source, PostgresqlAddress) and self.estate.scratch.postgresql.server:
            raise Refused(
                "rehearse-configured",
                f"{source.name} would be rehearsed on a configured scratch server, whose roles are "
                "not dbops' own",
                hint="rehearse where PostgreSQL's programs are installed, without "
                "[scratch.postgresql] host",
            )

    def _parameters(self, address: PostgresqlAddress) -> Parameters:
        from dbops.engines.postgresql.engine import parameters_of

        return parameters_of(address, self._password(address.password))

    def _postgresql_scratch(self) -> PostgresqlScratchPlace:
        from dbops.engines.postgresql.scratch import PostgresqlScratchPlace

        chosen = self.estate.scratch.postgresql
        password = self._password(chosen.server.password if chosen.server else None)
        return PostgresqlScratchPlace(_scratch_directory(self.estate), chosen, password)

    def _password(self, secret: Secret | None) -> Callable[[], str | None]:
        return lambda: None if secret is None else resolve_secret(secret, self.environ)

    @cached_property
    def recipients(self) -> tuple[RecipientList, bytes]:
        """The hospital's list and its signed document; raises Refused unless it signed it."""
        path = self.estate.recipients
        try:
            data = path.read_bytes()
        except OSError:
            raise NotFound(
                "no-recipients",
                f"the recipients document {path} cannot be read",
                hint="dbops keys recipients sign writes and signs one",
            ) from None
        try:
            opened = open_document(data, Namespace.RECIPIENTS, self.trust, self.clock())
        except DbopsError as failure:
            message = f"the recipients document {path} is refused: {failure.message}"
            raise Refused(failure.code, message, hint=failure.hint) from None
        return read_recipients(opened.body), data

    def sealing_keys(self) -> SealingKeys:
        """Who can open the backups that this host makes, and its own signature."""
        listed, document = self.recipients
        if not self.catalogue_identities:
            raise _no_host_key("catalogue_identity")
        catalogue = self.catalogue_identities[0]
        return SealingKeys(listed, document, catalogue.recipient, self.writer)

    @cached_property
    def catalogue_identities(self) -> tuple[Identity, ...]:
        """What opens catalogues on this host; nothing on one that only verifies."""
        path = self.estate.host.catalogue_identity
        return load_identities(path) if path else ()

    @cached_property
    def writer(self) -> KeyFileSigner:
        path = self.estate.host.signing_key
        if path is None:
            raise _no_host_key("signing_key")
        return KeyFileSigner.load(path)

    @cached_property
    def verifier(self) -> KeyFileSigner | None:
        path = self.estate.host.verifier_key
        return KeyFileSigner.load(path) if path else None

    def identities(self, extra: Iterable[str] = ()) -> tuple[Identity, ...]:
        """What opens backups on this host, and the files named on the command line.

        Where files are named they may be all there is: in a disaster the host's own may be lost.
        """
        named = tuple(identity for path in extra for identity in load_identities(Path(path)))
        found = list(named)
        for path in self.estate.host.identities:
            try:
                found += load_identities(path)
            except DbopsError:
                if not named:
                    raise
        return tuple(found)


def _no_host_key(key: str) -> UsageFault:
    return UsageFault(
        "no-host-key",
        f"this host takes no backups: dbops.toml has no host.{key}",
        hint="run the command on the backup host, or add the key there",
    )


def _unknown(kind: str, name: str, known: Iterable[str]) -> NotFound:
    near = difflib.get_close_matches(name, list(known), 1)
    guess = f'did you mean "{near[0]}"? ' if near else ""
    names = ", ".join(known) or "none"
    return NotFound(
        f"no-{kind}",
        f'the estate has no {kind} "{name}"',
        hint=f"{guess}there are: {names}" if len(names) < 200 else f"{guess}see dbops.toml",
    )


def open_wiring(estate: str | None) -> Wiring:
    """The wiring for a command line."""
    explicit = Path(estate) if estate else None
    path = find_estate(explicit, os.environ, Path.cwd())
    wiring = Wiring(load_estate(path), dict(os.environ))
    for name in _secret_variables(wiring.estate):
        # Workers and client programs get what they need of it, and nothing else.
        os.environ.pop(name, None)
    sweep_scratch_places(wiring.estate)
    return wiring


def _secret_variables(estate: Estate) -> Iterator[str]:
    """The environment variables that hold secrets."""
    servers = [*estate.databases.values(), *estate.targets.values()]
    scratch = estate.scratch.postgresql.server
    for address in [*servers, *([scratch] if scratch else [])]:
        if isinstance(address, PostgresqlAddress):
            for password in address.passwords.values():
                if isinstance(password, SecretEnv):
                    yield password.name


def _scratch_directory(estate: Estate) -> Path:
    """The account of an ephemeral server must get in: the state directory is for us alone."""
    return estate.scratch.postgresql.directory or Path(tempfile.gettempdir())


def sweep_scratch_places(estate: Estate) -> None:
    """Afterwards nothing restored is left of commands that were killed: it is plaintext.

    What cannot be removed is reported by the next verification, which needs the place.
    """
    from dbops.engines.postgresql.watchdog import sweep_leftovers

    with suppress(DbopsError, OSError):
        sweep_leftovers(_scratch_directory(estate))
    private = estate.state / "scratch"
    with suppress(DbopsError, OSError):
        sweep_directories(private)
