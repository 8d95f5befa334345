"""`change.yml`: what it may say, and the line of whatever it may not."""

from __future__ import annotations

from datetime import time, timedelta
from zoneinfo import ZoneInfo

import pytest

from dbops.change.diff import Verb
from dbops.change.manifest import Accepted, Change, DataLoss, Limits, Ring, Window
from dbops.change.manifest_text import parse_change
from dbops.change.schema import ObjectKind
from dbops.change.touch import Touch
from dbops.errors import Refused
from dbops.review.work import Kind, Risk, read_manifest
from tests.change.manifests import HEAD, PREPARES, RECORDS, SCRIPTS, WHOLE, refusal, work_of

SHANGHAI = ZoneInfo("Asia/Shanghai")
WINDOW = 'window: {days: [sat], from: "22:00", to: "02:00", zone: Asia/Shanghai}\n'
SOURCE = {"source.schema": b'{"dbops":"schema/v2"}\n'}
DURATION = 'a duration such as "90m", "26h", "7d" or "2w", more than nothing'
TIME = 'a time such as "22:00", in quotes'


def test_a_whole_manifest_is_read() -> None:
    """Every key of the grammar."""
    column = ObjectKind.COLUMN
    assert parse_change(work_of(WHOLE)) == Change(
        id="c-1",
        title="Visits must point to an existing ward",
        author="zhang.wei@contractor",
        risk=Risk.LOW,
        rings=(Ring("test", ("his-test",)), Ring("prod", ("his",), timedelta(hours=24))),
        why="the map error: of May",
        ticket="HIS-4833",
        requires=("c-0", "2026-029-ward-key"),
        window=Window(frozenset({5, 6}), time(22), time(2), SHANGHAI),
        touches=(
            Touch(Verb.CREATE, ObjectKind.CONSTRAINT, "his.visit.visit_ward_fk"),
            Touch(Verb.ALTER, column, "his.visit.ward_code", ("default", "type")),
            Touch(Verb.CREATE, column, "his.visit.phone"),
            Touch(Verb.CREATE, ObjectKind.TABLE, "his.ward"),
            Touch(Verb.DROP, ObjectKind.VIEW, 'his."old view"'),
        ),
        data_loss=DataLoss.RECOVERABLE,
        limits=Limits(
            timedelta(seconds=4), timedelta(minutes=20), attempts=20, pause=timedelta(seconds=30)
        ),
        personal={"his.visit.phone": "contact", "his.ward.head": "none"},
        accepted=(
            Accepted("PG-IDX", "the table has 40 rows", "up.sql line 3", line=26),
            Accepted("DDL-DROP", "nobody reads it", line=27),
        ),
    )


def test_the_sign_off_reads_its_limits() -> None:
    """What review/work.py makes of the same file: lines that a statement repeats."""
    assert read_manifest(work_of(WHOLE)).limits == (
        "lock_wait: 4s",
        "statement: 20m",
        "attempts: 20",
        "pause: 30s",
    )


def test_the_smallest_manifest_is_read() -> None:
    """Without rings there is one; nothing may differ, and nothing is lost."""
    change = parse_change(work_of(HEAD))
    assert change.rings == (Ring("all", ("his-test", "his")),)
    assert change.databases == ("his-test", "his")
    assert change.ring_of("his") == change.rings[0]
    assert change.ring_of("lab") is None
    assert (change.touches, change.data_loss) == ((), DataLoss.NONE)
    assert (change.window, change.limits) == (None, Limits())


def test_rings_are_in_their_order() -> None:
    """A database changes when its ring does, wherever `databases` names it."""
    rings = "rings: [{name: a, databases: [his]}, {name: b, databases: [his-test]}]\n"
    assert parse_change(work_of(HEAD + rings)).databases == ("his", "his-test")


@pytest.mark.parametrize("soak", ["0", "0s", "0h"])
def test_a_ring_may_say_that_it_waits_for_nothing(soak: str) -> None:
    """Which is what it does where it says nothing."""
    second = f"{RINGS}{{name: b, databases: [his-test], soak: {soak}}}\n"
    rings = parse_change(work_of(HEAD + second)).rings
    assert rings == (Ring("a", ("his",)), Ring("b", ("his-test",)))


