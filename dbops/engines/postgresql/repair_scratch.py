"""A restored copy, seen by the role that repairs its source: what a rehearsal runs on."""

from __future__ import annotations

from dataclasses import replace

from dbops.engines.postgresql.connect import Parameters, connect, quoted
from dbops.engines.postgresql.engine import PostgresqlEngine, parameters_of
from dbops.engines.postgresql.repair import PostgresqlRepairEngine

_DOING = "making a login for the rehearsal"


def repair_engine_of_copy(copy: PostgresqlEngine, role: str) -> PostgresqlRepairEngine:
    """Return the copy's repair engine; afterwards `role` may log in on the copy's server.

    Only for a copy on a server of dbops' own, which asks for no password and is thrown away: there
    roles are made without a login. A role that the backup does not know is made with no rights but
    those that everybody has; one that is a superuser at the source is one here, and refused when
    it begins.
    """
    admin = parameters_of(copy.address, copy.password)
    with connect(admin) as session:
        known = session.value("SELECT count(*) FROM pg_roles WHERE rolname = %s", [role])
        word = "ALTER" if known else "CREATE"
        session.run(f"{word} ROLE {quoted(role)} LOGIN", doing=_DOING)

    def as_role() -> Parameters:
        return replace(admin, user=role)

    return PostgresqlRepairEngine(as_role, lambda: admin, role)
