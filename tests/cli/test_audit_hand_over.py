"""`dbops audit prove`, `check-proof`, `countersign`, `export`: what others get to check."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from dbops.audit.entry import DigestOf, Label
from dbops.cli.root import main
from tests.cli.ledgers import at, begin_ledger
from tests.fix_tools import require_tool
from tests.support.estate import BuiltEstate, found_test_estate, open_test_estate
from tests.support.ledger import entries_of, lines_of

BACK = timedelta(days=40)
MONTH = (datetime.now(UTC) - BACK).strftime("%Y-%m")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> BuiltEstate:
    """An estate with a ledger of six entries, all of a month that is over."""
    estate = found_test_estate(tmp_path_factory.mktemp("hand") / "estate")
    estate.clock.skip(-BACK)
    begin_ledger(estate)
    estate.clock.skip(BACK)
    return estate


@pytest.fixture
def estate(made: BuiltEstate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BuiltEstate:
    """A copy of it, to be spoilt; the working directory is an empty one beside it."""
    shutil.copytree(made.root, tmp_path / "estate", symlinks=True)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return open_test_estate(tmp_path / "estate")


def test_a_proof_needs_the_trust_root_only(estate: BuiltEstate, tmp_path: Path) -> None:
    """It is checked where there is no estate, and shows the entry as it was written."""
    assert at(estate, "audit", "checkpoint").exit_code == 0
    result = at(estate, "audit", "prove", "2", "--out", "entry.proof")
    assert (result.exit_code, result.stdout) == (
        0,
        "entry.proof proves entry 2; to check it: dbops audit check-proof entry.proof\n",
    )
    shutil.copytree(estate.root / "trust", tmp_path / "trust")
    line = lines_of(estate.root)[2]
    shutil.rmtree(estate.root)
    words = ["audit", "check-proof", "entry.proof", "--trust", str(tmp_path / "trust")]
    result = CliRunner().invoke(main, words)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines()[0] == (
        "entry 2 stands in dbops/backup-1, as its checkpoint over 6 entries says"
    )
    found = json.loads(CliRunner().invoke(main, [*words, "--json"]).stdout)
    assert found["entry"] == json.loads(line)
    assert (found["checkpoint"]["origin"], found["checkpoint"]["size"]) == ("dbops/backup-1", 6)


def test_a_proof_without_a_trust_root_asks_for_one(
    estate: BuiltEstate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An auditor has no estate, and is not told to make one."""
    assert at(estate, "audit", "prove", "2", "--out", "entry.proof").exit_code == 0
    monkeypatch.delenv("DBOPS_ESTATE", raising=False)
    result = CliRunner().invoke(main, ["audit", "check-proof", "entry.proof"])
    assert (result.exit_code, result.stderr) == (
        10,
        "error: there is no estate here to say whose checkpoints count\n"
        "hint: name the hospital's trust root: --trust DIR\n",
    )


def test_a_spoilt_checkpoint_does_not_run_in_a_circle(estate: BuiltEstate) -> None:
    """Commands send to verify, verify names the file and what to do; then they work again."""
    assert at(estate, "audit", "checkpoint").exit_code == 0
    spoilt = estate.root / "audit" / "checkpoint"
    spoilt.write_text("spoilt\n", "utf-8")
    for words in (("heartbeat",), ("prove", "2", "--out", "entry.proof")):
        result = at(estate, "audit", *words)
        assert (result.exit_code, result.stderr) == (
            1,
            "error: the ledger is damaged: its checkpoint is not one\n"
            "hint: see all that is wrong with it: dbops audit verify\n",
        )
    result = at(estate, "audit", "verify")
    assert "error: STALE: the checkpoint kept here (checkpoint) does not count: " in result.stderr
    assert f"hint: compare it with the others of {estate.root}/audit/checkpoints" in result.stderr
    shutil.copyfile(max((estate.root / "audit" / "checkpoints").iterdir()), spoilt)
    assert at(estate, "audit", "heartbeat").exit_code == 0


def test_a_proof_signs_a_checkpoint_where_the_last_is_too_old(estate: BuiltEstate) -> None:
    """The newest entry can be proven at once."""
    assert at(estate, "audit", "checkpoint").exit_code == 0
    begin_ledger(estate)
    assert at(estate, "audit", "prove", "10", "--out", "p").exit_code == 0
    assert at(estate, "audit", "check-proof", "p").exit_code == 0