@pytest.mark.parametrize(
    "place", ["change.yml", "down.sql", "verify.sql line 12", "change.yml line 3"]
)
def test_places_are_those_of_findings(place: str) -> None:
    """A file, or a line of one."""
    accepted = f"accepted: [{{rule: DDL-DOWN, at: {place}, why: x}}]\n"
    assert parse_change(work_of(HEAD + accepted)).accepted[0].at == place


def test_a_whole_day_ends_at_24() -> None:
    """Midnight at the end of a day is written so, and at its beginning as 00:00."""
    day = WINDOW.replace("22:00", "00:00").replace("02:00", "24:00")
    window = parse_change(work_of(HEAD + day)).window
    assert window == Window(frozenset({5}), time(), time(), SHANGHAI)


def test_a_preparation_is_read() -> None:
    """A change of `dbops repair prepare` names tables and touches nothing itself."""
    change = parse_change(work_of(PREPARES, {"up.sql": b"", "down.sql": b""}))
    assert (change.prepares, change.records, change.databases) == ("repairs", None, ("his",))


def test_a_baseline_is_read() -> None:
    """It holds a schema and no scripts."""
    change = parse_change(work_of(RECORDS, SOURCE))
    assert (change.prepares, change.records) == (None, "schema")


def test_another_kind_of_work_is_refused() -> None:
    """A repair is read elsewhere."""
    with pytest.raises(Refused) as caught:
        parse_change(work_of(HEAD, kind=Kind.REPAIR))
    assert (caught.value.code, caught.value.message) == ("change-kind", "changes/c-1 is no change")


RINGS = "rings:\n  - {name: a, databases: [his]}\n  - "
TOUCH = (
    'a verb, a kind and a name such as "create index his.visit_ix"; alter also says what differs, '
    'in the order of the alphabet: "alter column his.visit.ward_code (default, type)"'
)


