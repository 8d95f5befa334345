"""Which backups are kept: by hand-made calendars, and by properties that hold for all of them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbops.backup.retention import Candidate, Decision, Keep, decide, last_proven
from dbops.estate.values import Policy
from dbops.repository.manifest import BackupId
from dbops.repository.records import ProofLevel

SHANGHAI = ZoneInfo("Asia/Shanghai")
NEW_YORK = ZoneInfo("America/New_York")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")  # its clocks move by half an hour


def candidates(*times: str, zone: ZoneInfo = SHANGHAI) -> list[Candidate]:
    """Backups 1, 2, … at these wall times."""
    return [
        Candidate(BackupId("lab", number), datetime.fromisoformat(time).replace(tzinfo=zone))
        for number, time in enumerate(times, 1)
    ]


def kept(decisions: Sequence[Decision]) -> dict[int, tuple[str, ...]]:
    """The reasons of what is kept, by sequence number."""
    return {item.id.sequence: item.reasons for item in decisions if item.kept}


def nights(count: int) -> list[Candidate]:
    """One backup at 02:00 Shanghai time every night from 2025-10-01 on."""
    first = datetime(2025, 10, 1, 2, tzinfo=SHANGHAI)
    return [Candidate(BackupId("lab", n + 1), first + timedelta(days=n)) for n in range(count)]


def test_each_rule_names_its_period() -> None:
    """Each period keeps its newest backup, and the reason names the rule and the period."""
    listed = candidates(
        "2025-12-31T02:00",
        "2026-10-31T02:00",
        "2026-11-20T02:00",
        "2026-11-21T02:00",
        "2026-11-21T14:00",
        "2026-11-22T02:00",
    )
    decisions = decide(listed, Keep(last=1, daily=2, weekly=1, monthly=2, yearly=2), SHANGHAI)
    assert [(item.id.sequence, item.kept, item.reasons) for item in decisions] == [
        (1, True, ("yearly 2025",)),
        (2, True, ("monthly 2026-10",)),
        (3, False, ("no rule keeps it",)),
        (4, False, ("no rule keeps it",)),
        (5, True, ("daily 2026-11-21",)),
        (
            6,
            True,
            (
                "the newest backup",
                "last 1",
                "daily 2026-11-22",
                "weekly 2026-W47",
                "monthly 2026-11",
                "yearly 2026",
            ),
        ),
    ]


def test_a_year_of_nights_under_the_default_policy() -> None:
    """Of 400 nights the built-in policy keeps 7 days, and the ends of 3 weeks and 10 months."""
    listed = nights(400)
    days = [listed[n - 1].at.date().isoformat() for n in kept(decide_default(listed))]
    assert days == [
        *("2025-12-31", "2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"),
        *("2026-06-30", "2026-07-31", "2026-08-31", "2026-09-30"),
        *("2026-10-11", "2026-10-18", "2026-10-25"),
        *("2026-10-29", "2026-10-30", "2026-10-31", "2026-11-01"),
        *("2026-11-02", "2026-11-03", "2026-11-04"),
    ]


def decide_default(listed: list[Candidate]) -> tuple[Decision, ...]:
    """Under the built-in policy."""
    return decide(listed, Keep.of(Policy()), SHANGHAI)


def test_iso_weeks_have_their_own_year() -> None:
    """The first days of January can belong to the last week of the year before."""
    listed = candidates("2026-12-28T02:00", "2027-01-03T02:00", "2027-01-04T02:00")
    reasons = kept(decide(listed, Keep(weekly=5), SHANGHAI))
    assert reasons == {2: ("weekly 2026-W53",), 3: ("the newest backup", "weekly 2027-W01")}


def test_days_are_those_of_the_estate() -> None:
    """18:30 UTC is the next day in Shanghai: the zone decides, not the host."""
    times = (datetime(2026, 11, 21, hour, 30, tzinfo=UTC) for hour in (1, 18))
    listed = [Candidate(BackupId("lab", n), at) for n, at in enumerate(times, 1)]
    assert kept(decide(listed, Keep(daily=2), SHANGHAI)) == {
        1: ("daily 2026-11-21",),
        2: ("the newest backup", "daily 2026-11-22"),
    }
    assert kept(decide(listed, Keep(daily=2), ZoneInfo("UTC"))) == {
        2: ("the newest backup", "daily 2026-11-21"),
    }


@pytest.mark.parametrize("zone", [NEW_YORK, LORD_HOWE], ids=str)
@pytest.mark.parametrize("month", [3, 4, 10, 11])
def test_a_day_is_a_day_when_clocks_change(zone: ZoneInfo, month: int) -> None:
    """A backup each half hour through a month with a clock change keeps one of each day."""
    start = datetime(2026, month, 1, tzinfo=zone).astimezone(UTC)
    end = datetime(2026, month + 1, 1, tzinfo=zone).astimezone(UTC)
    count = (end - start) // timedelta(minutes=30)
    listed = [
        Candidate(BackupId("lab", n + 1), start + n * timedelta(minutes=30)) for n in range(count)
    ]
    reasons = [
        text for item in kept(decide(listed, Keep(daily=400), zone)).values() for text in item
    ]
    days = sorted(text for text in reasons if text.startswith("daily"))
    length = (datetime(2026, month + 1, 1, tzinfo=UTC) - datetime(2026, month, 1, tzinfo=UTC)).days
    assert days == [f"daily 2026-{month:02d}-{day:02d}" for day in range(1, length + 1)]


def test_the_same_wall_time_twice_is_one_day() -> None:
    """01:30 before and after the clock is put back is one day, of which the later is kept."""
    at = datetime(2026, 11, 1, 1, 30, tzinfo=NEW_YORK)
    listed = [Candidate(BackupId("lab", n + 1), at.replace(fold=n).astimezone(UTC)) for n in (0, 1)]
    assert listed[1].at - listed[0].at == timedelta(hours=1)
    assert sorted(kept(decide(listed, Keep(daily=9), NEW_YORK))) == [2]


def test_a_gap_costs_no_older_backup() -> None:
    """Days without backups do not count: 3 daily keeps the 3 newest days that have one."""
    listed = candidates("2026-01-05T02:00", "2026-01-06T02:00", "2026-06-06T02:00")
    assert sorted(kept(decide(listed, Keep(daily=3), SHANGHAI))) == [1, 2, 3]


def test_what_is_always_kept() -> None:
    """The newest, the last proven and what is on hold stay when every rule is off."""
    listed = nights(5)
    listed[0] = replace(listed[0], level=ProofLevel.PROVEN)
    listed[1] = replace(listed[1], level=ProofLevel.PROVEN)
    listed[2] = replace(listed[2], hold="audit 2026, 卫健委")
    assert kept(decide(listed, Keep(), SHANGHAI)) == {
        2: ("the last proven backup",),
        3: ("on hold: audit 2026, 卫健委",),
        5: ("the newest backup",),
    }


def test_a_damaged_backup_displaces_no_sound_one() -> None:
    """Where the newest of a period is damaged, the newest sound one of it stays as well."""
    listed = candidates("2026-11-20T02:00", "2026-11-21T02:00", "2026-11-21T14:00")
    listed[2] = replace(listed[2], damaged=True)
    reasons = kept(decide(listed, Keep(daily=1), SHANGHAI))
    assert reasons == {
        2: (
            "the newest backup, in place of a damaged one",
            "daily 2026-11-21, in place of a damaged one",
        ),
        3: ("the newest backup", "daily 2026-11-21"),
    }


def test_a_wrong_clock_does_not_make_a_backup_the_newest() -> None:
    """A backup dated ten years ahead is the newest only until the next one comes."""
    listed = candidates("2026-11-20T02:00", "2036-11-21T02:00", "2026-11-22T02:00")
    assert kept(decide(listed, Keep(last=1), SHANGHAI)) == {3: ("the newest backup", "last 1")}


def test_rules_in_words() -> None:
    """A policy's rules read as what is switched on."""
    assert str(Keep.of(Policy())) == "last 3, daily 7, weekly 5, monthly 12"
    assert str(Keep(yearly=2)) == "yearly 2"
    assert str(Keep()) == ""


