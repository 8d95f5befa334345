"""What `audit log` looks for in a line's bytes is what the entry says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbops.audit.entry import Actor, Draft, Effect, Entry, Event, Label, Phase, Result, encode
from dbops.cli.audit_filter import Wanted, parse_events, wanted_lines
from dbops.errors import UsageFault

START = datetime(2026, 3, 1, tzinfo=UTC)
# Few values, so that they meet; some look like parts of a line.
TEXTS = st.sampled_from(["lab", "la", "database:lab", "检验", "event", "{seq:1,prev:0}"])
TIMES = st.integers(0, 6).map(lambda count: START + timedelta(seconds=count / 2))


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    """An entry with what can be asked for, and with the same texts elsewhere."""
    actor = Actor(draw(TEXTS), 0, draw(st.none() | TEXTS), None, draw(st.none() | TEXTS), 1, 1)
    event = draw(st.sampled_from(Event))
    draft = Draft(
        event=event,
        phase=Phase.RECORD,
        of=7 if event is Event.LEDGER_CLOSE else None,
        target=draw(st.none() | TEXTS),
        work=draw(st.none() | TEXTS),
        names={Label.PATH: draw(TEXTS), Label.PRINCIPAL: draw(TEXTS)},
        result=draw(st.none() | st.sampled_from(Result)),
        effect=draw(st.none() | st.sampled_from(Effect)),
        reason=draw(st.none() | TEXTS),
    )
    return Entry(
        sequence=draw(st.sampled_from([0, 9, 10**17])),
        previous="ab" * 32,
        at=draw(TIMES).replace(microsecond=0),
        offset=480,
        host=draw(TEXTS),
        boot="boot",
        actor=actor,
        tool="dbops",
        draft=draft,
    )


@given(
    entry=entries(),
    since=st.none() | TIMES,
    until=st.none() | TIMES,
    events=st.lists(st.sampled_from(Event), max_size=3),
    database=st.none() | TEXTS,
    work=st.none() | TEXTS,
    actor=st.none() | TEXTS,
    result=st.none() | st.sampled_from(Result),
)
def test_the_bytes_say_what_the_entry_says(
    entry: Entry,
    since: datetime | None,
    until: datetime | None,
    events: list[Event],
    database: str | None,
    work: str | None,
    actor: str | None,
    result: Result | None,
) -> None:
    """A line is wanted exactly where all that was asked for holds of its entry."""
    draft, who = entry.draft, entry.actor
    expected = (
        (since is None or entry.at >= since)
        and (until is None or entry.at < until)
        and (not events or draft.event in events)
        and (database is None or draft.target == database)
        and (work is None or draft.work == work)
        and (actor is None or actor in (who.account, who.login, who.sudo))
        and (result is None or draft.result is result)
    )
    wanted = wanted_lines(
        since=since,
        until=until,
        events=events,
        database=database,
        work=work,
        actor=actor,
        result=result,
    )
    assert wanted(encode(entry)) is expected


@pytest.mark.parametrize("line", [b"", b"{}", b'{"v":2,"seq":1}', b'"v":1,"seq":1', b"\xff" * 500])
def test_what_does_not_begin_as_an_entry_is_never_wanted(line: bytes) -> None:
    """Even where nothing narrows the listing."""
    assert not wanted_lines()(line)


def test_a_group_means_all_its_events() -> None:
    """`backup` is every event of backups, `backup.run` the one; both together are alternatives."""
    assert set(parse_events(["backup"])) == {
        Event.BACKUP_RUN,
        Event.BACKUP_VERIFY,
        Event.BACKUP_SHOW,
        Event.BACKUP_EXPIRE,
        Event.BACKUP_HOLD,
        Event.BACKUP_RELEASE,
    }
    assert parse_events(["restore.run", "estate"]) == (Event.RESTORE_RUN, Event.ESTATE_INIT)


def test_an_unknown_event_is_refused_with_the_groups() -> None:
    """Nothing is listed where something else was meant."""
    with pytest.raises(UsageFault) as caught:
        parse_events(["backups"])
    assert caught.value.message == 'there is no event "backups"'
    assert caught.value.hint == (
        "name one, such as backup.run, or a group: backup, change, estate, keys, ledger,"
        " repair, repository,"
        " restore, review, trust"
    )


def test_nothing_asked_for_is_everything() -> None:
    """No group narrows, and no time does."""
    assert wanted_lines() == Wanted((), b"", b"~")
