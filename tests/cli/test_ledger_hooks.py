"""What the commands of backup write into the ledger: an intent before, an outcome after."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dbops.audit.entry import Count, DigestOf, Effect, Event, Label
from dbops.audit.entry import Result as Ended
from dbops.cli.root import main
from tests.crash.processes import wait_until
from tests.engines.sqlite.files import held
from tests.support.estate import (
    DATABASE,
    BuiltEstate,
    copy_estate,
    found_test_estate,
    take_backup,
)
from tests.support.ledger import Deed, deeds_of, entries_of, lines_of

FIRST = f"{DATABASE}@1"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> BuiltEstate:
    """An estate with one backup and no ledger yet."""
    estate = found_test_estate(tmp_path_factory.mktemp("hooks") / "estate")
    take_backup(estate)
    return estate


@pytest.fixture
def estate(made: BuiltEstate, tmp_path: Path) -> BuiltEstate:
    return copy_estate(made, tmp_path / "estate")


def at(estate: BuiltEstate, *words: object) -> Result:
    arguments = ["--estate", str(estate.root / "dbops.toml"), *map(str, words)]
    return CliRunner().invoke(main, arguments)


def only(estate: BuiltEstate, event: Event) -> tuple[Deed, object]:
    """The only deed of that event, and its outcome's result."""
    (deed,) = deeds_of(estate.root, event)
    assert deed.outcome is not None
    return deed, deed.outcome.result


def manifest(estate: BuiltEstate, sequence: int = 1) -> str:
    found = [item for item in estate.history().backups if item.sequence == sequence]
    return found[0].sha256


def test_backup_run(estate: BuiltEstate) -> None:
    """The outcome names the backup, what it holds, and the digest of its manifest."""
    assert at(estate, "backup", "run", DATABASE).exit_code == 0
    deed, result = only(estate, Event.BACKUP_RUN)
    envelope = estate.newest().envelope
    assert deed.intent.target == DATABASE
    assert deed.outcome is not None
    assert result is Ended.DONE
    assert deed.outcome.names == {
        Label.BACKUP: f"{DATABASE}@2",
        Label.IDENTITY: envelope.identity,
        Label.REPOSITORY: "main",
        Label.SERVER: envelope.server,
    }
    assert deed.outcome.counts == {
        Count.BYTES: envelope.totals.bytes,
        Count.STORED: envelope.totals.stored,
        Count.PACKS: 1,
        Count.GAPS: 0,
        Count.DAMAGES: 0,
    }
    assert deed.outcome.digests == {DigestOf.MANIFEST: manifest(estate, 2)}


def test_backup_run_that_finds_its_chain_damaged(estate: BuiltEstate) -> None:
    """The backup is there, and what is wrong with the others is counted."""
    next((estate.objects / "db" / DATABASE / "manifest").iterdir()).unlink()
    assert at(estate, "backup", "run", DATABASE).exit_code == 4
    deed, result = only(estate, Event.BACKUP_RUN)
    assert deed.outcome is not None
    assert (result, deed.outcome.counts[Count.DAMAGES]) == (Ended.FINDING, 1)


def test_backup_run_that_fails(estate: BuiltEstate) -> None:
    """A missed night is recorded with its code, also where not even the repository is there."""
    estate.database.rename(estate.root / "gone.db")
    assert at(estate, "backup", "run", DATABASE).exit_code == 10
    (estate.objects / "repository").unlink()
    assert at(estate, "backup", "run", DATABASE).exit_code == 11
    missing, absent = deeds_of(estate.root, Event.BACKUP_RUN)
    assert missing.outcome is not None
    assert absent.outcome is not None
    assert (missing.outcome.result, missing.outcome.code) == (Ended.REFUSED, "database-missing")
    assert (absent.outcome.result, absent.outcome.code) == (Ended.REFUSED, "repository-absent")


