"""A rehearsal on a copy: up, down and up again, and what is written down of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest

from dbops.change.diff_text import parse_diff
from dbops.change.evidence import DownEvidence, RowCounts, evidence_text, parse_evidence
from dbops.change.manifest import DataLoss
from dbops.change.ports import ChangeSession, Lock, SessionOrder
from dbops.change.rehearsal import ChangeRehearsal, ChangeRehearsalOrder
from dbops.change.rehearse import rehearse_change
from dbops.change.run import run_change
from dbops.change.schema import Schema
from dbops.change.schema_text import parse_schema
from dbops.change.step import Direction
from dbops.change.touch import touches_of
from dbops.errors import Refused
from dbops.review.work import Kind, Work
from dbops.sql.written import Written
from tests.change.bench import (
    APART_DOWN,
    APART_TOUCHES,
    APART_UP,
    DOWN,
    TOUCHES,
    UP,
    VERIFY,
    Bench,
)
from tests.change.wrapped import Wrapped

NOW = datetime(2026, 11, 23, 2, 10, 30, 500_000, tzinfo=UTC)
TAKEN = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
FILES = {"change.yml": b"id: c-1\n", "up.sql": b"-- up\n", "rehearsed-lab.yml": b"old\n"}
TRUE = "SELECT 1 = 1;"


@dataclass
class Heard(Wrapped):
    """An engine that remembers of its sessions which ones were to measure."""

    measured: list[bool] = field(default_factory=list)

    @contextmanager
    def session(self, order: SessionOrder) -> Iterator[ChangeSession]:
        self.measured.append(order.measured)
        with self.engine.session(order) as session:
            yield session


def asked(
    bench: Bench,
    up: str = UP,
    down: str = DOWN,
    verify: str = VERIFY,
    touches: tuple[str, ...] = TOUCHES,
    loss: DataLoss = DataLoss.NONE,
) -> ChangeRehearsalOrder:
    """What is to be rehearsed on the bench's database, as if it were a copy."""
    order = bench.order(up, down, verify, touches, data_loss=loss)
    return ChangeRehearsalOrder(
        work=Work(Kind.CHANGE, "c-1", "changes/c-1", FILES),
        change=order.change,
        up=order.up,
        down=order.down,
        verify=order.verify,
        host="verify-1",
        database="lab",
        backup="lab@12",
        taken=TAKEN,
        proof="proven",
        source=None,
    )


def rehearsed(bench: Bench, order: ChangeRehearsalOrder) -> ChangeRehearsal:
    """What was found."""
    return rehearse_change(order, bench.site.engine, lambda: NOW, bench.slept.append)


def refusal(bench: Bench, order: ChangeRehearsalOrder) -> Refused:
    """How it was refused."""
    with pytest.raises(Refused) as caught:
        rehearsed(bench, order)
    return caught.value


def test_what_is_found_is_written_down(bench: Bench) -> None:
    """Findings, source and differences: each reads back, and is of the files as they are."""
    before = bench.schema()
    found = rehearsed(bench, asked(bench))
    evidence = found.evidence
    assert list(found.files) == ["rehearsed-lab.yml", "rehearsed-lab.schema", "rehearsed-lab.diff"]
    assert parse_evidence(found.files["rehearsed-lab.yml"], "yml") == evidence
    assert parse_schema(found.files["rehearsed-lab.schema"], "schema") == before
    differences = parse_diff(found.files["rehearsed-lab.diff"], "diff")
    assert [touch.line for touch in evidence.touched if touch.line in map(bench.say, TOUCHES)]
    assert len(differences) == len(evidence.touched)
    assert (evidence.id, evidence.host, evidence.backup) == ("c-1", "verify-1", "lab@12")
    assert (evidence.at, evidence.taken) == (NOW.replace(microsecond=0), TAKEN)
    assert (evidence.source, evidence.unseen) == (before.digest, ())
    assert [(step.direction, step.name) for step in evidence.steps] == [
        (Direction.UP, "rooms"),
        (Direction.UP, "phones"),
        (Direction.DOWN, "step 1"),
        (Direction.DOWN, "step 2"),
    ]
    assert evidence.rows[bench.say("{room}")] == RowCounts(None, 0, None)
    assert evidence.rows[bench.say("{visit}")] == RowCounts(3, 3, 3)
    assert list(evidence.sizes) == [bench.say("{ward}")]  # what differs, or is locked
    assert min(evidence.sizes.values()) > 0
    assert evidence.down == DownEvidence(equal=True)
    assert set(evidence.files) == {"change.yml", "up.sql"}
    assert bench.has("room")  # up.sql has run again


