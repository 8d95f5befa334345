"""What `dbops change list` prints, and when it finds something."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli import changes
from tests.cli.changes import WORK, approve, found_changes, rehearse, request, write
from tests.cli.ops import Ops, copy_ops
from tests.cli.repairs import done

DRAFT = "2026-122-draft"


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Ops:
    """A change that its author asked for, and a draft with its blanks."""
    ops = found_changes(tmp_path_factory.mktemp("list") / "estate")
    write(ops)
    request(ops)
    words = ("--database", "example", "--title", "t", "--author", "wei@contractor")
    done(ops.run("change", "new", DRAFT, *words))
    return ops


def test_a_draft_is_no_finding(founded: Ops) -> None:
    """It is listed with the command that says what is missing; the commands are whole lines."""
    listed = done(founded.run("change", "list"))
    assert listed.stderr == ""
    assert listed.stdout.splitlines() == [
        "change             ticket    ring    database    state    since",
        "-----------------  --------  ------  ----------  -------  -------",
        f"{WORK}  T-121     all     example     pending",
        f"{DRAFT}                                   draft",
        "",
        "next:",
        f"  {WORK}: dbops change rehearse {WORK}",
        f"  {DRAFT}: dbops change check {DRAFT}",
    ]
    assert max(map(len, listed.stdout.splitlines())) <= 100
    told = json.loads(done(founded.run("change", "list", "--json")).stdout)
    assert (told["drafts"], told["faults"]) == ([DRAFT], [])


def test_a_draft_has_no_ticket_yet(founded: Ops) -> None:
    """Whose it is nobody knows."""
    assert DRAFT not in done(founded.run("change", "list", "--ticket", "T-121")).stdout


def test_what_somebody_signed_and_cannot_be_read_is_a_finding(founded: Ops, tmp_path: Path) -> None:
    """A signature lies beside a manifest that is spoilt."""
    ops = copy_ops(founded, tmp_path / "estate")
    manifest = changes.folder(ops) / "change.yml"
    manifest.write_text(manifest.read_text("utf-8") + "nonsense: 1\n", "utf-8")
    listed = ops.run("change", "list")
    assert listed.exit_code == 4
    assert listed.stderr == (
        f"error: {WORK}: changes/{WORK}/change.yml line 13: unknown key nonsense\n"
    )


def next_of(ops: Ops) -> list[str]:
    """What comes next of the change, in the list."""
    listed = json.loads(done(ops.run("change", "list", "--json")).stdout)["changes"]
    (found,) = (each for each in listed if each["id"] == WORK)
    return list(found["next"])


def test_what_is_not_rehearsed_is_rehearsed_next(founded: Ops, tmp_path: Path) -> None:
    """Whoever has approved already, and again once other files lie there; else the author asks."""
    ops = copy_ops(founded, tmp_path / "estate")
    author, waits = "author wei@contractor", "1 of it-department (chen, hospital, li-na)"
    onward = [f"dbops change rehearse {WORK}"]
    request(ops)
    approve(ops)
    assert next_of(ops) == onward
    done(rehearse(ops))
    assert next_of(ops) == [author, waits]
    request(ops)
    assert next_of(ops) == [waits]
    up = changes.folder(ops) / "up.sql"
    up.write_text(up.read_text("utf-8") + "-- more\n", "utf-8")
    assert next_of(ops) == [author, waits]
    request(ops)
    assert next_of(ops) == onward
    done(ops.review("reject", WORK, "--key", ops.key("li"), "--yes", "--reason", "no"))
    assert next_of(ops) == [waits]
