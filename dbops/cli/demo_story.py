"""What happens in the demo, step by step, with the same parts that the commands use."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dbops.backup.ports import RestoreOrder
from dbops.cli.demo_change import Changed, change_and_drift
from dbops.cli.demo_ledger import LedgerCheck, check_ledger
from dbops.cli.demo_office import open_office
from dbops.cli.demo_repair import Repaired, repair_and_undo
from dbops.cli.progress import Progress
from dbops.cli.restoring import Restoration, restore_recorded
from dbops.cli.tasks import Verification, pick_backup, repository_opener, take_backup
from dbops.cli.wiring import Wiring
from dbops.demo.estate import demo_estate
from dbops.demo.hospital import act_in_hospital, build_hospital, live_one_day
from dbops.demo.systems import read_systems
from dbops.demo.wrong_ward import Act
from dbops.errors import DbopsError
from dbops.estate.load import load_estate
from dbops.founding import Founding, found_estate
from dbops.repository.layout import pack_name
from dbops.repository.manifest import Envelope
from dbops.repository.reader import Repository
from dbops.repository.records import Certificate, ProofLevel
from dbops.stores.local import LocalStore

SEED = 20260101
DESTROYED = ("lab", "pacs-ris", "blood-use")
CORRUPTED = "oa"


class StoryClock:
    """Real time that can be set forward to the next night."""

    def __init__(self, start: datetime) -> None:
        self._start = start
        self._began = time.monotonic()

    def __call__(self) -> datetime:
        return self._start + timedelta(seconds=time.monotonic() - self._began)

    def next_night(self) -> None:
        self._start += timedelta(days=1)


@dataclass
class Story:
    """What has happened so far; seconds by step."""

    seconds: dict[str, float] = field(default_factory=dict)
    nights: list[dict[str, Envelope]] = field(default_factory=list)
    proofs: dict[str, Certificate] = field(default_factory=dict)
    corruption: list[str] = field(default_factory=list)
    restored: dict[str, bool] = field(default_factory=dict)
    repaired: Repaired | None = None
    changed: Changed | None = None
    ledger: LedgerCheck | None = None

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        start = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - start, 2)

    @property
    def proven(self) -> int:
        return sum(item.reached == ProofLevel.PROVEN.label for item in self.proofs.values())

    @property
    def happy(self) -> bool:
        """Whether everything ended as it should."""
        return (
            self.proven == len(self.nights[-1])
            and len(self.corruption) == 1
            and all(self.restored.values())
            and (self.repaired is None or self.repaired.good)
            and (self.changed is None or self.changed.good)
            and self.ledger is not None
            and self.ledger.whole
            and self.ledger.caught
        )


@dataclass(frozen=True)
class Stage:
    """Where the demo plays: an estate in a directory, and who is told what comes next."""

    directory: Path
    announce: Callable[[str], None]
    quiet: bool

    @property
    def databases(self) -> Path:
        return self.directory / "databases"

    def progress(self, title: str) -> Progress:
        return Progress(title, quiet=self.quiet)


def tell(stage: Stage) -> tuple[Story, Wiring]:
    """Play the whole story; raises DbopsError where something does not go as it should."""
    story = Story()
    clock = StoryClock(datetime.now(UTC) - timedelta(days=1))
    stage.announce("building a hospital: 50 systems, a database each")
    with story.step("build"):
        build_hospital(stage.databases, SEED)
    with story.step("keys"):
        wiring = _found(stage, clock)
        repository = wiring.repository("main")
    stage.announce("first night: 50 backups, sealed to the hospital's keys")
    with story.step("first_night"):
        story.nights.append(_night(stage, wiring))
    stage.announce("a day's work in every system, then the second night")
    with story.step("day"):
        live_one_day(stage.databases, SEED + 1)
        act_in_hospital(stage.databases, Act.BOOK_WRONGLY)
    clock.next_night()
    with story.step("second_night"):
        story.nights.append(_night(stage, wiring))
    stage.announce("verifying: every backup is restored elsewhere and compared with its source")
    with story.step("verify"):
        story.proofs.update(_prove_all(stage, wiring, repository))
    stage.announce("disaster: three databases are destroyed, and one stored backup is damaged")
    with story.step("disaster"):
        _destroy(stage)
        _corrupt(wiring, repository)
    with story.step("find_corruption"):
        story.corruption += _search(wiring, repository)
    stage.announce("restoring the three, and comparing them with their backups")
    with story.step("restore"):
        for name in DESTROYED:
            story.restored[name] = _restore(stage, wiring, repository, name)
    with story.step("repair"):
        office = open_office(wiring, stage.directory)
        if office is not None:
            story.repaired = repair_and_undo(
                office, stage.databases, stage.announce, quiet=stage.quiet
            )
    with story.step("change"):
        if office is not None:
            story.changed = change_and_drift(
                office, stage.databases, stage.announce, quiet=stage.quiet
            )
    stage.announce("all of that stands in the ledger; in a copy of it a line is edited")
    with story.step("ledger"):
        story.ledger = check_ledger(wiring, stage.directory)
    return story, wiring


def _found(stage: Stage, clock: StoryClock) -> Wiring:
    text = demo_estate(read_systems(), stage.databases)
    founding = Founding(
        stage.directory,
        "示范医院",
        "Asia/Shanghai",
        "demo",
        secrets.token_hex(16),
        text,
        demo=True,
        reviewer=True,
    )
    path = found_estate(founding, lambda root: LocalStore(root, "repository main"), clock())
    return Wiring(load_estate(path), {}, clock)


def _night(stage: Stage, wiring: Wiring) -> dict[str, Envelope]:
    opener = repository_opener(wiring)
    taken: dict[str, Envelope] = {}
    total = sum(path.stat().st_size for path in stage.databases.glob("*.db"))
    with stage.progress("backup") as progress:
        progress.expect(total)
        counting = _Counting(progress)
        for database in wiring.estate.databases.values():
            envelope, _ = take_backup(wiring, database, opener, counting, _give_up)
            taken[database.name] = envelope
    return taken


def _give_up(fault: DbopsError) -> None:
    raise fault


class _Counting(Progress):
    """Passes on what is done, and keeps the bar's own total."""

    def __init__(self, inner: Progress) -> None:
        super().__init__("", quiet=True)
        self._inner = inner

    def advance(self, count: int) -> None:
        self._inner.advance(count)