@pytest.mark.parametrize(
    ("more", "code", "message", "hint"),
    [
        ("ring: x\n", "unknown-key", "7: unknown key ring", 'did you mean "rings"? '),
        ('why: "?"\n', "value", "7: why is not filled in", "fill in the blank: text on one"),
        ("rings: all\n", "form", "7: rings: not a list", "allowed: a list with something in it"),
        ("rings: []\n", "form", "7: rings: the list is empty", "allowed: a list with something in"),
        ("rings:\n  - a\n", "form", "8: rings is not a mapping", "allowed: a mapping"),
        (
            f"{RINGS}{{name: A, databases: [his-test]}}\n",
            "value",
            "9: rings[2].name is not allowed",
            "allowed: lower-case letters, digits and hyphens",
        ),
        (
            f"{RINGS}{{name: b}}\n",
            "missing-key",
            "9: rings[2].databases: missing",
            "allowed: names of dbops.toml",
        ),
        (
            f"{RINGS}{{name: b, databases: [his-test], soak: 1}}\n",
            "value",
            "9: rings[2].soak: not allowed",
            f"allowed: {DURATION}",
        ),
        (
            f"{RINGS}{{name: b, databases: [his-test], soak: -1h}}\n",
            "value",
            "9: rings[2].soak: not allowed",
            f"allowed: {DURATION}",
        ),
        (
            "rings: [{name: a, databases: [his, his-test], soak: 1h}]\n",
            "contradiction",
            "7: rings[1].soak: the first ring waits for none",
            "soak is how long ago the ring before must have been done",
        ),
        (
            f"{RINGS}{{name: a, databases: [his-test]}}\n",
            "twice",
            "9: rings[2].name: two rings are called a",
            "rename one",
        ),
        (
            f"{RINGS}{{name: b, databases: [lab]}}\n",
            "contradiction",
            "7: rings: lab is not one of databases",
            "write it there too",
        ),
        (
            f"{RINGS}{{name: b, databases: [his-test, his]}}\n",
            "contradiction",
            "7: rings: his stands in two rings",
            "a database changes once: leave it in one ring",
        ),
        (
            "rings: [{name: a, databases: [his]}]\n",
            "contradiction",
            "7: rings: his-test stands in no ring",
            "put each database into a ring, or leave rings out",
        ),
        ("requires: [A]\n", "value", "7: requires is not allowed", "allowed: 1 to 80 lower-case"),
        (
            "requires: [c-1]\n",
            "contradiction",
            "7: requires: the change requires itself",
            "name changes that must have run before",
        ),
        (
            WINDOW.replace("sat", "saturday"),
            "value",
            "7: window.days is not allowed",
            "allowed: days: mon, tue, wed, thu, fri, sat, sun",
        ),
        (
            WINDOW.replace("days: [sat], ", ""),
            "missing-key",
            "7: window.days: missing",
            "allowed: days: mon, tue, wed, thu, fri, sat, sun",
        ),
        (WINDOW.replace("22:00", "9:00"), "value", "7: window.from: not allowed", TIME),
        (WINDOW.replace("22:00", "24:00"), "value", "7: window.from: not allowed", TIME),
        (
            WINDOW.replace("02:00", "25:00"),
            "value",
            "7: window.to: not allowed",
            f"allowed: {TIME}, up to 24:00",
        ),
        (
            WINDOW.replace("02:00", "22:00"),
            "contradiction",
            "7: window.to: it ends when it begins",
            'a whole day is from "00:00" to "24:00"',
        ),
        *(
            (
                WINDOW.replace("Asia/Shanghai", zone),
                "value",
                "7: window.zone: not allowed",
                "allowed: an IANA time zone such as Asia/Shanghai",
            )
            for zone in ("Asia/Nowhere", "right/Asia/Shanghai", "localtime", "../x", "Asia", "CST9")
        ),
        *(
            (
                f"touches:\n  - drop view x\n  - {line}\n",
                "value",
                "9: touches[2] is not allowed",
                f"allowed: {TOUCH}",
            )
            for line in (
                "change view y",
                "create thing y",
                "create view",
                "alter view y",
                "alter view y ()",
                "alter view y (owner, comment)",
                '"create view y\\nz"',
                "[]",
            )
        ),
        (
            'touches: ["?"]\n',
            "value",
            "7: touches[1] is not filled in",
            f"fill in the blank: {TOUCH}",
        ),
        (
            "touches:\n  - create view x\n  - alter view x (owner)\n",
            "twice",
            "9: touches[2]: view x stands there twice",
            "what is dropped and made anew is altered; name all its properties in one line",
        ),
        (
            'data_loss: "?"\n',
            "value",
            "7: data_loss is not filled in",
            "fill in the blank: none, recoverable, permanent",
        ),
        ("limits: {rows: 3}\n", "unknown-key", "7: unknown key limits.rows", "allowed: "),
        *(
            (
                f"limits: {{attempts: {attempts}}}\n",
                "value",
                "7: limits.attempts: not allowed",
                "allowed: a whole number from 1 to 20",
            )
            for attempts in ("0", "21", "-1", "05", "5.0", "100")
        ),
        *(
            (f"limits: {{{key}: {given}}}\n", "value", f"7: limits.{key}: not allowed", most)
            for key, given, most in (
                ("pause", "0s", f"{DURATION}, and at most 1h"),
                ("pause", "61m", "and at most 1h"),
                ("lock_wait", "601s", "and at most 10m"),
                ("statement", "8d", "and at most 7d"),
            )
        ),
        (
            "personal: {his.visit.phone: contact}\n",
            "contradiction",
            "7: personal.his.visit.phone: no column that the change makes",
            'touches says of a new column: "create column his.visit.phone"',
        ),
        (
            "touches: [create table his.visit]\npersonal: {his.visits.phone: contact}\n",
            "contradiction",
            "8: personal.his.visits.phone: no column that the change makes",
            'touches says of a new column: "create column his.visits.phone"',
        ),
        (
            "touches: [create column a.b]\npersonal: {a.b: Contact}\n",
            "value",
            "8: personal.a.b is not allowed",
            "allowed: lower-case letters, digits and hyphens",
        ),
        (
            "accepted: [{rule: pg, why: x}]\n",
            "value",
            "7: accepted[1].rule is not allowed",
            "allowed: a rule such as PG-IDX",
        ),
        (
            "accepted: [{rule: PG-IDX}]\n",
            "missing-key",
            "7: accepted[1].why is missing",
            "allowed: text on one line, at most 200 characters",
        ),
        (
            'accepted: [{rule: PG-IDX, why: "?"}]\n',
            "value",
            "7: accepted[1].why is not filled in",
            "fill in the blank: text on one line, at most 200 characters",
        ),
        (
            "accepted: [{rule: PG-IDX, at: line 3, why: x}]\n",
            "value",
            "7: accepted[1].at is not allowed",
            'allowed: a place as the finding names it, such as "up.sql line 3"',
        ),
        (
            "accepted:\n  - {rule: PG-IDX, why: x}\n  - {rule: PG-IDX, why: y}\n",
            "twice",
            "9: accepted[2]: PG-IDX is accepted twice",
            "write each once; at tells two places apart",
        ),
        (
            "tables: [a]\n",
            "contradiction",
            "7: tables: stands only beside prepares",
            "a change of tables",
        ),
        ("prepares: all\n", "value", "7: prepares is not allowed", "allowed: repairs"),
        (
            "prepares: repairs\nrecords: schema\n",
            "contradiction",
            "8: records: cannot stand beside prepares",
            "allowed: dbops, id, title, why, author, ticket, risk, databases, prepares, tables",
        ),
        (
            "records: schema\ntouches: [drop view x]\n",
            "contradiction",
            "8: touches: cannot stand beside records",
            "allowed: dbops, id, title, why, author, ticket, risk, databases, records",
        ),
        (
            "records: schema\n",
            "contradiction",
            "6: databases: 2 databases",
            "a change that records is of exactly one database",
        ),
    ],
)
def test_what_may_not_stand_there(more: str, code: str, message: str, hint: str) -> None:
    """Each with its line, and what would be allowed in its place."""
    fault = refusal(HEAD + more)
    assert fault.code == f"change-{code}"
    assert fault.message == f"changes/c-1/change.yml line {message}"
    assert hint in fault.hint


