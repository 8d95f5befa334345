"""What an estate consists of: frozen values, every path absolute, every reference resolved.

Nothing here reads a file, an environment or a secret. A value of these types can be relied on:
`load.load_estate` makes them only from a file in which every name that is referred to exists.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, time, timedelta
from enum import StrEnum
from pathlib import Path
from typing import ClassVar
from zoneinfo import ZoneInfo


class Engine(StrEnum):
    """The engines that this version backs up."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"


class SslMode(StrEnum):
    """How far a connection insists on TLS; the words are libpq's."""

    DISABLE = "disable"
    ALLOW = "allow"
    PREFER = "prefer"
    REQUIRE = "require"
    VERIFY_CA = "verify-ca"
    VERIFY_FULL = "verify-full"


class Witness(StrEnum):
    """How often the server itself sums every row, beside counting them every time."""

    ALWAYS = "always"
    WEEKLY = "weekly"
    GENERATION = "generation"


@dataclass(frozen=True, slots=True)
class SecretFile:
    """A secret that is the only line of a file that nobody else can read."""

    path: Path


@dataclass(frozen=True, slots=True)
class SecretEnv:
    """A secret in an environment variable."""

    name: str


@dataclass(frozen=True, slots=True, repr=False)
class SecretCommand:
    """A secret that a program prints; run without a shell."""

    argv: tuple[str, ...]

    @property
    def program(self) -> str:
        """The program's name, the only part of the command that is ever shown."""
        return Path(self.argv[0]).name

    def __repr__(self) -> str:
        """Leave the arguments out: people do write secrets there."""
        return f"SecretCommand(program={self.program!r})"


Secret = SecretFile | SecretEnv | SecretCommand


@dataclass(frozen=True, slots=True)
class Login:
    """A role of a server, and its password."""

    user: str
    password: Secret | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SqliteAddress:
    """Where a SQLite database is."""

    engine: ClassVar[Engine] = Engine.SQLITE
    name: str
    path: Path

    @property
    def files(self) -> tuple[Path, ...]:
        """The files of this host by which the database is reached."""
        return (self.path,)

    @property
    def needs_files_only(self) -> bool:
        """Whether these files are all that lets somebody in."""
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresqlAddress:
    """Where a PostgreSQL database is, and how to log in; `jobs` is the number of workers.

    `host` is a host name, an IP address, or the absolute directory of a socket. `repair` is who
    repairs rows, `admin` who prepares the database for that; None means `user`.
    """

    engine: ClassVar[Engine] = Engine.POSTGRESQL
    name: str
    host: str
    port: int
    dbname: str
    user: str
    password: Secret | None
    sslmode: SslMode
    sslrootcert: Path | None
    jobs: int
    repair: Login | None = None
    admin: Login | None = None

    def as_login(self, login: Login | None) -> PostgresqlAddress:
        """The same place for another login; for None it is this one."""
        if login is None:
            return self
        return replace(self, user=login.user, password=login.password)

    @property
    def passwords(self) -> Mapping[str, Secret]:
        """Every password that lets somebody in, by what people call it."""
        logins = {"repair password": self.repair, "admin password": self.admin}
        others = {title: login.password for title, login in logins.items() if login is not None}
        found = {"password": self.password, **others}
        return {title: secret for title, secret in found.items() if secret is not None}

    @property
    def files(self) -> tuple[Path, ...]:
        """The files of this host by which the database is reached."""
        return tuple(
            secret.path for secret in self.passwords.values() if isinstance(secret, SecretFile)
        )

    @property
    def needs_files_only(self) -> bool:
        """Whether these files are all that lets somebody in.

        A socket, a variable or a command may let this account in where another could not get in.
        """
        logins = 1 + sum(login is not None for login in (self.repair, self.admin))
        return len(self.files) == logins and not self.host.startswith("/")


Address = SqliteAddress | PostgresqlAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class SqliteDatabase(SqliteAddress):
    """A SQLite database that is backed up; `system` and the others name entries of the estate."""

    system: str
    repository: str
    policy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresqlDatabase(PostgresqlAddress):
    """A PostgreSQL database that is backed up; see `SqliteDatabase`."""

    system: str
    repository: str
    policy: str


