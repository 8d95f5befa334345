"""The sign-off of the estate, wired: policy, work tree, ledger's memory, and the gate of a command.

Everything is imported when it is asked for: most commands need no approval and no policy.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dbops.errors import DbopsError, NotFound, Refused, UsageFault

if TYPE_CHECKING:
    from dbops.audit.entry import Draft
    from dbops.audit.recording import Account
    from dbops.cli.review_overview import Desk
    from dbops.cli.wiring import Wiring
    from dbops.estate.values import Address
    from dbops.review.authorize import Authorization, AuthorizeOrder
    from dbops.review.memory import Memory
    from dbops.review.policy import Policy
    from dbops.review.work import Kind, Work

POLICY_FILE: Final = "policy.toml"
NO_LEDGER: Final = "this host has no ledger: who signed what is recorded where the work is run"


def policy_path(wiring: Wiring) -> Path:
    """Where the hospital says who must agree to what."""
    return wiring.estate.trust / POLICY_FILE


def policy_of(wiring: Wiring) -> Policy:
    """Who must agree to what; raises NotFound where the hospital has not said so yet."""
    from dbops.crypto.trust import read_trust_file
    from dbops.review.policy import parse_policy

    path = policy_path(wiring)
    text = read_trust_file(path)
    if text is None:
        raise NotFound(
            "policy-missing",
            f"there is no policy: {path} does not exist",
            hint="say who must agree to what: dbops trust init --help",
        )
    return parse_policy(text, str(path))


def worktree_of(wiring: Wiring) -> Path:
    """The work tree of the ops repository; raises UsageFault where the estate names none."""
    found = wiring.estate.review.repository
    if found is None:
        raise UsageFault(
            "no-review-repository",
            "dbops.toml has no review.repository: nothing can be reviewed",
            hint='add the work tree of the ops repository: [review] repository = "ops"',
        )
    return found


def check_trust_files(
    wiring: Wiring, policy: Policy | None, touched: tuple[Path, ...] = ()
) -> None:
    """Nobody but root and dbops' own account can change what decides about approvals.

    A demo's policy lifts that for what lies in the directory of the estate file, as must all that
    is `touched`. Raises Refused with a `trust-…` code or `demo-outside`.
    """
    from dbops.review.ownership import check_protected, demo_covers

    estate = wiring.estate
    demo = policy is not None and policy.demo
    paths = (estate.path, estate.trust, *_deciding(wiring, demo=demo))
    if demo:
        tree = (estate.review.repository,) if estate.review.repository else ()
        demo_covers(estate.path, (*paths, *tree, *touched, *_touched(wiring)))
    else:
        check_protected(paths, outside=estate.review.repository, euid=os.geteuid())


def _deciding(wiring: Wiring, *, demo: bool) -> tuple[Path, ...]:
    """What else decides: who opens backups, what the ledger remembers, to its last line, and locks.

    Who can remove a lock runs one approval twice at once; a demo's locks lie where everybody's do.
    """
    from dbops.audit.segments import FOLDER

    directory = wiring.estate.audit.directory
    locks = () if demo else (wiring.estate.state,)
    return (wiring.estate.recipients, directory, directory / FOLDER, *locks)


def _touched(wiring: Wiring) -> Iterator[Path]:
    """The files of the estate that a demo's rules would be used on: databases and passwords."""
    estate = wiring.estate
    for address in (*estate.databases.values(), *estate.targets.values()):
        yield from address.files


def memory_of(wiring: Wiring) -> Memory:
    """What this host's ledger remembers of sign-offs; raises Failed where it is damaged."""
    from dbops.audit.links import entries_about_work
    from dbops.cli.ledger import segments_of
    from dbops.review.memory import remember

    return remember(entries_about_work(segments_of(wiring)))


def open_desk(wiring: Wiring, worktree: str | None = None) -> Desk:
    """What looking at work needs; `worktree` is a checkout instead of the estate's work tree."""
    from dbops.cli.review_overview import Desk

    place = worktree_of(wiring) if worktree is None else Path(worktree).absolute()
    return Desk(wiring, place, wiring.clock())


def identity_of(wiring: Wiring, alias: str) -> str:
    """The engine's own identity of a database or target; else the one of its newest backup.

    Raises NotFound for an unknown name, and what the engine raises where it cannot be asked and
    no backup knows.
    """
    address = wiring.target(alias)
    try:
        return wiring.engine(address).identity()
    except DbopsError:
        known = _identity_of_backup(wiring, address)
        if known is None:
            raise
        return known


def _identity_of_backup(wiring: Wiring, address: Address) -> str | None:
    """What the newest backup says; None for what is not backed up, or where no backup is."""
    database = wiring.estate.databases.get(address.name)
    if database is None:
        return None
    try:
        repository = wiring.repository(database.repository)
        living = wiring.history(repository, database.name).living
    except DbopsError:
        return None
    return living[-1].envelope.identity if living else None


def see_quietly(
    wiring: Wiring, works: Iterable[Work], policy: Policy, memory: Memory, now: datetime
) -> str | None:
    """Afterwards the ledger knows the statements; a sentence that says why, where it does not.

    Whoever runs the work records what it sees there, so that a laptop need have no ledger.
    """
    from dbops.cli.ledger import checkpoint_quietly, ledger_of, segments_of
    from dbops.review.authorize import see_statements

    if not segments_of(wiring).exist:
        return NO_LEDGER
    try:
        ledger = ledger_of(wiring)
        before = len(memory.seen)
        for work in works:
            memory = see_statements(work, policy, memory, ledger, wiring.trust, now)
        if len(memory.seen) > before:
            checkpoint_quietly(wiring)
    except DbopsError as failure:
        return f"the ledger could not record who signed what: {failure.message}"
    return None


