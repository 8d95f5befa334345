"""A new change: what is known is written, and what only its author knows is asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from dbops.change.diff import Difference, Verb
from dbops.change.draw_up import NewChange, draw_up_change, draw_up_record
from dbops.change.manifest import DataLoss, Ring
from dbops.change.manifest_text import parse_change
from dbops.change.schema import ObjectKind, ObjectName, SchemaObject, schema_of
from dbops.change.schema_text import parse_schema
from dbops.change.script import parse_steps
from dbops.change.touch import touch_of
from dbops.errors import Refused
from dbops.review.new_work import create_work
from dbops.review.work import Risk, Work
from tests.change.schemas import INDEX, TABLE, WARD, name

NEW = NewChange(
    id="c-1",
    title="Visits: an existing ward",
    author="zhang.wei@contractor",
    databases=("his-test", "his"),
    rings=(Ring("test", ("his-test",)), Ring("prod", ("his",), timedelta(hours=24))),
    ticket="HIS-1",
    risk=Risk.HIGH,
)
MADE = Difference(Verb.CREATE, INDEX, {}, {"definition": "d"}, (TABLE,))
WIDER = Difference(
    Verb.ALTER, WARD, {"type": "character varying(8)"}, {"type": "character varying(12)"}, (TABLE,)
)


def filled(work: Work, *answers: tuple[str, str]) -> Work:
    """The folder once its author has answered these."""
    text = work.files["change.yml"].decode()
    for blank, answer in answers:
        assert text.count(blank) == 1
        text = text.replace(blank, answer)
    return replace(work, files={**work.files, "change.yml": text.encode()})


def refused(work: Work) -> str:
    """What is refused of the change, without its code."""
    with pytest.raises(Refused) as caught:
        parse_change(work)
    assert caught.value.hint.startswith("fill in the blank: ")
    return caught.value.message


def test_blanks_are_asked_one_after_the_other() -> None:
    """Until all are filled nothing runs, and then it is the change that was meant."""
    work = draw_up_change(NEW)
    answers = [('why: "?"', "why: it was needed"), ('- "?"', "- create index his.visit_ward_ix")]
    assert refused(work) == "changes/c-1/change.yml line 11: why is not filled in"
    assert refused(filled(work, *answers[:1])) == (
        "changes/c-1/change.yml line 15: touches[1] is not filled in"
    )
    assert refused(filled(work, *answers)) == (
        "changes/c-1/change.yml line 16: data_loss is not filled in"
    )
    change = parse_change(filled(work, *answers, ('data_loss: "?"', "data_loss: none")))
    assert (change.id, change.title, change.author) == (NEW.id, NEW.title, NEW.author)
    assert (change.rings, change.ticket, change.risk) == (NEW.rings, NEW.ticket, NEW.risk)
    assert (change.why, change.data_loss) == ("it was needed", DataLoss.NONE)
    assert change.touches == (touch_of(MADE),)


@pytest.mark.parametrize("file", ["up.sql", "down.sql", "verify.sql"])
def test_sql_is_the_authors(file: str) -> None:
    """Each script is there with remarks alone, and empty as long as nobody writes it."""
    data = draw_up_change(NEW).files[file]
    assert all(line.startswith(b"-- ") for line in data.splitlines())
    with pytest.raises(Refused) as caught:
        parse_steps(data, file)
    assert caught.value.code == "script-empty"


def test_a_difference_is_declared() -> None:
    """Its touches, no loss where nothing is dropped, and words in the scripts."""
    work = draw_up_change(replace(NEW, why="it is slow"), [WIDER, MADE])
    change = parse_change(work)
    assert change.touches == (touch_of(WIDER), touch_of(MADE))
    assert (change.why, change.data_loss) == ("it is slow", DataLoss.NONE)
    told = [
        "-- column `ward_code` of `his.visit`: varchar(8) → varchar(12)",
        "-- index `his.visit_ward_ix` on `his.visit` is new",
    ]
    assert work.files["up.sql"].decode().splitlines()[-3:] == [*told, "--   d"]
    assert work.files["down.sql"].decode().splitlines()[-2:] == told


@pytest.mark.parametrize("what", [WARD, TABLE])
def test_what_is_dropped_asks_for_the_loss(what: ObjectName) -> None:
    """Only the author knows what the rows and values are worth."""
    work = draw_up_change(replace(NEW, why="x"), [Difference(Verb.DROP, what)])
    assert refused(work).endswith(": data_loss is not filled in")
    index = draw_up_change(replace(NEW, why="x"), [Difference(Verb.DROP, INDEX)])
    assert parse_change(index).data_loss is DataLoss.NONE


def test_no_difference_is_no_touch() -> None:
    """Two databases that are alike: nothing may differ."""
    change = parse_change(draw_up_change(replace(NEW, why="x", rings=()), []))
    assert change.touches == ()
    assert change.rings == (Ring("all", NEW.databases),)


def test_a_baseline_holds_the_schema() -> None:
    """And nothing else: no script, no blank."""
    schema = schema_of([SchemaObject(TABLE, {"owner": "his"}), SchemaObject(WARD, {}, TABLE)])
    work = draw_up_record(replace(NEW, databases=("his",), rings=()), schema)
    assert set(work.files) == {"change.yml", "source.schema"}
    assert parse_schema(work.files["source.schema"], "s") == schema
    change = parse_change(work)
    assert (change.records, change.databases, change.risk) == ("schema", ("his",), Risk.HIGH)


def test_a_baseline_that_nobody_can_compare_is_refused() -> None:
    """Equal would be a guess."""
    with pytest.raises(Refused) as caught:
        draw_up_record(replace(NEW, databases=("his",)), schema_of([], ("operator his.=",)))
    assert caught.value.code == "schema-unknown"


@pytest.mark.parametrize(
    ("new", "code"),
    [
        (replace(NEW, id="C 1"), "work-id"),
        (replace(NEW, title="a\nb"), "manifest-value"),
        (replace(NEW, author="zhang wei"), "manifest-value"),
        (replace(NEW, databases=("His",), rings=()), "manifest-value"),
    ],
)
def test_what_may_not_stand_there_is_not_written(new: NewChange, code: str) -> None:
    """Said before there is a folder."""
    with pytest.raises(Refused) as caught:
        draw_up_change(new)
    assert caught.value.code == code


def test_the_folder_is_made(tmp_path: Path) -> None:
    """As every work's is."""
    odd = Difference(Verb.CREATE, name(ObjectKind.VIEW, 'a "b"', "c: #d"))
    work = draw_up_change(replace(NEW, why="x"), [odd])
    folder = create_work(tmp_path, work)
    assert {each.name: each.read_bytes() for each in folder.iterdir()} == work.files
    assert parse_change(work).touches == (touch_of(odd),)


