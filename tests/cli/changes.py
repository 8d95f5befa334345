"""A hospital whose visits get a column, and the ways of people with its changes."""

from __future__ import annotations

from pathlib import Path

from click.testing import Result

from tests.cli.ops import Ops, found_ops
from tests.cli.repairs import done
from tests.support.estate import run_sql

WORK = "2026-121-referrer"
HOSPITAL = """
CREATE TABLE place(code TEXT PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE visit(id INTEGER PRIMARY KEY, ward TEXT NOT NULL REFERENCES place(code), note TEXT);
CREATE VIEW visit_now AS SELECT id, ward FROM visit;
INSERT INTO place VALUES ('ORT', '骨科'), ('ICU', '重症医学科');
INSERT INTO visit VALUES (1, 'ORT', 'x'), (2, 'ORT', NULL), (3, 'ICU', '');
"""
UP = """\
-- step: who referred the patient
ALTER TABLE visit ADD COLUMN referred_by TEXT;

-- step: find visits by it
CREATE INDEX visit_referred_by ON visit (referred_by);
"""
DOWN = """\
DROP INDEX visit_referred_by;
ALTER TABLE visit DROP COLUMN referred_by;
"""
VERIFY = "SELECT count(*) = 3 FROM visit WHERE referred_by IS NULL;\n"
TOUCHES = ("create column visit.referred_by", "create index visit_referred_by")
PERSONAL = "personal: {visit.referred_by: physician}"


def found_changes(root: Path) -> Ops:
    """Afterwards there is such an estate, and its newest backup is proven."""
    ops = found_ops(root)
    run_sql(root / "example.db", HOSPITAL)
    for words in (("backup", "run", "example"), ("backup", "verify", "example")):
        done(ops.run(*words))
    return ops


def folder(ops: Ops, work: str = WORK) -> Path:
    return ops.tree / "changes" / work


def write(
    ops: Ops,
    work: str = WORK,
    *,
    up: str = UP,
    down: str = DOWN,
    verify: str = VERIFY,
    touches: tuple[str, ...] = TOUCHES,
    databases: str = "example",
    data_loss: str = "data_loss: none",
    more: str = PERSONAL,
) -> None:
    """Its author has written the change into the work tree; `more` are lines of the manifest."""
    listed = "".join(f"  - {touch}\n" for touch in touches)
    manifest = f"""\
dbops: change/v1
id: {work}
title: 就诊记录增加转诊医师
author: wei@contractor
ticket: T-121
risk: low
databases: [{databases}]
touches:
{listed}{data_loss}
{more}
"""
    place = folder(ops, work)
    place.mkdir(parents=True, exist_ok=True)
    texts = {"change.yml": manifest, "up.sql": up, "down.sql": down, "verify.sql": verify}
    for name, text in texts.items():
        (place / name).write_text(text, "utf-8")


def request(ops: Ops, work: str = WORK, *, takes_back: bool = False) -> None:
    """The author has asked for the change as it lies there, or that it is taken back."""
    which = ("--revert",) if takes_back else ()
    done(ops.review("request", work, "--key", ops.key("wei"), "--yes", *which))
    ops.commit()


def approve(ops: Ops, work: str = WORK) -> None:
    """The IT department has agreed to it."""
    done(ops.review("approve", work, "--key", ops.key("li"), "--yes"))
    ops.commit()


def rehearse(ops: Ops, work: str = WORK) -> Result:
    """What `dbops change rehearse` answers."""
    return ops.run("change", "rehearse", work)


def agreed(ops: Ops, work: str = WORK, **said: object) -> None:
    """The change is written, rehearsed, requested and approved."""
    write(ops, work, **said)  # type: ignore[arg-type] # checked at run time
    request(ops, work)
    done(rehearse(ops, work))
    request(ops, work)
    approve(ops, work)


def run(ops: Ops, work: str = WORK, *more: object) -> Result:
    """What `dbops change run` answers."""
    return ops.run("change", "run", work, "--yes", *more)


def revert(ops: Ops, work: str = WORK, *more: object) -> Result:
    """What `dbops change revert` answers."""
    return ops.run("change", "revert", work, "--yes", *more)


def record(ops: Ops, work: str = "2026-120-baseline") -> None:
    """Afterwards people agreed to the schema as it is, and it is recorded."""
    done(ops.run("change", "record", "example", "--id", work, "--author", "wei@contractor"))
    request(ops, work)
    approve(ops, work)
    done(ops.run("change", "record", "example", "--review", work, "--yes"))


def alter(ops: Ops, script: str) -> None:
    """Somebody alters the database by hand."""
    run_sql(ops.root / "example.db", script)
