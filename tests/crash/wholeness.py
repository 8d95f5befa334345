"""What must hold of a repository after any crash: every backup that is listed is whole."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from dbops.backup.contents import open_contents
from dbops.cli.wiring import Wiring
from dbops.estate.load import load_estate
from dbops.repository.chain import Backup, History
from dbops.repository.check import check_readable, check_stored
from dbops.repository.reader import Repository
from tests.crash.processes import dbops


@dataclass
class Witness:
    """Looks at the backups of one database after each crash, and remembers what it has seen."""

    estate: Path
    database: str
    listed: set[int] = field(default_factory=set)
    _read: set[int] = field(default_factory=set)

    def wiring(self) -> Wiring:
        """The parts of a new process."""
        return Wiring(load_estate(self.estate / "dbops.toml"), dict(os.environ))

    def history(self) -> History:
        """The backups as a command sees them."""
        wiring = self.wiring()
        return wiring.history(wiring.repository("main"), self.database)

    def look(self) -> set[int]:
        """The numbers of all backups, each of them found whole; none that was there is lost."""
        wiring = self.wiring()
        repository = wiring.repository("main")
        history = wiring.history(repository, self.database)
        assert history.damages == ()
        now = {backup.sequence for backup in history.backups}
        assert self.listed <= now, f"lost: {sorted(self.listed - now)}"
        self.listed = now
        checked: set[str] = set()
        for backup in history.backups:
            assert check_stored(repository.store, backup.envelope, checked, _ignore) == ()
            if backup.sequence not in self._read:
                _assert_readable(wiring, repository, backup)
                self._read.add(backup.sequence)
        return now

    def prove_newest(self) -> None:
        """`dbops backup verify` finds the newest backup equal to its source."""
        outcome = dbops(self.estate, "backup", "verify", self.database, "--level", "proven")
        assert outcome.status == 0, outcome
        assert outcome.out.startswith(f"{self.database}@{max(self.listed)}  proven, ")


def _assert_readable(wiring: Wiring, repository: Repository, backup: Backup) -> None:
    contents = open_contents(repository, backup.envelope, wiring.identities())
    reader = contents.range_reader()
    try:
        assert check_readable(reader, backup.envelope, contents.catalogue, (), _ignore) == ()
    finally:
        reader.close()


def _ignore(_done: int) -> None:
    """Nobody watches the progress."""