zones = st.sampled_from([SHANGHAI, NEW_YORK, LORD_HOWE, ZoneInfo("Europe/Dublin"), ZoneInfo("UTC")])
keeps = st.builds(Keep, *[st.integers(0, 4)] * 5)
# Few days, so that periods are shared; around a clock change, so that days are not 24 hours.
times = st.datetimes(
    min_value=datetime(2026, 10, 20),  # noqa: DTZ001 -- hypothesis wants the bounds without a zone
    max_value=datetime(2026, 11, 20),  # noqa: DTZ001
    timezones=st.just(UTC),
) | st.datetimes(
    min_value=datetime(2022, 12, 20),  # noqa: DTZ001
    max_value=datetime(2027, 1, 10),  # noqa: DTZ001
    timezones=st.just(UTC),
)
made = st.lists(
    st.builds(
        Candidate,
        id=st.integers(1, 60).map(lambda number: BackupId("lab", number)),
        at=times,
        level=st.sampled_from(ProofLevel),
        hold=st.none() | st.just("audit"),
        damaged=st.booleans(),
    ),
    max_size=25,
    unique_by=lambda item: item.id,
)


@given(made, keeps, zones)
def test_every_backup_gets_one_decision_with_reasons(
    listed: list[Candidate], keep: Keep, zone: ZoneInfo
) -> None:
    """Each is decided once, oldest first; "no rule keeps it" is said exactly of what expires."""
    decisions = decide(listed, keep, zone)
    numbers = [item.id.sequence for item in decisions]
    assert numbers == sorted(item.id.sequence for item in listed)
    for item in decisions:
        assert (item.reasons == ("no rule keeps it",)) is not item.kept
        assert len(set(item.reasons)) == len(item.reasons) > 0


