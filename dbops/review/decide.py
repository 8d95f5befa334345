"""Deciding: the author asks, others approve or reject, and each signs a text that says what.

What is signed is about the bytes of a `Work` that was read before and shown to the person, never
about what the folder holds by then. Whatever would make the statement worthless as soon as it is
written is refused before the key is touched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, NoReturn

from dbops.crypto.signing import Signer
from dbops.crypto.trust import TrustRoot
from dbops.errors import Refused, UsageFault
from dbops.review.grounds import Case, grounds
from dbops.review.memory import Memory
from dbops.review.policy import Person, Policy, Rule
from dbops.review.purpose import Purpose, purpose_of
from dbops.review.readable import readable_text
from dbops.review.statement import Decision, Statement, encode_statement, parse_statement
from dbops.review.statement_files import write_statement
from dbops.review.verified import Verified, verify_statement
from dbops.review.work import Manifest, SignedText, Work, read_manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class DecideOrder:
    """What a person decides about the work that was shown.

    `identities` are the databases' own by alias; a request needs that of every database of the
    work, and who answers one without them relies on what the request says. `role` None is the only
    one that fits. `not_after` None is as late as the policy lets it be, and for an approval no
    later than the request; `not_before` None is at once. `takes_back` is for a request: that a
    change is taken back. Who answers one signs for what it asks.
    """

    worktree: Path
    work: Work
    identities: Mapping[str, str] | None = None
    role: str | None = None
    not_before: datetime | None = None
    not_after: datetime | None = None
    note: str | None = None
    takes_back: bool = False


@dataclass(frozen=True, slots=True)
class Decided:
    """The statement that was signed, the sha256 of its text, and where that is."""

    statement: Statement
    sha256: str
    path: Path


def request_work(
    order: DecideOrder,
    policy: Policy,
    trust: TrustRoot,
    signer: Signer,
    now: datetime,
    nonce: str,
) -> Decided:
    """Afterwards the author's request lies in `approvals/`; every answer to an older one is void.

    `nonce` is 32 random hex digits. `Refused` with the codes of `judge` for what would not count:
    author-differs, author-role, policy-no-rule, request-too-long and the like, `trust-…` for the
    key, `text-…` for a file that does not read as it is; policy-asks-nothing where nobody need
    agree, purpose-none where what has no way back is to be taken back, and statement-other where
    the file of that name is somebody else's.
    """
    desk = _Desk(order, policy, trust, signer, now, Decision.REQUEST)
    return desk.sign(nonce)


def approve_work(
    order: DecideOrder,
    policy: Policy,
    trust: TrustRoot,
    signer: Signer,
    now: datetime,
    nonce: str,
    *,
    break_glass: bool = False,
) -> Decided:
    """Afterwards the signer's approval of the author's request lies in `approvals/`.

    With `break_glass` it stands in for everybody else's, for hours, and needs a note that says
    why. `Refused` as for `request_work`, and approval-by-author, approval-role, breakglass-…,
    request-missing, and what makes the request not count. UsageFault decide-role where the signer
    has several roles that are asked for and names none.
    """
    decision = Decision.BREAK_GLASS if break_glass else Decision.APPROVE
    return _Desk(order, policy, trust, signer, now, decision).sign(nonce)


def reject_work(
    order: DecideOrder,
    policy: Policy,
    trust: TrustRoot,
    signer: Signer,
    now: datetime,
    nonce: str,
) -> Decided:
    """Afterwards the signer's rejection, with its reason (the note), lies in `approvals/`.

    It forbids the run until the same person approves. `Refused` as for `approve_work`, but a
    request that no longer counts can be rejected too.
    """
    return _Desk(order, policy, trust, signer, now, Decision.REJECT).sign(nonce)


class _Desk:
    """Where one person makes one decision."""

    def __init__(
        self,
        order: DecideOrder,
        policy: Policy,
        trust: TrustRoot,
        signer: Signer,
        now: datetime,
        decision: Decision,
    ) -> None:
        self._order, self._policy, self._trust = order, policy, trust
        self._signer, self._decision = signer, decision
        self._now = now.replace(microsecond=0)
        self._manifest = read_manifest(order.work)
        self._rules = self._matching()
        self._principal = trust.judge(signer.public_key, decision.namespace, now)

    def sign(self, nonce: str) -> Decided:
        """Afterwards the statement is written."""
        work, manifest = self._order.work, self._manifest
        for name, data in work.texts.items():
            readable_text(data, f"{work.folder}/{name}")
        person = self._person()
        request = None if self._decision is Decision.REQUEST else self._answered(person)
        statement = Statement(
            decision=self._decision,
            kind=manifest.kind,
            id=manifest.id,
            signer=self._principal,
            purpose=self._purpose() if request is None else request.statement.purpose,
            role=self._role(person),
            databases=self._databases() if request is None else request.statement.databases,
            limits=manifest.limits,
            risk=manifest.risk,
            request=None if request is None else request.sha256,
            not_before=_whole(self._order.not_before),
            not_after=self._end(request),
            signed_at=self._now,
            nonce=nonce,
            note=self._order.note,
            files=work.digests,
        )
        self._refuse_others_file()
        text = encode_statement(statement)
        signed = SignedText(text, self._signer.sign(text, self._decision.namespace).encode("ascii"))
        path = write_statement(self._order.worktree, work.folder, self._principal, signed)
        return Decided(statement, signed.sha256, path)

    def _matching(self) -> tuple[Rule, ...]:
        """Return the rules that ask for signatures."""
        manifest = self._manifest
        rules, without = self._policy.matching(manifest.kind, manifest.concerns, manifest.risk)
        if without:
            self._refuse(
                "policy-no-rule", f"the policy has no rule for {_on(manifest, without[0])}"
            )
        asking = tuple(rule for rule in rules if rule.asks)
        if not asking:
            self._refuse("policy-asks-nothing", f"nobody need agree to {_on(manifest, '')}")
        return asking

    def _person(self) -> Person:
        person = self._policy.person_of(self._principal)
        if person is None:
            self._refuse(
                "person-unknown",
                f"the policy names nobody whose principal is {self._principal}",
            )
        if self._decision is Decision.REQUEST and self._principal != self._manifest.author:
            author = self._manifest.author
            self._refuse("author-differs", f"the author is {author}, not {self._principal}")
        return person

    def _answered(self, person: Person) -> Verified:
        """Return the author's request, if it is one that an answer to it can count for."""
        author = self._policy.person_of(self._manifest.author)
        if author is not None and author.id == person.id:
            self._refuse(
                f"{_WORDS[self._decision]}-by-author",
                "the author asks, and others answer",
            )
        work = self._order.work
        if self._manifest.author not in work.statements:
            self._refuse(
                "request-missing", f"the author, {self._manifest.author}, has not asked yet"
            )
        found = verify_statement(work, self._manifest.author, self._policy, self._trust, self._now)
        if found.statement.decision is not Decision.REQUEST:
            self._refuse("request-missing", "what the author signed is not a request")
        if self._decision is not Decision.REJECT:
            for reason in grounds(found, self._case()):
                self._refuse(reason.code, reason.message)
        return found

    def _case(self) -> Case:
        return Case(
            self._order.work,
            self._manifest,
            self._policy,
            self._trust,
            Memory(),
            self._order.identities,
            None,
            self._now,
            self._rules,
        )

    def _purpose(self) -> Purpose | None:
        return purpose_of(self._order.work, takes_back=self._order.takes_back)

    def _role(self, person: Person) -> str | None:
        match self._decision:
            case Decision.REQUEST:
                return self._author_role(person)
            case Decision.BREAK_GLASS:
                return self._break_glass_role(person)
            case _:
                return self._asked_role(person)

    def _author_role(self, person: Person) -> str | None:
        roles = sorted({rule.author_role for rule in self._rules if rule.author_role is not None})
        for role in roles:
            if not self._policy.holds(person, role):
                self._refuse("author-role", f"the author {person.id} is not of {role}")
        return roles[0] if len(roles) == 1 else None

    def _break_glass_role(self, person: Person) -> str:
        rule = self._policy.break_glass
        if rule is None:
            self._refuse("breakglass-not-allowed", "the policy has no break-glass")
        if not self._policy.holds(person, rule.role):
            self._refuse("breakglass-role", f"{person.id} is not of {rule.role}")
        return rule.role

    def _asked_role(self, person: Person) -> str:
        asked = {role for rule in self._rules for role in rule.quorum}
        able = sorted(role for role in asked if self._policy.holds(person, role))
        named = able if self._order.role is None else [self._order.role]
        if not able or named[0] not in able:
            wanted = self._order.role or " or ".join(sorted(asked)) or "any role that is asked for"
            code = f"{_WORDS[self._decision]}-role"
            self._refuse(code, f"{person.id} is not of {wanted}, whom this work asks for")
        if len(named) > 1 and self._decision is Decision.APPROVE:
            raise UsageFault(
                "decide-role",
                f"{person.id} can approve as {', '.join(named)}, and one approval is for one role",
                hint=f"name it: --role {named[0]}",
            )
        return named[0]

    def _databases(self) -> dict[str, str]:
        identities = self._order.identities or {}
        for alias in self._manifest.databases:
            if alias not in identities:
                self._refuse("database-unidentified", f"the identity of {alias} is not known")
        return {alias: identities[alias] for alias in self._manifest.databases}

    def _end(self, request: Verified | None) -> datetime:
        longest, wished = self._longest(), _whole(self._order.not_after)
        if wished is not None:
            if wished - self._now > longest:
                most = _span(longest)
                raise Refused(
                    f"{_WORDS[self._decision]}-too-long",
                    f"the policy lets it count for {most} at most",
                    hint=f"ask for less: --valid {most}",
                )
            return wished
        latest = self._now + longest
        if request is None or self._decision is Decision.REJECT:
            return latest
        return min(latest, request.statement.not_after)

    def _longest(self) -> timedelta:
        rule = self._policy.break_glass
        if self._decision is Decision.BREAK_GLASS and rule is not None:
            return rule.longest
        return min(rule.longest for rule in self._rules)

    def _refuse_others_file(self) -> None:
        """Refuse to write where another person's statement is, or where one could be meant."""
        for name, signed in self._order.work.statements.items():
            if name == self._principal and _claimed_signer(signed) in {None, self._principal}:
                continue
            if name.casefold() == self._principal.casefold():
                self._refuse("statement-other", f"approvals/{name}.txt is not {self._principal}'s")

    def _refuse(self, code: str, message: str) -> NoReturn:
        raise Refused(code, message, hint=f"dbops review show {self._order.work.id}")


_WORDS: Final = {
    Decision.REQUEST: "request",
    Decision.APPROVE: "approval",
    Decision.REJECT: "rejection",
    Decision.BREAK_GLASS: "breakglass",
}


def _claimed_signer(signed: SignedText) -> str | None:
    try:
        return parse_statement(signed.text).signer
    except Refused:
        return None


def _span(length: timedelta) -> str:
    """A whole number in the largest unit that keeps it whole, as --valid takes it."""
    units = {"d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1)}
    name = next((name for name, unit in units.items() if not length % unit), "s")
    return f"{length // units.get(name, timedelta(seconds=1))}{name}"


def _whole(time: datetime | None) -> datetime | None:
    return None if time is None else time.replace(microsecond=0)


def _on(manifest: Manifest, database: str) -> str:
    on = f" on {database}" if database else ""
    return f"a {manifest.kind.value} of risk {manifest.risk.value}{on}"
