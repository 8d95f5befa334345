"""REP-CASE: a comparison for which different texts are equal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.repair.parameter import ParameterType
from dbops.repair.reading import Comparison
from dbops.repair.rules.column_types import Family, family_of
from dbops.repair.rules.finding import Case, Rule
from dbops.repair.rules.naming import table_named
from dbops.review.finding import Finding, Severity, Unchecked


def _examine(case: Case) -> Iterator[Finding | Unchecked]:
    unknown = 0
    for reading in (*case.script, *case.fragments):
        seen: set[str] = set()
        for comparison in reading.comparisons:
            if not _is_of_text(case, comparison):
                continue
            if not _is_known(case, comparison):
                unknown += not _is_other(case, comparison)
            what = _loose(case, comparison)
            if what is not None and what not in seen:
                seen.add(what)
                yield REP_CASE.found(
                    reading.place, what, "name the rows by their key, or compare exact bytes"
                )
    if unknown:
        yield REP_CASE.unchecked(
            f"comparisons of texts by a collation that is not known: {unknown}"
        )


def _is_of_text(case: Case, comparison: Comparison) -> bool:
    """Whether letters are compared: in a constant without any, case and accents mean nothing."""
    if comparison.literal is not None:
        letters = any(letter.isalpha() for letter in comparison.literal.text)
        return comparison.literal.quoted and letters
    parameter = case.repair.parameters.get(comparison.parameter or "")
    return parameter is not None and parameter.type is ParameterType.TEXT


def _is_known(case: Case, comparison: Comparison) -> bool:
    """Whether somebody looked at the columns of every table that may have the one compared."""
    known = None if case.facts is None else case.facts.loose
    if known is None or not comparison.targets:
        return False
    return all(case.known(known, target) is not None for target in comparison.targets)


def _is_other(case: Case, comparison: Comparison) -> bool:
    """Whether the catalogue says that the column holds no text."""
    family = family_of(case, comparison)
    return family is not None and family is not Family.TEXT


def _loose(case: Case, comparison: Comparison) -> str | None:
    column = case.column_of(comparison.column).casefold()
    known = {} if case.facts is None else case.facts.loose or {}
    for target in comparison.targets:
        names = {name.casefold(): name for name in case.known(known, target) or ()}
        if column in names:
            table = table_named(case, target)
            what = "texts that differ in case, accents or blanks"
            return f"{what} are equal in {names[column]} of {table}"
    if comparison.pattern and case.dialect == "sqlite":
        return "LIKE takes ASCII letters of either case for equal"
    return None


REP_CASE: Final = Rule(
    "REP-CASE", Severity.WARNING, "a comparison for which different texts are equal", _examine
)
