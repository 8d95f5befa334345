"""Every attack on an approved piece of work is refused, each by its own reason."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dbops.errors import Refused
from tests.fix_tools import require_root
from tests.review.attacks import ATTACKS, NEEDS_ROOT, TOLD, UNCOMMITTED
from tests.review.desk import ID, Attack, Desk, copied, made_desk, sha256
from tests.support.ops_tree import protected_place


def _name(each: Attack | str) -> str:
    return each if isinstance(each, str) else each.__name__


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A complete, valid, approved piece of work."""
    with protected_place(tmp_path_factory.mktemp("desk")) as place:
        yield made_desk(place / "original")


@pytest.fixture
def desk(original: Desk, request: pytest.FixtureRequest) -> Desk:
    """The same on files of its own."""
    return copied(original, original.place.parent / sha256(request.node.name.encode()))


def made(desk: Desk, attack: Attack) -> None:
    """Afterwards the attack was made on work that could be run, and committed as it is."""
    if attack in NEEDS_ROOT:
        require_root("keeping rules from somebody")
    assert desk.authorized().work.id == ID
    attack(desk)
    if attack not in UNCOMMITTED:
        desk.tree.commit()


def test_the_table_is_large() -> None:
    """At least thirty attacks, by many different reasons."""
    assert len(ATTACKS) >= 30
    assert len(set(ATTACKS.values())) >= 30


@pytest.mark.parametrize(("attack", "code"), ATTACKS.items(), ids=_name)
def test_attack_is_refused(desk: Desk, attack: Attack, code: str) -> None:
    """What was complete is refused after the attack, and the first reason is the attack's own."""
    made(desk, attack)
    assert desk.refused() == code


@pytest.mark.parametrize(("attack", "text"), TOLD.items(), ids=_name)
def test_attack_is_told_apart(desk: Desk, attack: Attack, text: str) -> None:
    """Where others have the same code, the sentence says what this one did."""
    made(desk, attack)
    with pytest.raises(Refused) as caught:
        desk.authorized()
    assert text in caught.value.message
