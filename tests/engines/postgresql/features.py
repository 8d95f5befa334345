"""The PostgreSQL test databases: every feature that a backup must carry, and two odd encodings.

What the rows and objects are stands in `feature_sql/`, one file a subject, run in name order.
What is not in here, because it could not be had or can not be restored by anybody:

* security labels: the only label provider that servers ship needs SELinux;
* an extension with configuration tables: none ships with the server; `installation.py` and
  `build_configured_extension` make one, in an installation of their own;
* a language made by hand: `pg_dump` takes it for an extension that is not there;
* an exclusion constraint on a partitioned table (17): its own dump can not be restored;
* a tablespace and a subscription: they live in the cluster and hinder `DROP DATABASE`.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Any

import psycopg

Connection = psycopg.Connection[Any]

LOST_BY_PG_DUMP = {
    'collation his."C 拷贝" differs': "a copy of collation C is made again for one encoding only",
    "column his.doctor.id differs": "columns a child inherits are put before its own",
    "column his.doctor.title differs": "columns a child inherits are put before its own",
    'column lab."order 2026 急诊".amount differs': (
        "a partition that was attached without its parent's default is given DEFAULT NULL"
    ),
    "constraint known_status on his.legacy differs": "varchar IN (...) is printed anew once",
    "constraint patient_sex_check on his.patient differs": "varchar IN (...) is printed anew once",
    "index his.patient_sex differs": "varchar IN (...) is printed anew once",
    "rows of lab.stale differs": "a materialized view is filled anew from today's rows",
    "system privilege table information_schema.sql_parts is only in the first": (
        "grants in information_schema are not dumped"
    ),
    "trigger of a foreign key ops.key_off differs": (
        "DISABLE TRIGGER ALL is forgotten for the triggers of a foreign key"
    ),
    "view his.patient_short differs": "varchar IN (...) is printed anew once",
}
"""Each sentence of `compare_databases` for a copy that `pg_dump` and `pg_restore` made: and why.

Besides, the kinds of `ONLY_WITH_CREATE`."""

ONLY_WITH_CREATE = ("database ", "database setting ")
"""What sentences begin with that tell of things that only `pg_restore --create` brings along."""


class OddEncoding(StrEnum):
    """The encodings of the other test databases; both want locale C and template0."""

    EUC_CN = "EUC_CN"
    SQL_ASCII = "SQL_ASCII"


_FOLDER = Path(__file__).with_name("feature_sql")


def build_features(connection: Connection, *, major: int, huge_row_bytes: int = 0) -> None:
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
            add_huge_row(connection, huge_row_bytes)


def add_huge_row(connection: Connection, size: int) -> None:
    """The schema `lab`, which is there, gets a table with a bytea of so many bytes in one row."""
    connection.execute("CREATE TABLE lab.huge (id integer, picture bytea)")
    connection.execute("ALTER TABLE lab.huge ALTER picture SET STORAGE EXTERNAL")
    connection.execute(
        "INSERT INTO lab.huge VALUES (1, 'small'),"
        " (2, decode(repeat('5c2e0a00ff', %s / 5) || repeat('09', %s %% 5), 'hex')), (3, NULL)",
        (size, size),
    )


def build_encoding_database(connection: Connection, *, encoding: OddEncoding) -> None:
    """The database holds text, names and comments as its encoding has them.

    EUC_CN: Chinese tables, columns and rows. SQL_ASCII: the server checks nothing, so one column
    holds GBK, UTF-8 and bytes that are text in no encoding, and one table has a name in GBK.
    """
    codec, path = {
        OddEncoding.EUC_CN: ("gb2312", _FOLDER / "euc_cn.sql"),
        OddEncoding.SQL_ASCII: ("gbk", _FOLDER / "sql_ascii.sql"),
    }[encoding]
    with connection.transaction():
        connection.execute(f"SET LOCAL client_encoding = '{encoding}'")
        connection.execute(path.read_text("utf-8").encode(codec))
        if encoding is OddEncoding.SQL_ASCII:
            for number, body in enumerate(_RAW, 100):
                literal = body.replace(b"'", b"''")
                connection.execute(b"INSERT INTO raw.text VALUES (%d, '%s')" % (number, literal))


_RAW = (
    bytes(range(128, 256)),
    "病人 🏥".encode(),
    b"\x95\x5c\x95\x5c.",  # GBK letters whose second byte is the backslash
    b"\xe7\x97",  # UTF-8 cut in the middle
    b"\xc0\x80\xed\xa0\x80\xff\xfe",
    b"\\.",
)


def build_configured_extension(connection: Connection) -> None:
    """The database has the extension `hospital_codes` and the site's rows in its tables.

    The server must be one of `installation.with_own_extension`.
    """
    with connection.transaction():
        connection.execute((_FOLDER / "configured_extension.sql").read_bytes())