def test_the_rows_that_each_direction_writes_are_said(bench: Bench) -> None:
    """Of all parts together, by table: counts before and after are the same."""
    up = """
        UPDATE {visit} SET note = 'x';
        INSERT INTO {audit} VALUES (1, 'a');
        -- part: again
        UPDATE {visit} SET note = 'y' WHERE id = 1;
        """
    down = "UPDATE {visit} SET note = 'a'; DELETE FROM {audit};"
    found = rehearsed(bench, asked(bench, up, down, TRUE, ()))
    visit, audit = bench.say("{visit}"), bench.say("{audit}")
    assert found.evidence.written == {
        Direction.UP: {visit: Written(0, 4, 0), audit: Written(1, 0, 0)},
        Direction.DOWN: {visit: Written(0, 3, 0), audit: Written(0, 0, 1)},
    }
    assert found.files["rehearsed-lab.yml"].startswith(b"dbops: evidence/v3\n")


def test_the_source_is_what_the_backup_says(sqlite_bench: Bench) -> None:
    """A server may print objects otherwise after a restore: the copy's own does not count."""
    bench = sqlite_bench
    source = Schema({})
    found = rehearsed(bench, replace(asked(bench), source=source))
    assert found.evidence.source == source.digest
    assert parse_schema(found.files["rehearsed-lab.schema"], "schema") == source


def test_locks_are_measured(postgresql_bench: Bench) -> None:
    """Each step says which locks it added, and what others cannot do meanwhile."""
    evidence = rehearsed(postgresql_bench, asked(postgresql_bench)).evidence
    phones = evidence.steps[1].locks
    assert [(lock.object, lock.blocks) for lock in phones] == [("his.ward", "reads")]
    assert evidence.locks[Direction.UP, 2] == phones


HARD = """
VACUUM FULL {visit};
REINDEX SCHEMA his;
CLUSTER {ward};
REINDEX TABLE {audit};
"""


def test_what_locks_hardest_is_not_said_to_lock_nothing(postgresql_bench: Bench) -> None:
    """Steps outside of a transaction and inside: locks, what is written anew, and how long held."""
    bench = postgresql_bench
    bench.site.run(
        "ALTER TABLE his.audit ADD PRIMARY KEY (visit)",
        "ALTER TABLE his.ward CLUSTER ON ward_pkey",
    )
    evidence = rehearsed(bench, asked(bench, HARD, "", TRUE, ())).evidence
    reads, writes = ("AccessExclusiveLock", "reads"), ("ShareLock", "writes")
    audit, visit, ward = ("his.audit", "his.visit", "his.ward")
    keys = ("his.audit_pkey", "his.visit_pkey", "his.ward_pkey")
    assert [(step.locks, step.rewritten) for step in evidence.steps] == [
        ((Lock(visit, *reads),), (visit,)),
        (
            tuple(
                sorted(
                    [Lock(table, *writes) for table in (audit, visit, ward)]
                    + [Lock(key, *reads) for key in keys]
                )
            ),
            keys,
        ),
        ((Lock(ward, *reads),), (ward,)),
        ((Lock(audit, *writes), Lock(keys[0], *reads)), (keys[0],)),
    ]
    assert evidence.written == {Direction.UP: {}}
    assert evidence.held is not None
    assert [(each.first, each.last) for each in evidence.held] == [(1, 1), (2, 2), (3, 4)]
    took = {step.number: step.milliseconds for step in evidence.steps}
    assert [each.milliseconds for each in evidence.held[:2]] == [took[1], took[2]]
    assert evidence.held[2].milliseconds >= took[3] + took[4] - 1
    assert list(evidence.sizes) == [audit, visit, ward]
    assert parse_evidence(evidence_text(evidence), "yml") == evidence


