"""The policy: what may stand in `policy.toml`, which rules match, and what lint says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dbops.crypto.sshsig import Namespace
from dbops.crypto.trust import TrustedSigner, TrustRoot
from dbops.errors import DbopsError, Refused, UsageFault
from dbops.review.policy import BreakGlass, Person, Policy, Rule, parse_policy
from dbops.review.policy_default import default_policy_text
from dbops.review.policy_document import BundleReaders, FailedVerify
from dbops.review.policy_lint import lint_policy
from dbops.review.work import Kind, Risk
from tests.review.desk import POLICY, signer_of

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
HEAD = 'dbops = "policy/v1"\n'
PEOPLE = (
    Person("wang-fang", '王"芳', ("wang.fang@site",)),
    Person("li-na", "李娜", ("li.na@hospital", "li.laptop@hospital")),
    Person("zhao-lei", "赵磊", ("zhao.lei@hospital",)),
)
ROLES = {
    "engineer": ["wang-fang"],
    "it-department": ["li-na", "zhao-lei"],
    "break-glass": ["li-na"],
}
DEFAULT = parse_policy(default_policy_text(PEOPLE, ROLES), "policy.toml")


def fault_of(text: str) -> DbopsError:
    """How the text is refused."""
    with pytest.raises(DbopsError) as caught:
        parse_policy(text, "policy.toml")
    return caught.value


def test_the_default_policy() -> None:
    """Repairs and changes need an engineer, the IT department and a rehearsal."""
    assert DEFAULT.persons == {person.id: person for person in PEOPLE}
    assert DEFAULT.roles == {role: frozenset(ids) for role, ids in ROLES.items()}
    assert DEFAULT.break_glass == BreakGlass("break-glass", timedelta(hours=4), timedelta(hours=72))
    work = frozenset({Kind.REPAIR, Kind.CHANGE})
    fortnight = timedelta(days=14)
    low = Rule(
        work, frozenset(), Risk.LOW, "engineer", {"it-department": 1}, False, None, fortnight
    )
    assert DEFAULT.rules == (
        low,
        replace(low, risk_from=Risk.HIGH, quorum={"it-department": 2}, longest=timedelta(days=7)),
        replace(low, kinds=frozenset(Kind) - work, author_role=None),
        replace(
            low,
            author_role=None,
            quorum={},
            evidence=True,
            evidence_age=timedelta(days=7),
        ),
        replace(
            low,
            kinds=frozenset({Kind.CHANGE}),
            author_role=None,
            quorum={},
            backup_age=timedelta(hours=26),
        ),
    )
    assert DEFAULT.failed_verify is FailedVerify.STOP
    assert not DEFAULT.demo


def test_the_default_policy_without_anybody() -> None:
    """A new hospital's file is whole before anybody stands in it, and can be a demo's."""
    policy = parse_policy(default_policy_text(demo=True), "policy.toml")
    assert policy.persons == {}
    assert policy.roles == dict.fromkeys(ROLES, frozenset())
    assert policy.demo
    assert replace(policy, demo=False) == parse_policy(default_policy_text(), "policy.toml")


def matched(policy: Policy, *databases: str, risk: Risk = Risk.LOW) -> tuple[list[int], list[str]]:
    """The numbers of the rules that a repair must meet, and the databases without one."""
    rules, without = policy.matching(Kind.REPAIR, databases, risk)
    return [policy.rules.index(rule) for rule in rules], list(without)


def test_every_rule_that_matches_counts() -> None:
    """By kind, database and risk; a database that none names is told."""
    policy = parse_policy(POLICY, "policy.toml")
    assert matched(policy, "lab") == ([0], [])
    assert matched(policy, "lab", risk=Risk.HIGH) == ([0, 1], [])
    assert matched(policy, "pacs") == ([], ["pacs"])
    assert matched(policy, "lab", "pacs") == ([0], ["pacs"])
    assert matched(policy, "pacs", risk=Risk.HIGH) == ([1], [])
    assert matched(policy) == ([], [""])
    assert matched(policy, risk=Risk.HIGH) == ([1], [])
    assert policy.matching(Kind.RELEASE, ["lab"], Risk.HIGH) == ((), ("lab",))


def test_persons() -> None:
    """All principals of a person are that person; roles are the person's."""
    policy = parse_policy(POLICY, "policy.toml")
    person = policy.person_of("li.laptop@hospital")
    assert person == policy.person_of("li.na@hospital") == policy.persons["li-na"]
    assert policy.person_of("li.na") is None
    assert policy.holds(policy.persons["li-na"], "it-department")
    assert not policy.holds(policy.persons["li-na"], "engineer")
    assert not policy.holds(policy.persons["li-na"], "nobody")
    assert policy.roles_of(policy.persons["wang-fang"]) == ("break-glass", "engineer")


