"""What a reviewer reads of a change: texts, ways back, locks, times, rows and sizes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any

import pytest

from dbops.change.diff import Verb
from dbops.change.evidence import (
    DownEvidence,
    HeldEvidence,
    RowCounts,
    StepEvidence,
    evidence_text,
    read_evidence,
)
from dbops.change.manifest import DataLoss
from dbops.change.ports import Lock
from dbops.change.rehearsed_files import findings_file
from dbops.change.schema import ObjectKind
from dbops.change.step import Direction
from dbops.change.touch import Touch
from dbops.cli.changing import read_change
from dbops.sql.written import Written
from tests.cli import changes
from tests.cli.changes import WORK, found_changes, rehearse, request, write
from tests.cli.ops import Ops
from tests.cli.repairs import done, wiring_of

OLD = "CREATE VIEW visit_now AS SELECT id, ward FROM visit"
NEW = "CREATE VIEW visit_now AS\n    SELECT id, ward FROM visit\n    WHERE note IS NOT NULL"
UP = f"DROP VIEW visit_now;\n{NEW};\nCREATE UNIQUE INDEX place_name ON place (name);\n"
DOWN = f"DROP INDEX place_name;\nDROP VIEW visit_now;\n{OLD};\n"
VERIFY = "SELECT count(*) = 2 FROM place;\n"
SIZE = "the change fails where two are alike; place has 2 rows, 4.1 kB"


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


def test_what_differs_is_said_in_words(ops: Ops) -> None:
    """A line for each object, below the backup on which it was rehearsed."""
    lines = shown(ops)
    start = lines.index("example, rehearsed on example@2 (proven)")
    assert lines[start + 1] == "index `place_name` on `place` is new"
    assert "view `visit_now`: definition differs" in lines[start:]


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


STEPS = (
    StepEvidence(Direction.UP, 1, "view", 1234, (Lock("ward", "Share", "writes"),), ("sample",)),
    StepEvidence(Direction.UP, 2, "index", 56, (Lock("ward", "Exclusive", "reads"),)),
    StepEvidence(Direction.DOWN, 1, "back", 7),
)
HELD = (HeldEvidence(Direction.UP, 1, 2, 1307), HeldEvidence(Direction.DOWN, 1, 1, 9))
ROWS = {
    "place": RowCounts(21, 22, 23),
    "sample": RowCounts(20_000, 20_000, 20_000),
    "ward": RowCounts(41, 41, 41),
    "visit": RowCounts(51, 51, 51),
    "gone": RowCounts(61, None, 61),
    "more": RowCounts(71, 72, 71),
    "less": RowCounts(81, 81, 80),
    "new": RowCounts(None, 91, None),
}
SIZES = {"place": 4096, "sample": 2_500_000, "ward": 81_920}


@contextmanager
def found(ops: Ops, **other: object) -> Iterator[None]:
    """Meanwhile the evidence says this, and else what the rehearsal found."""
    seen = read_evidence(read_change(wiring_of(ops), WORK).work, "example")
    assert seen is not None
    path = changes.folder(ops) / findings_file("example")
    before = path.read_bytes()
    path.write_bytes(evidence_text(replace(seen, **other)))  # type: ignore[arg-type] # as above
    try:
        yield
    finally:
        path.write_bytes(before)


def as_json(ops: Ops) -> Any:
    """What `show --json` says."""
    return json.loads(done(ops.run("change", "show", WORK, "--json")).stdout)


def test_each_step_has_its_time_locks_and_rewritten_tables(ops: Ops) -> None:
    """Both directions, with what others cannot do meanwhile."""
    with found(ops, steps=STEPS):
        lines = shown(ops)
    start = lines.index("step takes locks added blocks others' written anew")
    assert lines[start + 2 : start + 6] == [
        "up 1 view 1,234 ms ward (Share) writes sample",
        "up 2 index 56 ms ward (Exclusive) reads",
        "down 1 back 7 ms",
        "",
    ]


def test_how_long_locks_are_held_is_said_of_each_part(ops: Ops) -> None:
    """Verify.sql is in it, and that nothing bounds it stands above; old evidence does not know."""
    with found(ops, held=HELD):
        lines = shown(ops)
    start = lines.index(
        "how long locks are held, verify.sql and the comparison included;"
        " lock_wait does not bound it:"
    )
    assert lines[start + 1 : start + 4] == [
        "up, steps 1 to 2: about 1,307 ms",
        "down, step 1: about 9 ms",
        "",
    ]
    with found(ops, held=None, sizes={}, written=None):
        old = shown(ops)
    assert "how long locks are held was not measured by the dbops of then: rehearse again" in old
    with found(ops, held=()):
        assert not any(line.startswith("how long locks") for line in shown(ops))


def test_rows_and_sizes_are_those_of_the_tables_concerned(ops: Ops) -> None:
    """Of an index that differs, a lock, a table that is written anew, and where rows differ."""
    with found(ops, steps=STEPS, rows=ROWS, sizes=SIZES):
        lines = shown(ops)
    start = lines.index("table rows before after up after down size before")
    assert lines[start + 2 : start + 10] == [
        "gone 61 61",
        "less 81 81 80",
        "more 71 72 71",
        "new 91",
        "place 21 22 23 4.1 kB",
        "sample 20,000 20,000 20,000 2.5 MB",
        "ward 41 41 41 81.9 kB",
        "",
    ]


WRITTEN = {
    Direction.UP: {"place": Written(3, 20_000, 0), "visit": Written(0, 0, 1)},
    Direction.DOWN: {},
}


def test_the_rows_that_scripts_write_are_said(ops: Ops) -> None:
    """By table, with thousands apart; and where they write none, or nobody counted."""
    with found(ops, written=WRITTEN):
        lines = shown(ops)
    start = lines.index("up.sql writes rows of place: 3 inserted, 20,000 updated")
    assert lines[start - 1 : start + 4] == [
        "",
        "up.sql writes rows of place: 3 inserted, 20,000 updated",
        "up.sql writes rows of visit: 1 deleted",
        "down.sql inserts, updates and deletes no rows",
        "",
    ]
    with found(ops, written=None):
        assert (
            "how many rows the scripts write was not counted: by the dbops of then, or because the"
            " server did not count (track_counts)"
        ) in shown(ops)


def test_the_way_back_is_said_in_words(ops: Ops) -> None:
    """As before to the last property, but for a declared loss, or there is none."""
    assert shown(ops)[-1] == "down: the schema was exactly as before"
    with found(ops, down=None):
        assert shown(ops)[-1] == "down: there is none"
    with found(ops, down=DownEvidence(False, ("place.name", "place.code"), DataLoss.PERMANENT)):
        assert shown(ops)[-1] == (
            "down: the schema was as before, but for the declared loss (permanent);"
            " these columns came back last: place.name, place.code"
        )


def test_what_did_not_differ_is_remarked(ops: Ops) -> None:
    """A line of `touches` of which nothing came."""
    touch = Touch(Verb.CREATE, ObjectKind.TABLE, "bed")
    with found(ops, unseen=(touch,)):
        lines, document = shown(ops), as_json(ops)
    assert "remark: touches names it, and nothing differs: create table bed" in lines
    assert document["rehearsals"]["example"]["unseen"] == ["create table bed"]


def test_a_program_reads_the_same(ops: Ops) -> None:
    """With `--json`: scripts, findings with sizes, words, texts, steps, times, rows and sizes."""
    with found(ops, steps=STEPS, held=HELD, rows=ROWS, sizes=SIZES, written=WRITTEN):
        document = as_json(ops)
    assert document["scripts"] == {"up.sql": UP, "down.sql": DOWN, "verify.sql": VERIFY}
    assert document["lint"]["findings"][0]["sentence"].endswith(SIZE)
    rehearsal = document["rehearsals"]["example"]
    words = ["index `place_name` on `place` is new", "view `visit_now`: definition differs"]
    assert rehearsal["words"] == words
    assert f"  -{OLD}" in rehearsal["words_in_full"]
    assert set(words) < set(rehearsal["words_in_full"])
    assert rehearsal["milliseconds"] == 1234 + 56 + 7
    assert rehearsal["steps"] == [
        {
            "direction": step.direction,
            "number": step.number,
            "name": step.name,
            "milliseconds": step.milliseconds,
            "locks": [
                {"object": lock.object, "mode": lock.mode, "blocks": lock.blocks}
                for lock in step.locks
            ],
            "rewritten": list(step.rewritten),
        }
        for step in STEPS
    ]
    assert rehearsal["held"] == list(map(asdict, HELD))
    assert rehearsal["rows"] == {name: asdict(counts) for name, counts in ROWS.items()}
    assert rehearsal["sizes"] == SIZES
    assert rehearsal["written"] == {
        "up": {
            "place": {"inserted": 3, "updated": 20_000, "deleted": 0},
            "visit": {"inserted": 0, "updated": 0, "deleted": 1},
        },
        "down": {},
    }
    assert rehearsal["down"] == "the schema was exactly as before"
