"""What a reviewer reads of a change: texts, ways back, locks, times, rows and sizes."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from dbops.change.evidence import RowCounts, StepEvidence, evidence_text, read_evidence
from dbops.change.ports import Lock
from dbops.change.rehearsed_files import findings_file
from dbops.change.step import Direction
from dbops.cli.changing import read_change
from tests.cli import changes
from tests.cli.changes import WORK, found_changes, rehearse, request, write
from tests.cli.ops import Ops
from tests.cli.repairs import done, wiring_of

OLD = "CREATE VIEW visit_now AS SELECT id, ward FROM visit"
NEW = "CREATE VIEW visit_now AS\n    SELECT id, ward FROM visit\n    WHERE note IS NOT NULL"
UP = f"DROP VIEW visit_now;\n{NEW};\nCREATE UNIQUE INDEX place_name ON place (name);\n"
DOWN = f"DROP INDEX place_name;\nDROP VIEW visit_now;\n{OLD};\n"
VERIFY = "SELECT count(*) = 2 FROM place;\n"
SIZE = "the change fails where two are alike; place has 2 rows, 4 kB"


@pytest.fixture(scope="module")
def ops(tmp_path_factory: pytest.TempPathFactory) -> Ops:
    """An estate with a change of a view and an index that is rehearsed; nobody changes it."""
    ops = found_changes(tmp_path_factory.mktemp("show") / "estate")
    touches = ("alter view visit_now (definition)", "create index place_name")
    write(ops, up=UP, down=DOWN, verify=VERIFY, touches=touches, more="")
    request(ops)
    done(rehearse(ops))
    return ops


def shown(ops: Ops, *more: str) -> list[str]:
    """The lines of `show`, with one blank between two words."""
    text = done(ops.run("change", "show", WORK, *more)).stdout
    return [" ".join(line.split()) for line in text.splitlines()]


def test_every_script_is_shown(ops: Ops) -> None:
    """Line by line, the way back and the questions too."""
    lines = shown(ops)
    for name, text in (("up.sql:", UP), ("down.sql:", DOWN), ("verify.sql:", VERIFY)):
        script = [" ".join(each.split()) for each in text.splitlines()]
        numbered = [f"{number} {line}" for number, line in enumerate(script, 1)]
        start = lines.index(name)
        assert lines[start : start + len(script) + 1] == [name, *numbered]


def test_what_differs_in_a_text_is_shown(ops: Ops) -> None:
    """Both texts of the view's definition, line by line."""
    lines = shown(ops)
    start = lines.index("--- view visit_now, definition before")
    assert lines[start + 1] == "+++ view visit_now, definition after"
    assert lines[start + 3 : start + 7] == [
        f"-{OLD}",
        "+CREATE VIEW visit_now AS",
        "+ SELECT id, ward FROM visit",
        "+ WHERE note IS NOT NULL",
    ]


def test_a_finding_says_how_large_the_table_is(ops: Ops) -> None:
    """As the database answers; offline it is not asked."""
    (found,) = (line for line in shown(ops) if "error DDL-UNIQ" in line)
    assert found.endswith(SIZE)
    assert not any(line.endswith(SIZE) for line in shown(ops, "--offline"))


def test_locks_times_and_rows_are_those_of_the_rehearsal(ops: Ops) -> None:
    """What others cannot do meanwhile, what is written anew, and each table whose rows differ."""
    found = read_change(wiring_of(ops), WORK)
    seen = read_evidence(found.work, "example")
    assert seen is not None
    told = replace(
        seen,
        steps=(
            StepEvidence(
                Direction.UP, 1, "view", 1234, (Lock("visit", "Exclusive", "writes"),), ("visit",)
            ),
            StepEvidence(Direction.DOWN, 1, "back", 56, (Lock("place", "Share", "reads"),)),
        ),
        rows={"place": RowCounts(2, 4, 3), "visit": RowCounts(3, 3, 3)},
    )
    path = changes.folder(ops) / findings_file("example")
    before = path.read_bytes()
    path.write_bytes(evidence_text(told))
    try:
        lines = shown(ops)
        as_json = json.loads(done(ops.run("change", "show", WORK, "--json")).stdout)
    finally:
        path.write_bytes(before)
    assert lines.count("up 1 view 1234 ms visit (Exclusive) writes visit") == 1
    assert lines.count("down 1 back 56 ms place (Share) reads") == 1
    assert lines.count("place 2 4 3") == 1
    rehearsal = as_json["rehearsals"]["example"]
    assert rehearsal["milliseconds"] == 1290
    assert rehearsal["steps"][0]["rewritten"] == ["visit"]
