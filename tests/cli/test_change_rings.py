"""One change on two databases, one after the other: the second may have to be rehearsed anew."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from dbops.change.step import Direction
from dbops.cli.change_run import run_reviewed_change
from dbops.cli.changing import read_change
from dbops.errors import Refused
from tests.cli import changes
from tests.cli.changes import WORK, request, write
from tests.cli.ops import Ops, copy_ops, found_ops
from tests.cli.repairs import done, said, wiring_of
from tests.support.estate import run_sql

RINGS = """\
rings:
  - {name: test, databases: [example]}
  - {name: prod, databases: [second]}
"""


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Ops:
    """An estate with two databases of one schema, both proven."""
    ops = found_ops(tmp_path_factory.mktemp("rings") / "estate")
    run_sql(ops.root / "example.db", changes.HOSPITAL)
    shutil.copy(ops.root / "example.db", ops.root / "second.db")
    config = ops.root / "dbops.toml"
    text = config.read_text("utf-8")
    table = text[text.index("[databases.example]") :].partition("\n\n")[0]
    config.write_text(f"{text}\n{table.replace('example', 'second')}\n", "utf-8")
    config.write_text(
        config.read_text("utf-8").replace('system = "second"', 'system = "example"'), "utf-8"
    )
    prove(ops)
    return ops


@pytest.fixture
def ops(founded: Ops, tmp_path: Path) -> Ops:
    """A copy of it."""
    return copy_ops(founded, tmp_path / "estate")


def prove(ops: Ops) -> None:
    done(ops.run("backup", "run", "--all"))
    done(ops.run("backup", "verify", "--all"))


def test_a_ring_is_rehearsed_anew_while_the_one_before_soaks(ops: Ops) -> None:
    """Production drifts lawfully; what is done on test stands, and can still be taken back."""
    write(ops, databases="example, second", more=changes.PERSONAL + "\n" + RINGS)
    request(ops)
    done(changes.rehearse(ops))
    request(ops)
    changes.approve(ops)
    early = changes.run(ops, WORK, "--ring", "prod")
    assert early.exit_code == 5
    assert f"{WORK} has not run on example of ring test, as it is now" in early.stderr
    done(changes.run(ops, WORK, "--ring", "test"))
    run_sql(ops.root / "second.db", "CREATE INDEX by_ward ON visit (ward);")
    drifted = changes.run(ops, WORK, "--ring", "prod")
    assert "index `by_ward` on `visit` is new" in drifted.stderr
    prove(ops)
    request(ops)
    again = json.loads(done(ops.run("change", "rehearse", WORK, "--json")).stdout)
    assert [each["database"] for each in again["databases"]] == ["second"]
    request(ops)
    changes.approve(ops)
    done(changes.run(ops, WORK, "--ring", "prod"))
    request(ops, takes_back=True)
    changes.approve(ops)
    assert "example is as it was" in done(changes.revert(ops, WORK, "--ring", "test")).stdout


def test_a_ring_stops_at_the_first_that_fails(ops: Ops) -> None:
    """What is done is said, and why the next one is not; a draft beside it disturbs nobody."""
    write(ops, databases="example, second")
    request(ops)
    done(changes.rehearse(ops))
    request(ops)
    changes.approve(ops)
    run_sql(ops.root / "second.db", "CREATE INDEX by_ward ON visit (ward);")
    partly = changes.run(ops)
    assert partly.exit_code == 3
    assert f"error: {WORK} is done on example, and not on second: second is not as" in partly.stderr
    draft = ("--database", "example", "--title", "t", "--author", "wei@contractor")
    done(ops.run("change", "new", "2026-130-draft", *draft))
    request(ops, takes_back=True)
    changes.approve(ops)
    done(changes.revert(ops, WORK, "--database", "example"))


def test_a_ring_waits_until_the_one_before_has_soaked(ops: Ops) -> None:
    """Counted from the end of its run; how long it is still to wait is said, and shown before."""
    soaking = RINGS.replace("[second]}", "[second], soak: 8h}")
    write(ops, databases="example, second", more=changes.PERSONAL + "\n" + soaking)
    shown = done(ops.run("change", "show", WORK, "--offline")).stdout
    assert "soak       ring prod waits 8h after the one before\n" in shown
    request(ops)
    done(changes.rehearse(ops))
    request(ops)
    changes.approve(ops)
    done(changes.run(ops, WORK, "--ring", "test"))
    assert said(changes.run(ops, WORK, "--ring", "prod")) == (
        5,
        f"error: ring test of {WORK} has not soaked for 8h\nhint: run it again in 8h\n",
    )
    wiring = wiring_of(ops)
    found = read_change(wiring, WORK)
    late = replace(wiring, clock=lambda: wiring.clock() + timedelta(hours=7, minutes=30))
    with pytest.raises(Refused) as caught:
        run_reviewed_change(late, found, "second", Direction.UP)
    assert (caught.value.code, caught.value.hint) == ("change-turn", "run it again in 30m")
    later = replace(wiring, clock=lambda: wiring.clock() + timedelta(hours=8))
    assert run_reviewed_change(later, found, "second", Direction.UP).database == "second"
