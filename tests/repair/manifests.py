"""Repairs to read: a whole manifest, the smallest one, an undo, and folders made of them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from dbops.errors import Refused
from dbops.repair.manifest_text import parse_repair
from dbops.review.work import Kind, Work

PARAMS = "params:\n  a: "
ROWS_RULE = "a whole number up to 1000000000"
HEAD = """\
dbops: repair/v1
id: w-1
title: 38 visits booked to the closed ward
author: zhang.wei@vendor
ticket: T-117
risk: low
databases: [his]
"""
LIMITS = "limits: {rows: 50}\n"
WHOLE = f"""\
{HEAD}opened: 2026-11-20
clocks: [data-error, contract]
cause: {{found: "the interface kept the old map", fix: T-120}}
params:
  from_ward: {{type: text, value: OLD}}
  patient: {{type: text, sealed: true}}
  n: {{type: integer, value: 38}}
  visits: {{type: table, value: his.visit}}
  ward: {{type: column, table: visits, value: ward_code}}
  lost: {{type: rows, sealed: true}}
watch:
  - table: :"visits"
    where: >
      ward_code = :from_ward
      AND patient = :patient
    expect: {{update: ":n", insert: 2}}
    may_change: [':"ward"', updated_at]
    rewrites: true
  - {{table: his.bed, where: "true", expect: {{delete: 1}}}}
side_effects:
  - {{table: his.visit_audit, insert: ":n"}}
before:
  - check: the new ward is open
    sql: SELECT count(*) FROM his.ward WHERE :"ward" = :from_ward
    equals: 1
after: [{{check: no note, sql: "SELECT ''", equals: ""}}]
limits: {{rows: 50, lock_wait: 3s, statement: 2m}}
undo: {{keep: 30d, volatile: [updated_at]}}
show: [ward_code]
search_path: [his, public]
temporary: [tmp_ids]
accepted: [{{rule: REP-LIT, why: it is no patient}}]
playbook: move-visits
"""
SCRIPT = """\
UPDATE his.visit SET ward_code = 'ORT' WHERE ward_code = :from_ward;
INSERT INTO his.visit (id) VALUES (:lost.id);
"""
SMALL = f"""\
{HEAD}watch:
  - table: his.visit
    where: id = 1
    expect: {{delete: 1}}
{LIMITS}"""
UNDO = f"{HEAD}{LIMITS}undo_of: {{work: w-0, bundles: [{'a' * 64}, {'b' * 64}]}}\n"
SMALL_SCRIPT = "DELETE FROM his.visit WHERE id = 1;\n"


def work_of(manifest: str, script: str | None = SMALL_SCRIPT, *, payload: bool = False) -> Work:
    """The folder of a repair."""
    files: Mapping[str, bytes | None] = {
        "repair.yml": manifest.encode(),
        "repair.sql": None if script is None else script.encode(),
        "payload.age": b"age" if payload else None,
    }
    return Work(
        Kind.REPAIR,
        "w-1",
        "repairs/w-1",
        {name: data for name, data in files.items() if data is not None},
    )


def refusal(work: Work) -> Refused:
    """How the folder is refused."""
    with pytest.raises(Refused) as caught:
        parse_repair(work)
    return caught.value


def small(old: str = "", new: str = "") -> Work:
    """The small repair with a change in its manifest."""
    assert old in SMALL
    return work_of(SMALL.replace(old, new) if old else SMALL + new)


def whole(old: str, new: str) -> Work:
    """The whole repair with a change in its manifest."""
    assert WHOLE.count(old) == 1
    return work_of(WHOLE.replace(old, new), SCRIPT, payload=True)


def script(text: str) -> Work:
    """The whole repair with other statements."""
    return work_of(WHOLE, text, payload=True)
