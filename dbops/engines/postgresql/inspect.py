"""Whether a PostgreSQL database can be backed up and proven: server, login, programs, privileges.

Only catalogs are read. What a backup would refuse is found by the code that refuses it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dbops.doctor.finding import Finding, ok, problem, problem_of, warning
from dbops.engines.postgresql.binaries import Installation, client_for, server_of
from dbops.engines.postgresql.connect import Parameters, Session, connect
from dbops.engines.postgresql.preflight import refuse_unreadable
from dbops.engines.postgresql.tables import list_gaps, list_relations
from dbops.errors import DbopsError

_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_SHOWN_CHARACTERS = 300
_SHOWN_GAPS = 3

_ROLE = """
    SELECT quote_ident(rolname), rolsuper, rolbypassrls FROM pg_roles
    WHERE rolname = current_user"""
_READS_ALL = """
    SELECT EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = 'pg_read_all_data'
        AND pg_has_role(r.oid, 'USAGE'))"""
_ENCRYPTED = "SELECT coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false)"


def inspect_database(
    params: Parameters, installations: Sequence[Installation]
) -> Iterator[Finding]:
    """Findings about one database; raises DbopsError where it cannot be logged in to."""
    with connect(params) as session:
        yield ok(
            "postgresql-connects",
            f"{session.server} at {params.where} lets {params.user} into {params.dbname}",
        )
        yield from _check_encryption(session)
        yield from _check_role(session)
        yield from _check_contents(session)
        yield from _check_programs(session.major, installations)


def _check_encryption(session: Session) -> Iterator[Finding]:
    host = session.parameters.host
    if host.startswith("/") or host in _LOCAL or session.value(_ENCRYPTED):
        return
    yield warning(
        "postgresql-in-clear",
        f"the connection to {session.parameters.where} is not encrypted: rows travel in clear",
        'set sslmode = "verify-full" and sslrootcert in dbops.toml',
    )


def _check_role(session: Session) -> Iterator[Finding]:
    ((role, superuser, bypasses),) = session.rows(_ROLE)
    if superuser:
        yield ok("postgresql-role", f"role {role} is a superuser: it reads everything")
        return
    rights = [
        "every table" if session.value(_READS_ALL) else "what it was granted",
        "past row security" if bypasses else "not past row security",
    ]
    yield ok("postgresql-role", f"role {role} reads {', '.join(rights)}; no role's password")


def _check_contents(session: Session) -> Iterator[Finding]:
    relations = list_relations(session)
    try:
        refuse_unreadable(session, relations)
    except DbopsError as failure:
        yield problem(failure.code, _shortened(failure.message), failure.hint)
        return
    tables = sum(relation.has_rows for relation in relations)
    yield ok("postgresql-tables", f"all of {tables} tables can be read")
    # Materialized views are no loss: a restore makes their rows again.
    gaps = list_gaps(session, [one for one in relations if one.kind != "m"])
    if gaps:
        named = "; ".join(f"{gap.object}: {gap.reason}" for gap in gaps[:_SHOWN_GAPS])
        more = f"; and {len(gaps) - _SHOWN_GAPS} more" if len(gaps) > _SHOWN_GAPS else ""
        yield warning(
            "postgresql-gaps",
            _shortened(f"{len(gaps)} things stay out of every backup: {named}{more}"),
            "see that they are kept elsewhere; each manifest lists them: dbops backup show",
        )


def _check_programs(major: int, installations: Sequence[Installation]) -> Iterator[Finding]:
    try:
        client = client_for(major, installations)
        yield ok("postgresql-client", f"pg_dump {client.version} fits the server: {client.bindir}")
    except DbopsError as failure:
        yield problem_of(failure)
    try:
        server = server_of(major, installations)
        yield ok("postgresql-scratch", f"PostgreSQL {server.version} can prove it: {server.bindir}")
    except DbopsError as failure:
        yield warning(
            "postgresql-scratch",
            f"{failure.message}: nothing is proven without a configured scratch server",
            f"{failure.hint}; or set host in [scratch.postgresql] of dbops.toml",
        )


def _shortened(text: str) -> str:
    if len(text) <= _SHOWN_CHARACTERS:
        return text
    return text[:_SHOWN_CHARACTERS].rpartition(",")[0] + ", …"
