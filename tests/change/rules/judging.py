"""A change to judge: a manifest without fault, its scripts, and facts of a small hospital."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from dbops.change.manifest import Change
from dbops.change.manifest_text import parse_change
from dbops.change.parts import parts_of
from dbops.change.ports import ChangeEngine, ChangeTraits, TableSize
from dbops.change.rules.finding import Facts
from dbops.change.rules.lint import lint
from dbops.change.schema import ObjectKind, ObjectName, SchemaObject, schema_of
from dbops.change.script import steps_of
from dbops.change.step import Direction, Part, Step
from dbops.engines.postgresql.change_words import alone_kind
from dbops.review.finding import Finding, Report
from dbops.review.work import Kind, Work

HEAD = {
    "dbops": "dbops: change/v1",
    "id": "id: c-1",
    "title": "title: a note of each ward",
    "why": "why: nurses keep it on paper",
    "author": "author: zhang.wei@vendor",
    "ticket": "ticket: T-1",
    "risk": "risk: low",
    "databases": "databases: [his]",
    "touches": "touches: [create column his.ward.note]",
    "data_loss": "data_loss: none",
    "personal": "personal: {his.ward.note: none}",
}
UP = "ALTER TABLE his.ward ADD COLUMN note text;"
DOWN = "ALTER TABLE his.ward DROP COLUMN note;"

VISIT = ObjectName(ObjectKind.TABLE, ("his", "visit"))
WARD = ObjectName(ObjectKind.TABLE, ("his", "ward"))
OLD = ObjectName(ObjectKind.TABLE, ("his", "old"))


def _of(kind: ObjectKind, table: ObjectName, name: str, **said: str) -> SchemaObject:
    """An object that belongs to a table."""
    inside = kind is not ObjectKind.INDEX
    path = (*table.path, name) if inside else (*table.path[:-1], name)
    properties = {key.replace("_", " "): text for key, text in said.items()}
    return SchemaObject(ObjectName(kind, path), properties, table)


def _column(name: str, kind: str) -> SchemaObject:
    return _of(ObjectKind.COLUMN, VISIT, name, type=kind)


def _program(kind: ObjectKind, name: str, text: str) -> SchemaObject:
    return SchemaObject(ObjectName(kind, ("his", name)), {"definition": text})


FACTS = Facts(
    schema_of(
        [
            SchemaObject(VISIT),
            SchemaObject(WARD),
            SchemaObject(OLD),
            _of(ObjectKind.COLUMN, VISIT, "id", type="bigint", not_null="yes"),
            _column("ward_code", "varchar(10)"),
            _column("note", "text"),
            _column("beds", "integer"),
            _column("fee", "numeric(10,2)"),
            _column("state", "enum('in','out')"),
            _column("mobile", "his.phone"),
            SchemaObject(ObjectName(ObjectKind.DOMAIN, ("his", "phone")), {"type": "text"}),
            _of(ObjectKind.CONSTRAINT, VISIT, "visit_pk", definition="PRIMARY KEY (id)"),
            _of(
                ObjectKind.CONSTRAINT,
                VISIT,
                "note_ck",
                definition="CHECK ((note IS NOT NULL))",
            ),
            _of(
                ObjectKind.INDEX,
                VISIT,
                "visit_seen_ix",
                definition="CREATE INDEX visit_seen_ix ON his.visit USING btree (seen_at)",
            ),
            _of(
                ObjectKind.INDEX,
                VISIT,
                "visit_no_ux",
                definition="CREATE UNIQUE INDEX visit_no_ux ON his.visit USING btree (no)",
            ),
            _of(
                ObjectKind.TRIGGER,
                VISIT,
                "visit_log",
                definition="CREATE TRIGGER visit_log AFTER UPDATE ON his.visit …",
            ),
            _program(ObjectKind.VIEW, "visit_now", "SELECT id, ward_code FROM his.visit"),
            _program(ObjectKind.VIEW, "visit_all", "SELECT * FROM his.visit"),
            _program(
                ObjectKind.FUNCTION, "free_beds(text)", "SELECT sum(beds) FROM his.visit WHERE …"
            ),
        ]
    ),
    {
        VISIT: TableSize(1_200_000, 310 << 20),
        WARD: TableSize(40, 16_384),
        OLD: TableSize(0, 8_192),
    },
)


def folder(up: str = UP, manifest: str = "", *, down: str = DOWN) -> Work:
    """The folder of a change; top-level keys of `manifest` replace those of HEAD."""
    own = {block.partition(":")[0]: block for block in re.split(r"\n(?=\w)", manifest.strip())}
    if "touches" in own:
        own = {"personal": "", **own}
    elif columns := re.findall(r"([\w.]+): \w", own.get("personal", "").partition(":")[2]):
        own["touches"] = f"touches: [{', '.join(f'create column {name}' for name in columns)}]"
    keys = {key: block for key, block in {**HEAD, **own}.items() if block and block != f"{key}:"}
    files = {
        "change.yml": ("\n".join(keys.values()) + "\n").encode(),
        "up.sql": f"{up}\n".encode(),
        "verify.sql": b"SELECT true;\n",
    }
    if down:
        files["down.sql"] = f"{down}\n".encode()
    return Work(Kind.CHANGE, "c-1", "changes/c-1", files)


def change_of(up: str = UP, manifest: str = "", *, down: str = DOWN) -> Change:
    """What the folder declares."""
    return parse_change(folder(up, manifest, down=down))


def judged(
    up: str = UP,
    manifest: str = "",
    *,
    down: str = DOWN,
    dialect: str = "postgres",
    facts: Facts | None = FACTS,
) -> Report:
    """What every rule says."""
    work = folder(up, manifest, down=down)
    steps = [steps_of(work, direction) for direction in (Direction.UP, Direction.DOWN)]
    there, back = (parts(each, dialect) for each in steps)
    return lint(parse_change(work), there, back, dialect, facts)


def parts(steps: Sequence[Step], dialect: str) -> tuple[Part, ...]:
    """The parts in which an engine of the dialect runs them."""
    return parts_of(steps, cast("ChangeEngine", _Engine(dialect)))


@dataclass(frozen=True)
class _Engine:
    """As much of an engine as parts ask for."""

    dialect: str

    @property
    def traits(self) -> ChangeTraits:
        transactional = self.dialect not in {"mysql", "oracle"}
        return ChangeTraits(transactional, self.dialect, schemas=True, locks=True)

    def is_alone(self, step: Step) -> bool:
        return self.dialect == "postgres" and alone_kind(step) is not None


def found(report: Report, rule: str) -> list[Finding]:
    """What one rule found."""
    return [finding for finding in report.findings if finding.rule == rule]


def unchecked(report: Report, rule: str) -> list[str]:
    """What one rule could not look at."""
    return [each.sentence for each in report.unchecked if each.rule == rule]
