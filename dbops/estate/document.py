"""The grammar of `dbops.toml`: one strict model per table; pure."""

from __future__ import annotations

from datetime import time, timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from dbops.estate.fields import (
    SECRET_RULE,
    AnchorChoice,
    CountedChoice,
    Dates,
    Duration,
    EndOfDayChoice,
    FilePath,
    Flag,
    Jobs,
    Keep,
    Name,
    OptionalCommand,
    OptionalDuration,
    OptionalOrigin,
    OptionalPath,
    OptionalReference,
    OptionalServer,
    OptionalSpan,
    OptionalText,
    OptionalVariable,
    Paths,
    Port,
    Reference,
    Server,
    Text,
    Tier,
    TimeOfDay,
    TlsMode,
    WitnessChoice,
    Years,
    Zone,
    allowed,
    refuse,
)
from dbops.estate.values import Counted, EndOfDay, Engine, Policy, SslMode
from dbops.wording import listed

_BUILT_IN = Policy()
_SPANS = ("working_days", "days", "within")
_OF_SPANS = {
    "until": ("working_days", "days"),
    "rolls": ("days",),
    "outside": ("within",),
    "counted": ("within",),
}


class Table(BaseModel):
    """A table of the file; a key that it does not know is an error."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)


class EstateTable(Table):
    """`[estate]`."""

    hospital: Text
    timezone: Zone
    trust: FilePath
    recipients: FilePath
    state: OptionalPath = None


class HostTable(Table):
    """`[host]`."""

    name: Name
    signing_key: OptionalPath = None
    catalogue_identity: OptionalPath = None
    identities: Paths = []
    verifier_key: OptionalPath = None
    runner_identity: OptionalPath = None


class RepositoryTable(Table):
    """`[repositories.NAME]`."""

    path: FilePath


class PolicyTable(Table):
    """`[policies.NAME]`; what it leaves out is as in the built-in policy."""

    keep_last: Keep = _BUILT_IN.keep_last
    keep_daily: Keep = _BUILT_IN.keep_daily
    keep_weekly: Keep = _BUILT_IN.keep_weekly
    keep_monthly: Keep = _BUILT_IN.keep_monthly
    keep_yearly: Keep = _BUILT_IN.keep_yearly
    grace: Duration = _BUILT_IN.grace
    generation: Duration = _BUILT_IN.generation
    witness: WitnessChoice = _BUILT_IN.witness

    @model_validator(mode="after")
    def _keeps_something(self) -> PolicyTable:
        keeps = (self.keep_last, self.keep_daily, self.keep_weekly, self.keep_monthly)
        if not any((*keeps, self.keep_yearly)):
            raise refuse("estate-bad-value", "keeps no backup", "set one keep_… to 1 or more")
        return self


class SystemTable(Table):
    """`[systems.NAME]`."""

    name_zh: Text
    name_en: Text
    owner: Text
    tier: Tier
    rpo: Duration
    rto: Duration


class SecretTable(Table):
    """`{ file = … }`, `{ env = … }` or `{ command = […] }`."""

    file: OptionalPath = None
    env: OptionalVariable = None
    command: OptionalCommand = None

    @model_validator(mode="before")
    @classmethod
    def _not_plain(cls, value: object) -> object:
        if isinstance(value, str):
            raise refuse("estate-plain-secret", "a password is not written here", SECRET_RULE)
        return value

    @model_validator(mode="after")
    def _exactly_one(self) -> SecretTable:
        if len(self.model_fields_set) != 1:
            raise refuse("estate-bad-value", "not one source of a secret", SECRET_RULE)
        return self


Password = Annotated[SecretTable | None, allowed(SECRET_RULE)]


class SqliteTable(Table):
    """What every SQLite address has."""

    engine: Annotated[Literal["sqlite"], allowed(listed(Engine))]
    path: FilePath


class PostgresqlTable(Table):
    """What every PostgreSQL address has."""

    engine: Annotated[Literal["postgresql"], allowed(listed(Engine))]
    host: Server
    port: Port = 5432
    dbname: Text
    user: Text
    password: Password = None
    sslmode: TlsMode = SslMode.PREFER
    sslrootcert: OptionalPath = None
    jobs: Jobs = 2


class LoginTable(Table):
    """`[databases.NAME.repair]` and `[databases.NAME.admin]`: another role of the same server."""

    user: Text
    password: Password = None


class SqliteDatabaseTable(SqliteTable):
    """`[databases.NAME]` with `engine = "sqlite"`."""

    system: Reference
    repository: OptionalReference = None
    policy: OptionalReference = None


class PostgresqlDatabaseTable(PostgresqlTable):
    """`[databases.NAME]` with `engine = "postgresql"`."""

    system: Reference
    repository: OptionalReference = None
    policy: OptionalReference = None
    repair: LoginTable | None = None
    admin: LoginTable | None = None


class PostgresqlScratchTable(Table):
    """`[scratch.postgresql]`; with a `host` it is a configured server."""

    host: OptionalServer = None
    port: Port = 5432
    user: OptionalText = None
    password: Password = None
    sslmode: TlsMode = SslMode.PREFER
    sslrootcert: OptionalPath = None
    account: OptionalText = None
    directory: OptionalPath = None

    @model_validator(mode="after")
    def _whole_server(self) -> PostgresqlScratchTable:
        of_a_server = self.model_fields_set - {"account", "directory"}
        if of_a_server and (self.host is None or self.user is None):
            raise refuse(
                "estate-missing-key",
                "a configured server needs host and user",
                "add both, or only account and directory for an ephemeral server",
            )
        return self


class ScratchTable(Table):
    """`[scratch]`."""

    postgresql: PostgresqlScratchTable = PostgresqlScratchTable()


class AnchorTable(Table):
    """`[audit.anchors.NAME]`."""

    kind: AnchorChoice
    path: FilePath


class AuditTable(Table):
    """`[audit]`."""

    directory: OptionalPath = None
    origin: OptionalOrigin = None
    signing_key: OptionalPath = None
    heartbeat: Duration = timedelta(hours=26)
    anchor_within: Duration = timedelta(hours=26)
    anchors: dict[Name, AnchorTable] = {}


class ReviewTable(Table):
    """`[review]`."""

    repository: OptionalPath = None


class RepairTable(Table):
    """`[repair]`."""

    bundles: OptionalPath = None
    playbooks: OptionalPath = None


class ClockTable(Table):
    """`[clocks.NAME]`; exactly one of the three spans."""

    title: OptionalText = None
    working_days: OptionalSpan = None
    days: OptionalSpan = None
    within: OptionalDuration = None
    until: EndOfDayChoice = EndOfDay.CLOSE
    rolls: Flag = True
    outside: OptionalDuration = None
    counted: CountedChoice = Counted.ALWAYS

    @model_validator(mode="after")
    def _one_span(self) -> ClockTable:
        given = self.model_fields_set & set(_SPANS)
        if len(given) != 1:
            raise refuse(
                "estate-bad-value",
                f"must have exactly one of {listed(_SPANS)}",
                "such as working_days = 5",
            )
        span = given.pop()
        for key, spans in _OF_SPANS.items():
            if key in self.model_fields_set and span not in spans:
                raise refuse(
                    "estate-bad-value",
                    f"has {key}, which says nothing about {span}",
                    f"leave {key} away; it is for {listed(spans)}",
                )
        if self.outside is not None and self.counted is not Counted.ALWAYS:
            raise refuse(
                "estate-bad-value",
                "has outside, and counts no time outside of working hours",
                "leave outside or counted away",
            )
        return self


class CalendarTable(Table):
    """`[calendar]`."""

    days_off: Dates = []
    working_days: Dates = []
    complete: Years = []
    opens: TimeOfDay = time(8)
    closes: TimeOfDay = time(18)

    @model_validator(mode="after")
    def _sound(self) -> CalendarTable:
        if self.opens >= self.closes:
            raise refuse("estate-bad-value", "closes before it opens", "write opens before closes")
        both = sorted({*self.days_off} & {*self.working_days})
        if both:
            raise refuse(
                "estate-bad-value",
                f"calls {both[0]} a day off and a working day",
                "leave it in one of the lists",
            )
        return self


DatabaseTable = Annotated[
    SqliteDatabaseTable | PostgresqlDatabaseTable, Field(discriminator="engine")
]
TargetTable = Annotated[SqliteTable | PostgresqlTable, Field(discriminator="engine")]


class Document(Table):
    """The whole file."""

    estate: EstateTable
    host: HostTable
    repositories: dict[Name, RepositoryTable] = {}
    policies: dict[Name, PolicyTable] = {}
    systems: dict[Name, SystemTable] = {}
    databases: dict[Name, DatabaseTable] = {}
    targets: dict[Name, TargetTable] = {}
    scratch: ScratchTable = ScratchTable()
    audit: AuditTable = AuditTable()
    review: ReviewTable = ReviewTable()
    repair: RepairTable = RepairTable()
    clocks: dict[Name, ClockTable] = {}
    calendar: CalendarTable = CalendarTable()
