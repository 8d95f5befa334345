"""A login on a restored copy for a role of its source: who rehearses is who runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from dbops.engines.postgresql.connect import Parameters, connect, quoted
from dbops.engines.postgresql.engine import PostgresqlEngine, parameters_of

_DOING = "making a login for the rehearsal"


def login_on_copy(
    copy: PostgresqlEngine, role: str, *, creates: bool = False
) -> Callable[[], Parameters]:
    """Return how `role` logs in on the copy's server; afterwards it may.

    Only for a copy on a server of dbops' own, which asks for no password and is thrown away: there
    roles are made without a login. A role that the backup does not know owns nothing of the source
    and was granted nothing: it is made with no rights but those that everybody has. One that
    `creates` can change the source all the same, as a superuser or a member of a role that owns
    things, so it is made a superuser here: what it lacks shows on the source, and nothing runs. One
    that is known may make schemas, as the journal of changes needs: rights on the database itself
    are no part of what is restored into a scratch one.
    """
    admin = parameters_of(copy.address, copy.password)
    with connect(admin) as session:
        known = session.value("SELECT count(*) FROM pg_roles WHERE rolname = %s", [role])
        word = "ALTER" if known else "CREATE"
        rights = " SUPERUSER" if creates and not known else ""
        session.run(f"{word} ROLE {quoted(role)} LOGIN{rights}", doing=_DOING)
        if creates:
            name = quoted(copy.address.dbname)
            session.run(f"GRANT CREATE ON DATABASE {name} TO {quoted(role)}", doing=_DOING)
    return lambda: replace(admin, user=role)
