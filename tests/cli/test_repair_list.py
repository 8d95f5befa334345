"""`dbops repair list`, `check` and `new`: what is due, who must act, and drafts of all sorts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from dbops.cli.root import main
from tests.cli.ops import Ops, copy_ops
from tests.cli.repairs import (
    WORK,
    agreed,
    change,
    done,
    folder,
    found_repairs,
    mend,
    rows,
    said,
    take_back,
    undo_agreed,
    write,
)

DRAFT = ("--database", "example", "--author", "wei@contractor", "--title", "t")


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Ops:
    """An estate that is ready for repairs."""
    return found_repairs(tmp_path_factory.mktemp("list") / "estate")


@pytest.fixture
def ops(founded: Ops, tmp_path: Path) -> Ops:
    """A copy of it."""
    return copy_ops(founded, tmp_path / "estate")


def test_what_is_overdue(ops: Ops) -> None:
    """A ticket of long ago is overdue until its data are repaired and the cause is named."""
    assert said(ops.run("repair", "list", "--overdue")) == (0, "no repair is overdue\n")
    write(ops)
    manifest = folder(ops) / "repair.yml"
    manifest.write_text(manifest.read_text("utf-8").replace("2026-11-20", "2025-11-20"), "utf-8")
    late = ops.run("repair", "list", "--overdue")
    assert late.exit_code == 4
    row = late.stdout.splitlines()[2]
    assert "draft, overdue" in row
    assert "data-error 2025-11-27 18:00" in row
    assert "author wei@contractor: sign the request" in row
    assert done(ops.run("repair", "list", "--ticket", "T-1")).stdout == ""
    (found,) = json.loads(done(ops.run("repair", "list", "--json")).stdout)["repairs"]
    assert (found["id"], found["ticket"], found["state"]) == (WORK, "T-117", "draft")
    for verb, person in (("request", "wei"), ("approve", "li")):
        done(ops.review(verb, WORK, "--key", ops.key(person), "--yes"))
    assert "work-uncommitted" in ops.run("repair", "list", "--overdue").stdout
    ops.commit()
    done(mend(ops))
    assert said(ops.run("repair", "list", "--overdue")) == (0, "no repair is overdue\n")


def test_one_that_cannot_be_read_may_be_overdue(ops: Ops) -> None:
    """Its line stands on standard error, and the alarm goes off."""
    done(ops.run("repair", "new", WORK, *DRAFT))
    broken = ops.run("repair", "list", "--overdue")
    assert broken.exit_code == 4
    assert broken.stderr.startswith(f"error: {WORK}: repairs/{WORK}/repair.yml line ")
    assert done(ops.run("repair", "list")).stdout == ""


def test_every_way_to_draw_one_up(ops: Ops) -> None:
    """Nothing, a script without an end of line, a playbook; none of them replaces another."""
    script = ops.root / "fix.sql"
    script.write_text("UPDATE visit SET ward = :new WHERE id = 7;")
    done(ops.run("repair", "new", "a", *DRAFT, "--risk", "high", "--clock", "data-error"))
    assert "risk: high\n" in (folder(ops, "a") / "repair.yml").read_text("utf-8")
    assert 'clocks: ["data-error"]\n' in (folder(ops, "a") / "repair.yml").read_text("utf-8")
    done(ops.run("repair", "new", "b", *DRAFT, "--from", script))
    assert (folder(ops, "b") / "repair.sql").read_bytes() == script.read_bytes() + b"\n"
    assert "  new: {type:" in (folder(ops, "b") / "repair.yml").read_text("utf-8")
    words = ("--playbook", "move-visits-to-ward", "--set", "from_ward=OLD", "--set", "to_ward=ORT")
    more = ("--set", "since=2026-01-01 00:00:00", "--set", "visits_moved=3")
    done(ops.run("repair", "new", "c", *DRAFT, *words, *more))
    assert "playbook: move-visits-to-ward\n" in (folder(ops, "c") / "repair.yml").read_text("utf-8")
    done(ops.run("repair", "check", "c", "--offline"))
    again = ops.run("repair", "new", "a", *DRAFT)
    assert said(again) == (
        5,
        "error: repairs/a is there already; nothing was changed\n"
        "hint: an id names one piece of work for good: choose another\n",
    )


def test_a_sealed_value_from_standard_input(ops: Ops) -> None:
    """It is in no argument, which stands in the list of processes, and in no file in clear."""
    words = ("--estate", str(ops.root / "dbops.toml"), "repair", "new", "a", *DRAFT)
    result = CliRunner().invoke(main, [*words, "--seal", "patient=-"], input="4711\n")
    assert result.exit_code == 0, result.output
    sealed = (folder(ops, "a") / "payload.age").read_bytes()
    assert sealed.startswith(b"age-encryption.org/v1\n")
    assert b"4711" not in sealed


def test_more_than_people_review_is_not_cut_off(ops: Ops) -> None:
    """Neither of a file nor of standard input is a part taken for the whole."""
    long, most = "x" * ((1 << 20) + 1), 1 << 20
    words = ("repair", "new", "a", *DRAFT, "--seal")
    given = CliRunner().invoke(
        main, ["--estate", str(ops.root / "dbops.toml"), *words, "patient=-"], input=long
    )
    assert said(given) == (
        1,
        f"error: standard input is larger than {most} bytes\nhint: see that it is the right file\n",
    )
    value = ops.root / "value"
    value.write_text(long)
    assert said(ops.run(*words, f"patient={value}")) == (
        1,
        f"error: {value} is larger than {most} bytes\nhint: ls -l {value}\n",
    )
    assert not folder(ops, "a").exists()


def test_a_script_that_hides_something(ops: Ops) -> None:
    """A file that does not read as it is is not taken over."""
    script = ops.root / "fix.sql"
    script.write_bytes(b"UPDATE visit SET ward = 'ORT';\r\n")
    assert said(ops.run("repair", "new", "a", *DRAFT, "--from", script)) == (
        5,
        f"error: {script} line 1 holds the hidden character U+000D\n"
        "hint: see what is there: cat -A FILE\n",
    )
    assert not folder(ops, "a").exists()


def test_check_asks_the_database(ops: Ops) -> None:
    """A table that is not there stops a repair; offline nobody asks, and that is said."""
    write(ops, table="visits")
    assert ops.run("repair", "check", WORK).stdout == (
        f"{WORK}: example has no table visits\n"
        "  hint: names are spelled as the catalogue has them\n"
    )
    assert ops.run("repair", "check", "--all").exit_code == 4
    offline = ops.run("repair", "check", WORK, "--offline")
    assert offline.exit_code == 0
    assert f"remark: {WORK}: REP-PK: not checked: " in offline.stderr
    (ops.root / "example.db").unlink()
    assert (
        f"remark: {WORK}: database: not checked: example does not answer\n"
        in ops.run("repair", "check", WORK).stderr
    )


def test_check_asks_for_collations(ops: Ops) -> None:
    """A column for which different texts are equal is found; without the database that is said."""
    write(ops, script="UPDATE visit SET ward = 'ORT' WHERE ward = 'OLD';\n")
    unknown = "REP-CASE: not checked: comparisons of texts by a collation that is not known"
    assert unknown in ops.run("repair", "check", WORK, "--offline").stderr
    assert "REP-CASE" not in ops.run("repair", "check", WORK).output
    change(ops, "ALTER TABLE visit ADD COLUMN word TEXT COLLATE NOCASE")
    write(ops, script="UPDATE visit SET ward = 'ORT' WHERE ward = 'OLD' AND word = 'Asa';\n")
    equal = "texts that differ in case, accents or blanks are equal in word of visit"
    assert equal in ops.run("repair", "check", WORK).output


def test_a_repair_in_batches(ops: Ops) -> None:
    """Each batch has a bundle and a marker; its undo takes all of them back."""
    change(ops, "INSERT INTO visit SELECT value, 'OLD', NULL, 'n' FROM json_each('[11,12,13,14]')")
    before = rows(ops, "SELECT * FROM visit ORDER BY id")
    part = "ward = 'OLD' AND id BETWEEN :batch_first AND :batch_last"
    agreed(
        ops,
        script=f"UPDATE visit SET ward = 'ORT' WHERE {part};\n",
        where=part,
        expect="update: 7",
        more="batch: {table: visit, rows: 5}\n",
    )
    ran = done(mend(ops)).stdout
    assert ran.startswith("example is repaired: 7 rows (0 inserted, 7 updated, 0 deleted)\n")
    bundles = json.loads(done(ops.run("repair", "bundle", "list", "--json")).stdout)
    assert [each["batch"] for each in bundles] == [0, 1]
    assert said(ops.run("repair", "bundle", "show", WORK)) == (
        2,
        f"error: 2 bundles are of {WORK}\n"
        "hint: name the run, and its batch: dbops repair bundle list\n",
    )
    undo_agreed(ops)
    undone = done(take_back(ops, "2026-118-undo")).stdout
    assert undone.startswith("example is as it was: 7 rows (0 inserted, 7 updated, 0 deleted)\n")
    assert rows(ops, "SELECT * FROM visit ORDER BY id") == before
