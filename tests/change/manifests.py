"""Changes to read: a whole manifest, the smallest one, and folders made of them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from dbops.change.manifest_text import parse_change
from dbops.errors import Refused
from dbops.review.work import Kind, Work

HEAD = """\
dbops: change/v1
id: c-1
title: Visits must point to an existing ward
author: zhang.wei@contractor
risk: low
databases: [his-test, his]
"""
WHOLE = f"""\
{HEAD}why: "the map error: of May"
ticket: HIS-4833
rings:
  - {{name: test, databases: [his-test]}}
  - {{name: prod, databases: [his], soak: 24h}}
requires: [c-0, 2026-029-ward-key]
window: {{days: [sat, sun], from: "22:00", to: "02:00", zone: Asia/Shanghai}}
touches:
  - create constraint his.visit.visit_ward_fk
  - alter column his.visit.ward_code (default, type)
  - create column his.visit.phone
  - create table his.ward
  - 'drop view his."old view"'
data_loss: recoverable
limits: {{lock_wait: 4s, statement: 20m, attempts: 20, pause: 30s}}
personal:
  his.visit.phone: contact
  his.ward.head: none
accepted:
  - {{rule: PG-IDX, at: "up.sql line 3", why: the table has 40 rows}}
  - rule: DDL-DROP
    why: nobody reads it
"""
SCRIPTS = {
    "up.sql": b"CREATE TABLE his.ward (code text);\n",
    "down.sql": b"DROP TABLE his.ward;\n",
    "verify.sql": b"SELECT true;\n",
}
PREPARES = HEAD.replace("[his-test, his]", "[his]") + "prepares: repairs\ntables: [his.visit]\n"
RECORDS = HEAD.replace("[his-test, his]", "[his]") + "records: schema\n"


def work_of(manifest: str, files: Mapping[str, bytes] = SCRIPTS, kind: Kind = Kind.CHANGE) -> Work:
    """The folder of the change."""
    return Work(kind, "c-1", "changes/c-1", {kind.manifest: manifest.encode(), **files})


def refusal(manifest: str, files: Mapping[str, bytes] = SCRIPTS) -> Refused:
    """How the change is refused."""
    with pytest.raises(Refused) as caught:
        parse_change(work_of(manifest, files))
    return caught.value
