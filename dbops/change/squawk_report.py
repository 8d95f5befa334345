"""What squawk says of `up.sql`, as findings of lint; pure.

squawk is a linter of others for PostgreSQL. It reads text only, and knows neither the database
nor what dbops does around the script. So its findings are warnings, and nothing rests on them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Annotated, Final, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from dbops.change.step import Step
from dbops.review.finding import Finding, Severity, Unchecked
from dbops.review.work import UP
from dbops.sql.tokenized import NUMBERS, TEXTS, tokenize_all

PREFIX: Final = "SQUAWK"
"""What all its rules begin with, and the name of what it could not look at."""

_CANNOT_READ: Final = "syntax-error"
_PAGE: Final = "read about it: https://squawkhq.com/docs/"
_CONSTANT: Final = 3  # characters from which on a constant may be somebody's
# What dbops does itself: it sets both limits of time, and keeps a journal of what has run.
_NOT_HERE: Final = frozenset(
    {"require-timeout-settings", "require-lock-timeout", "require-statement-timeout"}
    | {"prefer-robust-stmts", "unused-ignore"}
)
# Rules of dbops, which know the database, about the same thing.
_SAME: Final = {
    "adding-field-with-default": "PG-REWRITE",
    "adding-foreign-key-constraint": "PG-NOTVALID DDL-FK",
    "adding-not-nullable-field": "PG-SETNN DDL-NN",
    "adding-required-field": "DDL-NN",
    "adding-serial-primary-key-field": "PG-UNIQUECON",
    "ban-char-field": "PG-TS",
    "ban-disable-trigger": "DDL-TRG",
    "ban-drop-column": "DDL-DROP",
    "ban-drop-constraint": "DDL-PKDROP",
    "ban-drop-database": "DDL-DROP",
    "ban-drop-index": "PG-IDX",
    "ban-drop-schema": "DDL-DROP",
    "ban-drop-table": "DDL-DROP",
    "ban-drop-trigger": "DDL-TRG",
    "ban-truncate-cascade": "DDL-DROP",
    "ban-uncommitted-transaction": "DDL-TX",
    "changing-column-type": "PG-REWRITE DDL-NARROW",
    "constraint-missing-not-valid": "PG-NOTVALID",
    "disallowed-unique-constraint": "PG-UNIQUECON DDL-UNIQ",
    "prefer-timestamp-tz": "PG-TS",
    "renaming-column": "DDL-RENAME",
    "renaming-object": "DDL-RENAME",
    "renaming-table": "DDL-RENAME",
    "require-concurrent-index-creation": "PG-IDX",
    "require-concurrent-index-deletion": "PG-IDX",
    "require-concurrent-reindex": "PG-IDX",
    "require-table-schema": "DDL-PATH",
    "transaction-nesting": "DDL-TX",
}

_Line = Annotated[int, Field(ge=0, lt=10_000_000)]
_Words = Annotated[str, StringConstraints(max_length=1_000)]
_Rule = Annotated[str, StringConstraints(pattern="^[a-z0-9]+(-[a-z0-9]+){0,11}$", max_length=80)]


class _Said(BaseModel):
    """One entry of squawk's JSON; lines count from 0."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    file: str
    line: _Line
    column: _Line
    level: Annotated[str, StringConstraints(pattern="^(Error|Warning)$")]
    message: _Words
    help: _Words | None
    rule_name: _Rule
    line_end: _Line | None = None
    column_end: _Line | None = None


_REPORT: Final = TypeAdapter(list[_Said])
Heard: TypeAlias = tuple[Finding | Unchecked, ...]


def heard(report: bytes, steps: Sequence[Step]) -> Heard:
    """Return squawk's report of a script as findings; `steps` are the script's.

    What it advises dbops to do that dbops does is left out. A finding stands at the line where its
    statement begins, as those of other rules do. Words that hold a constant of the SQL are not
    repeated. A report that is not of the known form is said to be such.
    """
    try:
        said = _REPORT.validate_json(report)
    except ValidationError:
        return (silent("squawk reports in a form that is not known here"),)
    return tuple(dict.fromkeys(_found(each, steps) for each in said if _counts(each)))


def silent(why: str) -> Unchecked:
    """Return that squawk looked at nothing, and why."""
    return Unchecked(PREFIX, f"not checked: {why}")


def unrepeated(said: Heard, found: Iterable[Finding | Unchecked]) -> Iterator[Finding | Unchecked]:
    """Yield what squawk said, but where a rule of dbops has found the same in that statement."""
    there = {(each.rule, each.where) for each in found if isinstance(each, Finding)}
    for each in said:
        where = each.where if isinstance(each, Finding) else None
        if not any((rule, where) in there for rule in _alike(each.rule)):
            yield each


def is_squawks(rule: str) -> bool:
    """Whether a rule that a manifest accepts is squawk's, which is known where squawk is."""
    return rule.startswith(f"{PREFIX}-")


def _alike(rule: str) -> Collection[str]:
    return _SAME.get(rule.removeprefix(f"{PREFIX}-"), "").split()


def _counts(said: _Said) -> bool:
    return said.rule_name not in _NOT_HERE


def _found(said: _Said, steps: Sequence[Step]) -> Finding | Unchecked:
    line = said.line + 1
    if said.rule_name == _CANNOT_READ:
        return silent(f"squawk cannot read {UP} at line {line}, and has looked at none of it")
    step = next((each for each in reversed(steps) if each.line <= line), None)
    where = f"{UP} line {line if step is None else step.line}"
    constants = frozenset({""}) if step is None else _constants(step.sql)
    words = _shown(said.message, constants) or "its words hold a constant of the SQL"
    hint = _shown(said.help or "", constants) or f"{_PAGE}{said.rule_name}"
    rule = f"{PREFIX}-{said.rule_name}"
    return Finding(rule, Severity.WARNING, where, f"squawk: {words}", hint)


def _shown(words: str, constants: frozenset[str]) -> str:
    """Return words on one line without their last full stop; "" where a constant is in them."""
    if any(constant in words for constant in constants):
        return ""
    line = " ".join("".join(c if c.isprintable() else " " for c in words).split())
    return line.removesuffix(".")


def _constants(sql: str, depth: int = 3) -> frozenset[str]:
    """Return the texts and numbers of a statement and of the bodies in it, but the shortest.

    Where they cannot be told, "", which is in everything.
    """
    tokens = tokenize_all(sql, "postgres")
    if tokens is None or depth == 0:
        return frozenset({""})
    found: set[str] = set()
    for token in tokens:
        if token.token_type in NUMBERS or token.token_type in TEXTS:
            found.add(token.text)
        if token.token_type in TEXTS and re.search(r"['\"$]", token.text):
            found |= _constants(token.text, depth - 1)
    return frozenset(each for each in found if len(each) >= _CONSTANT or each == "")
