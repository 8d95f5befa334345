"""Whether a database is as it was last recorded; pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dbops.change.diff import Difference, Verb, compare_schemas, is_only_order
from dbops.change.schema import ObjectKind, Schema, refuse_unknown, refuse_unknown_then
from dbops.change.words import difference_words
from dbops.errors import Refused
from dbops.wording import number

TOLD: Final = 20
"""How many sentences a refusal lists."""


def drift(baseline: Schema, live: Schema, database: str = "the database") -> tuple[Difference, ...]:
    """Return what differs now from what was recorded, in the order of the objects' names.

    Both are of the same server, so texts are compared as they are. Raises Refused `schema-unknown`
    where either has objects that nobody can compare: equal would be a guess. The places of columns
    follow from those that came or went in their table, and do not count beside them.
    """
    refuse_unknown(live, database)
    refuse_unknown_then(baseline, database)
    found = compare_schemas(baseline, live)
    columns = (each for each in found if each.name.kind is ObjectKind.COLUMN)
    moved = {each.within[:1] for each in columns if each.verb is not Verb.ALTER}
    return tuple(each for each in found if not (is_only_order(each) and each.within[:1] in moved))


def refuse_drift(work: str, database: str, source: Schema, live: Schema) -> None:
    """Raise Refused `change-drift` where the database is not as it was when `work` was rehearsed.

    What differs is said in words.
    """
    found = drift(source, live, database)
    if found:
        raise Refused(
            "change-drift",
            f"{database} is not as {work} was rehearsed on: {told(found)}",
            hint="take a new backup, verify it and rehearse again, or bring the database back",
        )


def told(differences: Sequence[Difference]) -> str:
    """Return the differences in words, counted, and at most the first twenty of them."""
    count = len(differences)
    counted = "1 difference" if count == 1 else f"{number(count)} differences"
    return f"{counted}: {listed([line for each in differences for line in difference_words(each)])}"


def listed(sentences: Sequence[str]) -> str:
    """Return the first twenty sentences, and how many more there are."""
    more = f" (and {len(sentences) - TOLD} more)" if len(sentences) > TOLD else ""
    return "; ".join(sentences[:TOLD]) + more
