"""A value that stands in every row shows nowhere: no output, no ledger, no clear file has it.

What is sealed is sealed, and the databases themselves are left out; everything else that lies in
the estate, and everything that the commands print, is searched.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from click.testing import CliRunner

from dbops.cli.root import main
from tests.cli.ops import found_ops
from tests.crash.postgresql import NAME, found_postgresql_estate
from tests.fix_postgresql import PgDatabase, PgServer
from tests.support.estate import DATABASE, found_test_estate, run_sql

CANARY = "Canary7391bird"
VALUE = f"金丝雀 {CANARY}"
FORMS = (
    CANARY.lower().encode(),
    CANARY.encode().hex().encode(),
    CANARY.encode("utf-16-le").lower(),
    *(base64.b64encode(b"x" * shift + CANARY.encode())[4:-4].lower() for shift in range(3)),
)

SQLITE = f"""
CREATE TABLE patient(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, note TEXT, photo BLOB);
CREATE TABLE "王 table"(code TEXT PRIMARY KEY, v TEXT) WITHOUT ROWID;
CREATE TABLE child(patient TEXT REFERENCES patient(name), v TEXT CHECK (length(v) > 3));
CREATE VIRTUAL TABLE words USING fts5(body);
INSERT INTO patient VALUES (1, '{VALUE}', '{VALUE}', CAST('{VALUE}' AS BLOB)), (2, 'b', NULL, '');
INSERT INTO "王 table" VALUES ('{VALUE}', '{VALUE}');
INSERT INTO child VALUES ('{VALUE}', '{VALUE}');
INSERT INTO words VALUES ('{VALUE}');
"""

POSTGRESQL = f"""
CREATE FUNCTION key_of(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION fits(text) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT true';
CREATE TABLE patient(id bigint PRIMARY KEY, name text NOT NULL, note varchar(99), extra jsonb);
CREATE TABLE keyed(v text);
CREATE UNIQUE INDEX keyed_once ON keyed (key_of(v));
CREATE TABLE checked(v text CHECK (fits(v)));
CREATE TABLE parted(v text) PARTITION BY LIST (v);
CREATE TABLE parted_one PARTITION OF parted DEFAULT;
INSERT INTO patient SELECT n, '{VALUE}', '{VALUE}', '{{"v": "{VALUE}"}}'
    FROM generate_series(1, 9) AS n;
INSERT INTO keyed VALUES ('{VALUE} 1'), ('{VALUE} 2');
INSERT INTO checked VALUES ('{VALUE}');
INSERT INTO parted VALUES ('{VALUE}');
SELECT lo_from_bytea(0, convert_to('{VALUE}', 'UTF8'));
"""
# What was immutable is not: the rows can no longer be restored, and the server says which.
BROKEN_KEY = (
    "CREATE OR REPLACE FUNCTION key_of(text) RETURNS text IMMUTABLE LANGUAGE sql"
    " AS 'SELECT left($1, 18)'"
)
BROKEN_CHECK = (
    "CREATE OR REPLACE FUNCTION fits(text) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT false'"
)


@dataclass
class Heard:
    """Everything that commands printed, with the command; searched at the end."""

    root: Path
    capture: pytest.CaptureFixture[str]
    statuses: list[tuple[str, int]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def run(self, words: str, *paths: object) -> int:
        """The exit status of the command; both streams and those of its children are kept."""
        arguments = [*words.split(), *map(str, paths)]
        done = CliRunner().invoke(main, ["--estate", str(self.root / "dbops.toml"), *arguments])
        below = self.capture.readouterr()
        self.said.append(f"{words}\n{done.stdout}\n{done.stderr}\n{below.out}\n{below.err}")
        self.statuses.append((words, done.exit_code))
        return done.exit_code

    def both(self, words: str, *paths: object) -> None:
        """The command twice, for people and for programs."""
        self.run(words, *paths)
        self.run(words, *paths, "--json")


def held_by(data: bytes) -> bool:
    """Whether the canary sits there in any of its forms."""
    lowered = data.lower()
    return any(form in lowered for form in FORMS)


def clear_files(root: Path) -> Iterator[Path]:
    """Every file of the estate but the databases."""
    for path in root.rglob("*"):
        if path.is_file() and not path.name.endswith((".db", ".db-wal", ".db-shm")):
            yield path


def assert_silent(heard: Heard) -> None:
    """No file and no output holds the canary; there was something to search."""
    files = list(clear_files(heard.root))
    assert [path for path in files if held_by(path.read_bytes())] == []
    assert [text for text in heard.said if held_by(text.encode())] == []
    names = {path.relative_to(heard.root).parts[0] for path in files}
    assert {"audit", "backups", "state", "trust"} <= names
    # No bug and no mistyped word: every command did what it is for.
    assert [each for each in heard.statuses if each[1] in {2, 70}] == []


def damage(root: Path, database: str) -> None:
    """Afterwards the newest pack of the database has another bit in its middle."""
    packs = (root / "backups" / "db" / database / "pack").glob("*/*")
    newest = max(packs, key=lambda path: path.stat().st_mtime_ns)
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes(data)


def sign_off_and_look(heard: Heard, database: str) -> None:
    """The commands that read ledger, repository and keys, and those that write documents."""
    root = heard.root
    heard.run(f"backup hold {database}@1 --reason inquiry")
    heard.run(f"backup release {database}@1 --reason closed")
    heard.run("keys drill headers --all --out", root / "headers.json")
    heard.both("backup status")
    heard.both("backup list")
    heard.both(f"backup show {database}@1")
    heard.both("backup expire --all --yes")
    heard.both("doctor")
    heard.both("audit log")
    heard.both("audit show 1")
    heard.both("audit verify")
    heard.run("audit prove 1 --out", root / "proof")
    heard.run("audit export", root / "exported")


def test_the_canary_is_found_where_it_is(tmp_path: Path) -> None:
    """The search can find it: in a database, encoded, and in capitals."""
    run_sql(tmp_path / "a.db", SQLITE)
    assert held_by((tmp_path / "a.db").read_bytes())
    assert held_by(base64.b64encode(VALUE.encode()))
    assert held_by(f"x{VALUE}".encode().hex().upper().encode())
    assert not held_by(b"canary")


def test_sqlite_rows_show_nowhere(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Nights that go well, and everything that can go wrong with a file."""
    root = found_test_estate(tmp_path / "estate", SQLITE).root
    heard = Heard(root, capfd)
    database = root / f"{DATABASE}.db"
    assert heard.run("backup run --all") == 0
    assert heard.run("backup verify --all --level proven --json") == 0
    target = root / "again.db"
    assert heard.run(f"restore run {DATABASE} --prove --to", target) == 0
    heard.both(f"restore run {DATABASE} --to", target)  # it is not empty
    heard.both(f"restore run {DATABASE} --table patient --to", target)  # the table is there
    heard.both(f"restore run {DATABASE} --table 'nothing' --to", target)
    run_sql(target, f"DROP TABLE child; CREATE TABLE child(v TEXT CHECK (v <> '{VALUE}'))")
    heard.both(f"restore run {DATABASE} --table child --to", target)
    sign_off_and_look(heard, DATABASE)
    damage(root, DATABASE)
    heard.both("backup verify --all --level proven")
    heard.both(f"restore run {DATABASE} --to", root / "third.db")
    data = bytearray(database.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 4096] = VALUE.encode() * (4096 // len(VALUE.encode()))
    database.write_bytes(data)
    heard.both("backup run --all")
    database.write_bytes(VALUE.encode() * 999)
    heard.both("backup run --all")
    heard.both("doctor")
    assert_silent(heard)
    assert {status for _, status in heard.statuses} >= {0, 1, 4, 5}


def test_sign_off_shows_no_rows(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What is asked for, signed, shown, refused and run names databases, and never rows."""
    ops = found_ops(tmp_path / "estate")
    heard = Heard(ops.root, capfd)
    run_sql(ops.root / f"{DATABASE}.db", SQLITE)
    assert heard.run("backup run --all") == 0
    work = "review new restore 2026-1 --from example@2 --to copy --author wei@contractor --title"
    assert heard.run(work, "示例库的副本") == 0
    ops.commit()
    for verb, person in (("request", "wei"), ("approve", "li")):
        assert heard.run(f"review {verb} 2026-1 --yes --key", ops.key(person)) == 0
        heard.both("review show 2026-1")
    ops.commit()
    heard.both("review list")
    heard.both("review check 2026-1")
    restoring = "restore run example@2 --to copy --prove"
    assert heard.run(f"{restoring} --table patient --review 2026-1") == 5
    assert heard.run(f"{restoring} --review 2026-1") == 0
    assert heard.run(f"{restoring} --review 2026-1 --json") == 5  # it was used up
    heard.both("audit log")
    heard.both("trust show")
    assert len(list((ops.tree / "restores" / "2026-1" / "approvals").iterdir())) == 4
    assert_silent(heard)


@pytest.fixture
def source(pg15: PgServer) -> Iterator[PgDatabase]:
    """A database full of canaries."""
    database = PgDatabase(pg15, "canary_source")
    pg15.create_database(database.name)
    with database.connect() as connection:
        connection.execute(POSTGRESQL.encode())
    yield database
    pg15.drop_database(database.name)
    pg15.drop_database("canary_target")


def test_postgresql_rows_show_nowhere(
    source: PgDatabase, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Duplicate keys and failing checks make the server quote rows; nobody sees them."""
    root = found_postgresql_estate(tmp_path / "estate", source)
    config = root / "dbops.toml"
    config.write_text(config.read_text() + _target(source.server))
    source.server.create_database("canary_target")
    heard = Heard(root, capfd)
    assert heard.run("backup run --all") == 0
    assert heard.run("backup verify --all --level proven --json") == 0
    assert heard.run(f"restore run {NAME} --prove --to again") == 0
    heard.both(f"restore run {NAME} --to again")  # it is not empty
    heard.both(f"restore run {NAME} --table public.patient --to again")  # the table is there
    sign_off_and_look(heard, NAME)
    for number, (statement, form) in enumerate(((BROKEN_KEY, ""), (BROKEN_CHECK, " --json")), 2):
        with source.connect() as connection:
            connection.execute(statement.encode())
        assert heard.run("backup run --all" + form) == 0
        assert heard.run("backup verify --all --level proven" + form) == 4
        restoring = f"restore run {NAME}@{number} --overwrite again --to again"
        assert heard.run(restoring + form) == 1
    damage(root, NAME)
    heard.both("backup verify --all --level readable")
    heard.run(f"restore run {NAME}@3 --overwrite again --to again")
    assert_silent(heard)
    assert {status for _, status in heard.statuses} >= {0, 1, 4, 5}


def _target(server: PgServer) -> str:
    return f"""
[targets.again]
engine = "postgresql"
host = "{server.host}"
port = {server.port}
dbname = "canary_target"
user = "{server.superuser}"
password = {{ file = "secrets/{NAME}" }}
sslmode = "disable"
"""