@contextmanager
def recording_if_there(wiring: Wiring, draft: Draft) -> Iterator[Account]:
    """Do the block's work between an intent and its outcome, where this host has a ledger.

    Where it has none, or it cannot be written, the work goes on and a remark says so.
    """
    from dbops.audit.recording import Account, Unwritable
    from dbops.cli.ledger import recording, segments_of
    from dbops.cli.render import say

    if not segments_of(wiring).exist:
        yield Account()
        return
    with recording(wiring, draft, unwritable=Unwritable.GO_ON) as account:
        yield account
    if account.fault is not None:
        say(f"remark: the ledger could not record this: {account.fault.message}")


def authorize_or_refuse(
    wiring: Wiring,
    kind: Kind,
    database: str | None,
    work_id: str | None,
    *,
    settings: Mapping[str, str] | None = None,
    takes_back: bool = False,
) -> Authorization | None:
    """Afterwards the work is allowed to run now; None where the policy asks nothing for its kind.

    `database` is what is written to: an alias, a path, or None for work that has none; `work_id`
    what `--review` named. `settings` are what the command line says, as the manifest of that kind
    names them: Refused `review-other` unless the approved work says the same. `takes_back` says
    that what has run is taken back. Raises NotFound
    `policy-missing`; Refused `review-needed` where approval is asked and no work is named, with the
    reasons where the named one does not allow it, and `target-…` where a path is another name of
    something else. Statements that were not seen before are recorded first.
    """
    from dbops.cli.ledger import segments_of
    from dbops.cli.target_path import refuse_known_file, refuse_linked
    from dbops.review.authorize import authorize, check_rules_protected
    from dbops.review.command import refuse_other, refuse_unnamed, refuse_unreviewed

    policy, now = policy_of(wiring), wiring.clock()
    refuse_server_of_demo(wiring, policy, database)
    for path in _as_path(database):
        refuse_known_file(wiring, path)
        if work_id is not None:
            refuse_linked(path)
    if work_id is None:
        check_trust_files(wiring, policy, _as_path(database))
        concerned = _concerned(database, settings or {})
        refuse_unnamed(kind, concerned, policy, source=str(policy_path(wiring)))
        # Without a ledger what follows begins it: no glass was ever broken here.
        if segments_of(wiring).exist:
            refuse_unreviewed(policy, memory_of(wiring), now)
        return None
    order = _order(wiring, kind, database, work_id, demo=policy.demo)
    order = replace(order, takes_back=takes_back)
    check_rules_protected(order, policy)
    # Only now is the estate believed: asking a database may run a command that stands in it.
    if order.database is not None:
        order = replace(order, identity=_identity_now(wiring, kind, order.database))
    memory = _with_statements(wiring, order, policy, now)
    allowed = authorize(order, policy, wiring.trust, memory, now)
    if settings is not None:
        refuse_other(allowed.manifest, settings)
    return allowed


def refuse_server_of_demo(wiring: Wiring, policy: Policy, database: str | None) -> None:
    """Raise Refused where a demo's rules would reach what its own files do not let it into."""
    if not policy.demo or database is None or _as_path(database):
        return
    if not wiring.target(database).needs_files_only:
        raise Refused(
            "demo-outside",
            f"a demo's policy does not reach {database}: its password is not a file of the demo",
            hint="name host and password = { file = … }, or have a real policy: dbops trust init",
        )


def _as_path(database: str | None) -> tuple[Path, ...]:
    """The file that is written to, where the person named a path instead of an alias."""
    return (Path(database).absolute(),) if database is not None and "/" in database else ()


def _concerned(database: str | None, settings: Mapping[str, str]) -> tuple[str, ...]:
    """The databases whose rules apply, as a manifest's `concerns` has them."""
    written = () if database is None or _as_path(database) else (database,)
    read = (settings["source"].partition("@")[0],) if "source" in settings else ()
    return tuple(dict.fromkeys((*written, *read)))


def _order(
    wiring: Wiring, kind: Kind, database: str | None, work_id: str, *, demo: bool
) -> AuthorizeOrder:
    from dbops.review.authorize import AuthorizeOrder

    path = _as_path(database)
    alias = None if path else database
    return AuthorizeOrder(
        worktree=worktree_of(wiring),
        id=work_id,
        kind=kind,
        database=alias,
        identity=None,
        estate=wiring.estate.path,
        trust=wiring.estate.trust,
        protected=_deciding(wiring, demo=demo),
        touched=(*_touched(wiring), *path),
        euid=os.geteuid(),
    )


def _identity_now(wiring: Wiring, kind: Kind, alias: str) -> str:
    """Who the database is now; a hold is of backups, so that they may speak for a dead one."""
    from dbops.review.work import Kind

    if kind is Kind.RELEASE:
        return identity_of(wiring, alias)
    return wiring.engine(wiring.target(alias)).identity()


def _with_statements(
    wiring: Wiring, order: AuthorizeOrder, policy: Policy, now: datetime
) -> Memory:
    """The ledger's memory, once it has seen what lies in the folder; raises where it cannot."""
    from dbops.cli.ledger import ledger_of
    from dbops.review.authorize import see_statements
    from dbops.review.folder import find_work, read_work

    memory = memory_of(wiring)
    work = read_work(order.worktree, find_work(order.worktree, order.id))
    return see_statements(work, policy, memory, ledger_of(wiring), wiring.trust, now)
