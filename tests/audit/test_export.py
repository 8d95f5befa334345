"""What is handed over is all of the ledger, and a third party comes to the same root."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from dbops.audit.export import export_ledger
from dbops.audit.tree import consistency_path, root_at
from dbops.errors import Failed, NotFound, Refused, Unreachable
from tests.audit import rfc9162
from tests.audit.ledgers import ORIGIN, MadeLedger, make_ledger, new_signer, write_trust
from tests.audit.tampering import change_line


@pytest.fixture
def made(tmp_path: Path) -> MadeLedger:
    """A ledger of 26 entries in two segments, one of which tells of a torn tail, signed twice."""
    made = make_ledger(tmp_path / "audit", new_signer(tmp_path / "key"))
    made.note()
    with made.files[-1].open("ab") as file:
        file.write(b'{"v":1,"seq":13,"pr')
    made.write(12)
    made.note()
    return made


def test_it_holds_all_that_is_needed(made: MadeLedger, tmp_path: Path) -> None:
    """Lines, checkpoints, the keys that count, and the name; the torn bytes stay behind."""
    write_trust(tmp_path / "trust", made.trust)
    done = export_ledger(made.segments, tmp_path / "out", trust=tmp_path / "trust")
    assert (done.origin, done.size) == (ORIGIN, 26)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "allowed_signers",
        "checkpoint",
        "checkpoints",
        "ledger.jsonl",
        "origin",
    ]
    lines = (tmp_path / "out" / "ledger.jsonl").read_bytes().splitlines()
    assert [json.loads(line)["seq"] for line in lines] == list(range(26))
    assert lines == [
        line for path in made.files for line in path.read_bytes().splitlines() if b"tool" in line
    ]
    assert (tmp_path / "out" / "origin").read_text() == ORIGIN + "\n"


def test_a_third_party_comes_to_the_same_root(made: MadeLedger, tmp_path: Path) -> None:
    """RFC 9162, written from its text: roots at both checkpoints, and each one's proofs."""
    done = export_ledger(made.segments, tmp_path / "out")
    lines = (tmp_path / "out" / "ledger.jsonl").read_bytes().splitlines()
    assert rfc9162.mth(lines) == done.root
    roots = {}
    for note in sorted((tmp_path / "out" / "checkpoints").iterdir()):
        origin, size, root = note.read_text("utf-8").split("\n")[:3]
        assert origin == ORIGIN
        roots[int(size)] = base64.b64decode(root)
    assert {size: rfc9162.mth(lines[:size]) for size in roots} == roots
    assert sorted(roots) == [13, 26]
    path = consistency_path(made.tiles, 13, 26)
    assert rfc9162.verify_consistency(13, 26, roots[13], roots[26], path)
    assert root_at(made.tiles, 26) == roots[26]


def test_a_damaged_ledger_is_not_handed_over(made: MadeLedger, tmp_path: Path) -> None:
    """And nothing is left of the try."""
    made.edit(change_line(5))
    with pytest.raises(Failed) as caught:
        export_ledger(made.segments, tmp_path / "out")
    assert caught.value.code == "ledger-damaged"
    assert list(tmp_path.glob("out*")) == []


def test_nothing_is_overwritten(made: MadeLedger, tmp_path: Path) -> None:
    """The directory must be new, and its place must be there."""
    (tmp_path / "out").mkdir()
    with pytest.raises(Refused) as caught:
        export_ledger(made.segments, tmp_path / "out")
    assert caught.value.code == "export-exists"
    with pytest.raises(Unreachable) as away:
        export_ledger(made.segments, tmp_path / "not" / "there")
    assert away.value.code == "export-unwritable"


def test_no_ledger_no_export(tmp_path: Path) -> None:
    """What is not there is said to be missing."""
    made = MadeLedger(tmp_path / "audit", new_signer(tmp_path / "key"))
    with pytest.raises(NotFound) as caught:
        export_ledger(made.segments, tmp_path / "out")
    assert caught.value.code == "ledger-missing"
