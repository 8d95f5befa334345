"""Half a change is taken back only where that leaves rows alone which it never came to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from dbops.change.fate import Fate
from dbops.change.half_back import made_by, spares_rows
from dbops.change.parsed import read_step
from dbops.change.reading import Reading
from dbops.change.resume import Onward, resume_change, what_became
from dbops.change.run_order import ChangeRun
from dbops.change.script import parse_steps
from dbops.change.step import Step
from dbops.errors import DbopsError, Partly, Refused
from dbops.review.policy_document import FailedVerify
from tests.change.bench import Bench
from tests.change.two_parts import ROOMS_DOWN, ROOMS_UP, TOUCHES, VERIFY, onward

MADE = {"his.room", "his.ward.phone", "room", "ward.phone"}
SPARING = """
DROP TABLE IF EXISTS his.room
DROP TABLE room
ALTER TABLE his.ward DROP COLUMN phone
ALTER TABLE his.ward DROP COLUMN IF EXISTS phone, DROP CONSTRAINT IF EXISTS c
ALTER TABLE IF EXISTS his.room DROP COLUMN IF EXISTS unit
ALTER TABLE his.ward ALTER COLUMN name DROP NOT NULL
ALTER TABLE his.ward RENAME CONSTRAINT c TO d
DROP INDEX CONCURRENTLY IF EXISTS his.visit_note
DROP VIEW his.open_visit
CREATE OR REPLACE VIEW his.open_visit AS SELECT id FROM his.visit
DROP FUNCTION IF EXISTS his.age(date)
DROP TRIGGER log ON his.visit
CREATE TRIGGER log AFTER UPDATE ON his.visit EXECUTE FUNCTION his.log()
COMMENT ON TABLE his.visit IS 'x'
REVOKE SELECT ON his.visit FROM public
"""
RISKY = """
UPDATE his.visit SET note = 'x'
DELETE FROM his.visit
INSERT INTO his.visit VALUES (9)
TRUNCATE his.visit
DROP TABLE his.visit
DROP TABLE his.room, his.visit
DROP TABLE his.room CASCADE
DROP VIEW his.open_visit CASCADE
ALTER TABLE his.ward DROP COLUMN name
ALTER TABLE his.ward DROP COLUMN phone CASCADE
ALTER TABLE his.ward DROP COLUMN phone, DROP COLUMN name
ALTER TABLE his.dose ALTER COLUMN amount TYPE numeric USING amount / 1000
ALTER TABLE his.log DETACH PARTITION his.log_1
ALTER TABLE his.ward RENAME COLUMN title TO name
ALTER TABLE his.wards RENAME TO ward
ALTER TABLE his.ward SET SCHEMA old
ALTER TABLE his.room RENAME TO visit
ALTER TABLE his.room RENAME COLUMN code TO name
ALTER TABLE his.room SET SCHEMA old
ALTER INDEX his.visit RENAME TO room
ALTER VIEW his.visit RENAME TO room
DROP SCHEMA his
DROP TYPE his.sex
DROP MATERIALIZED VIEW his.sums
CREATE TABLE his.visit2 AS SELECT * FROM his.visit
DO $$ BEGIN DELETE FROM his.visit; END $$
CALL his.purge()
SELECT his.purge()
ALTER TABEL his.ward DROP COLUMN phone
"""
UP = """
-- step: unit
ALTER TABLE {ward} ADD COLUMN phone varchar(20);
-- part: texts
UPDATE {visit} SET note = note || note;
"""
DOWN = """
UPDATE {visit} SET note = substr(note, 1, length(note) / 2);
ALTER TABLE {ward} DROP COLUMN phone;
"""
NEVER = "SELECT count(*) = 99 FROM {ward};"
RISK = (
    "c-1 is half done on this database: 1 step of up.sql, and step 1 (down.sql line 2) may write or"
    " drop rows that are as they always were"
)


def lines(text: str) -> list[str]:
    return text.strip().splitlines()


def spares(sql: str) -> bool:
    return spares_rows(read_step(Step(1, "step 1", sql, 1), "postgres", "down.sql"), MADE)


@pytest.mark.parametrize("sql", lines(SPARING))
def test_what_leaves_rows_alone(sql: str) -> None:
    """Nothing with rows goes but what the change made."""
    assert spares(sql)


@pytest.mark.parametrize("sql", lines(RISKY))
def test_what_may_write_or_drop_rows(sql: str) -> None:
    """Rows that the change did not bring, or nobody can say which."""
    assert not spares(sql)


CREATED = {"his.room", "his.ward.phone"}
MAKES = "CREATE TABLE his.room (code text); ALTER TABLE his.ward ADD COLUMN phone text; "
GIVEN = {
    "": CREATED,
    "ALTER TABLE his.visit RENAME TO visit_old": CREATED,
    "ALTER TABLE his.visit RENAME COLUMN note TO phone": CREATED,
    "UPDATE his.ward SET name = 'rename'": CREATED,
    "DO $$ BEGIN UPDATE his.ward SET name = 'x'; END $$": CREATED,
    "ALTER TABLE his.visit RENAME TO room": {"his.ward.phone"},
    'ALTER TABLE his.visit RENAME TO "Room"': {"his.ward.phone"},
    "ALTER INDEX his.visit RENAME TO room": {"his.ward.phone"},
    "ALTER TABLE old.room SET SCHEMA his": {"his.ward.phone"},
    "ALTER TABLE his.ward RENAME COLUMN fax TO phone": {"his.room"},
    "ALTER TABLE his.visit RENAME TO ward": {"his.room"},
    "ALTER SCHEMA old RENAME TO his": set(),
    "DO $$ BEGIN ALTER TABLE his.visit RENAME TO room; END $$": set(),
    "DO $$ BEGIN ALTER TABLE old.room SET SCHEMA his; END $$": set(),
}


@pytest.mark.parametrize("sql", GIVEN)
def test_what_got_a_name_from_another_was_not_made(sql: str) -> None:
    """A table, a column or a schema that up.sql renames may have the rows that were there."""
    steps = parse_steps(f"{MAKES}{sql}\n".encode(), "up.sql")
    assert made_by(CREATED, readings(steps)) == GIVEN[sql]


def test_what_up_sql_does_not_say_that_it_makes_was_not_made() -> None:
    """It may have come by a function, or by a rename in one."""
    steps = parse_steps(b"CREATE TABLE his.room (code text); SELECT his.add_phone()\n", "up.sql")
    assert made_by(CREATED, readings(steps)) == {"his.room"}


def readings(steps: Sequence[Step]) -> list[Reading]:
    return [read_step(step, "postgres", "up.sql") for step in steps]


def notes(bench: Bench) -> Sequence[tuple[object, ...]]:
    return bench.site.rows(bench.say("SELECT id, note FROM {visit} ORDER BY id"))


def order(bench: Bench, failed: FailedVerify = FailedVerify.STOP) -> ChangeRun:
    touches = ["create column {ward}.phone"]
    seen = bench.rehearsed(UP)
    return bench.order(UP, DOWN, NEVER, touches, rehearsed=seen, failed=failed)


def test_the_policy_takes_no_rows_back_that_were_not_changed(bench: Bench) -> None:
    """The part that writes them was rolled back with verify.sql; the change stays half done."""
    before, change = notes(bench), order(bench, FailedVerify.DOWN)
    with pytest.raises(Partly) as caught:
        bench.run(change)
    assert notes(bench) == before
    assert caught.value.message.endswith(f"; and it was not taken back: {RISK}")
    assert what_became(change, bench.site.engine).fate is Fate.HALF


def test_nobody_takes_rows_back_that_were_not_changed(bench: Bench) -> None:
    """Who asks for it is refused, and finishing is left."""
    before, change = notes(bench), order(bench)
    with pytest.raises(DbopsError):
        bench.run(change)
    with pytest.raises(Refused) as caught:
        resume_change(
            replace(change, run="b" * 32),
            bench.site.engine,
            Onward.REVERT,
            bench.observe,
            bench.slept.append,
        )
    assert notes(bench) == before
    assert (caught.value.message, caught.value.hint) == (
        RISK,
        "finish it: dbops change resume c-1",
    )


COPIED_UP = """
ALTER TABLE {visit} ADD COLUMN note_old varchar(40);
-- part: copy
UPDATE {visit} SET note_old = note, note = upper(note);
"""
SWAPPED_BACK = """
ALTER TABLE {visit} RENAME COLUMN note TO note_new;
ALTER TABLE {visit} RENAME COLUMN note_old TO note;
ALTER TABLE {visit} RENAME COLUMN note_new TO note_old;
ALTER TABLE {visit} DROP COLUMN note_old;
"""


def test_names_are_not_swapped_back_before_rows_were_copied(bench: Bench) -> None:
    """What is called as the change's own column would be the one with the rows."""
    before = notes(bench)
    seen = bench.rehearsed(COPIED_UP, SWAPPED_BACK)
    touches = ["create column {visit}.note_old"]
    change = bench.order(COPIED_UP, SWAPPED_BACK, "SELECT 1 = 1;", touches, rehearsed=seen)
    assert bench.killed_at(4, change)
    assert what_became(change, bench.site.engine).fate is Fate.HALF
    with pytest.raises(Refused) as caught:
        onward(bench, change, Onward.REVERT)
    assert notes(bench) == before
    assert caught.value.message == RISK


