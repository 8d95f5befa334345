"""An estate whose one database lies on a running PostgreSQL server."""

from __future__ import annotations

from pathlib import Path

from tests.fix_postgresql import PgDatabase
from tests.support.estate import found_test_estate
from tests.support.postgresql_estate import NAME, add_lab

__all__ = ["NAME", "fill", "found_postgresql_estate"]

FILL = """
CREATE TABLE {table}(id bigint PRIMARY KEY, patient bigint NOT NULL, note text);
INSERT INTO {table} SELECT n, n % 2000, '患者' || repeat(md5(n::text), 4)
    FROM generate_series(1, {rows}) AS n;
CREATE INDEX ON {table}(patient);
SELECT lo_from_bytea(0, convert_to('影像', 'UTF8'));
"""


def found_postgresql_estate(root: Path, database: PgDatabase, *, password: str = "") -> Path:
    """Afterwards `root` is an estate with the database `lab`; no password means the right one."""
    found_test_estate(root)
    config = root / "dbops.toml"
    config.write_text(config.read_text().partition("[databases.example]")[0])
    add_lab(root, database, password=password, jobs=2)
    return root


def fill(database: PgDatabase, table: str, rows: int) -> None:
    """Afterwards it has the table, of about 150 bytes a row, and one more large object."""
    with database.connect() as connection:
        connection.execute(FILL.format(table=table, rows=rows).encode())
