"""The repository: can it be written, read and deleted from, is there room, is its clock right?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from dbops.doctor.finding import Finding, ok, problem, problem_of, warning
from dbops.errors import DbopsError
from dbops.repository.chain import Backup, History
from dbops.repository.ports import Store, put_bytes, read_bytes

PROBE_FOLDER = "_probe"
PROBE_BYTES = b"dbops doctor\n"
CLOCK_DIFFERENCE = timedelta(minutes=5)
LEFTOVER_AGE = timedelta(days=1)
NIGHTS_OF_ROOM = 3

Clock = Callable[[], datetime]


def check_store(store: Store, token: str, clock: Clock) -> Iterator[Finding]:
    """One small object is written, read and deleted again; its time is compared with ours.

    `token` is random, of `[a-z0-9]`: doctors of several hosts must not meet. What a crash leaves
    is one object below `_probe`, which a check of the next day removes.
    """
    name = f"{PROBE_FOLDER}/{token}"
    before = clock()
    try:
        put_bytes(store, name, PROBE_BYTES)
        found = store.find(name)
        same = read_bytes(store, name) == PROBE_BYTES
        store.delete(name)
        for left in list(store.list(PROBE_FOLDER)):
            if before - left.modified > LEFTOVER_AGE:
                store.delete(left.name)
    except DbopsError as failure:
        yield problem_of(failure)
        return
    if found is None or not same:
        yield problem(
            "store-probe",
            f"{store.title} does not give back what was written to it",
            "check the disk or share under it before the next backup: dmesg",
        )
        return
    yield ok("store-probe", f"{store.title} can be written, read and deleted from")
    yield from _check_skew(store.title, found.modified, before, clock())


def _check_skew(
    title: str, modified: datetime, before: datetime, after: datetime
) -> Iterator[Finding]:
    late, early = modified - after, before - modified
    if max(late, early) > CLOCK_DIFFERENCE:
        minutes = round(max(late, early).total_seconds() / 60)
        side = "ahead of" if late > early else "behind"
        yield warning(
            "store-clock",
            f"the clock of {title} is {minutes} minutes {side} this host's",
            "set both by NTP: timedatectl; chronyc tracking",
        )


def check_leftovers(store: Store, now: datetime) -> Iterator[Finding]:
    """Unfinished files of writers that were killed."""
    old = [item for item in store.list("tmp") if now - item.modified > LEFTOVER_AGE]
    if old:
        total = sum(item.size for item in old)
        yield warning(
            "store-leftovers",
            f"{store.title} holds {len(old)} unfinished files ({_megabytes(total)})"
            " that are older than a day",
            "dbops backup expire removes what no living run holds",
        )


def check_room(store: Store, histories: Iterable[History]) -> Iterator[Finding]:
    """Room for the next nights, each as large as the newest backups together."""
    free = store.free_bytes()
    night = sum(
        history.living[-1].envelope.totals.stored for history in histories if history.living
    )
    if free is None:
        return
    text = f"{store.title} has {_megabytes(free)} free; the last night took {_megabytes(night)}"
    advice = "free some space, or see what could go: dbops backup expire --dry-run"
    if free < night:
        yield problem("store-room", text, advice)
    elif free < NIGHTS_OF_ROOM * night:
        yield warning("store-room", text, advice)
    else:
        yield ok("store-room", text)


def check_histories(histories: Sequence[History], now: datetime) -> Iterator[Finding]:
    """The chains of backups are whole, and none of them comes from the future."""
    for history in histories:
        if history.damages:
            yield problem(
                "chain-damaged",
                f"{len(history.damages)} things are wrong with the backups of {history.database}:"
                f" {history.damages[0]}",
                f"dbops backup verify {history.database} --level stored",
            )
        if history.living:
            yield from _check_future(history.living[-1], now)
    whole = sum(not history.damages for history in histories)
    yield ok("chains", f"the chains of {whole} of {len(histories)} databases are whole")


def _check_future(backup: Backup, now: datetime) -> Iterator[Finding]:
    ahead = backup.envelope.snapshot - now
    if ahead > CLOCK_DIFFERENCE:
        yield problem(
            "backup-from-future",
            f"{backup.id} says it was taken {round(ahead.total_seconds() / 60)} minutes from now",
            "set the clock of the host that wrote it, or of this one: timedatectl",
        )


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"