def test_what_up_sql_renamed_is_not_dropped_before_rows_were_copied(bench: Bench) -> None:
    """The column that is new by its name is the one with the rows."""
    before = notes(bench)
    up = """
ALTER TABLE {visit} RENAME COLUMN note TO note_old;
ALTER TABLE {visit} ADD COLUMN note varchar(40);
-- part: copy
UPDATE {visit} SET note = upper(note_old);
"""
    down = "ALTER TABLE {visit} DROP COLUMN note_old;"
    touches = ["alter column {visit}.note (position)", "create column {visit}.note_old"]
    change = bench.order(up, down, "SELECT 1 = 1;", touches, rehearsed=bench.rehearsed(up, down))
    assert bench.killed_at(5, change)
    assert what_became(change, bench.site.engine).fate is Fate.HALF
    with pytest.raises(Refused) as caught:
        onward(bench, change, Onward.REVERT)
    columns = bench.say("SELECT id, note_old FROM {visit} ORDER BY id")
    assert bench.site.rows(columns) == before
    said = RISK.replace("1 step of", "2 steps of").replace("line 2", "line 1")
    assert caught.value.message == said


def test_who_goes_on_with_the_way_back_is_judged_as_who_began_it(bench: Bench) -> None:
    """Of a change that never got to its end all is compared, however often it is asked."""
    undeclared = "ALTER TABLE {ward} ADD COLUMN extra varchar(9);\n-- part: beds"
    up = ROOMS_UP.replace("-- part: beds", undeclared)
    seen = bench.rehearsed(up)
    change = bench.order(up, ROOMS_DOWN, VERIFY, TOUCHES, rehearsed=seen)
    with pytest.raises(Partly, match="changes what its touches do not name"):
        bench.run(change)
    for _attempt in range(2):
        with pytest.raises(Partly, match="not all is as before c-1"):
            onward(bench, change, Onward.REVERT)
        assert what_became(change, bench.site.engine).fate is Fate.HALF
