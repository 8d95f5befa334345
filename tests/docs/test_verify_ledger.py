"""docs/verify_ledger.py comes to the verdicts of dbops without sharing a line of it."""

from __future__ import annotations

import argparse
import ast
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbops.audit.countersign import countersign, draw_up
from dbops.audit.entry import Draft, Event, Phase
from dbops.audit.export import export_ledger
from dbops.audit.prove import prove_entry
from tests.audit.ledgers import MadeLedger, make_ledger, new_signer, write_trust
from tests.audit.tampering import (
    append_bytes,
    append_line,
    change_line,
    change_number,
    change_prev,
    delete,
    insert,
    insert_garbage,
    insert_unlinked,
    make_garbage,
    rechain,
    repeat,
    repeat_elsewhere,
    swap,
)
from tests.docs.shell_blocks import DOCS
from tests.fix_tools import require_tool

SCRIPT = DOCS / "verify_ledger.py"
SIZE = 25
LAST = SIZE - 1
OLD_PYTHONS = ("python3.9", "python3.10")


@dataclass(frozen=True)
class Kept:
    """A ledger of two months, the trust root, and the note that somebody keeps elsewhere."""

    made: MadeLedger
    trust: Path
    note: Path


@pytest.fixture(scope="module", autouse=True)
def _tools() -> None:
    require_tool("openssl", "openssl")
    require_tool("ssh-keygen", "openssh-client")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """Signed when it had 24 entries and 25, and its first month countersigned."""
    place = tmp_path_factory.mktemp("kept")
    made = make_ledger(place / "audit", new_signer(place / "key"), months=2)
    note = place / "hospital.note"
    note.write_text(made.note(), "utf-8")
    write_trust(place / "trust", made.trust)
    drawn = draw_up(made.segments, "2026-11", "signer0@hospital", made.clock.now)
    countersign(made.directory, drawn, made.signer)
    return Kept(made, place / "trust", note)


@pytest.fixture
def made(kept: Kept, tmp_path: Path) -> MadeLedger:
    """A copy to be damaged."""
    return kept.made.copy(tmp_path / "audit")


@dataclass(frozen=True)
class Answer:
    """What the script said."""

    status: int
    findings: list[str]
    said: str


