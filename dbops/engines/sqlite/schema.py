"""What a SQLite database is beside its rows: its schema text and the settings in its header."""

from __future__ import annotations

import hashlib

import apsw

from dbops.engines.sqlite.rows import count_rows, list_tables
from dbops.repository.manifest import Facts

PRAGMAS = (
    "application_id",
    "auto_vacuum",
    "encoding",
    "journal_mode",
    "page_size",
    "user_version",
)


def read_schema(connection: apsw.Connection) -> dict[str, str]:
    """The digest of every object's own text, by kind and name."""
    rows = connection.execute(
        "SELECT type || ' ' || name, coalesce(sql, '') FROM sqlite_schema ORDER BY type, name"
    )
    return {str(name): _digest(str(text)) for name, text in rows}


def read_pragmas(connection: apsw.Connection) -> dict[str, str]:
    """The settings that lie in the file. journal_mode is read by the caller from the source."""
    values: dict[str, str] = {}
    for pragma in PRAGMAS:
        row = connection.execute(f"PRAGMA main.{pragma}").fetchone()
        values[pragma] = str(row[0]) if row else ""
    return values


def count_all(connection: apsw.Connection) -> dict[str, str]:
    """Rows of every table, as SQLite counts them."""
    return {table.name: str(count_rows(connection, table)) for table in list_tables(connection)}


def read_facts(connection: apsw.Connection) -> Facts:
    """Everything that a restored copy must have again beside the rows themselves."""
    return {
        "count": count_all(connection),
        "schema": read_schema(connection),
        "pragma": read_pragmas(connection),
    }


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
