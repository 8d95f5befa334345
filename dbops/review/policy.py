"""The sign-off policy: persons, their roles, and whose agreement each kind of work needs; pure.

`policy.toml` lies in the trust root, outside every git repository. It is read strictly: a key that
it does not know, a person who is not there or a principal of two persons is an error, because a
line that says something else than its writer meant decides what may run.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from pydantic import ValidationError

from dbops.crypto.trust import plain_text
from dbops.errors import UsageFault
from dbops.review import policy_document
from dbops.review.policy_document import BundleReaders, FailedVerify
from dbops.review.work import Kind, Risk


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who signs; all principals of one person count as that one person."""

    id: str
    name: str
    principals: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """Whose agreement work needs that the rule matches: by kind, database and risk.

    `databases` empty means every one; the rule matches from `risk_from` upwards. `quorum` counts
    persons by role. `evidence_age` is None where any age will do; with `reproduce` a run must make
    the very difference that was rehearsed. `backup_age` is how old the last proven backup of a
    database may be when work on it runs. `longest` is the longest time from a statement's signing
    to its end.
    """

    kinds: frozenset[Kind]
    databases: frozenset[str]
    risk_from: Risk
    author_role: str | None
    quorum: Mapping[str, int]
    evidence: bool
    evidence_age: timedelta | None
    longest: timedelta
    reproduce: bool = False
    backup_age: timedelta | None = None

    @property
    def asks(self) -> bool:
        """Whether the rule asks for anything to be signed."""
        return bool(self.quorum) or self.author_role is not None


@dataclass(frozen=True, slots=True)
class BreakGlass:
    """Who may stand in for a quorum in an emergency, and when it must be reviewed after."""

    role: str
    longest: timedelta
    review_within: timedelta


@dataclass(frozen=True, slots=True)
class Policy:
    """The whole policy. `roles` names persons by their id; `break_glass` None means never.

    `bundle` says who opens the sealed rows of repairs, `failed_verify` what a change does whose
    verification fails when part of it is done. `sha256` is the digest of the text that it
    was read from, and no part of what is compared.
    """

    persons: Mapping[str, Person]
    roles: Mapping[str, frozenset[str]]
    rules: tuple[Rule, ...]
    break_glass: BreakGlass | None
    demo: bool
    sha256: str = field(compare=False)
    bundle: BundleReaders = BundleReaders.RUNNER
    failed_verify: FailedVerify = FailedVerify.STOP

    @property
    def review_within(self) -> timedelta:
        """When a broken glass must have been reviewed: at once where none is allowed any more."""
        return timedelta(0) if self.break_glass is None else self.break_glass.review_within

    def must_reproduce(self, kind: Kind, databases: Collection[str], risk: Risk) -> bool:
        """Return whether work of this sort must make the very difference that was rehearsed."""
        rules, _ = self.matching(kind, databases, risk)
        return any(rule.reproduce for rule in rules)

    def wants_evidence(self, kind: Kind, databases: Collection[str], risk: Risk) -> bool:
        """Return whether work of this sort must have been rehearsed."""
        rules, _ = self.matching(kind, databases, risk)
        return any(rule.evidence for rule in rules)

    def backup_age(self, kind: Kind, databases: Collection[str], risk: Risk) -> timedelta | None:
        """Return how old the last proven backup may be for work of this sort; None for any age."""
        rules, _ = self.matching(kind, databases, risk)
        ages = [rule.backup_age for rule in rules if rule.backup_age is not None]
        return min(ages, default=None)

    def person_of(self, principal: str) -> Person | None:
        """Return the person whom a principal stands for, None where the policy names nobody."""
        found = (person for person in self.persons.values() if principal in person.principals)
        return next(found, None)

    def holds(self, person: Person, role: str) -> bool:
        """Return whether the person has the role."""
        return person.id in self.roles.get(role, frozenset())

    def roles_of(self, person: Person) -> tuple[str, ...]:
        """Return the roles that the person has, by name."""
        return tuple(sorted(role for role, ids in self.roles.items() if person.id in ids))

    def matching(
        self, kind: Kind, databases: Collection[str], risk: Risk
    ) -> tuple[tuple[Rule, ...], tuple[str, ...]]:
        """Return every rule that work of this sort must meet, and the databases that have none.

        Work without databases is matched by rules for every database only; where such work has no
        rule, the second part is `("",)`.
        """
        wanted = tuple(databases) or ("",)
        by_database = {
            database: [rule for rule in self.rules if _matches(rule, kind, database, risk)]
            for database in wanted
        }
        matched = {id(rule) for rules in by_database.values() for rule in rules}
        without = tuple(database for database, rules in by_database.items() if not rules)
        return tuple(rule for rule in self.rules if id(rule) in matched), without


