"""A small working estate for tests: keys, a local repository and one SQLite database.

The database is written by the standard library's `sqlite3` in a child process: the engine's own
SQLite must be the only one that opens the file in this process.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dbops.backup.contents import BackupContents, open_contents
from dbops.backup.create import BackupOrder, create_backup
from dbops.backup.ports import Engine
from dbops.backup.verify import VerifyOrder, verify_backup
from dbops.cli.wiring import TOOL, Wiring
from dbops.estate.load import load_estate
from dbops.founding import Founding, found_estate
from dbops.repository.chain import Backup, History
from dbops.repository.manifest import Envelope
from dbops.repository.packing import PACK_BYTES
from dbops.repository.ports import Store
from dbops.repository.reader import Repository
from dbops.repository.records import Certificate, ProofLevel
from dbops.stores.local import LocalStore

DATABASE = "example"

SCHEMA = """
CREATE TABLE ward(id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE sample(id INTEGER PRIMARY KEY, ward INTEGER REFERENCES ward, value REAL, note TEXT);
CREATE INDEX sample_by_ward ON sample(ward);
CREATE TRIGGER sample_note AFTER INSERT ON sample WHEN new.note IS NULL
BEGIN UPDATE sample SET note = '无' WHERE id = new.id; END;
INSERT INTO ward VALUES (1, '急诊科'), (2, '检验科');
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
INSERT INTO sample(ward, value, note) SELECT 1 + i % 2, i * 1.5, '标本' || i FROM n;
"""

_RUN_SQL = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.executescript(sys.stdin.buffer.read().decode())
connection.commit()
connection.close()
"""


def run_sql(path: Path, script: str) -> None:
    """Afterwards the script has been run on the SQLite file, by another process."""
    subprocess.run([sys.executable, "-c", _RUN_SQL, path], input=script.encode(), check=True)


class SteppingClock:
    """Real time, whose every reading is a second later than the one before; `skip` turns it on."""

    def __init__(self) -> None:
        self._now = datetime.now(UTC)

    def __call__(self) -> datetime:
        self._now += timedelta(seconds=1)
        return self._now

    def skip(self, span: timedelta) -> None:
        self._now += span


def ignore_progress(_done: int) -> None:
    """An `Advance` for tests that do not look at it."""


@dataclass(frozen=True, slots=True)
class BuiltEstate:
    """An estate in `root` and the parts that commands would use."""

    root: Path
    clock: SteppingClock
    wiring: Wiring

    @property
    def database(self) -> Path:
        """The SQLite file that is backed up."""
        return self.root / f"{DATABASE}.db"

    @property
    def objects(self) -> Path:
        """The directory of the repository."""
        return self.root / "backups"

    @property
    def store(self) -> LocalStore:
        return self.wiring.store("main")

    @property
    def repository(self) -> Repository:
        return self.wiring.repository("main")

    @property
    def engine(self) -> Engine:
        return self.wiring.engine(self.wiring.database(DATABASE))

    def over(self, store: Store) -> Repository:
        """The repository, read and written through another store."""
        return Repository(store, self.wiring.trust, self.clock())

    def history(self) -> History:
        return self.wiring.history(self.repository, DATABASE)

    def newest(self) -> Backup:
        return self.history().backups[-1]


def found_test_estate(root: Path, script: str = SCHEMA, *, demo: bool = True) -> BuiltEstate:
    """Afterwards `root` holds an estate whose one database was made by the script.

    Its policy is a demo's, which asks nothing for what a night needs, unless `demo` is False.
    """
    root.mkdir(parents=True, exist_ok=True)
    founding = Founding(
        root, "示范医院", "Asia/Shanghai", "backup-1", secrets.token_hex(16), demo=demo
    )
    clock = SteppingClock()
    found_estate(founding, lambda path: LocalStore(path, "repository main"), clock())
    run_sql(root / f"{DATABASE}.db", script)
    return open_test_estate(root)


def open_test_estate(root: Path) -> BuiltEstate:
    """The estate that stands in `root`, seen as a new process would."""
    clock = SteppingClock()
    return BuiltEstate(root, clock, Wiring(load_estate(root / "dbops.toml"), os.environ, clock))


def copy_estate(estate: BuiltEstate, root: Path) -> BuiltEstate:
    """The same estate in another directory, to be damaged."""
    shutil.copytree(estate.root, root, symlinks=True)
    return open_test_estate(root)


def backup_order(
    estate: BuiltEstate,
    *,
    database: str = DATABASE,
    jobs: int = 1,
    pack_bytes: int = PACK_BYTES,
    grace: timedelta = timedelta(hours=48),
) -> BackupOrder:
    """What `backup run` would order."""
    keys = estate.wiring.sealing_keys()
    return BackupOrder(
        database,
        "sqlite",
        estate.wiring.estate.host.name,
        TOOL,
        keys,
        secrets.token_bytes(32),
        jobs=jobs,
        pack_bytes=pack_bytes,
        grace=grace,
    )


def take_backup(
    estate: BuiltEstate, *, engine: Engine | None = None, order: BackupOrder | None = None
) -> Envelope:
    """Afterwards there is one more backup, and the host remembers it."""
    repository = estate.repository
    wanted = order or backup_order(estate)
    history = estate.wiring.history(repository, wanted.database)
    source = engine or estate.engine
    envelope, head = create_backup(
        source, repository, history, wanted, estate.clock, ignore_progress
    )
    estate.wiring.remember(repository, wanted.database, head)
    return envelope


def verify_order(estate: BuiltEstate, level: ProofLevel = ProofLevel.PROVEN) -> VerifyOrder:
    """What `backup verify` would order, with all that the host can open."""
    wiring = estate.wiring
    scratch = wiring.scratch(wiring.database(DATABASE))
    identities = wiring.identities()
    return VerifyOrder(level, identities, scratch, "backup-1", TOOL, wiring.verifier, set())


def verify(
    estate: BuiltEstate, level: ProofLevel = ProofLevel.PROVEN, backup: Backup | None = None
) -> Certificate:
    """The certificate of one backup, the newest unless another is named."""
    repository, chosen = estate.repository, backup or estate.newest()
    order = verify_order(estate, level)
    return verify_backup(repository, chosen, order, estate.clock, ignore_progress)


def contents_of(estate: BuiltEstate, backup: Backup | None = None) -> BackupContents:
    """The backup, opened with what the host holds; the newest unless another is named."""
    envelope = (backup or estate.newest()).envelope
    return open_contents(estate.repository, envelope, estate.wiring.identities())
