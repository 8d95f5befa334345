"""Every attack on an approved piece of work is refused, each by its own reason."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fix_tools import require_root
from tests.review.attacks import ATTACKS, OWNERSHIP, UNCOMMITTED, Attack
from tests.review.desk import ID, Desk, made_desk
from tests.support.ops_tree import protected_place


def _name(each: Attack | str) -> str:
    return each if isinstance(each, str) else each.__name__


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A complete, valid, approved piece of work."""
    with protected_place(tmp_path) as place:
        yield made_desk(place)


def test_the_table_is_large() -> None:
    """At least thirty attacks, by many different reasons."""
    assert len(ATTACKS) >= 30
    assert len(set(ATTACKS.values())) >= 30


@pytest.mark.parametrize(("attack", "code"), ATTACKS.items(), ids=_name)
def test_attack_is_refused(desk: Desk, attack: Attack, code: str) -> None:
    """What was complete is refused after the attack, and the first reason is the attack's own."""
    if attack in OWNERSHIP:
        require_root("keeping rules from somebody")
    assert desk.authorized().work.id == ID
    attack(desk)
    if attack not in UNCOMMITTED:
        desk.tree.commit()
    assert desk.refused() == code