def test_only_a_rehearsal_looks_on(sqlite_bench: Bench) -> None:
    """With a second connection, for what a step locks no longer than itself; a run does not."""
    bench = sqlite_bench
    heard = Heard(bench.site.engine)
    rehearse_change(asked(bench), heard, lambda: NOW, bench.slept.append)
    assert heard.measured == [True, True, True]
    bench.rebuild()
    run_change(bench.order(), heard, bench.observe, bench.slept.append)
    assert heard.measured == [True, True, True, False]


def test_a_file_is_locked_as_a_whole(sqlite_bench: Bench) -> None:
    """For writers, from the first step of a transaction on: said as any lock is."""
    evidence = rehearsed(sqlite_bench, asked(sqlite_bench)).evidence
    whole = (Lock("the whole file", "RESERVED", "writes"),)
    assert [step.locks for step in evidence.steps] == [whole, (), whole, ()]
    assert evidence.held is not None
    assert [(each.direction, each.first, each.last) for each in evidence.held] == [
        (Direction.UP, 1, 2),
        (Direction.DOWN, 1, 2),
    ]


def test_what_is_not_declared_is_refused(sqlite_bench: Bench) -> None:
    """As it would be on the database, in words."""
    bench = sqlite_bench
    refused = refusal(bench, asked(bench, touches=TOUCHES[:1]))
    ward = bench.say("{ward}")
    assert refused.code == "change-undeclared"
    assert refused.message.startswith(
        "c-1 was rolled back: c-1 changes what its touches do not name: 1 difference:"
        f" column `phone` of `{ward}` is new: varchar(20)"
    )


def test_a_touch_that_is_not_seen_is_remarked(sqlite_bench: Bench) -> None:
    """The evidence names it."""
    bench = sqlite_bench
    touches = (*TOUCHES, "drop view {open_visit}")
    found = rehearsed(bench, asked(bench, touches=touches))
    assert found.evidence.unseen == (bench.touch("drop view {open_visit}"),)


LEFT = [
    pytest.param("DROP TABLE {room};", "change-down", "down.sql of c-1 was rolled back", id="less"),
    pytest.param(
        "ALTER TABLE {ward} DROP COLUMN phone; DROP TABLE {room}; DROP VIEW {open_visit};",
        "change-undeclared",
        "down.sql of c-1 was rolled back",
        id="more",
    ),
    pytest.param(
        DOWN + "DELETE FROM {visit} WHERE id = 3;",
        "change-rows",
        "rows are lost by down.sql of c-1: ",
        id="rows",
    ),
]


@pytest.mark.parametrize(("down", "code", "says"), LEFT)
def test_a_way_back_that_does_not_lead_back(bench: Bench, down: str, code: str, says: str) -> None:
    """It leaves something, takes more along, or takes rows."""
    refused = refusal(bench, asked(bench, down=down))
    assert refused.code == code
    assert refused.message.startswith(says)


