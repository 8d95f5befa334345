"""A `change.yml` that is written reads back as what was meant."""

from __future__ import annotations

from dataclasses import replace
from datetime import time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbops.change.diff import Verb
from dbops.change.manifest import Accepted, Change, DataLoss, Limits, Ring, Window
from dbops.change.manifest_text import parse_change
from dbops.change.manifest_writing import change_text
from dbops.change.schema import ObjectKind, ObjectName
from dbops.change.touch import Touch
from dbops.review.work import Risk
from tests.change.manifests import HEAD, PREPARES, RECORDS, SCRIPTS, WHOLE, work_of

_text = st.text("ab 1:#?'\"{}[],&*!-~病", max_size=20).map(lambda text: f"x{text}x")
_words = st.text("abn_ 1.(\"#:',病", min_size=1, max_size=6)
_verbs = st.sampled_from(Verb)
_seconds = st.builds(timedelta, seconds=st.integers(1, 10**6))
_waits = st.builds(timedelta, seconds=st.integers(1, 600))


@st.composite
def _touch(draw: st.DrawFn) -> Touch:
    verb, kind = draw(_verbs), draw(st.sampled_from(ObjectKind))
    written = ObjectName(kind, tuple(draw(st.lists(_words, min_size=1, max_size=2)))).written
    properties = draw(st.sampled_from([("type",), ("default", "not null")]))
    return Touch(verb, kind, written, properties if verb is Verb.ALTER else ())


@st.composite
def _change(draw: st.DrawFn) -> Change:
    names = draw(st.permutations(["his", "his-test", "lab", "no"]))
    cut = draw(st.integers(1, 4))
    rings = [Ring("one", tuple(names[:cut]))]
    if cut < 4:
        rings.append(Ring("two", tuple(names[cut:]), draw(_seconds | st.just(timedelta()))))
    touches = draw(st.lists(_touch(), max_size=3, unique_by=lambda each: (each.kind, each.written)))
    made = [
        each.written
        for each in touches
        if (each.verb, each.kind) == (Verb.CREATE, ObjectKind.COLUMN)
    ]
    return Change(
        id="c-1",
        title=draw(_text),
        author="zhang.wei@contractor",
        risk=draw(st.sampled_from(Risk)),
        rings=tuple(rings),
        why=draw(st.none() | _text),
        ticket=draw(st.none() | _text),
        requires=tuple(draw(st.sampled_from([[], ["c-0", "2026-1.x_y"]]))),
        window=draw(st.none() | _window()),
        touches=tuple(touches),
        data_loss=draw(st.sampled_from(DataLoss)),
        limits=draw(st.builds(Limits, _waits, _waits, st.integers(1, 20), _waits)),
        personal=dict.fromkeys(made, draw(st.sampled_from(["none", "contact-1"]))),
        accepted=tuple(
            draw(
                st.lists(
                    st.builds(
                        Accepted,
                        st.sampled_from(["PG-IDX", "DDL-DROP"]),
                        _text,
                        st.none() | st.sampled_from(["up.sql line 3", "down.sql line 12"]),
                    ),
                    max_size=3,
                    unique_by=lambda each: (each.rule, each.at),
                )
            )
        ),
    )


@st.composite
def _window(draw: st.DrawFn) -> Window:
    begin, end = draw(st.integers(0, 1439)), draw(st.integers(0, 1439))
    begin = 0 if begin == end else begin
    end = 0 if begin == 0 and end == 0 else end
    zone = ZoneInfo(draw(st.sampled_from(["Asia/Shanghai", "Etc/GMT+5", "UTC"])))
    days = draw(st.frozensets(st.integers(0, 6), min_size=1))
    return Window(days, time(*divmod(begin, 60)), time(*divmod(end, 60)), zone)


def read(change: Change) -> Change:
    """What is read of what is written, without lines."""
    source = {"source.schema": b""} if change.records else SCRIPTS
    found = parse_change(work_of(change_text(change).decode(), source))
    return replace(found, accepted=tuple(replace(each, line=0) for each in found.accepted))


@given(_change())
def test_a_change_reads_back(change: Change) -> None:
    """Whatever it says."""
    assert read(change) == change


@pytest.mark.parametrize("manifest", [HEAD, WHOLE, PREPARES, RECORDS])
def test_what_was_read_can_be_written(manifest: str) -> None:
    """Of every sort."""
    files = {**SCRIPTS} if "records" not in manifest else {"source.schema": b""}
    change = parse_change(work_of(manifest, files))
    bare = tuple(replace(each, line=0) for each in change.accepted)
    assert read(change) == replace(change, accepted=bare)


def test_what_is_usual_is_not_written() -> None:
    """One ring, no loss and the limits that hold anyway are not repeated."""
    assert change_text(parse_change(work_of(HEAD))).decode() == HEAD.replace(
        "title: Visits must point to an existing ward",
        'title: "Visits must point to an existing ward"',
    )


def test_a_whole_change_in_full() -> None:
    """A key a line, lists of objects below each other, quotes only where they are needed."""
    assert (
        change_text(parse_change(work_of(WHOLE))).decode()
        == """\
dbops: change/v1
id: c-1
title: "Visits must point to an existing ward"
why: "the map error: of May"
ticket: HIS-4833
author: zhang.wei@contractor
risk: low
databases: [his-test, his]
rings:
  - {name: test, databases: [his-test]}
  - {name: prod, databases: [his], soak: 1d}
requires: [c-0, 2026-029-ward-key]
window: {days: [sat, sun], from: "22:00", to: "02:00", zone: Asia/Shanghai}
touches:
  - create constraint his.visit.visit_ward_fk
  - alter column his.visit.ward_code (default, type)
  - create column his.visit.phone
  - create table his.ward
  - "drop view his.\\"old view\\""
data_loss: recoverable
limits: {lock_wait: 4s, statement: 20m, pause: 30s, attempts: 20}
personal:
  his.visit.phone: contact
  his.ward.head: none
accepted:
  - {rule: PG-IDX, at: "up.sql line 3", why: "the table has 40 rows"}
  - {rule: DDL-DROP, why: "nobody reads it"}
"""
    )