@pytest.mark.parametrize(
    ("manifest", "files", "what", "hint"),
    [
        (HEAD, {}, "there is no changes/c-1/up.sql", "write the statements that change"),
        (HEAD, {"up.sql": b""}, "there is no changes/c-1/verify.sql", "write queries there"),
        (
            HEAD,
            {"up.sql": b"", "verify.sql": b""},
            "there is no changes/c-1/down.sql",
            "write the way back there, or declare data_loss: permanent",
        ),
        (PREPARES, {}, "there is no changes/c-1/up.sql", "write the statements that change"),
        (RECORDS, {}, "there is no changes/c-1/source.schema", "draw it up from the database"),
        (
            RECORDS,
            {**SOURCE, "verify.sql": b""},
            "changes/c-1/verify.sql stands beside records",
            "remove the script",
        ),
    ],
)
def test_the_files_belong_together(
    manifest: str, files: dict[str, bytes], what: str, hint: str
) -> None:
    """What a change needs beside its manifest, and what it must not have."""
    fault = refusal(manifest, files)
    assert (fault.code, fault.message) == ("change-files", what)
    assert fault.hint.startswith(hint)


def test_what_is_lost_for_good_needs_no_way_back() -> None:
    """Only then down.sql may be missing."""
    files = {name: data for name, data in SCRIPTS.items() if name != "down.sql"}
    change = parse_change(work_of(f"{HEAD}data_loss: permanent\n", files))
    assert change.data_loss is DataLoss.PERMANENT
    assert refusal(f"{HEAD}data_loss: recoverable\n", files).code == "change-files"