def _prove_all(stage: Stage, wiring: Wiring, repository: Repository) -> dict[str, Certificate]:
    plan = Verification(wiring, ProofLevel.PROVEN, wiring.identities(), 1, set())
    found: dict[str, Certificate] = {}
    with stage.progress("verify") as progress:
        histories = {
            database: wiring.history(repository, database.name)
            for database in wiring.estate.databases.values()
        }
        backups = {database: pick_backup(item, None) for database, item in histories.items()}
        progress.expect(sum(item.envelope.totals.bytes for item in backups.values()))
        counting = _Counting(progress)
        for database, backup in backups.items():
            found[database.name] = plan.verify(database, repository, backup, counting)
    return found


def _destroy(stage: Stage) -> None:
    """A deleted file, a file of zeros, a file cut in half: three ways to lose a database."""
    deleted, zeroed, cut = (stage.databases / f"{name}.db" for name in DESTROYED)
    deleted.unlink()
    zeroed.write_bytes(bytes(zeroed.stat().st_size))
    with cut.open("r+b") as file:
        file.truncate(cut.stat().st_size // 2)


def _corrupt(wiring: Wiring, repository: Repository) -> None:
    """Flip one bit in the middle of one pack, behind the store's back."""
    backup = pick_backup(wiring.history(repository, CORRUPTED), None)
    pack = backup.envelope.packs[0].sha256
    path = wiring.estate.repositories["main"].path / pack_name(CORRUPTED, pack)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _search(wiring: Wiring, repository: Repository) -> list[str]:
    """Look at every stored byte of every newest backup; no key is needed for that."""
    plan = Verification(wiring, ProofLevel.STORED, (), 1, set())
    found: list[str] = []
    for database in wiring.estate.databases.values():
        backup = pick_backup(wiring.history(repository, database.name), None)
        certificate = plan.verify(database, repository, backup, Progress("", quiet=True))
        found += certificate.findings
    return found


def _restore(stage: Stage, wiring: Wiring, repository: Repository, name: str) -> bool:
    backup = pick_backup(wiring.history(repository, name), None)
    address, opening = wiring.database(name), wiring.identities()
    with stage.progress(f"restore {name}") as progress:
        progress.expect(backup.envelope.totals.bytes)
        report = restore_recorded(
            wiring,
            Restoration(address, name, None, repository, backup, opening),
            RestoreOrder(None, 1, progress.advance),
            overwrite=True,
            compare=True,
        )
    return report.differences == ()
