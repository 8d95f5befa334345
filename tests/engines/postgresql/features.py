"""The PostgreSQL test databases: every feature that a backup must carry, and two odd encodings.

What the rows and objects are stands in `feature_sql/`, one file a subject, run in name order. What
could not be had on a plain installation, and so is not in here: security labels (the server's only
label provider needs SELinux).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

_FOLDER = Path(__file__).with_name("feature_sql")


def build_features(
    connection: psycopg.Connection[Any], *, major: int, huge_row_bytes: int = 0
) -> None:
    """The database holds every feature; it must be fresh, in UTF8, and the role a superuser.

    The roles are created or found, since they belong to the whole cluster. `major` is the server's
    major version. `huge_row_bytes` above zero adds the table `lab.huge` with one row whose bytea
    has that many bytes. The session of `connection` keeps the settings it started with; new
    sessions get the database's hostile ones. Each file is one transaction.
    """
    paths = sorted(_FOLDER.glob("[0-9]*.sql"))
    paths += [
        path
        for path in sorted(_FOLDER.glob("since_*.sql"))
        if int(path.stem.removeprefix("since_")) <= major
    ]
    for path in paths:
        with connection.transaction():
            connection.execute("SET LOCAL client_min_messages = error")
            connection.execute(path.read_bytes())
    if huge_row_bytes:
        with connection.transaction():
            _add_huge_row(connection, huge_row_bytes)


def _add_huge_row(connection: psycopg.Connection[Any], size: int) -> None:
    connection.execute("CREATE TABLE lab.huge (id integer, picture bytea)")
    connection.execute("ALTER TABLE lab.huge ALTER picture SET STORAGE EXTERNAL")
    connection.execute(
        "INSERT INTO lab.huge VALUES (1, 'small'),"
        " (2, decode(repeat('5c2e0a00ff', %s / 5) || repeat('09', %s %% 5), 'hex')), (3, NULL)",
        (size, size),
    )
