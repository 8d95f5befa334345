"""A change of two transactions, for the tests of this room."""

from __future__ import annotations

from dataclasses import replace

from dbops.change.fate import Fate
from dbops.change.resume import Onward, resume_change
from dbops.change.run_order import ChangeRun
from dbops.review.policy_document import FailedVerify
from tests.change.bench import Bench

ROOMS_UP = """
-- step: rooms
CREATE TABLE {room} (code varchar(20) NOT NULL PRIMARY KEY);
-- part: beds
CREATE TABLE {bed} (n integer);
"""
ROOMS_DOWN = """
DROP TABLE IF EXISTS {bed};
-- part: the rooms
DROP TABLE IF EXISTS {room};
"""
VERIFY = "-- step: no beds\nSELECT count(*) = 0 FROM {bed};"
FALSE = "-- step: beds\nSELECT count(*) > 0 FROM {bed};"
TOUCHES = ("create table {room}", "create table {bed}")


def two(
    bench: Bench,
    verify: str = VERIFY,
    down: str = ROOMS_DOWN,
    failed: FailedVerify = FailedVerify.STOP,
) -> ChangeRun:
    """A change of two parts that was rehearsed."""
    rehearsed = bench.rehearsed(ROOMS_UP)
    return bench.order(ROOMS_UP, down, verify, TOUCHES, rehearsed=rehearsed, failed=failed)


def onward(bench: Bench, order: ChangeRun, where: Onward) -> Fate:
    """What was found before it was brought there, by a run of its own."""
    anew = replace(order, run="a" * 32)
    became, _ = resume_change(anew, bench.site.engine, where, bench.observe, bench.slept.append)
    return became.fate