def test_a_column_comes_back_last(bench: Bench) -> None:
    """That is no difference, and the evidence names the columns."""
    up = "ALTER TABLE {visit} ADD COLUMN phone varchar(20); ALTER TABLE {visit} DROP COLUMN note;"
    down = "ALTER TABLE {visit} ADD COLUMN note varchar(40); ALTER TABLE {visit} DROP COLUMN phone;"
    touches = ("drop column {visit}.note", "create column {visit}.phone")
    found = rehearsed(bench, asked(bench, up, down, TRUE, touches))
    assert found.evidence.down == DownEvidence(equal=True)
    visit = bench.say("{visit}")
    bench.rebuild()
    bench.site.run(bench.say("ALTER TABLE {visit} ADD COLUMN last varchar(8)"))
    found = rehearsed(bench, asked(bench, up, down, TRUE, touches))
    assert found.evidence.down == DownEvidence(
        equal=False, order=(f"{visit}.last", f"{visit}.note")
    )


def test_rows_that_vanish_are_refused(bench: Bench) -> None:
    """Without a declared loss no table may have fewer rows, or be gone with some."""
    up = "DELETE FROM {visit} WHERE id = 3; CREATE TABLE {room} (n integer);"
    order = asked(bench, up, "DROP TABLE {room};", TRUE, ("create table {room}",))
    visit = bench.say("{visit}")
    refused = refusal(bench, order)
    assert refused.code == "change-rows"
    assert refused.message == f"rows are lost by up.sql of c-1: {visit} 3 → 2"
    assert refused.hint == "keep them, or declare data_loss in change.yml"


def test_rows_may_vanish_where_that_is_declared(sqlite_bench: Bench) -> None:
    """The evidence has the counts, and what the change says of its loss."""
    bench = sqlite_bench
    up = "DELETE FROM {visit} WHERE id = 3; CREATE TABLE {room} (n integer);"
    touches = ("create table {room}",)
    order = asked(bench, up, "DROP TABLE {room};", TRUE, touches, DataLoss.RECOVERABLE)
    evidence = rehearsed(bench, order).evidence
    assert evidence.rows[bench.say("{visit}")] == RowCounts(3, 2, 2)
    assert evidence.down == DownEvidence(equal=True, lost=DataLoss.RECOVERABLE)


def test_a_table_that_is_renamed_keeps_its_rows(bench: Bench) -> None:
    """They are there under another name, which is no loss."""
    bench.site.run(bench.say("CREATE TABLE {bed} (n integer)"))
    bench.site.run(bench.say("INSERT INTO {bed} VALUES (1), (2)"))
    up, down = "ALTER TABLE {bed} RENAME TO room;", "ALTER TABLE {room} RENAME TO bed;"
    found = rehearsed(bench, asked(bench, up, down, TRUE, ("drop table {bed}", TOUCHES[0])))
    assert found.evidence.rows[bench.say("{room}")] == RowCounts(None, 2, None)


def test_a_backup_knows_only_what_was_then(sqlite_bench: Bench) -> None:
    """What was half done, or missing, when it was taken may be settled since: a new one says so."""
    bench = sqlite_bench
    up = "CREATE TABLE {room} (n integer);\n-- part: more\nCREATE TABLE {bed} (n integer);"
    order = asked(bench)
    needs = replace(order, change=replace(order.change, requires=("c-0",)))
    cure = "take a new backup: dbops backup run lab && dbops backup verify lab --level proven"
    refused = refusal(bench, needs)
    assert (refused.code, refused.message, refused.hint) == (
        "change-requires",
        "c-1 requires c-0, and the journal of lab@12 does not have it done",
        f"run it first: dbops change run c-0; if that is done, {cure}",
    )
    other = bench.order(up, "", TRUE, ("create table {room}", "create table {bed}"))
    assert bench.killed_at(5, replace(other, change=replace(other.change, id="c-0")))
    refused = refusal(bench, order)
    assert (refused.code, refused.message, refused.hint) == (
        "change-half-done",
        "c-0 is half done on lab@12: 1 step of up.sql",
        "finish it: dbops change resume c-0, or take it back: dbops change resume c-0 --revert;"
        f" if that is done, {cure}",
    )


