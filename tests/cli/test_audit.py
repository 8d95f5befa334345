"""`dbops audit log`, `show`, `verify`, `close` as people type them, on ledgers that are real."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from dbops.audit.entry import Draft, Event, Phase, Result
from dbops.cli.ledger import ledger_of
from dbops.errors import Finding
from tests.cli.ledgers import at, begin_ledger, segment_of, with_anchor
from tests.support.estate import BuiltEstate, copy_estate, found_test_estate
from tests.support.ledger import lines_of


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> BuiltEstate:
    """An estate whose ledger has an opening, backups of two databases, and a heartbeat."""
    estate = found_test_estate(tmp_path_factory.mktemp("audit") / "estate")
    begin_ledger(estate)
    return estate


@pytest.fixture
def estate(made: BuiltEstate, tmp_path: Path) -> BuiltEstate:
    """A copy of it, to be spoilt."""
    return copy_estate(made, tmp_path / "estate")


def test_log_shows_who_did_what_and_how_it_ended(estate: BuiltEstate) -> None:
    """One row an entry, newest last, times as the hospital's clocks show them."""
    result = at(estate, "audit", "log")
    assert (result.exit_code, result.stderr) == (0, "")
    rows = [line.split() for line in result.stdout.splitlines()[2:]]
    assert [(row[0], row[3], row[4], row[5]) for row in rows] == [
        ("0", "ledger.open", "record", "-"),
        ("1", "backup.run", "intent", "lab"),
        ("2", "backup.run", "done", "lab"),
        ("3", "backup.run", "intent", "pacs"),
        ("4", "backup.run", "finding", "pacs"),
        ("5", "ledger.heartbeat", "record", "-"),
    ]
    assert rows[4][7:] == ["answers", "3,", "rpo-missed"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("--event backup", [1, 2, 3, 4]),
        ("--event backup.run --database lab", [1, 2]),
        ("--event ledger.open --event ledger.heartbeat", [0, 5]),
        ("--result finding", [4]),
        ("--last 2", [4, 5]),
        ("--database lab --last 1", [2]),
        ("--since 2020-01-01 --until 2021-01-01", []),
        ("--since 2020-01-01", [0, 1, 2, 3, 4, 5]),
        ("--work 2026-031-lab", []),
        ("--actor nobody-of-that-name", []),
    ],
)
def test_log_narrows(made: BuiltEstate, words: str, expected: list[int]) -> None:
    """Each option leaves out what it says, in JSON as in the table."""
    result = at(made, "audit", "log", *words.split(), "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    assert [each["seq"] for each in json.loads(result.stdout)] == expected
    table = at(made, "audit", "log", *words.split())
    assert [int(line.split()[0]) for line in table.stdout.splitlines()[2:]] == expected
    assert table.stderr == ("" if expected else "no entries\n")


def test_log_in_json_is_the_ledger_itself(estate: BuiltEstate) -> None:
    """Each entry stands there as its line, byte for byte."""
    shown = at(estate, "audit", "log", "--json").stdout_bytes
    assert shown == b"[\n" + b",\n".join(lines_of(estate.root)) + b"\n]\n"


def test_log_finds_the_account_that_acted(estate: BuiltEstate) -> None:
    """`--actor` takes the account that the process ran under."""
    account = json.loads(lines_of(estate.root)[0])["actor"]["account"]
    result = at(estate, "audit", "log", "--actor", account, "--json")
    assert len(json.loads(result.stdout)) == 6


def test_log_tells_of_lines_that_are_no_entries(estate: BuiltEstate) -> None:
    """What somebody put in between is left out, and said to be."""
    path = segment_of(estate)
    path.write_bytes(path.read_bytes() + b'{"v":1,"seq":6,"at":"2026-03-01T02:00:00Z"}\n')
    result = at(estate, "audit", "log", "--since", "2020-01-01", "--json")
    assert result.exit_code == 0
    assert len(json.loads(result.stdout)) == 6


@pytest.mark.parametrize("words", [(), ("--json",)], ids=["table", "json"])
def test_log_says_what_it_left_out(estate: BuiltEstate, words: tuple[str, ...]) -> None:
    """A line with the head of an entry that is none is counted on standard error."""
    path = segment_of(estate)
    path.write_bytes(path.read_bytes().replace(b'"result":"finding",', b'"result":"finding",,'))
    result = at(estate, "audit", "log", *words)
    assert '"seq":4' not in result.stdout
    assert result.stderr == (
        "remark: 1 line left out: not in the form of an entry\n"
        "hint: dbops audit verify says what is wrong\n"
    )


def test_log_says_that_there_is_more(estate: BuiltEstate) -> None:
    """The table ends where it is long enough; JSON and --last go on."""
    ledger = ledger_of(estate.wiring)
    for _ in range(50):
        ledger.append(Draft(event=Event.LEDGER_HEARTBEAT))
    result = at(estate, "audit", "log")
    assert len(result.stdout.splitlines()) == 52
    assert result.stderr == "the newest 50; more with --last N\n"
    assert len(at(estate, "audit", "log", "--last", "56").stdout.splitlines()) == 58
    assert len(json.loads(at(estate, "audit", "log", "--json").stdout)) == 56


def test_show_has_the_leaf_hash_and_the_outcome(estate: BuiltEstate) -> None:
    """The hash is that of RFC 6962 over the line's bytes; the outcome names the intent."""
    line = lines_of(estate.root)[1]
    leaf = hashlib.sha256(b"\0" + line).hexdigest()
    result = at(estate, "audit", "show", "1")
    assert (result.exit_code, result.stderr) == (0, "")
    shown = dict(row.split(None, 1) for row in result.stdout.splitlines())
    assert (shown["event"], shown["leaf"]) == ("backup.run (intent)", leaf)
    assert shown["answered"] == "by  2 (backup.run: done)"
    found = json.loads(at(estate, "audit", "show", "1", "--json").stdout)
    assert found == {"entry": json.loads(line), "leaf": leaf, "answered_by": [2]}


def test_show_of_an_outcome_names_its_intent(estate: BuiltEstate) -> None:
    """And its result, its code and the counts."""
    shown = dict(row.split(None, 1) for row in at(estate, "audit", "show", "4").stdout.splitlines())
    assert (shown["answers"], shown["result"], shown["code"]) == ("3", "finding", "rpo-missed")


def test_verify_of_a_whole_ledger(estate: BuiltEstate) -> None:
    """One line; without an anchor a remark says what that means."""
    assert at(estate, "audit", "checkpoint").exit_code == 0
    result = at(estate, "audit", "verify")
    assert result.exit_code == 0
    assert result.stdout.startswith("the ledger is whole: 6 entries, ")
    assert result.stdout.endswith("…, none of them anchored\n")
    assert result.stderr == (
        "remark: no anchor is configured: whoever is root on this host can rewrite the ledger\n"
    )


def test_verify_names_the_line_that_was_edited(estate: BuiltEstate) -> None:
    """The verdict, the entry, what to do, and status 4; the same in JSON."""
    path = segment_of(estate)
    path.write_bytes(path.read_bytes().replace(b'"target":"lab"', b'"target":"lob"', 1))
    result = at(estate, "audit", "verify")
    assert (result.exit_code, result.stdout) == (4, "")
    assert result.stderr.splitlines()[2:] == [
        "error: EDITED: entry 1 was changed: entry 2 names another line before it",
        f"hint: keep {estate.root}/audit as it is; what was there stands in the last export or"
        " copy of it",
    ]
    found = json.loads(at(estate, "audit", "verify", "--json").stdout)
    assert (found["ok"], found["verdicts"], found["size"]) == (False, ["edited"], 6)
    assert [(each["code"], each["sequence"]) for each in found["findings"]] == [("line-edited", 1)]


def test_verify_finds_what_an_anchor_still_knows(estate: BuiltEstate) -> None:
    """Cut off at the end, local checkpoints and cache away: the anchor knows more entries."""
    with_anchor(estate)
    assert at(estate, "audit", "heartbeat").exit_code == 0
    shutil.rmtree(estate.root / "audit" / "tile")
    shutil.rmtree(estate.root / "audit" / "checkpoints")
    (estate.root / "audit" / "checkpoint").unlink()
    path = segment_of(estate)
    path.write_bytes(b"".join(line + b"\n" for line in lines_of(estate.root)[:4]))
    result = at(estate, "audit", "verify")
    assert result.exit_code == 4
    assert "error: ROLLBACK: anchor hospital knows 8 entries, and the ledger has only 4\n" in (
        result.stderr
    )


def test_verify_goes_on_where_an_anchor_is_away(estate: BuiltEstate) -> None:
    """A disk that is not mounted is a remark; the verdict comes from what can be asked."""
    with_anchor(estate)
    assert at(estate, "audit", "heartbeat").exit_code == 0
    (estate.root / "anchor").rename(estate.root / "away")
    result = at(estate, "audit", "verify")
    assert (result.exit_code, "remark: anchor hospital could not be asked: " in result.stderr) == (
        0,
        True,
    )


def test_verify_against_an_anchor_that_is_away(estate: BuiltEstate) -> None:
    """Who names the anchor wants its word: no answer, no verdict."""
    with_anchor(estate)
    shutil.rmtree(estate.root / "anchor")
    assert at(estate, "audit", "verify", "--against", "hospital").exit_code == 11


def test_verify_against_an_anchor_that_holds_nothing(estate: BuiltEstate) -> None:
    """It holds no checkpoint of this ledger, so there is nothing to compare."""
    with_anchor(estate)
    result = at(estate, "audit", "verify", "--against", "hospital")
    assert (result.exit_code, result.stderr) == (
        10,
        "error: anchor hospital holds no checkpoint of this ledger\n"
        "hint: dbops audit anchor hospital\n",
    )


def test_verify_against_a_note_from_elsewhere(estate: BuiltEstate, tmp_path: Path) -> None:
    """A ledger that was written anew is found out by a note that somebody kept."""
    note = tmp_path / "kept.note"
    note.write_text(at(estate, "audit", "checkpoint").stdout)
    assert at(estate, "audit", "verify", "--against", note).exit_code == 0
    shutil.rmtree(estate.root / "audit")
    estate.clock.skip(timedelta(hours=1))
    begin_ledger(estate)
    begin_ledger(estate)
    assert at(estate, "audit", "verify").exit_code == 0
    result = at(estate, "audit", "verify", "--against", note, "--json")
    assert result.exit_code == 4
    assert json.loads(result.stdout)["verdicts"] == ["fork"]


def test_verify_against_a_note_that_nobody_signed(estate: BuiltEstate, tmp_path: Path) -> None:
    """A number changed in a note is refused: it would accuse a ledger that is whole."""
    note = tmp_path / "false.note"
    text = at(estate, "audit", "checkpoint").stdout
    note.write_text(text.replace("\n6\n", "\n9\n"))
    result = at(estate, "audit", "verify", "--against", note)
    assert (result.exit_code, result.stdout) == (5, "")
    assert result.stderr.startswith("error: ")


def test_close_ends_a_dangling_intent(estate: BuiltEstate) -> None:
    """What died is reported until a person explains it; the reason stays in the ledger."""
    _die_in_the_middle(estate)
    before = at(estate, "audit", "verify", "--json")
    assert (before.exit_code, json.loads(before.stdout)["verdicts"]) == (4, ["dangling"])
    assert json.loads(before.stdout)["findings"][0]["hint"] == (
        "find out what it did, then: dbops audit close 6 --reason TEXT"
    )
    result = at(estate, "audit", "close", "6", "--reason", "the host lost power, ticket 311")
    assert (result.exit_code, result.stdout) == (
        0,
        "entry 6 is closed by entry 7: the host lost power, ticket 311\n",
    )
    assert at(estate, "audit", "verify").exit_code == 0
    shown = at(estate, "audit", "show", "6").stdout
    assert shown.splitlines()[-1].split(None, 2)[2] == (
        "7 (ledger.close: the host lost power, ticket 311)"
    )
    assert at(estate, "audit", "close", "6", "--reason", "once more").exit_code == 5


def test_close_takes_no_number_of_a_patient(estate: BuiltEstate) -> None:
    """The ledger keeps a reason for good, so it is looked at before."""
    _die_in_the_middle(estate)
    result = at(estate, "audit", "close", "6", "--reason", "sample 440106198001011234 was lost")
    assert (result.exit_code, result.stderr) == (
        2,
        "error: the reason holds a number of nine digits or more, which may belong to a patient\n"
        "hint: name the ticket instead; the ledger can never be changed\n",
    )
    assert len(lines_of(estate.root)) == 7


@pytest.mark.parametrize("sequence", ["0", "1", "5"])
def test_close_refuses_what_is_no_open_intent(estate: BuiltEstate, sequence: str) -> None:
    """A record and an intent with an outcome are left as they are."""
    result = at(estate, "audit", "close", sequence, "--reason", "a mistake")
    assert result.exit_code == 5
    assert len(lines_of(estate.root)) == 6


@pytest.mark.parametrize(
    "words",
    [
        "log",
        "show 0",
        "verify",
        "checkpoint",
        "anchor",
        "prove 0 --out proof",
        "close 0 --reason nothing",
        "export copy",
        "countersign --month 2026-01 --signer hospital --out statement",
    ],
)
def test_where_there_is_no_ledger(estate: BuiltEstate, words: str) -> None:
    """Nothing is begun by looking: 10, and the hint names the command that begins one."""
    with_anchor(estate)
    shutil.rmtree(estate.root / "audit")
    result = at(estate, "audit", *words.split())
    assert (result.exit_code, result.stdout) == (10, "")
    assert result.stderr == (
        "error: there is no ledger here\nhint: the first entry begins it: dbops audit heartbeat\n"
    )
    assert not (estate.root / "audit").exists()


def test_an_entry_that_is_not_there(estate: BuiltEstate) -> None:
    """10, for whoever wants to see it, prove it or close it."""
    for words in (["show", "99"], ["prove", "99", "--out", "p"], ["close", "99", "--reason", "x"]):
        result = at(estate, "audit", *words)
        assert (result.exit_code, result.stderr.splitlines()[0]) == (
            10,
            "error: the ledger has no entry 99",
        )


def test_the_result_of_a_night_stands_in_the_log(made: BuiltEstate) -> None:
    """The draft of an outcome is what `recording` makes of how the work ended."""
    line = json.loads(lines_of(made.root)[4])
    assert (line["phase"], line["of"], line["result"]) == (Phase.OUTCOME, 3, Result.FINDING)
    assert Finding("rpo-missed", "x", hint="y").code == line["code"]


def _die_in_the_middle(estate: BuiltEstate) -> None:
    """An intent by a process that is gone."""
    child = os.fork()
    if child == 0:
        draft = Draft(event=Event.RESTORE_RUN, phase=Phase.INTENT, target="lab")
        try:
            ledger_of(estate.wiring).append(draft)
        finally:
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert len(lines_of(estate.root)) == 7
    estate.clock.skip(timedelta(seconds=1))