def _matches(rule: Rule, kind: Kind, database: str, risk: Risk) -> bool:
    named = not rule.databases or database in rule.databases
    return kind in rule.kinds and named and risk.reaches(rule.risk_from)


def parse_policy(text: str, source: str) -> Policy:
    """Return the policy that a `policy.toml` describes; `source` names the text in errors.

    Raises UsageFault with a `policy-…` code and the place for anything wrong in it, and Refused
    `text-…` where it holds hidden characters.
    """
    plain = plain_text(text.encode("utf-8", "surrogatepass"), source)
    try:
        raw = tomllib.loads(plain)
    except (tomllib.TOMLDecodeError, RecursionError) as fault:
        raise UsageFault(
            "policy-syntax",
            f"{source} is not well-formed toml: {fault}",
            hint="mend the line; a key stands in a table once, texts stand in quotes",
        ) from None
    try:
        document = policy_document.Document.model_validate(raw)
    except ValidationError as error:
        raise policy_document.usage_fault(source, error) from None
    _check_names(document, source)
    return _policy(document, hashlib.sha256(plain.encode()).hexdigest())


def _check_names(document: policy_document.Document, source: str) -> None:
    """Refuse names that lead nowhere, and principals that lead to two persons."""
    owners: dict[str, str] = {}
    for person, table in document.persons.items():
        for principal in table.principals:
            if principal in owners:
                raise _fault(
                    "principal-shared",
                    f"{source}: persons.{person}: {principal} stands there twice, or is "
                    f"{owners[principal]}'s as well",
                    "name each principal once, under the person who alone holds its key",
                )
            owners[principal] = person
    for role, ids in document.roles.items():
        unknown = [each for each in ids if each not in document.persons]
        if unknown or len(set(ids)) != len(ids):
            raise _fault(
                "person-unknown",
                f"{source}: roles.{role} names {unknown[0] if unknown else 'somebody twice'}"
                f"{', who is no person of the policy' if unknown else ''}",
                "add the person: [persons.NAME] with name and principals",
            )
    for number, rule in enumerate(document.rules, 1):
        _check_roles(document, (rule.author, *rule.quorum), f"{source}: rules[{number}]")
    if document.break_glass is not None:
        _check_roles(document, (document.break_glass.role,), f"{source}: break_glass")


def _check_roles(
    document: policy_document.Document, roles: Iterable[str | None], where: str
) -> None:
    for role in roles:
        if role is not None and role not in document.roles:
            raise _fault(
                "role-unknown",
                f"{where} names the role {role}, which [roles] does not have",
                f"add it: {role} = [] in [roles]",
            )


def _policy(document: policy_document.Document, sha256: str) -> Policy:
    broken = document.break_glass
    return Policy(
        persons={
            person: Person(person, table.name, tuple(table.principals))
            for person, table in document.persons.items()
        },
        roles={role: frozenset(ids) for role, ids in document.roles.items()},
        rules=tuple(_rule(table) for table in document.rules),
        break_glass=None
        if broken is None
        else BreakGlass(broken.role, broken.longest, broken.review_within),
        demo=document.demo,
        sha256=sha256,
        bundle=document.repair.bundle,
        failed_verify=document.change.failed_verify,
    )


def _rule(table: policy_document.RuleTable) -> Rule:
    return Rule(
        kinds=frozenset(table.kinds),
        databases=frozenset(table.databases or ()),
        risk_from=table.risk,
        author_role=table.author,
        quorum=dict(table.quorum),
        evidence=table.evidence,
        evidence_age=table.evidence_age,
        longest=table.longest,
        reproduce=table.reproduce,
        backup_age=table.backup_age,
    )


def _fault(reason: str, message: str, hint: str) -> UsageFault:
    return UsageFault(f"policy-{reason}", message, hint=hint)
