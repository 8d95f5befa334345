"""Playbooks are read and instantiated: settings by name, and never a value where it must not be."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbops.errors import Refused, UsageFault
from dbops.repair.head import RepairHead
from dbops.repair.manifest import Cause
from dbops.repair.manifest_text import parse_repair
from dbops.repair.playbook import Playbook, check_sealed, instantiate, parse_playbook
from dbops.review.work import Kind, Risk, Work

BOOK = """\
dbops: playbook/v1
name: move
title: {en: Move visits, zh: 移动就诊}
engines: [postgresql, sqlite]
risk: low
params:
  visits: {type: table, default: visit, description: Visits}
  ward: {type: column, table: visits, default: ward_code, description: The ward}
  from_ward: {type: text, description: The wrong ward}
  to_ward: {type: text, default: "", description: The right ward}
  patient: {type: integer, sealed: true, description: Whose visits}
  moved: {type: integer, description: How many}
watch:
  - table: ':"visits"'
    where: ':"ward" = :from_ward AND patient_id = :patient'
    expect: {update: ":moved"}
    may_change: [':"ward"', updated_at]
limits: {rows: expected, lock_wait: 3s}
undo: {volatile: [updated_at]}
show: [':"ward"']
"""
SQL = b"""\
-- one statement
UPDATE :"visits" SET :"ward" = :to_ward WHERE :"ward" = :from_ward AND patient_id = :patient;
"""
HEAD = RepairHead(
    id="2026-117-ward",
    author="zhang.wei",
    database="his",
    title='38 visits: "OLD"',
    ticket="T-117",
    opened=date(2026, 11, 20),
    clocks=("data-error", "response"),
    cause="the map's old",
    fix="T-120",
)
SETTINGS = {"from_ward": "OLD", "moved": "38"}


def book(text: str = BOOK, script: bytes = SQL) -> Playbook:
    return parse_playbook({"playbook.yml": text.encode(), "repair.sql": script}, "move")


def read(files: dict[str, bytes]) -> Work:
    return Work(Kind.REPAIR, HEAD.id, f"repairs/{HEAD.id}", {**files, "payload.age": b""})


def test_an_instance_is_plain_to_read() -> None:
    """People review it: one parameter a line, its values where they belong, none that is sealed."""
    files = instantiate(book(), SETTINGS, HEAD)
    assert files["repair.sql"] == SQL
    assert files["repair.yml"].decode() == (
        "dbops: repair/v1\n"
        "id: 2026-117-ward\n"
        "title: '38 visits: \"OLD\"'\n"
        "author: zhang.wei\n"
        "ticket: T-117\n"
        "risk: low\n"
        "databases: [his]\n"
        "opened: 2026-11-20\n"
        "clocks: [data-error, response]\n"
        'cause: {found: "the map\'s old", fix: T-120}\n'
        "playbook: move\n"
        "params:\n"
        "  visits: {type: table, value: visit}\n"
        "  ward: {type: column, table: visits, value: ward_code}\n"
        '  from_ward: {type: text, value: "OLD"}\n'
        '  to_ward: {type: text, value: ""}\n'
        "  patient: {type: integer, sealed: true}\n"
        "  moved: {type: integer, value: 38}\n"
        "watch:\n"
        "  - table: ':\"visits\"'\n"
        "    where: ':\"ward\" = :from_ward AND patient_id = :patient'\n"
        '    expect: {update: ":moved"}\n'
        "    may_change: [':\"ward\"', updated_at]\n"
        "limits: {rows: 38, lock_wait: 3s}\n"
        "undo: {volatile: [updated_at]}\n"
        "show: [ward_code]\n"
    )


def test_it_reads_back_as_what_was_meant() -> None:
    """Through the reader of every repair."""
    repair = parse_repair(read(instantiate(book(), SETTINGS, HEAD)))
    assert (repair.title, repair.ticket, repair.opened) == (HEAD.title, "T-117", HEAD.opened)
    assert repair.cause == Cause("the map's old", "T-120")
    assert (repair.watches[0].may_change, repair.show) == (
        ("ward_code", "updated_at"),
        ("ward_code",),
    )
    assert (repair.watches[0].expect.updated, repair.limits.rows) == (38, 38)


def test_the_least_that_an_author_says() -> None:
    """The title and the risk are then the playbook's; the cause is not found yet."""
    head = RepairHead(id=HEAD.id, author="zhang.wei", database="his")
    repair = parse_repair(read(instantiate(book(), SETTINGS, head)))
    assert (repair.title, repair.risk, repair.cause) == ("Move visits", Risk.LOW, None)
    assert (repair.ticket, repair.opened, repair.clocks) == (None, None, ())


def test_a_watch_that_expects_nothing_changes_no_column() -> None:
    """A count of 0 is a table in which nothing has to be done; any write there is refused."""
    repair = parse_repair(read(instantiate(book(), {**SETTINGS, "moved": "0"}, HEAD)))
    assert repair.watches[0].may_change == ()
    assert repair.limits.rows == 1


