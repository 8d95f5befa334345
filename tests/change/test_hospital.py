"""A hospital's own schema, and its changes of a year: proposed, rehearsed, run and taken back."""

from __future__ import annotations

import os
import secrets
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from dbops.change.diff import compare_schemas, is_only_order
from dbops.change.fate import Fate
from dbops.change.manifest import DataLoss
from dbops.change.parts import parts_of
from dbops.change.ports import ChangeEngine
from dbops.change.resume import Onward, resume_change, what_became
from dbops.change.revert import revert_change
from dbops.change.rules.lint import accepts, blocking
from dbops.change.run import run_change
from dbops.change.run_order import ChangeRun
from dbops.change.schema import ObjectKind, ObjectName, Schema
from dbops.change.script import parse_steps
from dbops.change.stage import Moment, Stage
from dbops.change.step import Direction
from dbops.change.touch import touches_of
from dbops.errors import Refused
from tests.change.hospital.history import (
    FOLDERS,
    PLACE,
    History,
    PgOriginal,
    SqliteOriginal,
    changes_of,
    history_of,
    looked,
    proposed,
    rehearsed,
    unobserved,
)
from tests.fix_postgresql import PgServer

ROLES = ("hospital_doctor", "hospital_nurse", "hospital_billing", "hospital_report")


@pytest.fixture(scope="module")
def pg_hospital(pg17: PgServer) -> Iterator[PgOriginal]:
    """The hospital's database with some thousand rows; it and its roles are gone afterwards."""
    name = f"hospital_{secrets.token_hex(6)}"
    pg17.create_database(name)
    with pg17.connect(name) as connection:
        for role in ROLES:
            connection.execute(f"CREATE ROLE {role}".encode())
        for script in ("schema.sql", "rows.sql"):
            connection.execute((PLACE / script).read_bytes())
    yield PgOriginal(pg17, name)
    pg17.drop_database(name)
    with pg17.connect("postgres") as connection:
        for role in ROLES:
            connection.execute(f"DROP ROLE {role}".encode())


@pytest.fixture(scope="module")
def sqlite_hospital(tmp_path_factory: pytest.TempPathFactory) -> SqliteOriginal:
    """The laboratory's file."""
    path = tmp_path_factory.mktemp("hospital") / "lab.db"
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute((PLACE / "sqlite_schema.sql").read_text())
    connection.close()
    return SqliteOriginal(path)


@pytest.fixture(scope="module")
def on_pg(pg_hospital: PgOriginal) -> History:
    """Everything that was done to the hospital's database."""
    return history_of(pg_hospital, changes_of("his"))


@pytest.fixture(scope="module")
def on_sqlite(sqlite_hospital: SqliteOriginal) -> History:
    """Everything that was done to the laboratory's file."""
    return history_of(sqlite_hospital, changes_of("lab"))


@pytest.fixture(params=["postgresql", "sqlite"])
def history(request: pytest.FixtureRequest) -> History:
    """Each of the two."""
    name = {"postgresql": "on_pg", "sqlite": "on_sqlite"}[request.param]
    found = request.getfixturevalue(name)
    assert isinstance(found, History)
    return found


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_each_change_is_one_that_dbops_reads(folder: Path) -> None:
    """Its folder is its id; it has both ways, something to verify, and says why it is made."""
    found = proposed(folder)
    assert found.change.id == folder.name
    assert found.up
    assert found.down
    assert found.verify
    assert found.change.why
    assert found.change.touches


def test_the_schema_is_as_large_as_a_hospital_has_it(on_pg: History, on_sqlite: History) -> None:
    """Nearly every kind of object is there, none is unknown, and changes are ten and more."""
    kinds = _kinds(on_pg.start.schema)
    assert on_pg.start.schema.unknown == on_sqlite.start.schema.unknown == ()
    assert kinds[ObjectKind.TABLE] >= 30
    assert len(kinds) >= 20
    assert len(on_pg.carried) >= 10
    assert _kinds(on_sqlite.start.schema)[ObjectKind.TABLE] >= 12
    assert len(on_sqlite.carried) >= 3


def test_no_rule_stops_a_change(history: History) -> None:
    """What the rules call an error is accepted with a reason, and nothing else is accepted."""
    for each in history.carried:
        change, report = each.change, each.rehearsal.lint
        assert blocking(report, change.accepted) == ()
        for entry in change.accepted:
            assert entry.why
            assert any(accepts(entry, finding) for finding in report.findings)


def test_a_rehearsal_goes_up_and_down_and_up(history: History) -> None:
    """The copy is as before in the end, but for the place of a column that came back last."""
    for each in history.carried:
        found = each.rehearsal.found.evidence
        assert found.unseen == ()
        assert found.down is not None
        assert found.down.lost is each.change.data_loss
        assert found.down.equal is (found.down.order == ())
        assert not found.down.order or found.down.lost is DataLoss.RECOVERABLE


def test_a_run_makes_differ_what_its_touches_say_and_nothing_else(history: History) -> None:
    """Judged in its transaction, and found so by the next run, just these lines differ."""
    for each in history.carried:
        differences = compare_schemas(each.rehearsal.source, each.report.after)
        own = [one for one in differences if not is_only_order(one)]
        assert set(touches_of(own)) == set(each.change.touches)