def test_a_proof_that_was_changed_is_refused(estate: BuiltEstate) -> None:
    """Whatever line of it is another one, it proves nothing: status 5."""
    assert at(estate, "audit", "checkpoint").exit_code == 0
    assert at(estate, "audit", "prove", "2", "--out", "entry.proof").exit_code == 0
    lines = Path("entry.proof").read_text("utf-8").splitlines()
    other = at(estate, "audit", "prove", "3", "--out", "other.proof")
    assert other.exit_code == 0
    foreign = Path("other.proof").read_text("utf-8").splitlines()
    changed = [n for n, (one, two) in enumerate(zip(lines, foreign, strict=True)) if one != two]
    assert len(changed) > 2
    for number in changed:
        mixed = [*lines[:number], foreign[number], *lines[number + 1 :]]
        Path("mixed.proof").write_text("\n".join(mixed) + "\n", "utf-8")
        result = at(estate, "audit", "check-proof", "mixed.proof")
        assert (result.exit_code, result.stdout) == (5, ""), number


def test_a_proof_never_replaces_a_file(estate: BuiltEstate) -> None:
    """5, and the file is what it was."""
    Path("notes.txt").write_text("mine")
    result = at(estate, "audit", "prove", "2", "--out", "notes.txt")
    assert (result.exit_code, result.stderr) == (
        5,
        "error: notes.txt exists already; nothing was changed\nhint: name another file\n",
    )
    assert Path("notes.txt").read_text() == "mine"


def test_what_is_no_proof(estate: BuiltEstate) -> None:
    """Any other file is refused as what it is."""
    Path("p").write_bytes(b"\xff\xfe\n\n")
    result = at(estate, "audit", "check-proof", "p")
    assert (result.exit_code, result.stderr) == (
        5,
        "error: the file is no proof of an entry\n"
        "hint: have the proof made again: dbops audit prove SEQ\n",
    )


def test_export_holds_the_lines_and_what_checks_them(estate: BuiltEstate) -> None:
    """The lines byte for byte, the checkpoint, the keys; the ledger says that it was handed out."""
    result = at(estate, "audit", "export", "copy")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("copy holds 7 entries, root ")
    names = {path.name for path in Path("copy").iterdir()}
    assert {"ledger.jsonl", "origin", "allowed_signers", "checkpoint"} <= names
    assert Path("copy/ledger.jsonl").read_bytes().splitlines() == lines_of(estate.root)[:7]
    intent, outcome = entries_of(estate.root)[6:]
    assert (intent.draft.event, intent.draft.names) == (
        "ledger.export",
        {"path": str(Path("copy").absolute())},
    )
    assert (outcome.draft.of, outcome.draft.counts) == (6, {"size": 7})


def test_export_never_replaces_a_directory(estate: BuiltEstate) -> None:
    """5, and the outcome in the ledger says so."""
    Path("copy").mkdir()
    assert at(estate, "audit", "export", "copy").exit_code == 5
    assert entries_of(estate.root)[7].draft.code == "export-exists"
    assert list(Path("copy").iterdir()) == []


def test_countersign_with_a_key_at_hand(estate: BuiltEstate) -> None:
    """The text names the month's entries; the ledger names who signed it, by which key."""
    key = estate.root / "hospital" / "signing"
    result = at(estate, "audit", "countersign", "--month", MONTH, "--key", key)
    kept = estate.root / "audit" / "countersigned" / f"{MONTH}.hospital.txt"
    assert (result.exit_code, result.stdout, result.stderr) == (
        0,
        f"hospital confirms entries 0 to 5 of {MONTH}: {kept}\n",
        "",
    )
    draft = entries_of(estate.root)[6].draft
    body = kept.read_bytes().partition(b"-----BEGIN")[0]
    assert draft.digests[DigestOf.STATEMENT] == hashlib.sha256(body).hexdigest()
    assert (draft.names[Label.MONTH], draft.names[Label.PRINCIPAL]) == (MONTH, "hospital")
    again = at(estate, "audit", "countersign", "--month", MONTH, "--key", key)
    assert (again.exit_code, again.stderr.splitlines()[0]) == (
        5,
        f"error: hospital has countersigned {MONTH} already",
    )


def test_countersign_by_a_key_that_stays_away(estate: BuiltEstate) -> None:
    """The text goes out, ssh-keygen signs it, both come back."""
    require_tool("ssh-keygen", "openssh-client")
    words = ("audit", "countersign", "--month", MONTH)
    result = at(estate, *words, "--signer", "hospital", "--out", "month.txt")
    assert result.exit_code == 0
    assert "  ssh-keygen -Y sign -n dbops-countersign@v1 -f KEY month.txt\n" in result.stdout
    _sign(estate, "hospital", "month.txt")
    back = (*words, "--statement", "month.txt", "--signature", "month.txt.sig")
    result = at(estate, *back)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith(f"hospital confirms entries 0 to 5 of {MONTH}: ")
    assert entries_of(estate.root)[7].draft.result == "done"


