"""The statements of a folder, sorted into what each is good for; pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from dbops.errors import Refused
from dbops.review.grounds import Case, Reason, grounds
from dbops.review.policy import Person
from dbops.review.statement import Decision
from dbops.review.verified import Verified, statement_path, verify_statement


class Statements:
    """The statements of a case's folder, sorted.

    `request` is the author's, `approvals` those that count, one for each person, `broken` the
    break-glass statements that would count; `ignored` says why others do not, and `faults` what
    forbids the run whoever else agrees: rejections, there or taken away.
    """

    def __init__(self, case: Case) -> None:
        """Sort the statements of the case; nothing in them raises."""
        self._case = case
        self.ignored: list[Reason] = []
        self.faults: list[Reason] = []
        self._verified = self._verify_all()
        author = case.policy.person_of(case.manifest.author)
        self._author = None if author is None else author.id
        requests = self._of(Decision.REQUEST)
        self._asked_by = next((r for r in requests if r.principal == case.manifest.author), None)
        self.request = self._request(requests)
        sound = [
            found
            for found in self._of(Decision.APPROVE)
            if not self._ignore(self._against_approval(found))
        ]
        self._last = self._last_approvals(sound)
        self.approvals = self._one_each(sound)
        self.broken = [
            found
            for found in self._of(Decision.BREAK_GLASS)
            if not self._ignore(self._against_broken(found))
        ]
        self.faults.extend(self._rejections())
        self.faults.extend(self._removed())

    def _verify_all(self) -> list[Verified]:
        case, verified = self._case, []
        for name, signed in sorted(case.work.statements.items()):
            try:
                found = verify_statement(case.work, name, case.policy, case.trust, case.now)
            except Refused as fault:
                # Whoever can damage a rejection must not thereby lift it.
                rejects = b"\ndecision: reject\n" in signed.text
                reasons = self.faults if rejects else self.ignored
                reasons.append(Reason(fault.code, fault.message))
            else:
                verified.append(found)
        return verified

    def _of(self, decision: Decision) -> list[Verified]:
        return [found for found in self._verified if found.statement.decision is decision]

    def _ignore(self, against: Iterator[Reason]) -> bool:
        """Note why a statement does not count, if it does not."""
        reasons = list(against)
        self.ignored.extend(reasons)
        return bool(reasons)

    def _says(self, found: Verified, code: str, message: str) -> Reason:
        return Reason(code, f"{statement_path(self._case.work, found.principal)}: {message}")

    def _request(self, requests: list[Verified]) -> Verified | None:
        author = self._case.manifest.author
        for found in requests:
            if found is not self._asked_by:
                message = f"the author is {author}, not {found.principal}"
                self.ignored.append(self._says(found, "author-differs", message))
        asked_by = self._asked_by
        if asked_by is None or self._ignore(grounds(asked_by, self._case)):
            return None
        return asked_by

    def _one_each(self, sound: list[Verified]) -> list[Verified]:
        """Return the approvals that count, one for each person."""
        counting: dict[str, Verified] = {}
        for found in sound:
            if found.person.id in counting:
                message = f"{found.person.id} approved already, and counts once"
                self.ignored.append(self._says(found, "approval-same-person", message))
            else:
                counting[found.person.id] = found
        return list(counting.values())

    @staticmethod
    def _last_approvals(sound: list[Verified]) -> dict[str, datetime]:
        """Return when each person last signed an approval of what lies there now."""
        ordered = sorted(sound, key=lambda found: found.statement.signed_at)
        return {found.person.id: found.statement.signed_at for found in ordered}

    def _against_approval(self, found: Verified) -> Iterator[Reason]:
        yield from self._against_anybody(found)
        role = found.statement.role or ""
        if not self._case.policy.holds(found.person, role):
            yield self._says(found, "approval-role", f"{found.person.id} is not of {role}")
        elif role not in self._roles():
            yield self._says(found, "approval-role-unasked", f"no rule asks for {role}")
        yield from grounds(found, self._case)

    def _against_broken(self, found: Verified) -> Iterator[Reason]:
        yield from self._against_anybody(found)
        rule, role = self._case.policy.break_glass, found.statement.role or ""
        if rule is None:
            yield self._says(found, "breakglass-not-allowed", "the policy has no break-glass")
        elif role != rule.role or not self._case.policy.holds(found.person, role):
            yield self._says(found, "breakglass-role", f"{found.person.id} is not of {rule.role}")
        yield from grounds(found, self._case)

    def _against_anybody(self, found: Verified) -> Iterator[Reason]:
        """Yield what forbids an approver to be who he is, or to mean another request."""
        asked_by = self._asked_by
        if found.person.id == self._author:
            yield self._says(found, "approval-by-author", "the author cannot approve")
        elif asked_by is not None and asked_by.key == found.key:
            yield self._says(found, "approval-same-key", "it is signed with the author's key")
        if asked_by is not None and found.statement.request != asked_by.sha256:
            message = "it answers another request than the author's that is there"
            yield self._says(found, "request-other", message)
        if asked_by is not None and found.statement.purpose is not asked_by.statement.purpose:
            message = "it is for something else than what the author asks for"
            yield self._says(found, "purpose-differs", message)

    def _roles(self) -> set[str]:
        return {role for rule in self._case.rules for role in rule.quorum}

    def _entitled(self, person: Person) -> bool:
        return any(self._case.policy.holds(person, role) for role in self._roles())

    def _rejections(self) -> Iterator[Reason]:
        for found in self._of(Decision.REJECT):
            if not self._entitled(found.person):
                message = f"{found.person.id} has no role that a rule asks for"
                self.ignored.append(self._says(found, "rejection-role", message))
            elif not self._approved_after(found.person, found.statement.signed_at):
                yield self._says(found, "rejected", f"{found.person.id} rejected it")

    def _removed(self) -> Iterator[Reason]:
        """Yield a reason for each rejection that the ledger saw and the folder does not have."""
        case, present = self._case, {found.sha256 for found in self._of(Decision.REJECT)}
        for seen in case.memory.seen:
            if (seen.work, seen.decision) != (case.work.id, Decision.REJECT):
                continue
            person = case.policy.person_of(seen.principal)
            if person is None or not self._entitled(person) or seen.sha256 in present:
                continue
            if not self._approved_after(person, seen.at):
                yield Reason(
                    "rejection-removed",
                    f"{person.id} rejected {case.work.id}, and that rejection is gone",
                )

    def _approved_after(self, person: Person, time: datetime) -> bool:
        """Whether the person approved what lies there now, later than that.

        Who rejects one revision and approves the next has not agreed to the first.
        """
        last = self._last.get(person.id)
        return last is not None and last > time