def test_taken_back_one_after_the_other_all_is_as_it_was(history: History) -> None:
    """Each down.sql leads back to where its change began, and the last one to the first day."""
    for each, report in zip(reversed(history.carried), history.reverted, strict=True):
        apart = compare_schemas(each.rehearsal.source, report.after)
        assert [one for one in apart if not is_only_order(one)] == []
    assert history.end.schema == history.reverted[-1].after
    assert _in_any_order(history.end.schema) == _in_any_order(history.start.schema)


def test_on_postgresql_the_last_digest_is_the_first(on_pg: History) -> None:
    """No column came back last there: the texts are equal byte for byte."""
    assert on_pg.end.schema.digest == on_pg.start.schema.digest


def test_old_rows_are_validated_while_others_read_and_write(
    on_pg: History, pg_hospital: PgOriginal
) -> None:
    """Each VALIDATE is in a transaction that asks for no lock which anybody would notice."""
    modes = [
        [lock.mode for lock in each.order.locks_of(Direction.UP, part)]
        for each in on_pg.carried
        for part in parts_of(each.order.up, pg_hospital.engine)
        if any("VALIDATE CONSTRAINT" in step.sql for step in part.steps)
    ]
    assert modes == [["ShareUpdateExclusiveLock"]] * 2


def test_rows_are_lost_only_where_a_change_says_so(on_pg: History, on_sqlite: History) -> None:
    """All rows are there again, but for those of the one table that was dropped."""
    gone = ObjectName(ObjectKind.TABLE, ("his", "fax_log"))
    assert sum(on_pg.start.counts.values()) > 5000
    assert on_pg.end.counts == {**on_pg.start.counts, gone: 0}
    assert on_sqlite.end.counts == on_sqlite.start.counts


def test_what_was_taken_back_cannot_be_taken_back_again(
    on_pg: History, pg_hospital: PgOriginal
) -> None:
    """The journal in the database remembers the year."""
    with pytest.raises(Refused) as refusal:
        revert_change(on_pg.carried[0].order, pg_hospital.engine, unobserved)
    assert refusal.value.code == "change-returned"


def test_rows_that_arrive_in_no_other_partition_are_lost(
    on_pg: History, pg_hospital: PgOriginal
) -> None:
    """Observations of April leave the default partition, as in the change, and go nowhere."""
    april = next(each for each in changes_of("his") if each.change.id == "2026-106-april")
    leaving = b"DELETE FROM his.observation_rest WHERE observed_at < '2026-05-01';\n"
    change = replace(
        april,
        up=parse_steps(leaving, "up.sql"),
        verify=parse_steps(b"SELECT true;\n", "verify.sql"),
    )
    with pg_hospital.copied() as copy, pytest.raises(Refused) as refusal:
        rehearsed(copy, change, on_pg.end.schema, on_pg.end.sizes)
    assert refusal.value.code == "change-rows"
    assert refusal.value.message == (
        "rows are lost by up.sql of 2026-106-april: his.observation_rest 765 → 45"
    )


@pytest.mark.parametrize(
    ("change", "done", "where"),
    [
        ("2026-102-prescription-unit", 2, Onward.FINISH),
        ("2026-103-lab-result-specimen", 4, Onward.REVERT),
    ],
)
def test_a_process_that_dies_between_parts_leaves_half_of_it(
    on_pg: History, pg_hospital: PgOriginal, change: str, done: int, where: Onward
) -> None:
    """What it committed is there, and nothing else; the next process finishes it or takes it back.

    It dies before the last part, as a process does: nobody tells the server.
    """
    engine, before = pg_hospital.engine, on_pg.end.schema
    order = _once_more(on_pg, change)
    assert _dies_behind(done, order, engine)
    became = what_became(order, engine)
    assert (became.fate, became.direction, became.done) == (Fate.HALF, Direction.UP, done)
    anew = replace(order, run=secrets.token_hex(16))
    _, report = resume_change(anew, engine, where, unobserved)
    assert report is not None
    if where is Onward.FINISH:
        assert what_became(order, engine).fate is Fate.WHOLE
        own = compare_schemas(before, report.after)
        assert set(touches_of(own)) == set(order.change.touches)
        report = revert_change(replace(order, run=secrets.token_hex(16)), engine, unobserved)
    assert what_became(order, engine).fate is Fate.RETURNED
    assert report.after == looked(engine).schema == before


def _once_more(history: History, change: str) -> ChangeRun:
    """The order of a change of the year, approved anew for the database as it is in the end."""
    (found,) = (each.order for each in history.carried if each.change.id == change)
    assert found.rehearsed is not None
    return replace(
        found,
        plan=secrets.token_hex(32),
        run=secrets.token_hex(16),
        rehearsed=replace(found.rehearsed, source=history.end.schema),
    )


def _dies_behind(done: int, order: ChangeRun, engine: ChangeEngine) -> bool:
    """Whether a process that runs it ended when the part of this step was committed."""
    ran = set()

    def dies(moment: Moment) -> None:
        ran.add(moment.step)
        if moment.stage is Stage.COMMITTED and order.up[done - 1] in ran:
            os._exit(9)

    child = os.fork()
    if not child:
        try:
            run_change(order, engine, dies)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def _kinds(schema: Schema) -> Counter[ObjectKind]:
    return Counter(name.kind for name in schema.objects)


def _in_any_order(schema: Schema) -> dict[ObjectName, dict[str, str]]:
    return {
        name: {key: text for key, text in each.properties.items() if key != "position"}
        for name, each in schema.objects.items()
    }