def test_a_change_without_a_way_back(sqlite_bench: Bench) -> None:
    """Where the loss is permanent there may be none, and the evidence says so."""
    bench = sqlite_bench
    evidence = rehearsed(bench, asked(bench, down="", loss=DataLoss.PERMANENT)).evidence
    assert evidence.down is None
    assert evidence.rows[bench.say("{visit}")] == RowCounts(3, 3, None)


def test_a_second_time_that_is_another(postgresql_bench: Bench) -> None:
    """What up.sql does once only is found out."""
    bench = postgresql_bench
    up = (
        "CREATE TABLE IF NOT EXISTS his.seen (n integer);"
        " DO $$ BEGIN IF EXISTS (SELECT FROM his.ward WHERE code = 'SEEN') THEN"
        " CREATE TABLE his.room (a integer); ELSE CREATE TABLE his.room (b integer);"
        " END IF; END $$;"
        " INSERT INTO his.ward (code) VALUES ('SEEN') ON CONFLICT DO NOTHING;"
    )
    down = "DROP TABLE his.room; DROP TABLE his.seen;"
    refused = refusal(
        bench, asked(bench, up, down, TRUE, ("create table {room}", "create table his.seen"))
    )
    assert refused.code == "change-again"
    assert refused.message.startswith(
        "after down.sql, up.sql of c-1 comes to something else than the first time: "
    )


def test_parts_are_rehearsed_as_they_run(postgresql_bench: Bench) -> None:
    """A step that stands alone does so here; nothing of a copy is called half done.

    How long its locks are held is measured of each part that has any, with what verify.sql takes.
    """
    bench = postgresql_bench
    verify = "SELECT pg_sleep(0.2) IS NOT NULL;"
    evidence = rehearsed(bench, asked(bench, APART_UP, APART_DOWN, verify, APART_TOUCHES)).evidence
    assert [step.name for step in evidence.steps][:3] == ["step 1", "notes", "step 3"]
    assert evidence.held is not None
    aside, last = (each for each in evidence.held if each.direction is Direction.UP)
    assert ((aside.first, aside.last), (last.first, last.last)) == ((2, 2), (3, 3))
    took = {each.number: each.milliseconds for each in evidence.steps[:3]}
    assert aside.milliseconds == took[2]
    assert 200 + took[3] <= last.milliseconds < 20_000
    bench.rebuild()
    refused = refusal(bench, asked(bench, APART_UP, APART_DOWN, TRUE, TOUCHES))
    assert refused.code == "change-undeclared"
    assert refused.message.startswith("on a copy of lab@12, and nowhere else: c-1 changes what its")
    assert refused.hint == (
        "write what is meant under touches, in place of a line of the same object there:\n"
        "  - create index his.visit_note\n"
        "or leave it out; then: dbops change rehearse c-1"
    )


def test_what_a_part_comes_to_is_written_down(bench: Bench) -> None:
    """Where it ends and others follow: what differs from the start then, in both directions."""
    up = UP.replace("-- step: phones", "-- part: phones")
    files = rehearsed(bench, asked(bench, up, DOWN.replace("; ", ";\n-- part: rooms\n"))).files
    ends = {path: parse_diff(data, path) for path, data in files.items() if ".diff" in path}
    room = f"create table {bench.site.full('room')}"
    phone = f"create column {bench.site.full('ward')}.phone"
    lines = {path: [touch.line for touch in touches_of(found)] for path, found in ends.items()}
    assert lines == {
        "rehearsed-lab.diff": [phone, room],
        "rehearsed-lab.up-1.diff": [room],
        "rehearsed-lab.down-1.diff": [room],
    }


def test_the_journal_of_the_backup_counts(sqlite_bench: Bench) -> None:
    """A copy on which the change has run, or what it requires has not, is none to rehearse on."""
    bench = sqlite_bench
    order = asked(bench)
    needing = replace(order, change=replace(order.change, requires=("c-0",)))
    assert refusal(bench, needing).code == "change-requires"
    bench.run(bench.order())
    assert refusal(bench, order).code == "change-already"
