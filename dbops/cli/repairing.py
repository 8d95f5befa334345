"""Repairs of the estate, wired: the folder, its sealed values, who reads rows, the bundles."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dbops.errors import NotFound, Refused, UsageFault

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from dbops.cli.wiring import Wiring
    from dbops.crypto.age import Identity, Recipient
    from dbops.repair.bundle import Bundle
    from dbops.repair.bundles import BundlePlace, StoredBundle
    from dbops.repair.manifest import Repair
    from dbops.repair.payload import Payload
    from dbops.review.policy import Policy
    from dbops.review.work import Work
    from dbops.sql.statement import Statement


@dataclass(frozen=True, slots=True)
class ReadRepair:
    """A repair's folder, and what it says; `script` is empty for an undo."""

    work: Work
    repair: Repair
    script: tuple[Statement, ...]


def read_repair(wiring: Wiring, work_id: str, worktree: str | None = None) -> ReadRepair:
    """The repair as it lies in the work tree now, whoever signed it or not.

    Raises NotFound work-missing, Refused `work-kind` for work of another kind, and with the line
    what is wrong with the manifest or the script.
    """
    from dbops.cli.reviewing import open_desk
    from dbops.review.folder import read_work

    desk = open_desk(wiring, worktree)
    (folder,) = desk.folders(work_id)
    return parsed(read_work(desk.worktree, folder))


def parsed(work: Work) -> ReadRepair:
    """What the bytes of the folder say; raises as `read_repair`."""
    from dbops.repair.manifest_text import parse_repair, script_of
    from dbops.review.work import Kind

    if work.kind is not Kind.REPAIR:
        raise Refused(
            "work-kind",
            f"{work.id} is a {work.kind}, not a repair",
            hint=f"dbops review show {work.id}",
        )
    repair = parse_repair(work)
    return ReadRepair(work, repair, () if repair.undo_of is not None else script_of(work))


def refuse_undo(repair: Repair, *, wanted: bool) -> None:
    """Raise UsageFault unless the command fits: `run` for a repair, `undo` for one that undoes."""
    if (repair.undo_of is not None) is not wanted:
        right = "undo" if repair.undo_of is not None else "run"
        raise UsageFault(
            "repair-command",
            f"{repair.id} is {'no undo' if wanted else 'an undo'}",
            hint=f"dbops repair {right} {repair.id}",
        )


def bundle_place(wiring: Wiring) -> BundlePlace:
    """Where the sealed rows of this host's runs are kept; made where it is missing."""
    from dbops.repair.bundles import BundlePlace

    directory = wiring.estate.repair.bundles
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    return BundlePlace(directory)


def sealed_scratch(wiring: Wiring) -> Path:
    """A directory of dbops' own for sealed files without a name."""
    directory = wiring.estate.state / "scratch"
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    return directory


def readers_of_rows(wiring: Wiring, policy: Policy) -> tuple[Recipient, ...]:
    """Whom a bundle is sealed to, as the hospital signed it and its policy says."""
    from dbops.review.policy_document import BundleReaders

    listed, _ = wiring.recipients
    return listed.bundle_keys(runner=policy.bundle is BundleReaders.RUNNER)


def readers_of_values(wiring: Wiring, policy: Policy) -> tuple[Recipient, ...]:
    """Whom the sealed values of a repair are sealed to: the same, and who rehearses it."""
    from dbops.review.policy_document import BundleReaders

    listed, _ = wiring.recipients
    return listed.payload_keys(runner=policy.bundle is BundleReaders.RUNNER)


def row_identities(wiring: Wiring, named: Sequence[str]) -> tuple[Identity, ...]:
    """What opens rows of repairs here: the files that were named, and what this host has.

    `named` are paths; where some are named the host's own may be missing.
    """
    from dbops.crypto.age import load_identities
    from dbops.errors import DbopsError

    found = [*wiring.identities(named)]
    own = wiring.estate.host.runner_identity
    if own is not None:
        try:
            found += load_identities(own)
        except DbopsError:
            if not found:
                raise
    return tuple(found)


def payload_of(work: Work, identities: Sequence[Identity]) -> Payload | None:
    """The sealed values that lie in the folder, opened; None where there are none."""
    from dbops.repair.payload import open_payload
    from dbops.review.work import PAYLOAD

    data = work.files.get(PAYLOAD)
    return None if data is None else open_payload(data, identities)


def last_bundle(place: BundlePlace, work_id: str, identities: Sequence[Identity]) -> Bundle:
    """The newest bundle of the work that lies on this host, opened; raises NotFound `no-bundle`."""
    stored = max(place.all(work_id), key=lambda each: each.path.stat().st_mtime_ns, default=None)
    if stored is None:
        raise NotFound(
            "no-bundle",
            f"no bundle of {work_id} lies on this host",
            hint=f"was it run here? dbops audit log --work {work_id}",
        )
    return opened_bundle(place, stored, identities)


def opened_bundle(
    place: BundlePlace, stored: StoredBundle, identities: Sequence[Identity]
) -> Bundle:
    """The bundle as it lies there; that it is the one of the ledger is not asked."""
    with stored.path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return place.open(stored, identities, sha256)


def undone_bundles(
    wiring: Wiring, repair: Repair, identities: Sequence[Identity]
) -> tuple[Bundle, ...]:
    """The bundles that an undo names, opened, in its order; none for a repair."""
    undo_of = repair.undo_of
    if undo_of is None:
        return ()
    place = bundle_place(wiring)
    return tuple(
        place.open(place.find(sha256, undo_of.work), identities, sha256)
        for sha256 in undo_of.bundles
    )


def committed_bundles(wiring: Wiring, place: BundlePlace, work_id: str) -> tuple[str, ...]:
    """The sha256 of the bundles of the work's runs that committed, as the database's markers say.

    Raises NotFound `repair-not-run` where there is none, and `no-bundle` where one of them does
    not lie on this host.
    """
    from dbops.repair.ports import MarkerKind
    from dbops.repair.run_order import session_order

    found = read_repair(wiring, work_id)
    engine = wiring.repair_engine(wiring.database(found.repair.database))
    order = replace(session_order(found.repair), read_only=True)
    with engine.session(order) as session:
        session.begin()
        markers = [each for each in session.markers(work_id) if each.kind is MarkerKind.REPAIR]
    if not markers:
        raise NotFound(
            "repair-not-run",
            f"{work_id} has not run on {found.repair.database}",
            hint=f"dbops repair list; dbops audit log --work {work_id}",
        )
    newest = markers[-1].plan
    bundles = tuple(each.bundle for each in markers if each.plan == newest)
    for sha256 in bundles:
        place.find(sha256, work_id)
    return bundles
