"""`dbops trust lint`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

import click

from dbops.cli.options import json_option

if TYPE_CHECKING:
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from dbops.cli.wiring import Wiring
    from dbops.crypto.trust import TrustRoot
    from dbops.review.policy import Policy

Part = TypeVar("Part")


@click.command()
@json_option
@click.pass_obj
def lint(estate: str | None, as_json: bool) -> int:  # noqa: FBT001 - click passes by name
    """Look for what is wrong in the trust root, each problem on its own line.

    Reads allowed_signers, revoked and policy.toml, and looks whether every rule of the policy can
    be met by keys that count, which keys end within 30 days, and who owns the files and every
    directory above them.

    \b
    Example: dbops trust lint
    Exit statuses: 0 nothing is wrong, 4 problems were found, 10 no estate.
    """
    from dbops.cli.render import counted, say, show_json
    from dbops.cli.wiring import open_wiring
    from dbops.errors import ExitStatus

    wiring = open_wiring(estate)
    problems = tuple(dict.fromkeys(find_problems(wiring)))
    if as_json:
        show_json({"path": wiring.estate.trust, "problems": problems})
    else:
        for problem in problems:
            click.echo(problem)
        found = counted(len(problems), "problem") if problems else "nothing wrong"
        say(f"{wiring.estate.trust}: {found}")
    return ExitStatus.FINDING if problems else ExitStatus.DONE


def find_problems(wiring: Wiring) -> Iterator[str]:
    """A sentence for each thing that is wrong, or will be within 30 days."""
    from dbops.cli.reviewing import check_trust_files, policy_of

    faults: list[str] = []
    trust = _part(lambda: wiring.trust, faults)
    policy = _part(lambda: policy_of(wiring), faults)
    _part(lambda: check_trust_files(wiring, policy), faults)
    yield from faults
    now = wiring.clock()
    if trust is not None:
        yield from _ending_keys(trust, now, wiring.estate.zone)
    if policy is not None:
        yield from _unknown_databases(wiring, policy)
    if trust is not None and policy is not None:
        yield from _lint(policy, trust, now)


def _part(read: Callable[[], Part], faults: list[str]) -> Part | None:
    """What reading gives; None, and what is wrong with it among the faults, where it fails."""
    from dbops.errors import DbopsError

    try:
        return read()
    except DbopsError as failure:
        faults.append(failure.message)
        return None


def _lint(policy: Policy, trust: TrustRoot, now: datetime) -> Iterable[str]:
    from dbops.review.policy_lint import lint_policy

    return lint_policy(policy, trust, now)


def _unknown_databases(wiring: Wiring, policy: Policy) -> Iterator[str]:
    """A rule for a name that is misspelt binds nothing, and a laxer one may then be enough."""
    known = {*wiring.estate.databases, *wiring.estate.targets}
    for number, rule in enumerate(policy.rules, 1):
        for name in sorted(rule.databases - known):
            yield f"rule {number} is for {name}, which is no database or target of the estate"


def _ending_keys(trust: TrustRoot, now: datetime, zone: ZoneInfo) -> Iterator[str]:
    from datetime import timedelta

    from dbops.cli.render import moment

    for signer in trust.signers:
        until = signer.valid_before
        if until is None or signer.key.fingerprint in trust.revoked:
            continue
        verb = "ended" if until < now else "ends"
        if until < now + timedelta(days=30):
            yield (
                f"key {signer.key.fingerprint} of {signer.principal} {verb} {moment(until, zone)}"
            )