@settings(max_examples=40)
@given(st.dictionaries(st.sampled_from(["from_ward", "to_ward"]), st.text(max_size=60)))
def test_any_text_comes_back_or_is_refused(texts: dict[str, str]) -> None:
    """Quotes, colons, blanks and hidden characters: a value is kept exactly, or nothing is made."""
    hidden = any(not character.isprintable() for text in texts.values() for character in text)
    try:
        files = instantiate(book(), SETTINGS | texts, HEAD)
    except (UsageFault, Refused):
        assert hidden
        return
    repair = parse_repair(read(files))
    for name, text in texts.items():
        assert repair.parameters[name].value == text


@pytest.mark.parametrize(
    ("changed", "message", "hint"),
    [
        (
            {"from_wrd": "OLD"},
            "move has no parameter from_wrd",
            'did you mean "from_ward"? its parameters: visits, ward, from_ward, to_ward, patient,'
            " moved",
        ),
        (
            {"moved": "many SECRET"},
            "the value of moved is no integer",
            "allowed: a whole number of 64 bits, such as 38 or -7",
        ),
        (
            {"patient": "4711"},
            "the parameter patient is sealed",
            "seal it, never --set it: --seal patient=FILE",
        ),
    ],
)
def test_a_setting_that_cannot_be_is_refused_by_name(
    changed: dict[str, str], message: str, hint: str
) -> None:
    """And its value is not repeated: it may be somebody's number."""
    with pytest.raises(UsageFault) as caught:
        instantiate(book(), SETTINGS | changed, HEAD)
    assert (caught.value.code, caught.value.message) == ("playbook-setting", message)
    assert caught.value.hint == hint


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("patient", "张三", "the value of patient is no integer"),
        ("patient", "", "the value of patient is no integer"),
        ("nobody", "1", "{} has no sealed parameter nobody"),
    ],
)
def test_a_sealed_value_that_cannot_be_is_refused(name: str, text: str, message: str) -> None:
    """Before it is sealed, where nobody reads it again until the rehearsal; no value is told."""
    playbook = book()
    check_sealed(playbook, {"patient": "77"})
    with pytest.raises(UsageFault) as caught:
        check_sealed(playbook, {name: text})
    assert str(caught.value) == message.format(playbook.name)


def test_what_must_be_set_is_named() -> None:
    """All of it at once."""
    with pytest.raises(UsageFault) as caught:
        instantiate(book(), {}, HEAD)
    assert caught.value.message == "move needs a value for from_ward, moved"
    assert caught.value.hint == (
        "give each: --set from_ward=…; what they mean: dbops playbook show move"
    )


def test_an_author_that_is_none_is_refused() -> None:
    """What the head of any work may not hold, a playbook cannot bring in."""
    head = RepairHead(id="2026-117-ward", author="zhang wei", database="his")
    with pytest.raises(Refused) as caught:
        instantiate(book(), SETTINGS, head)
    assert caught.value.code == "manifest-value"
    with pytest.raises(Refused) as caught:
        instantiate(book(), SETTINGS, RepairHead(id="../x", author="a", database="his"))
    assert caught.value.code == "work-id"


@pytest.mark.parametrize(
    ("old", "new", "code", "message"),
    [
        ("name: move", "name: other", "repair-value", "line 2: name: not the folder's name"),
        ("playbook/v1", "playbook/v2", "repair-value", "line 1: dbops is not allowed"),
        ("risk: low", "risk: none", "repair-value", "line 5: risk is not allowed"),
        ("show:", "shown:", "repair-unknown-key", "line 20: unknown key shown"),
        (
            "table, default: visit",
            "tabel, default: visit",
            "repair-value",
            "line 7: params.visits.type is not allowed",
        ),
        (
            "integer, sealed: true,",
            'integer, sealed: true, default: "1",',
            "repair-param",
            "line 11: params.patient.default: not allowed",
        ),
        (
            "integer, description",
            "integer, default: many, description",
            "repair-param",
            "line 12: params.moved.default: not allowed",
        ),
        (", zh: 移动就诊", "", "repair-missing-key", "line 3: title.zh is missing"),
        (
            ", description: Visits",
            "",
            "repair-missing-key",
            "line 7: params.visits.description is missing",
        ),
    ],
)
def test_a_playbook_is_of_its_form(old: str, new: str, code: str, message: str) -> None:
    """Or it is refused with file and line."""
    assert BOOK.count(old) == 1
    with pytest.raises(Refused) as caught:
        book(BOOK.replace(old, new))
    assert (caught.value.code, caught.value.message) == (code, f"move/playbook.yml {message}")


def test_what_a_playbook_gets_wrong_shows_when_it_is_used() -> None:
    """The reader of repairs checks every instance, so a bad one is never written."""
    with pytest.raises(Refused) as caught:
        instantiate(
            book(BOOK.replace("patient_id = :patient'", "patient_id = :pateint'")), SETTINGS, HEAD
        )
    assert caught.value.code == "repair-undeclared"
    with pytest.raises(Refused) as caught:
        book(script=b"-- nothing\n")
    assert caught.value.code == "script-empty"


@pytest.mark.parametrize("missing", ["playbook.yml", "repair.sql"])
def test_both_files_must_be_there(missing: str) -> None:
    """A page alone is no playbook."""
    files = {"playbook.yml": BOOK.encode(), "repair.sql": SQL}
    del files[missing]
    with pytest.raises(Refused) as caught:
        parse_playbook(files, "move")
    assert (caught.value.code, caught.value.message) == (
        "playbook-files",
        f"there is no move/{missing}",
    )
