"""A hospital whose visits are booked to a closed ward, and the ways of people with its repairs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from click.testing import Result

from dbops.cli.wiring import Wiring
from dbops.estate.load import load_estate
from tests.cli.ops import Ops, found_ops
from tests.support.estate import run_sql

WORK = "2026-117-ward"
HOSPITAL = """
CREATE TABLE place(code TEXT PRIMARY KEY, name TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE visit(id INTEGER PRIMARY KEY, ward TEXT NOT NULL REFERENCES place(code),
    patient TEXT UNIQUE, note TEXT CHECK (length(note) < 100));
CREATE TABLE visit_audit(id INTEGER PRIMARY KEY, visit INTEGER NOT NULL);
CREATE TABLE loose(v TEXT);
INSERT INTO place VALUES ('OLD', '旧病区'), ('ORT', '骨科'), ('ICU', '重症医学科');
INSERT INTO visit VALUES (1, 'OLD', '甲', NULL), (2, 'OLD', '乙', ''), (3, 'OLD', '丙', 'n'),
    (4, 'ORT', '丁', 'n'), (5, 'ICU', NULL, 'n');
INSERT INTO loose VALUES ('a'), ('b');
"""
AUDITED = """
CREATE TRIGGER audited AFTER UPDATE ON visit
BEGIN INSERT INTO visit_audit(visit) VALUES (new.id); END;
"""
SCRIPT = "UPDATE visit SET ward = 'ORT' WHERE ward = 'OLD';\n"
_QUERY = """
import json, sqlite3, sys
print(json.dumps(sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchall()))
"""


def found_repairs(root: Path) -> Ops:
    """Afterwards there is such an estate, its newest backup proven, its database prepared.

    Its policy does not want every repair rehearsed, as a new one does: most tests are of the run.
    """
    ops = found_ops(root)
    ask_no_rehearsal(ops)
    run_sql(root / "example.db", HOSPITAL)
    for words in (("backup", "run", "example"), ("backup", "verify", "example")):
        done(ops.run(*words))
    prepare(ops)
    return ops


def ask_no_rehearsal(ops: Ops) -> None:
    """The policy's rule that a repair is rehearsed first is gone."""
    policy = ops.root / "trust" / "policy.toml"
    text = policy.read_text("utf-8")
    rule = 'kinds = ["repair", "change"]\nevidence = true\n'
    assert rule in text
    policy.write_text(text.replace(rule, rule.replace('"repair", ', "")), "utf-8")


def prepare(ops: Ops, database: str = "example") -> None:
    """The marker table is there; how people have it made is tried elsewhere."""
    wiring = wiring_of(ops)
    engine = wiring.repair_engine(wiring.database(database))
    engine.install(engine.prepare_sql(()))


def wiring_of(ops: Ops) -> Wiring:
    return Wiring(load_estate(ops.root / "dbops.toml"), {})


def done(result: Result) -> Result:
    """The same; it ended as it should."""
    assert result.exit_code == 0, result.output
    return result


def rows(ops: Ops, query: str) -> str:
    """What is committed, read by another process."""
    words = [sys.executable, "-c", _QUERY, str(ops.root / "example.db"), query]
    found = subprocess.run(words, check=True, capture_output=True, text=True)
    return found.stdout.strip()


def change(ops: Ops, script: str) -> None:
    """Somebody works on the database."""
    run_sql(ops.root / "example.db", script)


def wards(ops: Ops) -> str:
    """Which visit is booked where."""
    return rows(ops, "SELECT group_concat(id || ward, ' ') FROM (SELECT * FROM visit ORDER BY id)")


BEFORE = '[["1OLD 2OLD 3OLD 4ORT 5ICU"]]'
AFTER = '[["1ORT 2ORT 3ORT 4ORT 5ICU"]]'


def folder(ops: Ops, work: str = WORK) -> Path:
    return ops.tree / "repairs" / work


def write(
    ops: Ops,
    work: str = WORK,
    *,
    script: str = SCRIPT,
    table: str = "visit",
    where: str = "ward = 'OLD'",
    expect: str = "update: 3",
    may_change: str | None = "ward",
    limit: int = 10,
    more: str = "",
) -> None:
    """Its author has written the repair into the work tree; `more` are lines of the manifest."""
    changed = "" if may_change is None else f"\n    may_change: [{may_change}]"
    text = f"""\
dbops: repair/v1
id: {work}
title: 三次就诊登记到已关闭病区
author: wei@contractor
ticket: T-117
risk: low
databases: [example]
opened: 2026-11-20
cause: {{found: an old map of wards, fix: T-120}}
watch:
  - table: {table}
    where: {where}
    expect: {{{expect}}}{changed}
limits: {{rows: {limit}}}
show: [ward]
{more}"""
    folder(ops, work).mkdir(parents=True, exist_ok=True)
    (folder(ops, work) / "repair.yml").write_text(text, "utf-8")
    (folder(ops, work) / "repair.sql").write_text(script, "utf-8")


def turn_to(ops: Ops, database: str, work: str = WORK) -> None:
    """Afterwards the repair is one of that database, and not of `example`."""
    manifest = folder(ops, work) / "repair.yml"
    text = manifest.read_text("utf-8").replace("databases: [example]", f"databases: [{database}]")
    manifest.write_text(text, "utf-8")


def sign(ops: Ops, work: str = WORK) -> None:
    """The author has asked, the IT department has approved, and all of it is committed."""
    for verb, person in (("request", "wei"), ("approve", "li")):
        done(ops.review(verb, work, "--key", ops.key(person), "--yes"))
    ops.commit()


def agreed(ops: Ops, **said: object) -> None:
    """The repair is written, approved and committed."""
    write(ops, **said)  # type: ignore[arg-type] # checked at run time
    sign(ops)


def mend(ops: Ops, work: str = WORK, *more: object) -> Result:
    """What `dbops repair run` answers."""
    return ops.run("repair", "run", work, "--yes", *more)


def take_back(ops: Ops, work: str, *more: object) -> Result:
    """What `dbops repair undo` answers."""
    return ops.run("repair", "undo", work, "--yes", *more)


def undo_agreed(ops: Ops, work: str = "2026-118-undo", of: str = WORK) -> None:
    """The undo is drawn up, approved and committed."""
    done(ops.run("repair", "new", work, "--undo", of, "--author", "wei@contractor"))
    sign(ops, work)


def said(result: Result) -> tuple[int, str]:
    """The exit status and everything on standard error."""
    return result.exit_code, result.stderr


def ask_for(ops: Ops, *lines: str) -> None:
    """The policy's rules for repairs have these lines as well."""
    policy = ops.root / "trust" / "policy.toml"
    text = policy.read_text("utf-8")
    first = 'kinds = ["repair", "change"]\n'
    policy.write_text(text.replace(first, first + "".join(f"{each}\n" for each in lines)), "utf-8")
