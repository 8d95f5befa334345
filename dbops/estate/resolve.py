"""A valid document becomes an estate: references, defaults and absolute paths; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from dbops.estate import document, values
from dbops.estate.faults import Fault
from dbops.wording import listed, quoted, suggestion

_BUILT_IN = values.Policy()


def reference_faults(file: document.Document) -> Iterator[Fault]:
    """Yield every reference to a name that the file does not declare."""
    policies = [*file.policies, _BUILT_IN.name]
    for name, database in file.databases.items():
        yield from _unknown(name, "system", database.system, list(file.systems))
        yield from _unknown(name, "policy", database.policy, policies)
        if database.repository is not None:
            yield from _unknown(name, "repository", database.repository, list(file.repositories))
        elif len(file.repositories) != 1:
            yield _no_repository(name, list(file.repositories))


def _unknown(database: str, key: str, wanted: str | None, known: list[str]) -> Iterator[Fault]:
    if wanted is not None and wanted not in known:
        yield Fault(
            where=("databases", database, key),
            code="estate-unknown-reference",
            message=f"unknown {key} {quoted(wanted)}",
            hint=suggestion(wanted, known, label="declared"),
        )


def _no_repository(database: str, known: list[str]) -> Fault:
    add = f"add repository to [databases.{database}]: one of {listed(known)}"
    return Fault(
        where=("databases", database, "repository"),
        code="estate-missing-key",
        message="missing key" if known else "no repository is declared",
        hint=add if known else "add [repositories.main] with path",
    )


def resolve(path: Path, file: document.Document, *, state: Path) -> values.Estate:
    """Return the estate of the file at the absolute `path`, which has no reference fault.

    `state` is where this host keeps its local state if the file does not say.
    """
    directory = path.parent
    state = _optional(directory, file.estate.state) or state
    policies = {name: _policy(name, table) for name, table in file.policies.items()}
    return values.Estate(
        path=path,
        hospital=file.estate.hospital,
        zone=file.estate.timezone,
        trust=directory / file.estate.trust,
        recipients=directory / file.estate.recipients,
        state=state,
        host=_host(directory, file.host),
        repositories=MappingProxyType(
            {
                name: values.RepositoryConfig(name=name, path=directory / table.path)
                for name, table in file.repositories.items()
            }
        ),
        policies=MappingProxyType({_BUILT_IN.name: _BUILT_IN} | policies),
        systems=MappingProxyType(
            {name: _system(name, table) for name, table in file.systems.items()}
        ),
        databases=_databases(directory, file),
        targets=MappingProxyType(
            {name: _target(directory, name, table) for name, table in file.targets.items()}
        ),
        scratch=values.Scratch(postgresql=_scratch(directory, file.scratch.postgresql)),
        audit=_audit(directory, file.audit, state, file.host.name),
        review=values.Review(repository=_optional(directory, file.review.repository)),
        repair=values.Repairs(
            bundles=_optional(directory, file.repair.bundles) or state / "bundles",
            playbooks=_optional(directory, file.repair.playbooks),
        ),
        clocks=MappingProxyType({name: _clock(name, table) for name, table in file.clocks.items()}),
        calendar=values.Calendar(
            days_off=frozenset(file.calendar.days_off),
            working_days=frozenset(file.calendar.working_days),
            complete=frozenset(file.calendar.complete),
            opens=file.calendar.opens,
            closes=file.calendar.closes,
        ),
    )


def _clock(name: str, table: document.ClockTable) -> values.Clock:
    return values.Clock(
        name=name,
        title=table.title or name,
        working_days=table.working_days,
        days=table.days,
        within=table.within,
        counted=table.counted,
        until=table.until,
        rolls=table.rolls,
        outside=table.outside,
    )


def _audit(directory: Path, table: document.AuditTable, state: Path, host: str) -> values.Audit:
    anchors = {
        name: values.AnchorConfig(name=name, kind=anchor.kind, path=directory / anchor.path)
        for name, anchor in table.anchors.items()
    }
    return values.Audit(
        directory=_optional(directory, table.directory) or state / "audit",
        origin=table.origin or f"dbops/{host}",
        signing_key=_optional(directory, table.signing_key),
        heartbeat=table.heartbeat,
        anchor_within=table.anchor_within,
        anchors=MappingProxyType(anchors),
    )


def _databases(directory: Path, file: document.Document) -> Mapping[str, values.Database]:
    only_repository = next(iter(file.repositories), "")
    only_policy = next(iter(file.policies)) if len(file.policies) == 1 else _BUILT_IN.name
    return MappingProxyType(
        {
            name: _database(
                directory,
                name,
                table,
                repository=table.repository or only_repository,
                policy=table.policy or only_policy,
            )
            for name, table in file.databases.items()
        }
    )


def _database(
    directory: Path,
    name: str,
    table: document.SqliteDatabaseTable | document.PostgresqlDatabaseTable,
    *,
    repository: str,
    policy: str,
) -> values.Database:
    if isinstance(table, document.SqliteDatabaseTable):
        return values.SqliteDatabase(
            name=name,
            system=table.system,
            repository=repository,
            policy=policy,
            path=directory / table.path,
        )
    return values.PostgresqlDatabase(
        name=name,
        system=table.system,
        repository=repository,
        policy=policy,
        host=table.host,
        port=table.port,
        dbname=table.dbname,
        user=table.user,
        password=_secret(directory, table.password),
        sslmode=table.sslmode,
        sslrootcert=_optional(directory, table.sslrootcert),
        jobs=table.jobs,
        repair=_login(directory, table.repair),
        admin=_login(directory, table.admin),
    )


def _login(directory: Path, table: document.LoginTable | None) -> values.Login | None:
    return None if table is None else values.Login(table.user, _secret(directory, table.password))


def _target(
    directory: Path, name: str, table: document.SqliteTable | document.PostgresqlTable
) -> values.Address:
    if isinstance(table, document.SqliteTable):
        return values.SqliteAddress(name=name, path=directory / table.path)
    return values.PostgresqlAddress(
        name=name,
        host=table.host,
        port=table.port,
        dbname=table.dbname,
        user=table.user,
        password=_secret(directory, table.password),
        sslmode=table.sslmode,
        sslrootcert=_optional(directory, table.sslrootcert),
        jobs=table.jobs,
    )


def _scratch(directory: Path, table: document.PostgresqlScratchTable) -> values.PostgresqlScratch:
    if table.host is None or table.user is None:
        return values.PostgresqlScratch(
            account=table.account, directory=_optional(directory, table.directory)
        )
    server = values.PostgresqlAddress(
        name="scratch",
        host=table.host,
        port=table.port,
        dbname="postgres",
        user=table.user,
        password=_secret(directory, table.password),
        sslmode=table.sslmode,
        sslrootcert=_optional(directory, table.sslrootcert),
        jobs=2,
    )
    return values.PostgresqlScratch(account=table.account, server=server)


def _host(directory: Path, table: document.HostTable) -> values.Host:
    return values.Host(
        name=table.name,
        signing_key=_optional(directory, table.signing_key),
        catalogue_identity=_optional(directory, table.catalogue_identity),
        identities=tuple(directory / each for each in table.identities),
        verifier_key=_optional(directory, table.verifier_key),
        runner_identity=_optional(directory, table.runner_identity),
    )


def _system(name: str, table: document.SystemTable) -> values.System:
    return values.System(
        name=name,
        name_zh=table.name_zh,
        name_en=table.name_en,
        owner=table.owner,
        tier=table.tier,
        rpo=table.rpo,
        rto=table.rto,
    )


def _policy(name: str, table: document.PolicyTable) -> values.Policy:
    return values.Policy(
        name=name,
        keep_last=table.keep_last,
        keep_daily=table.keep_daily,
        keep_weekly=table.keep_weekly,
        keep_monthly=table.keep_monthly,
        keep_yearly=table.keep_yearly,
        grace=table.grace,
        generation=table.generation,
        witness=table.witness,
    )


def _secret(directory: Path, table: document.SecretTable | None) -> values.Secret | None:
    if table is None:
        return None
    if table.file is not None:
        return values.SecretFile(directory / table.file)
    if table.env is not None:
        return values.SecretEnv(table.env)
    program, *arguments = table.command or [""]  # the document has made sure of exactly one
    # A name alone is looked up on PATH; what has a directory in it is a path like any other.
    found = str(directory / program) if "/" in program else program
    return values.SecretCommand((found, *arguments))


def _optional(directory: Path, path: str | None) -> Path | None:
    return None if path is None else directory / path
