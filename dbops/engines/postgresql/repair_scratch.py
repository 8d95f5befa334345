"""A restored copy, seen by the role that repairs its source: what a rehearsal runs on."""

from __future__ import annotations

from dbops.engines.postgresql.engine import PostgresqlEngine, parameters_of
from dbops.engines.postgresql.repair import PostgresqlRepairEngine
from dbops.engines.postgresql.scratch_login import login_on_copy


def repair_engine_of_copy(copy: PostgresqlEngine, role: str) -> PostgresqlRepairEngine:
    """Return the copy's repair engine; afterwards `role` may log in on the copy's server.

    A role that is a superuser at the source is one here, and refused when it begins.
    """
    admin = parameters_of(copy.address, copy.password)
    return PostgresqlRepairEngine(login_on_copy(copy, role), lambda: admin, role)
