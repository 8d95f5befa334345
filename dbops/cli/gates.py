"""What stands between a command and its work: the approval that the hospital's policy asks for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING

from dbops.errors import Refused

if TYPE_CHECKING:
    from dbops.audit.entry import Event
    from dbops.cli.wiring import Wiring
    from dbops.review.authorize import Authorization
    from dbops.review.work import Kind


@contextmanager
def gate(
    wiring: Wiring,
    kind: Kind,
    database: str | None,
    work_id: str | None,
    settings: Mapping[str, str] | None = None,
    *,
    event: Event | None = None,
) -> Iterator[Authorization | None]:
    """Inside the work may be done, by nobody else meanwhile; None where the policy asks nothing.

    `database` is what is written to: an alias, the path of a file, or None; `settings` is what was
    typed, as the manifest of that kind says it. `event` is what the ledger calls an attempt, where
    the kind alone does not tell. Where the work may not be done, the ledger has a
    record of the attempt before Refused is raised. The outcome is to be recorded inside, since two
    runs at once would both find the approvals unused.
    """
    from dbops.audit.entry import Event
    from dbops.cli.reviewing import authorize_or_refuse
    from dbops.review.authorize import only_run

    alone = nullcontext() if work_id is None else only_run(wiring.state.locks, work_id)
    with alone:
        try:
            allowed = authorize_or_refuse(
                wiring,
                kind,
                database,
                work_id,
                settings=settings,
                takes_back=event is Event.CHANGE_REVERT,
            )
        except Refused as refusal:
            _record_refused(wiring, event or _event(kind), database, work_id, refusal.code)
            raise
        yield allowed


def _event(kind: Kind) -> Event:
    from dbops.audit.entry import Event
    from dbops.review.work import Kind

    return {
        Kind.REPAIR: Event.REPAIR_RUN,
        Kind.CHANGE: Event.REPAIR_PREPARE,
        Kind.RESTORE: Event.RESTORE_RUN,
        Kind.RELEASE: Event.BACKUP_RELEASE,
        Kind.RECIPIENTS: Event.KEYS_RECIPIENTS,
    }[kind]


def _record_refused(
    wiring: Wiring, event: Event, database: str | None, work_id: str | None, code: str
) -> None:
    """Nothing was done, so a ledger that cannot be written does not hide the refusal."""
    from dbops.audit.entry import Draft, Effect, Result
    from dbops.cli.entries import fit
    from dbops.cli.ledger import checkpoint_quietly, ledger_of
    from dbops.errors import DbopsError

    draft = Draft(
        event=event,
        target=None if database is None else fit(database),
        work=None if work_id is None else fit(work_id),
        result=Result.REFUSED,
        effect=Effect.NONE,
        code=code,
    )
    with suppress(DbopsError):
        ledger_of(wiring).append(draft)
        checkpoint_quietly(wiring)
