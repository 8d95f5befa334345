"""dbops/audit/FORMAT.md tells the truth: its commands work, its lists are the code's."""

from __future__ import annotations

import base64
import os
import re
import subprocess
from enum import StrEnum
from itertools import pairwise
from pathlib import Path

import pytest

import dbops
from dbops.audit.countersign import parse_countersignature
from dbops.audit.entry import Actor, Count, DigestOf, Effect, Event, Label, Phase, Result
from dbops.audit.findings import Verdict
from tests.audit.ledgers import MadeLedger, make_ledger, new_signer
from tests.fix_tools import require_tool

ROOM = Path(dbops.__file__).parent / "audit"
PAGE = (ROOM / "FORMAT.md").read_text("utf-8")


@pytest.fixture
def made(tmp_path: Path) -> MadeLedger:
    """A ledger of 13 entries."""
    return make_ledger(tmp_path / "audit", new_signer(tmp_path / "key"))


def script(number: int) -> str:
    """A block of shell commands of the page."""
    return str(re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)[number])


def run(number: int, directory: Path, **names: str) -> str:
    """Run it."""
    command = ["sh", "-eu", "-c", script(number)]
    environment = {**os.environ, **names}
    done = subprocess.run(
        command, cwd=directory, env=environment, check=True, capture_output=True, text=True
    )
    return done.stdout


def test_the_chain_can_be_followed_by_hand(made: MadeLedger, tmp_path: Path) -> None:
    """The first command gives what the next line names."""
    lines = made.files[0].read_text("utf-8").splitlines()
    for line, after in pairwise(lines[:4]):
        digest = run(0, tmp_path, line=line).split()[0]
        assert f'"prev":"{digest}"' in after


def test_a_checkpoint_can_be_checked_by_hand(made: MadeLedger, tmp_path: Path) -> None:
    """The second one verifies a checkpoint by openssl, and none that was changed."""
    require_tool("openssl", "openssl")
    text, _, line = made.note().partition("\n\n")
    signature = base64.b64decode(line.split(" ")[2])[4:]
    files = {"KEY": made.signer.public_key.blob[-32:], "SIGNATURE": signature}
    files["TEXT"] = text.encode() + b"\n"
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    names = {name: str(tmp_path / name) for name in files}
    assert "Signature Verified Successfully" in run(1, tmp_path, **names)
    (tmp_path / "TEXT").write_bytes(files["TEXT"].replace(b"13", b"14"))
    with pytest.raises(subprocess.CalledProcessError):
        run(1, tmp_path, **names)


@pytest.mark.parametrize("kind", [Event, Phase, Result, Effect, Label, Count, DigestOf])
def test_every_word_is_named(kind: type[StrEnum]) -> None:
    """No event, phase, result, name, count or digest is left out."""
    assert [word.value for word in kind if f"`{word.value}`" not in PAGE] == []


def test_every_key_of_a_line_is_named(made: MadeLedger) -> None:
    """The table has the keys in the order in which they are written."""
    table = PAGE.partition("## Lines")[2].partition("## Events")[0]
    keys = re.findall(r"^\| `([a-z]+)` \|", table, re.MULTILINE)
    for line in made.files[0].read_text("utf-8").splitlines():
        places = [keys.index(key) for key in _keys(line)]
        assert places == sorted(places)
    assert [name for name in Actor.__slots__ if f"`{name}`" not in table] == []


def _keys(line: str) -> list[str]:
    """The keys of the outermost object, in order."""
    flat = re.sub(r"\{[^{}]*\}", "0", line[1:-1])
    return re.findall(r'"([a-z]+)":', flat)


def test_every_verdict_and_code_is_named() -> None:
    """The table of verdicts has the codes of the source, each with its own verdict."""
    table = PAGE.partition("## Verdicts")[2]
    named = {
        (verdict, code)
        for verdict, codes in re.findall(r"^\| ([A-Z]+) \| (`.*?`) \|", table, re.MULTILINE)
        for code in re.findall(r"`([a-z-]+)`", codes)
    }
    source = "".join((ROOM / f"{name}.py").read_text() for name in ("verify", "known", "diagnosis"))
    written = set(re.findall(r'Verdict\.([A-Z]+),\s*"([a-z]+-[a-z-]+)"', source))
    assert written - named == set()
    assert {code for _, code in named} - set(re.findall(r'"([a-z]+(?:-[a-z]+)*)"', source)) == set()
    assert {verdict for verdict, _ in named} == {verdict.name for verdict in Verdict}


def test_the_countersignature_on_the_page_is_one() -> None:
    """It is in the form that is read."""
    text = re.findall(r"```text\n(dbops-countersign.*?)```", PAGE, re.DOTALL)[0]
    assert parse_countersignature(text.encode()).size == 1204
