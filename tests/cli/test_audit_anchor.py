"""`dbops audit heartbeat`, `checkpoint`, `anchor`: what leaves the host, and what it is held to."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from dbops.audit.checkpoint import open_checkpoint
from dbops.crypto.trust import load_trust_root
from tests.cli.ledgers import at, begin_ledger, segment_of, with_anchor
from tests.support.estate import BuiltEstate, copy_estate, found_test_estate
from tests.support.ledger import entries_of, lines_of

GIT = (
    "git",
    "-c",
    "user.name=hospital",
    "-c",
    "user.email=it@hospital",
    "-c",
    "init.defaultBranch=main",
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> BuiltEstate:
    """An estate with a ledger of six entries."""
    estate = found_test_estate(tmp_path_factory.mktemp("anchor") / "estate")
    begin_ledger(estate)
    return estate


@pytest.fixture
def estate(made: BuiltEstate, tmp_path: Path) -> BuiltEstate:
    """A copy of it, to be spoilt."""
    return copy_estate(made, tmp_path / "estate")


def _signed_size(estate: BuiltEstate, note: str) -> int:
    trust = load_trust_root(estate.root / "trust", ZoneInfo("UTC"))
    return open_checkpoint(note, trust, datetime.now(UTC)).size


def _notes(anchor: Path) -> list[str]:
    return sorted(path.name for path in (anchor / "ledger").rglob("*.note"))


def _set_signing_key(estate: BuiltEstate, line: str) -> None:
    config = estate.root / "dbops.toml"
    old = 'signing_key = "keys/ledger"'
    text = config.read_text("utf-8")
    assert old in text
    config.write_text(text.replace(old, line), "utf-8")


def test_checkpoint_prints_a_note_that_the_trust_root_opens(estate: BuiltEstate) -> None:
    """Standard output is the note and nothing else, over all entries."""
    result = at(estate, "audit", "checkpoint")
    assert (result.exit_code, result.stderr) == (0, "")
    assert _signed_size(estate, result.stdout) == 6
    assert result.stdout == (estate.root / "audit" / "checkpoint").read_text("utf-8")


def test_heartbeat_signs_what_it_wrote(estate: BuiltEstate) -> None:
    """One entry more, under a checkpoint, also where there is no anchor."""
    result = at(estate, "audit", "heartbeat")
    assert (result.exit_code, result.stdout, result.stderr) == (
        0,
        "entry 6 of dbops/backup-1: backup-1 lives\n",
        "",
    )
    assert _signed_size(estate, (estate.root / "audit" / "checkpoint").read_text("utf-8")) == 7


def test_heartbeat_of_cron_is_silent(estate: BuiltEstate) -> None:
    """With --quiet nothing is printed where all went well, and all the same is done."""
    anchor = with_anchor(estate)
    result = at(estate, "audit", "heartbeat", "--quiet")
    assert (result.exit_code, result.output) == (0, "")
    assert _notes(anchor) == ["000000000008.note"]


def test_heartbeat_begins_a_ledger(estate: BuiltEstate) -> None:
    """The first command of a host may be the one of cron."""
    shutil.rmtree(estate.root / "audit")
    assert at(estate, "audit", "heartbeat").exit_code == 0
    assert [entry.draft.event for entry in entries_of(estate.root)] == [
        "ledger.open",
        "ledger.heartbeat",
    ]


def test_heartbeat_without_a_key_only_records(estate: BuiltEstate) -> None:
    """A host that signs nothing lives too; it says that nothing was signed."""
    _set_signing_key(estate, "#")
    result = at(estate, "audit", "heartbeat")
    assert (result.exit_code, result.stderr) == (
        0,
        "remark: no checkpoint, as dbops.toml has no audit.signing_key\n",
    )


def test_heartbeat_publishes_to_all_anchors(estate: BuiltEstate) -> None:
    """What is published covers the intent of publishing; the outcome stands behind it."""
    first, second = with_anchor(estate), with_anchor(estate, "vendor")
    result = at(estate, "audit", "heartbeat")
    assert (result.exit_code, result.stderr) == (0, "")
    assert (_notes(first), _notes(second)) == (["000000000008.note"], ["000000000010.note"])
    said = [(entry.draft.phase, entry.draft.counts) for entry in entries_of(estate.root)[7:]]
    assert said == [
        ("intent", {}),
        ("outcome", {"size": 8}),
        ("intent", {}),
        ("outcome", {"size": 10}),
    ]
    assert at(estate, "audit", "verify").exit_code == 0


def test_heartbeat_goes_on_to_the_next_anchor(estate: BuiltEstate) -> None:
    """One that is away is an error, status 3, and an outcome in the ledger; the other gets it."""
    away, other = with_anchor(estate), with_anchor(estate, "vendor")
    away.rmdir()
    result = at(estate, "audit", "heartbeat")
    assert result.exit_code == 3
    assert result.stderr == (
        f"error: anchor hospital is not there: {away} is no directory\n"
        f"hint: mount its disk, or make it: mkdir {away}\n"
    )
    assert _notes(other) == ["000000000010.note"]
    assert entries_of(estate.root)[8].draft.code == "anchor-away"


def test_anchor_publishes_to_the_named_one(estate: BuiltEstate) -> None:
    """The others are left alone; the second time adds what was written since."""
    first, second = with_anchor(estate), with_anchor(estate, "vendor")
    result = at(estate, "audit", "anchor", "vendor")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("anchor vendor holds 7 entries, root ")
    assert at(estate, "audit", "anchor", "vendor").exit_code == 0
    assert (_notes(first), _notes(second)) == ([], ["000000000007.note", "000000000009.note"])


def test_anchor_that_is_away(estate: BuiltEstate) -> None:
    """11, and nothing is made in its place: the directory may be a disk that is not mounted."""
    with_anchor(estate).rmdir()
    result = at(estate, "audit", "anchor")
    assert (result.exit_code, result.stdout) == (11, "")
    assert not (estate.root / "anchor").exists()


def test_anchor_that_knows_more_entries_is_left_as_it_is(estate: BuiltEstate) -> None:
    """A ledger that was begun anew gets nothing into an anchor of the old one."""
    anchor = with_anchor(estate)
    assert at(estate, "audit", "heartbeat").exit_code == 0
    shutil.rmtree(estate.root / "audit")
    begin_ledger(estate)
    result = at(estate, "audit", "anchor")
    assert (result.exit_code, result.stdout, result.stderr) == (
        5,
        "",
        "error: anchor hospital knows 8 entries, and the checkpoint has only 7\n"
        "hint: see what happened to the ledger: dbops audit verify\n",
    )
    assert _notes(anchor) == ["000000000008.note"]


def test_anchor_that_knows_other_entries_is_left_as_it_is(estate: BuiltEstate) -> None:
    """As many entries or more do not help a ledger that was written anew."""
    anchor = with_anchor(estate)
    assert at(estate, "audit", "heartbeat").exit_code == 0
    shutil.rmtree(estate.root / "audit")
    estate.clock.skip(timedelta(hours=1))
    begin_ledger(estate)
    begin_ledger(estate)
    result = at(estate, "audit", "anchor")
    assert (result.exit_code, result.stderr) == (
        5,
        "error: anchor hospital knows 8 entries that are not those of this ledger\n"
        "hint: see what happened to the ledger: dbops audit verify\n",
    )
    assert _notes(anchor) == ["000000000008.note"]


def test_no_checkpoint_of_a_ledger_that_was_shortened(estate: BuiltEstate) -> None:
    """The key never signs fewer entries than it signed before."""
    assert at(estate, "audit", "checkpoint").exit_code == 0
    path = segment_of(estate)
    path.write_bytes(b"".join(line + b"\n" for line in lines_of(estate.root)[:4]))
    result = at(estate, "audit", "checkpoint")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error: the ledger is damaged: ")
    assert result.stderr.endswith("dbops audit verify\n")


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    """A git repository that the hospital keeps."""
    path = tmp_path / "remote.git"
    subprocess.run([*GIT, "init", "--quiet", "--bare", path], check=True)
    return path


def _git_anchor(estate: BuiltEstate, remote: Path) -> Path:
    clone = with_anchor(estate, kind="git")
    subprocess.run([*GIT, "clone", "--quiet", remote, clone], check=True, capture_output=True)
    return clone


def test_anchor_in_git_is_pushed(estate: BuiltEstate, remote: Path) -> None:
    """The note is in the remote's history, and verification asks the remote for it."""
    clone = _git_anchor(estate, remote)
    result = at(estate, "audit", "anchor", "hospital")
    assert (result.exit_code, result.stderr) == (0, "")
    shown = subprocess.run(
        [*GIT, "-C", remote, "log", "--all", "--name-only", "--format="],
        check=True,
        capture_output=True,
        text=True,
    )
    assert shown.stdout.split() == ["ledger/dbops/backup-1/000000000007.note"]
    shutil.rmtree(clone)
    subprocess.run([*GIT, "clone", "--quiet", remote, clone], check=True)
    found = json.loads(at(estate, "audit", "verify", "--against", "hospital", "--json").stdout)
    assert (found["ok"], found["anchored_size"]) == (True, 7)


def test_anchor_in_git_whose_remote_is_away(estate: BuiltEstate, remote: Path) -> None:
    """Publishing says so; verification goes on without it."""
    _git_anchor(estate, remote)
    assert at(estate, "audit", "anchor").exit_code == 0
    remote.rename(remote.with_name("elsewhere"))
    result = at(estate, "audit", "anchor")
    assert (result.exit_code, result.stdout) == (11, "")
    result = at(estate, "audit", "verify")
    assert result.exit_code == 0
    assert "remark: anchor hospital could not be asked: " in result.stderr
