"""Adding persons to the texts of a trust root: more is there afterwards, and nothing less."""

from __future__ import annotations

import dataclasses
import secrets
import tomllib
from datetime import UTC

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbops.crypto.sshsig import Namespace, PublicKey
from dbops.crypto.sshwire import ED25519, string
from dbops.crypto.trust import parse_allowed_signers
from dbops.errors import Refused
from dbops.review.policy import Policy, parse_policy
from dbops.review.policy_default import default_policy_text
from dbops.review.trust_init import NewPerson, add_persons, add_signers, signs_for

ROLES = ("it-department", "engineer", "break-glass")


def key() -> PublicKey:
    return PublicKey.from_blob(string(ED25519.encode()) + string(secrets.token_bytes(32)))


def person(name: str = "li-na", roles: tuple[str, ...] = ("it-department",)) -> NewPerson:
    return NewPerson(name, "李娜", f"{name}@hospital", key(), roles)


def default() -> Policy:
    return parse_policy(default_policy_text(), "policy.toml")


@settings(deadline=None, max_examples=50)
@given(
    st.lists(
        st.tuples(
            st.text("abc", min_size=1, max_size=3),
            st.text(max_size=12),
            st.lists(st.sampled_from(ROLES), min_size=1, unique=True),
        ),
        max_size=5,
    )
)
def test_a_policy_only_grows(rows: list[tuple[str, str, list[str]]]) -> None:
    """Every rule, role and person that was there is there; the new ones are as they were given."""
    text, before = default_policy_text(), tomllib.loads(default_policy_text())
    persons = [
        dataclasses.replace(person(who, tuple(roles)), name=name) for who, name, roles in rows
    ]
    after = tomllib.loads(add_persons(text, persons, source="policy.toml"))
    assert {**after, "persons": {}, "roles": {}} == {**before, "persons": {}, "roles": {}}
    for each in persons:
        assert after["persons"][each.id]["principals"] == [each.principal]
        assert all(each.id in after["roles"][role] for role in each.roles)
    assert {who for ids in after["roles"].values() for who in ids} == {each.id for each in persons}


@pytest.mark.parametrize(
    "layout",
    [
        "engineer = ['wei',]",
        'engineer = [ "wei" ]  # 工程师',
        '  engineer=["wei"]',
    ],
)
def test_lists_are_extended_however_they_are_spelt(layout: str) -> None:
    """Quotes, spaces, a comma at the end and comments stay."""
    text = default_policy_text().replace("engineer = []", layout)
    after = add_persons(text, [person("su", ("engineer",))], source="policy.toml")
    assert tomllib.loads(after)["roles"]["engineer"] == ["wei", "su"]
    assert after.count("#") == text.count("#")


@pytest.mark.parametrize(
    "layout", ['engineer = [\n  "wei",\n]', '"engineer" = ["wei"]', 'engineer = ["w]ei"]']
)
def test_a_list_that_is_not_understood_is_left_alone(layout: str) -> None:
    """Then a person edits it."""
    text = default_policy_text().replace("engineer = []", layout)
    with pytest.raises(Refused) as refused:
        add_persons(text, [person("su", ("engineer",))], source="policy.toml")
    assert refused.value.code == "policy-edit"


def test_a_known_person_gets_a_second_principal() -> None:
    """A second key of one person counts as that person."""
    first = person()
    second = dataclasses.replace(first, principal="li@laptop", key=key())
    text = add_persons(default_policy_text(), [first, second], source="policy.toml")
    assert parse_policy(text, "policy.toml").persons["li-na"].principals == (
        "li-na@hospital",
        "li@laptop",
    )


@pytest.mark.parametrize(
    ("roles", "namespaces"),
    [
        (("engineer",), {Namespace.REQUEST}),
        (("it-department",), {Namespace.REQUEST, Namespace.APPROVAL}),
        (("break-glass",), {Namespace.REQUEST, Namespace.BREAKGLASS}),
    ],
)
def test_a_key_may_sign_what_the_roles_ask(
    roles: tuple[str, ...], namespaces: set[Namespace]
) -> None:
    """And nothing else: no role countersigns, or signs manifests."""
    assert signs_for(default(), person(roles=roles), frozenset()) == namespaces
    wanted = namespaces | {Namespace.COUNTERSIGN}
    assert signs_for(default(), person(roles=roles), frozenset({"li-na"})) == wanted


def test_a_role_that_nobody_asks_anything_of() -> None:
    """Such a line would let a key sign nothing, or, without namespaces, everything."""
    text = 'dbops = "policy/v1"\n[roles]\nclerk = []\n'
    with pytest.raises(Refused) as refused:
        signs_for(parse_policy(text, "p"), person(roles=("clerk",)), frozenset())
    assert refused.value.code == "trust-nothing"


def test_lines_are_added_behind_those_that_are_there() -> None:
    """A second run adds nothing; somebody else's key is refused."""
    may = frozenset({Namespace.REQUEST})
    first, second = person("li-na"), person("su")
    text, lines = add_signers("", [first], lambda _: may, source="s", zone=UTC)
    assert add_signers(text, [first], lambda _: may, source="s", zone=UTC) == (text, ())
    longer, more = add_signers(text, [first, second], lambda _: may, source="s", zone=UTC)
    assert (longer, len(lines), len(more)) == (text + more[0], 1, 1)
    principals = [each.principal for each in parse_allowed_signers(longer, source="s")]
    assert principals == ["li-na@hospital", "su@hospital"]
    thief = dataclasses.replace(second, key=first.key)
    with pytest.raises(Refused) as refused:
        add_signers(text, [thief], lambda _: may, source="s", zone=UTC)
    assert refused.value.code == "trust-key-shared"