RULE = f"{HEAD}[roles]\nx = []\n[[rules]]\n"


@pytest.mark.parametrize(
    ("text", "code", "message", "hint"),
    [
        ("", "policy-missing-key", "policy.toml: dbops: missing", None),
        (
            'dbops = "policy/v2"\n',
            "policy-bad-value",
            "policy.toml: dbops: not allowed",
            "allowed: 'policy/v1'",
        ),
        (
            f"{HEAD}[[rule]]\n",
            "policy-unknown-key",
            "policy.toml: rule: unknown key",
            'did you mean "rules"? allowed: dbops, demo, persons, roles, rules, break_glass, '
            "repair, change",
        ),
        (
            f'{RULE}kinds = ["repair"]\nqourum = {{ x = 1 }}\n',
            "policy-unknown-key",
            "policy.toml: rules[1].qourum: unknown key",
            'did you mean "quorum"? allowed: kinds, databases, risk, author, quorum, evidence, '
            "evidence_age, reproduce, backup_age, longest",
        ),
        (
            f'{RULE}kinds = ["repiar"]\n',
            "policy-bad-value",
            "policy.toml: rules[1].kinds[1]: not allowed",
            "allowed: 'repair', 'change', 'restore', 'release' or 'recipients'",
        ),
        (
            f"{RULE}kinds = []\n",
            "policy-bad-value",
            "policy.toml: rules[1].kinds: not allowed",
            None,
        ),
        (
            f'{RULE}kinds = ["repair"]\ndatabases = []\n',
            "policy-bad-value",
            "policy.toml: rules[1].databases: not allowed",
            None,
        ),
        (
            f'{RULE}kinds = ["repair"]\nquorum = {{ x = 0 }}\n',
            "policy-bad-value",
            "policy.toml: rules[1].quorum.x: not allowed",
            "allowed: greater than or equal to 1",
        ),
        (
            f'{RULE}kinds = ["repair"]\nquorum = {{ x = true }}\n',
            "policy-bad-value",
            "policy.toml: rules[1].quorum.x: not allowed",
            "allowed: a whole number",
        ),
        (
            f'{RULE}kinds = ["repair"]\nevidence = "yes"\n',
            "policy-bad-value",
            "policy.toml: rules[1].evidence: not allowed",
            "allowed: true or false",
        ),
        (
            f'{RULE}kinds = ["repair"]\nevidence_age = "1d"\n',
            "policy-bad-value",
            "policy.toml: rules[1]: not allowed",
            "allowed: evidence_age only beside evidence = true",
        ),
        (
            f'{RULE}kinds = ["repair"]\nreproduce = true\n',
            "policy-bad-value",
            "policy.toml: rules[1]: not allowed",
            "allowed: reproduce only beside evidence = true",
        ),
        (
            f'{HEAD}[repair]\nbundle = "nobody"\n',
            "policy-bad-value",
            "policy.toml: repair.bundle: not allowed",
            "allowed: 'runner' or 'offline'",
        ),
        (
            f'{RULE}kinds = ["repair"]\nlongest = "0d"\n',
            "policy-bad-value",
            "policy.toml: rules[1].longest: not allowed",
            'allowed: a duration such as "90m", "26h" or "7d", more than nothing',
        ),
        (
            f'{HEAD}[break_glass]\nrole = "x"\nlongest = "5h"\nreview_within = "3d"\n',
            "policy-bad-value",
            "policy.toml: break_glass: not allowed",
            "allowed: longest of at most 4h",
        ),
        (
            f'{HEAD}[persons.x]\nname = ""\nprincipals = ["a b"]\n',
            "policy-bad-value",
            "policy.toml: persons.x.name: not allowed, and 1 more",
            "allowed: text on one line, not empty",
        ),
        (
            f'{HEAD}[persons.x]\nname = "x"\nprincipals = ["*"]\n',
            "policy-bad-value",
            "policy.toml: persons.x.principals[1]: not allowed",
            "allowed: a principal as in allowed_signers: A-Za-z0-9._@+-",
        ),
        (
            f'{HEAD}[persons.x]\nname = "x"\nprincipals = ["a"]\n'
            f'[persons.y]\nname = "y"\nprincipals = ["a"]\n',
            "policy-principal-shared",
            "policy.toml: persons.y: a stands there twice, or is x's as well",
            None,
        ),
        (
            f'{HEAD}[roles]\nx = ["li-na"]\n',
            "policy-person-unknown",
            "policy.toml: roles.x names li-na, who is no person of the policy",
            "add the person: [persons.NAME] with name and principals",
        ),
        (
            f'{RULE}kinds = ["repair"]\nquorum = {{ y = 1 }}\n',
            "policy-role-unknown",
            "policy.toml: rules[1] names the role y, which [roles] does not have",
            "add it: y = [] in [roles]",
        ),
        (
            f'{RULE}kinds = ["repair"]\nauthor = "y"\n',
            "policy-role-unknown",
            "policy.toml: rules[1] names the role y, which [roles] does not have",
            None,
        ),
        (
            f'{HEAD}[break_glass]\nrole = "y"\nreview_within = "3d"\n',
            "policy-role-unknown",
            "policy.toml: break_glass names the role y, which [roles] does not have",
            None,
        ),
        (f"{HEAD}{HEAD}", "policy-syntax", "policy.toml is not well-formed toml", None),
        (f"{HEAD}# \u202e\n", "text-hidden", "policy.toml line 2 holds the hidden", None),
        (HEAD.replace("\n", "\r\n"), "text-hidden", "policy.toml line 1 holds the hidden", None),
    ],
)
def test_other_policies_are_refused(text: str, code: str, message: str, hint: str | None) -> None:
    """A line that says something else than its writer meant is an error with its place."""
    fault = fault_of(text)
    assert isinstance(fault, UsageFault | Refused)
    assert fault.code == code
    assert fault.message.startswith(message)
    assert fault.hint
    assert hint is None or fault.hint == hint


