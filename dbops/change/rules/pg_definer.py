"""PG-DEFINER: a function that runs with its owner's rights and the caller's path."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.change.reading import Does, Flag
from dbops.change.rules.finding import Case, Rule
from dbops.review.finding import Finding, Severity


def _examine(case: Case) -> Iterator[Finding]:
    if case.dialect != "postgres":
        return
    for reading in case.up:
        if Flag.DEFINER not in reading.flags or reading.does not in {Does.CREATE, Does.ALTER}:
            continue
        if not reading.has("SET", "SEARCH_PATH"):
            name = reading.names[0].written if reading.names else "a function"
            yield PG_DEFINER.found(
                reading.place,
                f"{name} is SECURITY DEFINER, and who calls it chooses its search_path",
                "add SET search_path = his, pg_temp to the function",
            )


PG_DEFINER: Final = Rule(
    "PG-DEFINER",
    Severity.ERROR,
    "a function that runs with its owner's rights and the caller's path",
    _examine,
)