@pytest.mark.parametrize(
    ("old", "new", "asks"),
    [
        ("character varying(8)", "character varying(7)", True),
        ("character varying(8)", "character varying(8)", False),
        ("VARCHAR(8)", "VARCHAR(80)", False),
        ("numeric(8)", "numeric(9)", True),
        ("integer", "text", True),
        ("text", "character varying(8)", True),
    ],
)
def test_another_type_asks_for_the_loss(old: str, new: str, *, asks: bool) -> None:
    """Only more room for characters loses nothing for certain."""
    other = Difference(Verb.ALTER, WARD, {"type": old}, {"type": new}, (TABLE,))
    work = draw_up_change(replace(NEW, why="x"), [other])
    assert (b'data_loss: "?"' in work.files["change.yml"]) is asks


def test_what_goes_along_is_not_told_by_itself() -> None:
    """Of a dropped table neither its columns, nor the places that a dropped column leaves."""
    place = Difference(Verb.ALTER, WARD, {"position": "3"}, {"position": "2"}, (TABLE,))
    column = Difference(Verb.DROP, name(ObjectKind.COLUMN, *TABLE.path, "old"), within=(TABLE,))
    moved = draw_up_change(replace(NEW, why="x"), [column, place])
    assert b"position" not in b"".join(moved.files.values())
    whole = draw_up_change(replace(NEW, why="x"), [column, Difference(Verb.DROP, TABLE)])
    told = f"-- table `{TABLE.written}` is gone\n"
    assert whole.files["up.sql"].decode().endswith(f"-- To be made:\n{told}")
