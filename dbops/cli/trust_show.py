"""`dbops trust show`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dbops.cli.options import json_option

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from dbops.crypto.trust import TrustedSigner, TrustRoot
    from dbops.review.policy import Policy, Rule


@click.command()
@json_option
@click.pass_obj
def show(estate: str | None, as_json: bool) -> None:  # noqa: FBT001 - click passes by name
    """Show whose keys count for what and until when, and whose agreement work needs.

    \b
    Example: dbops trust show
    Exit statuses: 0 done, 2 the policy is malformed, 5 the trust root is malformed, 10 there is
    none.
    """
    from dbops.cli.render import show_json
    from dbops.cli.reviewing import policy_of
    from dbops.cli.wiring import open_wiring

    wiring = open_wiring(estate)
    trust, policy = wiring.trust, policy_of(wiring)
    if as_json:
        show_json(
            {
                "path": wiring.estate.trust,
                "demo": policy.demo,
                "signers": [_signer(signer, trust, policy) for signer in trust.signers],
                "revoked": sorted(trust.revoked),
                "roles": {role: sorted(ids) for role, ids in sorted(policy.roles.items())},
                "rules": [_rule(rule) for rule in policy.rules],
                "break_glass": policy.break_glass,
            }
        )
        return
    _show_signers(trust, policy, wiring.estate.zone)
    click.echo()
    _show_rules(policy)


def _signer(signer: TrustedSigner, trust: TrustRoot, policy: Policy) -> dict[str, object]:
    person = policy.person_of(signer.principal)
    return {
        "principal": signer.principal,
        "person": person.id if person else None,
        "name": person.name if person else None,
        "roles": policy.roles_of(person) if person else (),
        "key": signer.key.fingerprint,
        "kind": signer.key.kind,
        "namespaces": sorted(str(name) for name in signer.namespaces),
        "valid_after": signer.valid_after,
        "valid_before": signer.valid_before,
        "revoked": signer.key.fingerprint in trust.revoked,
    }


def _rule(rule: Rule) -> dict[str, object]:
    return {
        "kinds": sorted(rule.kinds),
        "databases": sorted(rule.databases),
        "risk": rule.risk_from,
        "author": rule.author_role,
        "quorum": dict(rule.quorum),
        "evidence": rule.evidence,
        "evidence_age": rule.evidence_age,
        "longest": rule.longest,
    }


def _show_signers(trust: TrustRoot, policy: Policy, zone: ZoneInfo) -> None:
    from dbops.cli.render import show_table

    rows = []
    for signer in trust.signers:
        person = policy.person_of(signer.principal)
        names = sorted(_short(str(name)) for name in signer.namespaces)
        rows.append(
            (
                signer.principal,
                person.name if person else "-",
                ", ".join(policy.roles_of(person)) if person else "-",
                ", ".join(names),
                _validity(signer, trust, zone),
                signer.key.fingerprint,
            )
        )
    show_table(rows, ("principal", "name", "roles", "signs", "until", "key"))


def _validity(signer: TrustedSigner, trust: TrustRoot, zone: ZoneInfo) -> str:
    from dbops.cli.render import moment

    if signer.key.fingerprint in trust.revoked:
        return "revoked"
    until = moment(signer.valid_before, zone) if signer.valid_before else "any time"
    return f"{moment(signer.valid_after, zone)} to {until}" if signer.valid_after else until


def _short(namespace: str) -> str:
    return namespace.removeprefix("dbops-").removesuffix("@v1")


def _show_rules(policy: Policy) -> None:
    from dbops.cli.render import show_table
    from dbops.durations import duration_text

    rows = [
        (
            ", ".join(sorted(rule.kinds)),
            ", ".join(sorted(rule.databases)) or "all",
            f"{rule.risk_from.value} and up",
            rule.author_role or "-",
            ", ".join(f"{count} of {role}" for role, count in rule.quorum.items()) or "nobody",
            "yes" if rule.evidence else "no",
            duration_text(rule.longest),
        )
        for rule in policy.rules
    ]
    show_table(rows, ("work", "databases", "risk", "author", "agree", "evidence", "longest"))
    broken = policy.break_glass
    if broken is not None:
        click.echo(
            f"\nbreak-glass: {broken.role}, for {duration_text(broken.longest)} at most, "
            f"to be reviewed within {duration_text(broken.review_within)}"
        )
    if policy.demo:
        click.echo("demo: counts only inside the estate's own directory")
