"""Attacks on a complete piece of work: each a function that does one thing to the desk.

`ATTACKS` holds the code with which each must be refused. What an attack leaves in the folder is
committed afterwards, as an engineer would, but for those that are about just that.
"""

from __future__ import annotations

from tests.review.attacks_on_agreement import AGREEMENT
from tests.review.attacks_on_folder import (
    FOLDER,
    bidi_in_the_script,
    edited_script_uncommitted,
    file_added,
    file_not_in_the_list,
    new_file_uncommitted,
    script_with_crlf,
)
from tests.review.attacks_on_place import (
    PLACE,
    allowed_signers_writable,
    estate_with_a_planted_command,
    policy_of_the_engineer,
    trust_root_writable,
)
from tests.review.attacks_on_signatures import (
    SIGNATURES,
    git_signature_replayed,
    request_replayed_as_approval,
)
from tests.review.desk import Attack

ATTACKS: dict[Attack, str] = {**FOLDER, **SIGNATURES, **AGREEMENT, **PLACE}
UNCOMMITTED: frozenset[Attack] = frozenset({edited_script_uncommitted, new_file_uncommitted})
NEEDS_ROOT: frozenset[Attack] = frozenset(
    attack for attack in PLACE if "trust" in ATTACKS[attack] or "demo" in ATTACKS[attack]
)
# Attacks of one sort share a code; what was attacked, and with what, stands in the sentence.
TOLD: dict[Attack, str] = {
    script_with_crlf: "repair.sql line 1 holds the hidden character U+000D",
    bidi_in_the_script: "repair.sql line 1 holds the hidden character U+202E",
    file_added: "wang.fang@site.txt: it does not list after.sql",
    file_not_in_the_list: "li.na@hospital.txt: it does not list repair.sql",
    estate_with_a_planted_command: "/dbops.toml belongs to uid 4711",
    policy_of_the_engineer: "/trust/policy.toml belongs to uid 4711",
    trust_root_writable: "/trust (mode 0777)",
    allowed_signers_writable: "/trust/allowed_signers (mode 0666)",
    git_signature_replayed: "the signature is for git, not for dbops-approval@v1",
    request_replayed_as_approval: "is for dbops-request@v1, not for dbops-approval@v1",
}
