"""`dbops repair list` by the contract: several clocks a ticket, and days that nobody knows yet."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.cli.ops import Ops, copy_ops
from tests.cli.repairs import WORK, done, folder, found_repairs, said, write

CONTRACT = """
[clocks.response]
title = "响应"
within = "30m"
[clocks.report]
title = "书面说明"
days = 7
until = "midnight"
"""


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Ops:
    """An estate whose contract promises three things."""
    ops = found_repairs(tmp_path_factory.mktemp("due") / "estate")
    with (ops.root / "dbops.toml").open("a", encoding="utf-8") as file:
        file.write(CONTRACT)
    return ops


@pytest.fixture
def ops(founded: Ops, tmp_path: Path) -> Ops:
    """A copy of it."""
    return copy_ops(founded, tmp_path / "estate")


def opened(ops: Ops, day: str, *clocks: str) -> None:
    """A repair whose ticket was opened on that day, with these clocks."""
    write(ops, more=f"clocks: [{', '.join(clocks)}]\n" if clocks else "")
    manifest = folder(ops) / "repair.yml"
    manifest.write_text(manifest.read_text("utf-8").replace("2026-11-20", day), "utf-8")


def due(ops: Ops) -> list[str]:
    """The column of due dates, a line for each clock; the heads of the table end with `next`."""
    lines = done(ops.run("repair", "list")).stdout.splitlines()
    start, end = lines[0].index("due"), lines[0].index("next")
    return [line[start:end].strip() for line in lines[2:]]


def test_each_clock_of_a_ticket_has_its_date(ops: Ops) -> None:
    """By working days, by days, and by minutes; they stand in the order in which they run out.

    A repair that names none has the clock of data errors alone.
    """
    opened(ops, "2025-11-20", "data-error", "report", "response")
    assert due(ops) == [
        "response 2025-11-20 08:30 (provisional)",  # a day alone has no hour
        "data-error 2025-11-27 18:00",
        "report 2025-11-28 00:00",
    ]
    (found,) = json.loads(done(ops.run("repair", "list", "--json")).stdout)["repairs"]
    assert [each["clock"] for each in found["deadlines"]] == ["response", "data-error", "report"]
    opened(ops, "2025-11-20")
    assert due(ops) == ["data-error 2025-11-27 18:00"]


def test_one_clock_that_ran_out_is_enough(ops: Ops) -> None:
    """The response is late at once, however long the repair itself may take."""
    yesterday = (datetime.now(ZoneInfo("Asia/Shanghai")) - timedelta(days=1)).date().isoformat()
    opened(ops, yesterday, "data-error")
    assert ops.run("repair", "list", "--overdue").exit_code == 0
    opened(ops, yesterday, "data-error", "response")
    assert ops.run("repair", "list", "--overdue").exit_code == 4


def test_a_year_that_nobody_knows_is_provisional(ops: Ops) -> None:
    """Weekends alone are counted, and it says so, until the hospital types the year in."""
    opened(ops, "2044-06-06")
    assert due(ops) == ["data-error 2044-06-13 18:00 (provisional)"]
    with (ops.root / "dbops.toml").open("a", encoding="utf-8") as file:
        file.write("[calendar]\ncomplete = [2044]\ndays_off = [2044-06-08]\n")
    assert due(ops) == ["data-error 2044-06-14 18:00"]


def test_a_clock_that_the_contract_does_not_have(ops: Ops) -> None:
    """Nobody knows when it is due, so it is told, and the alarm goes off."""
    opened(ops, "2026-11-20", "visit")
    assert said(ops.run("repair", "list", "--overdue")) == (
        4,
        f"error: {WORK}: {WORK} names the clock visit, and dbops.toml has none of that name\n",
    )