def test_backup_run_that_is_interrupted(estate: BuiltEstate) -> None:
    """A stop leaves an outcome, with an effect that nobody knows."""
    words = ["--estate", str(estate.root / "dbops.toml"), "backup", "run", DATABASE]
    with held(estate.database, "BEGIN EXCLUSIVE"):
        process = subprocess.Popen(
            [sys.executable, "-m", "dbops", *words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        lock = estate.root / "state" / "lock" / DATABASE
        assert wait_until(lambda: bool(lines_of(estate.root)) and lock.exists(), 30)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 130
    deed, result = only(estate, Event.BACKUP_RUN)
    assert deed.outcome is not None
    assert (result, deed.outcome.effect) == (Ended.INTERRUPTED, Effect.UNKNOWN)


def test_backup_verify(estate: BuiltEstate) -> None:
    """The intent says how far it is to climb, the outcome how far it came."""
    assert at(estate, "backup", "verify", DATABASE, "--level", "readable").exit_code == 0
    deed, result = only(estate, Event.BACKUP_VERIFY)
    assert deed.outcome is not None
    assert result is Ended.DONE
    assert deed.intent.target == DATABASE
    assert deed.intent.names == {Label.BACKUP: FIRST, Label.LEVEL: "readable"}
    assert deed.intent.digests == {DigestOf.MANIFEST: manifest(estate)}
    assert deed.outcome.names == {Label.BACKUP: FIRST, Label.LEVEL: "readable"}
    counts = deed.outcome.counts
    assert (counts[Count.TABLES], counts[Count.ROWS], counts[Count.FINDINGS]) == (2, 202, 0)


def test_backup_verify_that_finds_damage(estate: BuiltEstate) -> None:
    """A finding is no failure, and is counted."""
    pack = min(estate.objects.glob("db/*/pack/*/*"))
    pack.write_bytes(pack.read_bytes()[:-1] + b"x")
    assert at(estate, "backup", "verify", DATABASE, "--level", "stored").exit_code == 4
    deed, result = only(estate, Event.BACKUP_VERIFY)
    assert deed.outcome is not None
    assert (result, deed.outcome.counts[Count.FINDINGS]) == (Ended.FINDING, 1)


def test_backup_verify_without_an_identity(estate: BuiltEstate) -> None:
    """That nothing was opened is recorded too."""
    config = estate.root / "dbops.toml"
    config.write_text(config.read_text().replace('["verifier/drill"]', "[]"))
    assert at(estate, "backup", "verify", DATABASE).exit_code == 12
    deed, result = only(estate, Event.BACKUP_VERIFY)
    assert deed.outcome is not None
    assert (result, deed.outcome.effect) == (Ended.REFUSED, Effect.NONE)


def test_backup_expire(estate: BuiltEstate) -> None:
    """One deed a database; looking at what would happen is none."""
    assert at(estate, "backup", "expire", "--all", "--dry-run").exit_code == 0
    assert entries_of(estate.root) == []
    for _ in range(4):
        take_backup(estate)
    config = estate.root / "dbops.toml"
    text = config.read_text().replace("keep_last = 3", "keep_last = 1")
    config.write_text(text.replace("keep_daily = 7", "keep_daily = 0"))
    assert at(estate, "backup", "expire", "--all", "--yes").exit_code == 0
    deed, result = only(estate, Event.BACKUP_EXPIRE)
    marked = sum(item.tombstone is not None for item in estate.history().backups)
    assert deed.outcome is not None
    assert marked > 0
    assert result is Ended.DONE
    assert deed.intent.counts == {Count.MARKED: marked, Count.DELETED: 0}
    assert deed.outcome.counts == {Count.MARKED: marked, Count.DELETED: 0, Count.BYTES: 0}


def test_backup_hold_and_release(estate: BuiltEstate) -> None:
    """Both name the backup; their reasons stand in the signed documents and nowhere else."""
    for word, event in (("hold", Event.BACKUP_HOLD), ("release", Event.BACKUP_RELEASE)):
        assert at(estate, "backup", word, FIRST, "--reason", "患者张三 inquiry").exit_code == 0
        deed, result = only(estate, event)
        assert result is Ended.DONE
        assert (deed.intent.target, deed.intent.names) == (DATABASE, {Label.BACKUP: FIRST})
        assert deed.intent.digests == {DigestOf.MANIFEST: manifest(estate)}
    assert "张三".encode() not in b"".join(lines_of(estate.root))


def test_backup_show(estate: BuiltEstate) -> None:
    """Opening the sealed catalogue is recorded before it is tried, also where nothing opens it."""
    assert at(estate, "backup", "show", FIRST).exit_code == 0
    deed, result = only(estate, Event.BACKUP_SHOW)
    assert (result, deed.intent.names) == (Ended.DONE, {Label.BACKUP: FIRST})
    config = estate.root / "dbops.toml"
    text = config.read_text().replace('["verifier/drill"]', "[]")
    config.write_text(text.replace('catalogue_identity = "keys/catalogue"', ""))
    assert at(estate, "backup", "show", FIRST).exit_code == 12
    _, tried = deeds_of(estate.root, Event.BACKUP_SHOW)
    assert tried.outcome is not None
    assert (tried.outcome.result, tried.outcome.effect) == (Ended.REFUSED, Effect.NONE)


def test_restore_run(estate: BuiltEstate) -> None:
    """The intent names backup and target; the outcome counts tables and differences."""
    target = estate.root / "again.db"
    assert at(estate, "restore", "run", DATABASE, "--to", target, "--prove").exit_code == 0
    deed, result = only(estate, Event.RESTORE_RUN)
    assert deed.outcome is not None
    assert deed.intent.target is None
    assert deed.intent.names == {Label.BACKUP: FIRST, Label.PATH: str(target)}
    assert (result, deed.outcome.effect) == (Ended.DONE, Effect.COMMITTED)
    assert deed.outcome.counts[Count.TABLES] == 2
    assert deed.outcome.counts[Count.FINDINGS] == 0


def test_restore_run_that_is_refused(estate: BuiltEstate) -> None:
    """A target that holds something was not touched, and the ledger says so."""
    assert at(estate, "restore", "run", DATABASE, "--to", DATABASE).exit_code == 5
    deed, result = only(estate, Event.RESTORE_RUN)
    assert deed.outcome is not None
    assert (result, deed.outcome.effect) == (Ended.REFUSED, Effect.NONE)
    assert deed.outcome.code == "target-occupied"


def test_restore_run_that_breaks_off(estate: BuiltEstate) -> None:
    """Half a restore has an unknown effect."""
    pack = min(estate.objects.glob("db/*/pack/*/*"))
    data = bytearray(pack.read_bytes())
    data[len(data) // 2] ^= 1
    pack.write_bytes(data)
    target = estate.root / "again.db"
    assert at(estate, "restore", "run", DATABASE, "--to", target).exit_code == 1
    deed, result = only(estate, Event.RESTORE_RUN)
    assert deed.outcome is not None
    assert (result, deed.outcome.effect) == (Ended.FAILED, Effect.UNKNOWN)


def test_repository_create(estate: BuiltEstate) -> None:
    """It names the repository; the second time it is refused, which is recorded too."""
    config = estate.root / "dbops.toml"
    config.write_text(config.read_text() + '\n[repositories.second]\npath = "second"\n')
    assert at(estate, "repository", "create", "second").exit_code == 0
    assert at(estate, "repository", "create", "second").exit_code == 5
    made, again = deeds_of(estate.root, Event.REPOSITORY_CREATE)
    assert made.outcome is not None
    assert again.outcome is not None
    assert made.intent.names == {Label.REPOSITORY: "second"}
    assert (made.outcome.result, again.outcome.result) == (Ended.DONE, Ended.REFUSED)


def test_keys_recipients_sign(estate: BuiltEstate) -> None:
    """A list that replaces the estate's is named by its digest; a file of one's own is not."""
    key = estate.root / "hospital" / "signing"
    sign = ("keys", "recipients", "sign", "--remove", "verifier", "--key", key)
    assert at(estate, *sign, "--out", estate.root / "draft").exit_code == 0
    assert entries_of(estate.root) == []
    assert at(estate, *sign, "--yes").exit_code == 0
    deed, result = only(estate, Event.KEYS_RECIPIENTS)
    document = (estate.root / "trust" / "recipients").read_bytes()
    assert result is Ended.DONE
    assert deed.intent.digests == {DigestOf.DOCUMENT: hashlib.sha256(document).hexdigest()}
    assert deed.intent.counts == {Count.RECIPIENTS: 2}
    assert deed.intent.names[Label.PRINCIPAL] == "hospital"


def test_keys_drill_record(estate: BuiltEstate) -> None:
    """Role and principal, headers and backups are recorded."""
    root = estate.root
    request, receipt = root / "headers.json", root / "receipt"
    answer = (request, "--identity", root / "hospital" / "recovery", "--role", "recovery")
    signed = ("--name", "hospital", "--key", root / "hospital" / "signing", "--out", receipt)
    assert at(estate, "keys", "drill", "headers", "--all", "--out", request).exit_code == 0
    assert at(estate, "keys", "drill", "answer", *answer, *signed).exit_code == 0
    assert entries_of(root) == []
    assert at(estate, "keys", "drill", "record", receipt).exit_code == 0
    deed, result = only(estate, Event.KEYS_DRILL)
    assert deed.outcome is not None
    assert result is Ended.DONE
    assert deed.outcome.names == {Label.ROLE: "recovery", Label.PRINCIPAL: "hospital"}
    assert deed.outcome.counts == {Count.HEADERS: 2, Count.BACKUPS: 1}


def test_init(tmp_path: Path) -> None:
    """A new estate's ledger begins with the estate, under a signed checkpoint."""
    place = tmp_path / "estate"
    done = CliRunner().invoke(main, ["init", str(place), "--host", "backup-1"])
    assert done.exit_code == 0
    first, second = entries_of(place)
    assert (first.draft.event, second.draft.event) == (Event.LEDGER_OPEN, Event.ESTATE_INIT)
    assert second.draft.names == {Label.PATH: str(place / "dbops.toml")}
    assert (place / "audit" / "checkpoint").read_text().splitlines()[1] == "2"


LOOKING = (
    ("backup", "list"),
    ("backup", "status"),
    ("systems", "list"),
    ("keys", "list"),
    ("keys", "report"),
    ("keys", "recipients", "show"),
    ("doctor",),
)


@pytest.mark.parametrize("words", LOOKING, ids=" ".join)
def test_looking_is_not_recorded(estate: BuiltEstate, words: tuple[str, ...]) -> None:
    """Commands that change nothing and open nothing leave no trace."""
    at(estate, *words)
    assert entries_of(estate.root) == []


def test_one_command_leaves_one_checkpoint(estate: BuiltEstate) -> None:
    """It is signed when the command ends, over all that the command recorded."""
    assert at(estate, "backup", "verify", "--all", "--each", "--level", "stored").exit_code == 0
    notes = list((estate.root / "audit" / "checkpoints").iterdir())
    assert len(notes) == 1
    size = int((estate.root / "audit" / "checkpoint").read_text().splitlines()[1])
    assert size == len(entries_of(estate.root))
