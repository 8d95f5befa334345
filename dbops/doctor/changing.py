"""Whether schemas can be changed: by the login that the estate names for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from dbops.doctor.finding import Finding, ok, warning
from dbops.doctor.ports import Inspectable
from dbops.errors import Refused
from dbops.estate.values import Address, PostgresqlAddress


def check_changing(
    address: Address, engine: object, refuse_rehearsal: Callable[[], None]
) -> Iterator[Finding]:
    """What a change of the schema would meet; nothing where whoever reads a file can change it.

    `engine` is what changes the database, `refuse_rehearsal` raises Refused where none can be
    rehearsed on this host. Raises DbopsError where the login is not let in.
    """
    if not isinstance(engine, Inspectable):
        return
    if isinstance(address, PostgresqlAddress) and address.admin is None:
        yield ok(
            "no-admin",
            f"no admin login is named: {address.user}, who reads for backups, would change schemas",
        )
        return
    try:
        refuse_rehearsal()
    except Refused as failure:
        yield warning(failure.code, failure.message, failure.hint)
    yield from engine.inspect()