def test_a_person_twice_in_a_role_is_refused() -> None:
    """A role lists each person once."""
    text = f'{HEAD}[persons.x]\nname = "x"\nprincipals = ["a"]\n[roles]\nr = ["x", "x"]\n'
    assert fault_of(text).message == "policy.toml: roles.r names somebody twice"


PERSONAL = frozenset({Namespace.REQUEST, Namespace.APPROVAL, Namespace.BREAKGLASS})


def signer(principal: str, may: frozenset[Namespace] = PERSONAL) -> TrustedSigner:
    """The line of a principal, with a key of its own."""
    return TrustedSigner(principal, signer_of(principal).public_key, may)


ALL = tuple(signer(each) for person in PEOPLE for each in person.principals)
HOST = signer("verifier@host", frozenset({Namespace.EVIDENCE}))


def test_lint_finds_nothing_where_everything_works() -> None:
    """Every rule can be met by people whose keys count."""
    assert lint_policy(DEFAULT, TrustRoot((*ALL, HOST)), NOW) == ()


def test_lint_names_people_without_keys() -> None:
    """Whoever is asked for a signature and cannot give one is named."""
    found = lint_policy(DEFAULT, TrustRoot((ALL[0], HOST)), NOW)
    assert found == (
        "li-na: li.na@hospital has no key in allowed_signers",
        "li-na: li.laptop@hospital has no key in allowed_signers",
        "zhao-lei: zhao.lei@hospital has no key in allowed_signers",
        "rule 1 asks for 1 of it-department, and 0 hold it with a key for approvals",
        "rule 2 asks for 2 of it-department, and 0 hold it with a key for approvals",
        "rule 3 asks for 1 of it-department, and 0 hold it with a key for approvals",
        "nobody of break-glass has a key to break the glass with",
    )


