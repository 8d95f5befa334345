"""Expiry as tests call it: planned and done, on a repository that is made by hand."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from dbops.backup.expire import ExpiryPlan, ExpiryReport, expire, plan_expiry
from dbops.backup.retention import Keep
from dbops.repository.ports import Store
from tests.support.made_repository import DATABASE, DAY, START, MadeRepository

SHANGHAI = ZoneInfo("Asia/Shanghai")
GRACE = timedelta(hours=48)
ONE = Keep(last=1)


def plan(made: MadeRepository, now: datetime, keep: Keep = ONE) -> ExpiryPlan:
    """What expiry would do."""
    return plan_expiry(made.history(now), keep, GRACE, now, SHANGHAI)


def run(
    made: MadeRepository, now: datetime, keep: Keep = ONE, store: Store | None = None
) -> ExpiryReport:
    """Plan and do it, as the command does."""
    repository = made.open(now, store)
    history = repository.history(DATABASE, made.head)
    planned = plan_expiry(history, keep, GRACE, now, SHANGHAI)
    return expire(repository, history, planned, made.signer, lambda: now)


def numbers(made: MadeRepository, now: datetime) -> tuple[list[int], list[int]]:
    """The living backups and those that merely still exist."""
    history = made.history(now)
    living = [backup.sequence for backup in history.living]
    return living, [b.sequence for b in history.backups if b.sequence not in living]


def nights(made: MadeRepository, count: int) -> datetime:
    """So many backups, one a night; returns the hour after the last."""
    for night in range(count):
        made.add(START + night * DAY)
    return START + (count - 1) * DAY + timedelta(hours=1)


def run_after(made: MadeRepository, now: datetime, keep: Keep) -> datetime:
    """Run again when every grace period is over; returns that moment."""
    later = now + 2 * GRACE
    run(made, later, keep)
    return later
