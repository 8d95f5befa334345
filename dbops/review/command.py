"""What a command line may do about work that needs approval: named, or not named at all; pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final

from dbops.errors import Refused
from dbops.review.memory import Memory
from dbops.review.policy import Policy
from dbops.review.work import Kind, Manifest, Risk

_CALLED: Final[Mapping[Kind, str]] = {
    Kind.REPAIR: "a repair",
    Kind.CHANGE: "a change",
    Kind.RESTORE: "a restore",
    Kind.RELEASE: "the release of a hold",
    Kind.RECIPIENTS: "a list of recipients",
}


def refuse_unnamed(kind: Kind, databases: Collection[str], policy: Policy, *, source: str) -> None:
    """Raise Refused unless the policy asks nothing for such work, however risky it is.

    `source` names the policy's file in the hint. The codes are policy-no-rule and review-needed.
    """
    rules, without = policy.matching(kind, databases, Risk.HIGH)
    if without:
        on = f" on {without[0]}" if without[0] else ""
        raise Refused(
            "policy-no-rule",
            f"the policy has no rule for {_CALLED[kind]}{on}",
            hint=f"add one to {source}, then: dbops trust lint",
        )
    if any(rule.asks or rule.evidence for rule in rules):
        raise Refused(
            "review-needed",
            f"the policy asks that {_CALLED[kind]} is approved first",
            hint=f"dbops {kind.drawn_up_by} --help; then run this again with --review ID",
        )


def refuse_unreviewed(policy: Policy, memory: Memory, now: datetime) -> None:
    """Raise Refused breakglass-review-overdue where a broken glass waits too long for that."""
    for use in memory.overdue(policy.review_within, now):
        raise Refused(
            "breakglass-review-overdue",
            f"{use.work} ran by break-glass and was not reviewed in time",
            hint=f"dbops review confirm {use.work}",
        )


def refuse_other(manifest: Manifest, settings: Mapping[str, str]) -> None:
    """Raise Refused review-other unless `settings`, what was typed, is what was approved."""
    typed, approved = _normal(settings), _normal(manifest.settings)
    differing = sorted(key for key in {*typed, *approved} if typed.get(key) != approved.get(key))
    if differing:
        told = " and ".join(
            _difference(key, approved.get(key), typed.get(key)) for key in differing
        )
        raise Refused(
            "review-other",
            f"{manifest.id} was approved with {told}",
            hint=f"type what it says: dbops review show {manifest.id}",
        )


def _normal(settings: Mapping[str, str]) -> dict[str, str]:
    """Tables in one order: what means the same reads the same."""
    found = dict(settings)
    if "tables" in found:
        found["tables"] = ", ".join(sorted(found["tables"].split(", ")))
    return found


def _difference(key: str, approved: str | None, typed: str | None) -> str:
    allowed = f"no {key}" if approved is None else f'{key} "{approved}"'
    return f"{allowed}, not without" if typed is None else f'{allowed}, not "{typed}"'