@given(made, keeps, zones)
def test_the_precious_ones_never_go(listed: list[Candidate], keep: Keep, zone: ZoneInfo) -> None:
    """Whatever the rules: the newest, the newest sound, the last proven and the held are kept."""
    numbers = set(kept(decide(listed, keep, zone)))
    proven = last_proven(listed)
    precious = {item.id.sequence for item in listed if item.hold is not None}
    precious |= {proven.sequence} if proven else set()
    precious |= {max(item.id.sequence for item in listed)} if listed else set()
    sound = [item.id.sequence for item in listed if not item.damaged]
    precious |= {max(sound)} if sound else set()
    assert precious <= numbers


@given(made, keeps, keeps, zones)
def test_larger_rules_keep_no_less(
    listed: list[Candidate], keep: Keep, more: Keep, zone: ZoneInfo
) -> None:
    """Raising any rule drops nothing that was kept before."""
    larger = Keep(
        keep.last + more.last,
        keep.daily + more.daily,
        keep.weekly + more.weekly,
        keep.monthly + more.monthly,
        keep.yearly + more.yearly,
    )
    assert set(kept(decide(listed, keep, zone))) <= set(kept(decide(listed, larger, zone)))


@given(made, keeps, zones)
def test_deciding_again_drops_nothing(listed: list[Candidate], keep: Keep, zone: ZoneInfo) -> None:
    """What was kept is kept again when the rest is gone."""
    numbers = set(kept(decide(listed, keep, zone)))
    rest = [item for item in listed if item.id.sequence in numbers]
    assert set(kept(decide(rest, keep, zone))) == numbers


@given(made, keeps, zones, st.randoms(use_true_random=False))
def test_the_order_of_listing_says_nothing(
    listed: list[Candidate], keep: Keep, zone: ZoneInfo, chance: random.Random
) -> None:
    """The decisions are the same whatever order the backups come in."""
    shuffled = listed.copy()
    chance.shuffle(shuffled)
    assert decide(shuffled, keep, zone) == decide(listed, keep, zone)


@given(made, keeps, zones)
def test_each_rule_keeps_what_it_promises(
    listed: list[Candidate], keep: Keep, zone: ZoneInfo
) -> None:
    """Where there are n days with backups, `daily` keeps min(n, daily) of them, sound or not."""
    sound = [replace(item, damaged=False, hold=None) for item in listed]
    reasons = [text for item in kept(decide(sound, keep, zone)).values() for text in item]
    days = {item.at.astimezone(zone).date() for item in listed}
    months = {(day.year, day.month) for day in days}
    assert sum(text.startswith("daily") for text in reasons) == min(keep.daily, len(days))
    assert sum(text.startswith("monthly") for text in reasons) == min(keep.monthly, len(months))
    assert sum(text.startswith("last ") for text in reasons) == min(keep.last, len(listed))
