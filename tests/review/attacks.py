"""Attacks on a complete piece of work: each a function that does one thing to the desk.

`ATTACKS` holds the code with which each must be refused. What an attack leaves in the folder is
committed afterwards, as an engineer would, but for those that are about just that.
"""

from __future__ import annotations

from tests.review.attacks_on_agreement import AGREEMENT
from tests.review.attacks_on_folder import (
    FOLDER,
    edited_script_uncommitted,
    new_file_uncommitted,
)
from tests.review.attacks_on_place import PLACE
from tests.review.attacks_on_signatures import SIGNATURES
from tests.review.desk import Attack

ATTACKS: dict[Attack, str] = {**FOLDER, **SIGNATURES, **AGREEMENT, **PLACE}
UNCOMMITTED: frozenset[Attack] = frozenset({edited_script_uncommitted, new_file_uncommitted})
NEEDS_ROOT: frozenset[Attack] = frozenset(
    attack for attack in PLACE if "trust" in ATTACKS[attack] or "demo" in ATTACKS[attack]
)