def test_lint_names_keys_of_nobody_and_keys_that_end() -> None:
    """A signer whom the policy does not know, and a key that will soon not count."""
    ending = replace(ALL[3], valid_before=NOW + timedelta(days=29))
    stranger = signer("chen.yi@site")
    found = lint_policy(DEFAULT, TrustRoot((*ALL[:3], ending, stranger, HOST)), NOW)
    assert found == (
        "zhao-lei: no key of zhao.lei@hospital is valid in 30 days",
        "chen.yi@site may sign approvals or requests, but is nobody's principal",
    )


def test_lint_names_revoked_keys_in_rules() -> None:
    """A revoked key cannot meet a rule."""
    root = TrustRoot((*ALL, HOST), frozenset({ALL[3].key.fingerprint}))
    assert lint_policy(DEFAULT, root, NOW) == (
        "rule 2 asks for 2 of it-department, and 1 hold it with a key for approvals",
    )


def test_lint_asks_who_signs_evidence() -> None:
    """A rule that asks for evidence needs a host whose key may sign it."""
    assert lint_policy(DEFAULT, TrustRoot(ALL), NOW) == (
        "rule 4 asks for evidence, and no host has a key that may sign it",
    )


def test_a_run_must_reproduce_where_a_matching_rule_says_so() -> None:
    """The rule counts for its databases and risks only; who opens bundles stands beside it."""
    rule = '[[rules]]\nkinds = ["repair"]\nevidence = true\nreproduce = true\nrisk = "high"\n'
    text = f'{HEAD}[repair]\nbundle = "offline"\n{rule}databases = ["lab"]\n'
    policy = parse_policy(text, "policy.toml")
    assert policy.bundle is BundleReaders.OFFLINE
    assert DEFAULT.bundle is BundleReaders.RUNNER
    assert policy.must_reproduce(Kind.REPAIR, ["lab"], Risk.HIGH)
    assert not policy.must_reproduce(Kind.REPAIR, ["lab"], Risk.LOW)
    assert not policy.must_reproduce(Kind.REPAIR, ["his"], Risk.HIGH)
    assert not DEFAULT.must_reproduce(Kind.REPAIR, ["lab"], Risk.HIGH)


def test_the_freshest_backup_that_any_rule_asks_for_counts() -> None:
    """The shortest age of the matching rules; any age where none says one."""
    rule = '[[rules]]\nkinds = ["change"]\n'
    text = f'{HEAD}[change]\nfailed_verify = "down"\n{rule}backup_age = "26h"\n'
    policy = parse_policy(f'{text}{rule}databases = ["lab"]\nbackup_age = "2h"\n', "policy.toml")
    assert policy.failed_verify is FailedVerify.DOWN
    assert policy.backup_age(Kind.CHANGE, ["his"], Risk.LOW) == timedelta(hours=26)
    assert policy.backup_age(Kind.CHANGE, ["lab", "his"], Risk.LOW) == timedelta(hours=2)
    assert policy.backup_age(Kind.REPAIR, ["lab"], Risk.LOW) is None


def test_lint_looks_at_the_whole() -> None:
    """Kinds without a rule, people on both sides, people without a role, demo policies."""
    text = default_policy_text(
        PEOPLE, {"engineer": ["wang-fang", "li-na"], "it-department": ["li-na"]}, demo=True
    )
    text = text.replace('kinds = ["restore", "release", "recipients"]', 'kinds = ["restore"]')
    found = lint_policy(parse_policy(text, "policy.toml"), TrustRoot((*ALL, HOST)), NOW)
    assert found == (
        "zhao-lei has no role",
        "rule 2 asks for 2 of it-department, and 1 hold it with a key for approvals",
        "nobody of break-glass has a key to break the glass with",
        "release: no rule for every database and risk, so some of it is refused",
        "recipients: no rule for every database and risk, so some of it is refused",
        "li-na may be author and approver, though never of the same work",
        "the policy is a demo's: it counts only inside the estate's own directory",
    )
