"""What `dbops change run` and `revert` say above their question, to who sits at a terminal."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dbops.change.step import Direction
from dbops.cli.change_asked import before_asking
from dbops.cli.changing import read_change
from dbops.cli.root import main
from tests.cli import changes
from tests.cli.changes import WORK, found_changes, request, run
from tests.cli.ops import Ops, copy_ops
from tests.cli.repairs import done, said, wiring_of

UP = """\
-- step: who referred the patient
ALTER TABLE visit ADD COLUMN referred_by TEXT;
-- part: nobody reads these
DELETE FROM visit WHERE ward = 'ICU';
CREATE INDEX visit_referred_by ON visit (referred_by);
"""
VERIFY = "SELECT count(*) = 2 FROM visit;\n"
MORE = f"""\
data_loss: recoverable
{changes.PERSONAL}
accepted:
  - {{rule: DDL-DML, why: "one row"}}
"""
TABLES = [f"t{number:02}" for number in range(12)]
MANY = "".join(f"CREATE TABLE {name}(id INTEGER PRIMARY KEY);\n" for name in TABLES)
BACK = "".join(f"DROP TABLE {name};\n" for name in TABLES)
OTHER = "2026-122-tables"
_TIME = re.compile(r"about [0-9,]+ ms")


class Terminal(io.BytesIO):
    """Where somebody sits and answers."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Ops:
    """A change of two parts that loses a row, and one of twelve tables, both approved."""
    ops = found_changes(tmp_path_factory.mktemp("asked") / "estate")
    changes.agreed(ops, up=UP, verify=VERIFY, more=MORE, data_loss="")
    touches = tuple(f"create table {name}" for name in TABLES)
    parts = {"up": MANY, "down": BACK, "verify": "SELECT true;\n", "touches": touches}
    changes.agreed(ops, OTHER, **parts, more="")
    return ops


def ask(ops: Ops, *words: str) -> Result:
    """What it says to a person who answers no."""
    arguments = ["--estate", str(ops.root / "dbops.toml"), "change", *words]
    return CliRunner().invoke(main, arguments, input=Terminal(b"n\n"))


def test_who_is_asked_reads_what_a_run_does(founded: Ops) -> None:
    """Title, ticket, database, script, differences, the declared loss and the locks."""
    asked = ask(founded, "run", WORK)
    assert (asked.exit_code, asked.stdout) == (5, "")
    assert (
        _TIME.sub("about N ms", asked.stderr)
        == f"""\
{WORK}: 就诊记录增加转诊医师
  ticket   T-121
  on       example (ring all)
  does     up.sql: 3 steps in 2 transactions
  differs  column `referred_by` of `visit` is new: TEXT
           index `visit_referred_by` on `visit` is new
  lost     data, as declared: recoverable
           1 row of visit in the rehearsal
  locks    held 2 times, the longest for about N ms in the rehearsal
run {WORK} on example? [y/N]: n
error: nothing was changed
hint: run it again when you are sure
"""
    )


def test_ten_lines_say_what_differs(founded: Ops) -> None:
    """Of twelve new tables ten are named, and the others counted."""
    asked = ask(founded, "run", OTHER)
    assert asked.stderr.splitlines()[4:15] == [
        "  differs  table `t00` is new",
        *(f"           table `t{number:02}` is new" for number in range(1, 10)),
        "           … and 2 more",
    ]


def test_of_what_was_not_rehearsed_touches_are_told(founded: Ops, tmp_path: Path) -> None:
    """Where the policy asks for no rehearsal, nobody knows more."""
    ops = copy_ops(founded, tmp_path / "estate")
    changes.write(ops, "2026-123-new")
    wiring = wiring_of(ops)
    found = read_change(wiring, "2026-123-new")
    assert list(before_asking(wiring, found, ["example"], Direction.UP))[3:] == [
        "  does     up.sql: 2 steps in 1 transaction",
        "  differs  it was not rehearsed; touches allows:",
        "           create column visit.referred_by",
        "           create index visit_referred_by",
    ]


def test_nobody_else_reads_it(founded: Ops) -> None:
    """Without a terminal it says that --yes is needed, and nothing above."""
    assert said(founded.run("change", "run", WORK)) == (
        2,
        f"error: nobody is there to be asked: run {WORK} on example?\n"
        "hint: add --yes to the command\n",
    )


def test_who_takes_it_back_reads_what_goes(founded: Ops, tmp_path: Path) -> None:
    """The same the other way round, with the locks of down.sql."""
    ops = copy_ops(founded, tmp_path / "estate")
    request(ops)
    changes.approve(ops)
    done(run(ops))
    request(ops, takes_back=True)
    changes.approve(ops)
    asked = ask(ops, "revert", WORK)
    assert (asked.exit_code, asked.stdout) == (5, "")
    assert _TIME.sub("about N ms", asked.stderr).splitlines()[3:-2] == [
        "  does       down.sql: 2 steps in 1 transaction",
        "  goes back  column `referred_by` of `visit` is gone",
        "             index `visit_referred_by` on `visit` is gone",
        "  locks      held for about N ms in the rehearsal",
        f"take back {WORK} on example? [y/N]: n",
    ]
