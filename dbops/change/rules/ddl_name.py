"""DDL-NAME: a line of touches: that can cover nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.change.rules.finding import Case, Rule
from dbops.change.touch import Touch
from dbops.change.vocabulary import POSTGRESQL, SQLITE, form_of, parts_in, properties_of
from dbops.review.finding import Finding, Severity
from dbops.wording import quoted, suggestion

_KNOWN: Final = frozenset({POSTGRESQL, SQLITE})


def _examine(case: Case) -> Iterator[Finding]:
    if case.dialect not in _KNOWN:
        return
    for touch in case.change.touches:
        where = f"change.yml line {touch.at}" if touch.at else "change.yml"
        for sentence, hint in _faults(touch, case.dialect):
            yield DDL_NAME.found(where, f"touches: has {touch.line}, and {sentence}", hint)


def _faults(touch: Touch, dialect: str) -> Iterator[tuple[str, str]]:
    """What no schema of the engine can have, each with a hint."""
    kind, form = touch.kind.value, form_of(touch.kind, dialect)
    if form is None:
        yield f"this database has no {kind}", "take the line out"
        return
    found, wanted = parts_in(touch.written), parts_in(form)
    if found != wanted:
        counted = f"{wanted} part" if wanted == 1 else f"{wanted} parts"
        yield (
            f"the name of {_one(kind)} has {counted}: {form}",
            "write all of them; one with a blank, a dot or a quote in it stands in double quotes",
        )
    known = properties_of(touch.kind, dialect)
    for each in touch.properties:
        if each not in known:
            hint = suggestion(each, sorted(known), label=f"what can differ of {_one(kind)}")
            yield f"no {kind} has a property {quoted(each)}", hint


def _one(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeio" else f"a {kind}"


DDL_NAME: Final = Rule(
    "DDL-NAME", Severity.ERROR, "a line of touches: that can cover nothing", _examine
)
