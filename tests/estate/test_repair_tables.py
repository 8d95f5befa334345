"""The tables of `dbops.toml` that repairs need: logins, places, clocks, the calendar."""

from __future__ import annotations

from datetime import date, time, timedelta
from pathlib import Path

import pytest

from dbops.estate.load import load_estate
from dbops.estate.values import (
    Calendar,
    Clock,
    Counted,
    EndOfDay,
    Estate,
    Login,
    PostgresqlDatabase,
    SecretEnv,
    SecretFile,
)
from tests.estate.example import WHOLE, fault, written


def loaded(directory: Path, more: str, text: str = WHOLE) -> Estate:
    return load_estate(written(directory, f"{text}\n{more}\n"))


def flu(estate: Estate) -> PostgresqlDatabase:
    found = estate.databases["flu-watch"]
    assert isinstance(found, PostgresqlDatabase)
    return found


def test_what_stands_there_where_nothing_is_said(tmp_path: Path) -> None:
    """Bundles lie in the state directory, no clock runs, the day is from eight to six."""
    estate = loaded(tmp_path, "")
    assert (estate.repair.bundles, estate.repair.playbooks) == (tmp_path / "state/bundles", None)
    assert (dict(estate.clocks), estate.calendar) == ({}, Calendar())
    assert estate.host.runner_identity is None
    assert (flu(estate).repair, flu(estate).admin) == (None, None)


def test_places(tmp_path: Path) -> None:
    """Paths are relative to the file's directory."""
    text = WHOLE.replace("[repositories.main]", 'runner_identity = "keys/r"\n[repositories.main]')
    estate = loaded(tmp_path, '[repair]\nbundles = "/srv/b"\nplaybooks = "ours"', text)
    assert (estate.repair.bundles, estate.repair.playbooks) == (Path("/srv/b"), tmp_path / "ours")
    assert estate.host.runner_identity == tmp_path / "keys/r"


def test_other_logins(tmp_path: Path) -> None:
    """Each has its own password; every file that holds one counts as a way in."""
    more = (
        '[databases.flu-watch.repair]\nuser = "mend"\npassword = { file = "secrets/mend" }\n'
        '[databases.flu-watch.admin]\nuser = "postgres"\npassword = { env = "ADMIN" }'
    )
    found = flu(loaded(tmp_path, more))
    mend, own = tmp_path / "secrets/mend", tmp_path / "secrets/flu"
    assert found.repair == Login("mend", SecretFile(mend))
    assert found.admin == Login("postgres", SecretEnv("ADMIN"))
    assert list(found.passwords) == ["password", "repair password", "admin password"]
    assert found.files == (own, mend)
    assert not found.needs_files_only
    assert flu(loaded(tmp_path, more.partition("[databases.flu-watch.admin]")[0])).needs_files_only


def test_clocks(tmp_path: Path) -> None:
    """Days that are worked, days of the calendar, a time; every word has its default."""
    more = """
[clocks.data-error]
title = "数据错误修复"
working_days = 5
until = "midnight"
[clocks.change]
days = 7
rolls = false
[clocks.response]
within = "30m"
outside = "1h"
[clocks.call]
within = "2h"
counted = "working-hours"
"""
    assert dict(loaded(tmp_path, more).clocks) == {
        "data-error": Clock(
            name="data-error", title="数据错误修复", working_days=5, until=EndOfDay.MIDNIGHT
        ),
        "change": Clock(name="change", title="change", days=7, rolls=False),
        "response": Clock(
            name="response",
            title="response",
            within=timedelta(minutes=30),
            outside=timedelta(hours=1),
        ),
        "call": Clock(
            name="call", title="call", within=timedelta(hours=2), counted=Counted.WORKING_HOURS
        ),
    }


def test_the_calendar(tmp_path: Path) -> None:
    """Dates are written as dates or in quotes."""
    more = (
        '[calendar]\ndays_off = [2026-10-09, "2026-10-10"]\nworking_days = [2026-10-11]\n'
        'complete = [2027]\nopens = "07:30"\ncloses = "17:00"'
    )
    assert loaded(tmp_path, more).calendar == Calendar(
        days_off=frozenset({date(2026, 10, 9), date(2026, 10, 10)}),
        working_days=frozenset({date(2026, 10, 11)}),
        complete=frozenset({2027}),
        opens=time(7, 30),
        closes=time(17),
    )


@pytest.mark.parametrize(
    ("more", "message", "hint"),
    [
        (
            "[clocks.a]\ndays = 1\nworking_days = 1",
            "clocks.a: must have exactly one of working_days, days, within",
            "such as working_days = 5",
        ),
        (
            '[clocks.a]\ntitle = "a"',
            "clocks.a: must have exactly one of working_days, days, within",
            "such as working_days = 5",
        ),
        (
            '[clocks.a]\nwithin = "2h"\nuntil = "close"',
            "clocks.a: has until, which says nothing about within",
            "leave until away; it is for working_days, days",
        ),
        (
            '[clocks.a]\nwithin = "2h"\noutside = "3h"\ncounted = "working-hours"',
            "clocks.a: has outside, and counts no time outside of working hours",
            "leave outside or counted away",
        ),
        (
            "[clocks.a]\nwork_days = 1",
            "clocks.a.work_days: unknown key",
            'did you mean "working_days"? allowed: title, working_days, days, within, until, '
            "rolls, outside, counted",
        ),
        (
            "[clocks.a]\ndays = 1\nrolls = 1",
            "clocks.a.rolls: 1 is not allowed",
            "allowed: true or false",
        ),
        (
            "[calendar]\nopens = 08:00:00",
            "calendar.opens: a date or time is not allowed",
            'allowed: a time of day such as "18:00"',
        ),
        (
            '[calendar]\nopens = "18:00"\ncloses = "08:00"',
            "calendar: closes before it opens",
            "write opens before closes",
        ),
        (
            "[calendar]\ndays_off = [2026-10-09]\nworking_days = [2026-10-09]",
            "calendar: calls 2026-10-09 a day off and a working day",
            "leave it in one of the lists",
        ),
        (
            "[calendar]\ndays_off = [2026-10-09T08:00:00]",
            "calendar.days_off[1]: a date or time is not allowed",
            "allowed: an array of dates such as 2026-10-01",
        ),
        (
            '[databases.flu-watch.repair]\npassword = { file = "x" }',
            "databases.flu-watch.repair.user: missing key",
            "add user to [databases.flu-watch.repair]: text on one line, not empty",
        ),
        (
            '[databases.flu-watch.admin]\nuser = "a"\npassword = "canary"',
            "databases.flu-watch.admin.password: a password is not written here",
            'write { file = "…" }, { env = "…" } or { command = ["…"] }',
        ),
        (
            '[databases.lab.repair]\nuser = "a"',
            "databases.lab.repair: unknown key",
            'did you mean "repository"? allowed: engine, path, system, repository, policy',
        ),
        (
            '[repair]\nbundle = "x"',
            "repair.bundle: unknown key",
            'did you mean "bundles"? allowed: bundles, playbooks',
        ),
        (
            '[audit]\norigins = "x"',
            "audit.origins: unknown key",
            'did you mean "origin"? allowed: directory, origin, signing_key, heartbeat, '
            "anchor_within, anchors",
        ),
    ],
)
def test_one_sentence_and_one_hint(tmp_path: Path, more: str, message: str, hint: str) -> None:
    """Each mistake gives its key path and what is allowed there, word for word."""
    caught = fault(tmp_path, f"{WHOLE}\n{more}\n")
    assert (caught.message, caught.hint) == (f"dbops.toml: {message}", hint)