Database = SqliteDatabase | PostgresqlDatabase


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """A business system: what people call it, who answers for it, what it may lose and lack.

    `rpo` is the age that its newest backup may reach, `rto` the time that a restore may take;
    `tier` is 1 (care stops without it) to 3.
    """

    name: str
    name_zh: str
    name_en: str
    owner: str
    tier: int
    rpo: timedelta
    rto: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How many backups are kept and how they are made.

    The defaults are the built-in policy `default`. `grace` lies between a pack's tombstone and
    its deletion; a new `generation` stores every range in full.
    """

    name: str = "default"
    keep_last: int = 3
    keep_daily: int = 7
    keep_weekly: int = 5
    keep_monthly: int = 12
    keep_yearly: int = 0
    grace: timedelta = timedelta(hours=48)
    generation: timedelta = timedelta(days=28)
    witness: Witness = Witness.WEEKLY


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryConfig:
    """A repository in a local directory."""

    name: str
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """The keys that this host holds, as paths.

    A host without `signing_key` and `catalogue_identity` takes no backups: it verifies.
    `identities` open backups and belong on a verifying host only; `verifier_key` signs
    certificates and evidence, and is None where nothing is verified. `runner_identity` opens the
    rows of repairs and never a backup.
    """

    name: str
    signing_key: Path | None
    catalogue_identity: Path | None
    identities: tuple[Path, ...]
    verifier_key: Path | None
    runner_identity: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresqlScratch:
    """Where PostgreSQL backups are restored to be proven.

    `server` is a configured server; without it an ephemeral one is started in `directory` (None:
    the system's directory for temporary files), which runs under `account` when dbops itself runs
    as root (None: one that serves no other PostgreSQL server).
    """

    account: str | None = None
    directory: Path | None = None
    server: PostgresqlAddress | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scratch:
    """Where backups are restored to be proven, by engine."""

    postgresql: PostgresqlScratch


class AnchorKind(StrEnum):
    """Where a ledger's checkpoints are kept out of this host's reach."""

    GIT = "git"
    DIRECTORY = "directory"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorConfig:
    """A clone of a git repository, whose remote is pushed to, or a directory on another machine."""

    name: str
    kind: AnchorKind
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """Where this host's ledger is, what it calls itself, and when its silence counts as a gap.

    `origin` names the ledger for good. `signing_key` (ed25519) signs checkpoints; None signs none.
    `heartbeat` is the longest time without an entry, `anchor_within` the longest that an entry may
    wait to be anchored where there are anchors.
    """

    directory: Path
    origin: str
    signing_key: Path | None
    heartbeat: timedelta
    anchor_within: timedelta
    anchors: Mapping[str, AnchorConfig]


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """`repository` is the work tree of the git repository in which pieces of work are reviewed."""

    repository: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Repairs:
    """`bundles` is where the sealed rows of repairs are kept, `playbooks` the hospital's own."""

    bundles: Path
    playbooks: Path | None = None


class EndOfDay(StrEnum):
    """When the last day of a clock ends: with the working hours, or at 24:00."""

    CLOSE = "close"
    MIDNIGHT = "midnight"


class Counted(StrEnum):
    """Which time of a clock counts."""

    ALWAYS = "always"
    WORKING_HOURS = "working-hours"


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """A deadline that runs from when a ticket was opened.

    Exactly one of `working_days`, `days` and `within` is given. `until` is for clocks of days,
    `rolls` (a last day off rolls to the next working day) for `days`; `counted` is for `within`,
    and `outside` stands for it where the ticket came outside of working hours.
    """

    name: str
    title: str
    working_days: int | None = None
    days: int | None = None
    within: timedelta | None = None
    outside: timedelta | None = None
    counted: Counted = Counted.ALWAYS
    until: EndOfDay = EndOfDay.CLOSE
    rolls: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """The site's own corrections of the official calendar, and its working hours.

    For the years `complete` the corrections, with weekends, say everything.
    """

    days_off: frozenset[date] = frozenset()
    working_days: frozenset[date] = frozenset()
    complete: frozenset[int] = frozenset()
    opens: time = time(8)
    closes: time = time(18)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estate:
    """Everything that `dbops.toml` says. The mappings are read-only and in the file's order.

    `targets` are the only places beside scratch that a restore may write to.
    """

    path: Path
    hospital: str
    zone: ZoneInfo
    trust: Path
    recipients: Path
    state: Path
    host: Host
    repositories: Mapping[str, RepositoryConfig]
    policies: Mapping[str, Policy]
    systems: Mapping[str, System]
    databases: Mapping[str, Database]
    targets: Mapping[str, Address]
    scratch: Scratch
    audit: Audit
    review: Review
    repair: Repairs
    clocks: Mapping[str, Clock] = field(default_factory=dict)
    calendar: Calendar = Calendar()
