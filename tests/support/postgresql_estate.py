"""A database on a PostgreSQL server, added to an estate of the tests."""

from __future__ import annotations

from pathlib import Path

from tests.fix_postgresql import PgDatabase

NAME = "lab"


def add_lab(root: Path, database: PgDatabase, *, password: str = "", jobs: int = 1) -> None:
    """Afterwards the estate's databases end with `lab`; no password means the right one."""
    server = database.server
    _write_secret(root, NAME, password or server.password)
    _add(
        root,
        f"""\
[databases.{NAME}]
system = "example"
engine = "postgresql"
host = "{server.host}"
port = {server.port}
dbname = "{database.name}"
user = "{server.superuser}"
password = {{ file = "secrets/{NAME}" }}
sslmode = "disable"
jobs = {jobs}
repository = "main"
policy = "nightly"
""",
    )


def add_logins(root: Path, database: PgDatabase, role: str, password: str) -> None:
    """Afterwards `lab`, the last of the estate's tables, has logins for repairs and for roles."""
    _write_secret(root, f"{NAME}-repair", password)
    _add(
        root,
        f"""\
[databases.{NAME}.repair]
user = "{role}"
password = {{ file = "secrets/{NAME}-repair" }}
[databases.{NAME}.admin]
user = "{database.server.superuser}"
password = {{ file = "secrets/{NAME}" }}
""",
    )


def _write_secret(root: Path, name: str, text: str) -> None:
    place = root / "secrets" / name
    place.write_text(text)
    place.chmod(0o600)


def _add(root: Path, toml: str) -> None:
    with (root / "dbops.toml").open("a", encoding="utf-8") as file:
        file.write(f"\n{toml}")