def run(
    kept: Kept,
    directory: Path,
    *more: str | Path,
    later: timedelta = timedelta(),
    python: str = sys.executable,
) -> Answer:
    """Run it over a directory, an hour after the last entry."""
    at = _text(kept.made.clock.now + timedelta(hours=1) + later)
    command = [python, SCRIPT, directory, "--at", at, "--heartbeat", "960", *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    found = [" ".join(line.split()[:3]).rstrip(":") for line in _findings(done.stdout)]
    assert done.returncode == (4 if found else 0)
    return Answer(done.returncode, found, done.stdout)


def _findings(said: str) -> Iterator[str]:
    return (line for line in said.splitlines() if line.split()[0].isupper())


def _text(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def keys(kept: Kept) -> tuple[str | Path, ...]:
    """The options that name the trust root and the note kept elsewhere."""
    return "--trust", kept.trust, "--against", kept.note


def test_it_is_one_script_of_the_standard_library() -> None:
    """Fewer than 450 lines, Python 3.9, nothing imported that Python does not bring."""
    source = SCRIPT.read_text("utf-8")
    tree = ast.parse(source, feature_version=(3, 9))
    imported = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else alias.name
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    }
    assert len(source.splitlines()) < 450
    assert imported <= sys.stdlib_module_names


def test_an_untouched_ledger_is_whole(kept: Kept) -> None:
    """Chain, checkpoints by openssl and the countersignature by ssh-keygen are good."""
    answer = run(kept, kept.made.directory, *keys(kept))
    assert answer.findings == []
    assert "25 entries of hospital/dbops/backup-1" in answer.said
    assert "3 checkpoints and 1 months count" in answer.said


def test_an_export_is_whole(kept: Kept, made: MadeLedger, tmp_path: Path) -> None:
    """So is a copy that was handed over, with the intent of the export as its last entry."""
    made.ledger.append(Draft(event=Event.LEDGER_EXPORT, phase=Phase.INTENT))
    export_ledger(made.segments, tmp_path / "out", trust=kept.trust)
    answer = run(kept, tmp_path / "out", "--trust", tmp_path / "out", "--against", kept.note)
    assert answer.findings == []
    assert "remark: entry 25 is the export itself" in answer.said


def test_older_pythons_run_it(kept: Kept) -> None:
    """The oldest Python that it names is enough, where there is one."""
    found = [name for name in OLD_PYTHONS if _runs(name)]
    for python in found or [sys.executable]:
        assert run(kept, kept.made.directory, *keys(kept), python=python).findings == []


def _runs(python: str) -> bool:
    path = shutil.which(python)
    if path is None:
        return False
    return not subprocess.run([path, "-V"], capture_output=True, check=False).returncode


@pytest.mark.parametrize(
    ("change", "segment", "expected"),
    [
        (change_line(5), 0, ["EDITED line-edited 5"]),
        (change_line(0), 0, ["EDITED line-edited 0"]),
        (change_prev, 0, ["EDITED line-edited 4", "EDITED line-edited 5"]),
        (change_number, 0, ["EDITED line-edited 5"]),
        (make_garbage, 0, ["EDITED line-edited 5"]),
        (delete, 0, ["GAP entries-missing 5"]),
        (swap, 0, ["EDITED lines-misplaced 5"]),
        (repeat, 0, ["EDITED lines-misplaced 5"]),
        (repeat_elsewhere, 0, ["EDITED lines-misplaced 2"]),
        (insert, 0, ["EDITED lines-misplaced 5"]),
        (insert_unlinked, 0, ["EDITED lines-misplaced 5"]),
        (insert_garbage, 0, ["EDITED line-foreign 5"]),
        (append_line, 1, ["EDITED bytes-appended 25"]),
        (append_bytes, 1, ["EDITED bytes-appended 25"]),
        (change_line(-1), 1, ["FORK rewritten 13"]),
    ],
)
def test_changed_lines(
    kept: Kept,
    made: MadeLedger,
    change: Callable[[list[bytes]], None],
    segment: int,
    expected: list[str],
) -> None:
    """Each change is found by the chain, the last line's by a checkpoint."""
    made.edit(change, segment)
    found = run(kept, made.directory, *keys(kept)).findings
    assert [line for line in found if line in expected] == expected
    assert {line.split()[0] for line in found} == {line.split()[0] for line in expected}


def test_a_broken_chain_is_no_fork(kept: Kept, made: MadeLedger) -> None:
    """A countersignature that covers the last of the month adds no second verdict."""
    made.edit(change_line(-1))
    assert run(kept, made.directory, *keys(kept)).findings == ["EDITED line-edited 12"]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """The script, loaded: a process for each of many tries would take minutes."""
    spec = importlib.util.spec_from_file_location("verify_ledger", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@settings(deadline=None, max_examples=50)  # it asks openssl
@given(data=st.data())
def test_whatever_is_changed_is_found(
    kept: Kept, script: ModuleType, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Any other bytes in the place of any bytes: a finding, and never a traceback."""
    made = kept.made.copy(tmp_path_factory.mktemp("copy") / "audit")
    shutil.rmtree(made.directory / "checkpoints")
    (made.directory / "checkpoint").unlink()
    path = data.draw(st.sampled_from(made.files))
    whole = path.read_bytes()
    begin = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(begin, min(len(whole), begin + 1000)))
    pieces = [b"", b"\n", b"9", b"{", b"\xff", whole[: end - begin], whole[end : 2 * end]]
    changed = whole[:begin] + data.draw(st.sampled_from(pieces)) + whole[end:]
    path.write_bytes(changed)
    options = argparse.Namespace(
        ledger=made.directory,
        trust=kept.trust,
        against=[kept.note],
        heartbeat=timedelta(days=40),
        anchor_within=None,
        at=made.clock.now + timedelta(hours=1),
    )
    assert (not script.verify(options)) is (changed == whole)
    shutil.rmtree(made.directory.parent)


def test_files_that_are_no_checkpoints(kept: Kept, made: MadeLedger, tmp_path: Path) -> None:
    """Rubbish in the place of a checkpoint does not count, and one that is not there is said."""
    good = (made.directory / "checkpoint").read_text("utf-8")
    for text in ("", "x", good[:-3] + "\n", good.replace("\n25\n", f"\n{'9' * 5000}\n")):
        (made.directory / "checkpoint").write_text(text, "utf-8")
        found = run(kept, made.directory, *keys(kept)).findings
        assert found == ["STALE checkpoint-untrusted 0"]
    command: list[str | Path] = [sys.executable, SCRIPT, made.directory, "--trust", kept.trust]
    command += ["--against", tmp_path / "none"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.endswith(f"No such file or directory: '{tmp_path}/none'\n")


def test_files_and_ends(kept: Kept, made: MadeLedger) -> None:
    """A renamed segment, a cut tail, a torn line and a rewritten chain have their verdicts."""
    first, last = made.files
    whole = last.read_bytes()
    renamed = last.rename(last.with_name("000000000014.jsonl"))
    assert run(kept, made.directory, *keys(kept)).findings == ["EDITED segment-renamed 13"]
    renamed.rename(last)
    last.write_bytes(b"".join(whole.splitlines(keepends=True)[:-2]))
    assert run(kept, made.directory).findings == []
    assert set(run(kept, made.directory, *keys(kept)).findings) == {"ROLLBACK truncated 23"}
    last.write_bytes(whole + b'{"v":1,"seq":25,"prev')
    assert run(kept, made.directory, *keys(kept)).findings == ["TORN tail-torn 25"]
    last.write_bytes(whole)
    made.edit(change_line(3), segment=1)
    made.edit(lambda lines: rechain(lines, 4), segment=1)
    assert run(kept, made.directory).findings == []
    assert run(kept, made.directory, *keys(kept)).findings == ["FORK rewritten 13"]
    last.write_bytes(whole)
    first.unlink()
    assert "GAP entries-missing 0" in run(kept, made.directory, *keys(kept)).findings


def test_times(kept: Kept, made: MadeLedger) -> None:
    """Silence, an old anchor and an open end have their verdicts."""
    made.ledger.append(Draft(event=Event.RESTORE_RUN, phase=Phase.INTENT, target="lab"))
    more = (*keys(kept), "--anchor-within", "24")
    assert run(kept, made.directory, *more).findings == ["DANGLING intent-open 25"]
    late = run(kept, made.directory, *more, later=timedelta(days=50)).findings
    assert set(late) == {"DANGLING intent-open 25", "STALE anchor-old 25", "GAP silence 25"}


def test_signatures_are_checked(kept: Kept, made: MadeLedger, tmp_path: Path) -> None:
    """A checkpoint or a countersignature that was changed does not count, nor a revoked key."""
    path = made.directory / "checkpoint"
    path.write_text(path.read_text("utf-8").replace("\n25\n", "\n24\n"), "utf-8")
    assert run(kept, made.directory, *keys(kept)).findings == ["STALE checkpoint-untrusted 0"]
    (signed,) = (made.directory / "countersigned").iterdir()
    signed.write_bytes(signed.read_bytes().replace(b"first: 0", b"first: 1"))
    assert "EDITED countersignature 0" in run(kept, made.directory, *keys(kept)).findings
    trust = tmp_path / "trust"
    shutil.copytree(kept.trust, trust)
    (trust / "revoked").write_text(made.signer.public_key.line + " lost\n", "utf-8")
    found = run(kept, kept.made.directory, "--trust", trust, "--against", kept.note).findings
    assert found.count("STALE checkpoint-untrusted 0") == 3
    assert "EDITED countersignature 0" in found


def test_proofs(kept: Kept, tmp_path: Path) -> None:
    """A proof of any entry is good by itself, and not once a byte of it is another."""
    note = kept.note.read_text("utf-8")
    path = tmp_path / "entry.tlog-proof"
    for sequence in (0, 7, LAST):
        text = prove_entry(kept.made.segments, kept.made.tiles, note, sequence)
        path.write_text(text, "utf-8")
        command: list[str | Path] = [sys.executable, SCRIPT, "--proof", path, "--trust", kept.trust]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(f"entry {sequence} stands in hospital/dbops/backup-1: {{")
        path.write_text(text.replace(f"index {sequence}", f"index {sequence + 1}"), "utf-8")
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout[:14]) == (4, "EDITED proof 0")
