"""What a signature is for, of work that can go more than one way; pure.

A change has a way forth and a way back in one folder, and a signature over its files alone would
do for both. So whoever signs for a change signs for one of these, in these words.
"""

from __future__ import annotations

from enum import StrEnum

from dbops.errors import Refused
from dbops.review.work import DOWN, PREPARES, RECORDS, Kind, Work
from dbops.review.yaml_text import Fields, parse_yaml


class Purpose(StrEnum):
    """What is to be done with a change; the values are the words that people sign."""

    RUN = "run the change (up.sql)"
    TAKE_BACK = "take the change back (down.sql)"
    PREPARE = "prepare the database for repairs (up.sql)"
    RECORD = "record the schema as it is (nothing is changed)"


def purposes_of(work: Work) -> tuple[Purpose, ...]:
    """Return what can be asked for; nothing for work that can only do one thing.

    Raises Refused with a `yaml-…` code for a manifest that cannot be read.
    """
    if work.kind is not Kind.CHANGE:
        return ()
    tree = parse_yaml(work.files[work.kind.manifest], work.kind.manifest)
    keys = tree.fields.keys() if isinstance(tree, Fields) else frozenset[str]()
    if RECORDS in keys:
        return (Purpose.RECORD,)
    return (Purpose.PREPARE,) if PREPARES in keys else (Purpose.RUN, Purpose.TAKE_BACK)


def purpose_of(work: Work, *, takes_back: bool = False) -> Purpose | None:
    """Return what a signature has to be for, so that the work is done, or is taken back.

    None for work that can only do one thing. Raises Refused `purpose-none` where there is nothing
    that could take it back.
    """
    purposes = purposes_of(work)
    if not takes_back:
        return purposes[0] if purposes else None
    if Purpose.TAKE_BACK not in purposes:
        what = f"a {work.kind.value} such as {work.id}"
        hint = f"see what it does: dbops review show {work.id}"
        raise Refused("purpose-none", f"{what} has no way back of its own", hint=hint)
    if not work.files.get(DOWN, b"").strip():
        raise Refused(
            "purpose-none",
            f"{work.id} has no down.sql: it said that its loss is permanent",
            hint="write a change that goes on from here, or restore a backup",
        )
    return Purpose.TAKE_BACK