def test_countersign_of_another_text_is_refused(estate: BuiltEstate) -> None:
    """A good signature over numbers that are not this ledger's confirms nothing."""
    require_tool("ssh-keygen", "openssh-client")
    words = ("audit", "countersign", "--month", MONTH)
    assert at(estate, *words, "--signer", "hospital", "--out", "month.txt").exit_code == 0
    text = Path("month.txt").read_text("utf-8")
    Path("month.txt").write_text(text.replace("first: 0", "first: 1"), "utf-8")
    _sign(estate, "hospital", "month.txt")
    result = at(estate, *words, "--statement", "month.txt", "--signature", "month.txt.sig")
    assert (result.exit_code, result.stdout) == (5, "")
    assert result.stderr.splitlines()[0] == (
        f"error: month.txt is not what this ledger says of {MONTH} for hospital"
    )
    assert not (estate.root / "audit" / "countersigned").exists()


def test_countersign_by_the_wrong_party_is_refused(estate: BuiltEstate) -> None:
    """The host's own key confirms nothing: its line does not say so."""
    key = estate.root / "keys" / "ledger"
    result = at(estate, "audit", "countersign", "--month", MONTH, "--key", key)
    assert result.exit_code == 5
    assert "may not sign for dbops-countersign@v1" in result.stderr
    result = at(estate, "audit", "countersign", "--month", MONTH, "--signer", "li.na", "--out", "x")
    assert (result.exit_code, result.stderr) == (
        10,
        'error: the trust root lets nobody called "li.na" countersign\nhint: it lets: hospital\n',
    )


def test_countersign_of_a_month_that_is_not_over(estate: BuiltEstate) -> None:
    """Nobody confirms what may still grow."""
    month = datetime.now(UTC).strftime("%Y-%m")
    key = estate.root / "hospital" / "signing"
    result = at(estate, "audit", "countersign", "--month", month, "--key", key)
    assert (result.exit_code, result.stderr.splitlines()[0]) == (
        2,
        f"error: {month} is not a month that is over (by UTC)",
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "say one of --key, --out, or --statement with --signature"),
        ("--key k --out o", "say one of --key, --out, or --statement with --signature"),
        ("--out o", "--out needs --signer: the text names who signs it"),
        ("--statement s", "--statement and --signature belong together"),
    ],
)
def test_countersign_needs_one_way(estate: BuiltEstate, words: str, message: str) -> None:
    """Of its three ways exactly one is meant."""
    result = at(estate, "audit", "countersign", "--month", MONTH, *words.split())
    assert (result.exit_code, result.stderr) == (
        2,
        f"error: {message}\nhint: dbops audit countersign --help\n",
    )


def test_verify_holds_the_ledger_to_what_was_countersigned(estate: BuiltEstate) -> None:
    """A ledger begun anew, without any checkpoint, is still not the one that was confirmed."""
    key = estate.root / "hospital" / "signing"
    assert at(estate, "audit", "countersign", "--month", MONTH, "--key", key).exit_code == 0
    audit = estate.root / "audit"
    for name in ("seg", "tile", "checkpoints"):
        shutil.rmtree(audit / name)
    (audit / "checkpoint").unlink()
    begin_ledger(estate)
    result = at(estate, "audit", "verify", "--json")
    found = json.loads(result.stdout)["findings"]
    assert (result.exit_code, [each["code"] for each in found]) == (4, ["countersigned-differs"])
    assert found[0]["message"] == (
        f"hospital confirmed {MONTH} with 6 entries, and they were others than these"
    )


def test_verify_says_that_a_countersignature_was_edited(estate: BuiltEstate) -> None:
    """A changed text under the old signature is a finding of its own."""
    key = estate.root / "hospital" / "signing"
    assert at(estate, "audit", "countersign", "--month", MONTH, "--key", key).exit_code == 0
    (kept,) = (estate.root / "audit" / "countersigned").iterdir()
    kept.write_bytes(kept.read_bytes().replace(b"first: 0", b"first: 1"))
    found = json.loads(at(estate, "audit", "verify", "--json").stdout)["findings"]
    assert "signature-wrong" in [each["code"] for each in found]


def _sign(estate: BuiltEstate, who: str, path: str) -> None:
    subprocess.run(
        [
            *("ssh-keygen", "-q", "-Y", "sign", "-n", "dbops-countersign@v1"),
            *("-f", estate.root / who / "signing", path),
        ],
        check=True,
        capture_output=True,
    )
