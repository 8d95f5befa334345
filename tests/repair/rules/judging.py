"""A repair to judge: a manifest without fault, a script, and facts of a small hospital."""

from __future__ import annotations

import re

from dbops.repair.manifest import Repair
from dbops.repair.manifest_text import parse_repair, script_of
from dbops.repair.rules.finding import Facts
from dbops.repair.rules.lint import lint
from dbops.repair.table import Column, Shape, TableName
from dbops.review.finding import Finding, Report
from dbops.review.work import Kind, Work

HEAD = {
    "dbops": "dbops: repair/v1",
    "id": "id: r-1",
    "title": "title: two visits of a closed ward",
    "author": "author: zhang.wei@vendor",
    "ticket": "ticket: T-1",
    "risk": "risk: low",
    "databases": "databases: [his]",
    "cause": "cause: {found: the interface kept an old map, fix: T-2}",
    "limits": "limits: {rows: 50}",
    "watch": (
        "watch:\n"
        "  - table: his.visit\n"
        "    where: ward_code = 'OLD'\n"
        "    expect: {insert: 1, update: 2, delete: 1}\n"
        "    may_change: [ward_code]"
    ),
}
SCRIPT = "UPDATE his.visit SET ward_code = 'ORT' WHERE ward_code = 'OLD';"

_VISIT = (
    Column("id", "integer"),
    Column("ward_code", "varchar(10)"),
    Column("note", "text"),
    Column("patient_no", "varchar(20)"),
    Column("beds", "integer"),
    Column("updated_at", "timestamp"),
)
VISIT, LOG, OLD = TableName("his", "visit"), TableName("his", "visit_log"), TableName("his", "old")
FACTS = Facts(
    shapes={
        VISIT: Shape(VISIT, _VISIT, (0,)),
        LOG: Shape(LOG, (Column("line", "text"),), ()),
        OLD: Shape(OLD, _VISIT, (0, 1)),
    },
    loose={VISIT: frozenset({"note"}), LOG: frozenset(), OLD: frozenset()},
    transactional={VISIT: True, LOG: False, OLD: True},
)


def folder(script: str = SCRIPT, manifest: str = "") -> Work:
    """The folder of a repair; top-level keys of `manifest` replace those of HEAD.

    Placeholders that `manifest` does not declare are texts.
    """
    own = {block.partition(":")[0]: block for block in re.split(r"\n(?=\w)", manifest.strip())}
    keys = {key: block for key, block in {**HEAD, **own}.items() if key and block != f"{key}:"}
    if "params" not in keys and (names := re.findall(r"(?<![:\w]):([a-z]\w*)", script)):
        lines = [f"  {name}: {{type: text, value: ABC}}" for name in dict.fromkeys(names)]
        keys["params"] = "\n".join(["params:", *lines])
    text = "\n".join(keys.values()) + "\n"
    files = {"repair.yml": text.encode(), "repair.sql": f"{script}\n".encode()}
    if "sealed: true" in text:
        files["payload.age"] = b"sealed"
    return Work(Kind.REPAIR, "r-1", "repairs/r-1", files)


def repair_of(script: str = SCRIPT, manifest: str = "") -> Repair:
    """What the folder declares."""
    return parse_repair(folder(script, manifest))


def judged(
    script: str = SCRIPT,
    manifest: str = "",
    *,
    dialect: str = "postgres",
    facts: Facts | None = FACTS,
) -> Report:
    """What every rule says."""
    work = folder(script, manifest)
    text = work.files["repair.sql"].decode()
    return lint(parse_repair(work), script_of(work), dialect, facts, text=text)


def found(report: Report, rule: str) -> list[Finding]:
    """What one rule found."""
    return [finding for finding in report.findings if finding.rule == rule]


def unchecked(report: Report, rule: str) -> list[str]:
    """What one rule could not look at."""
    return [each.sentence for each in report.unchecked if each.rule == rule]
