"""The grammar of `policy.toml`, one strict model per table, and what is said of mistakes; pure."""

from __future__ import annotations

import difflib
import re
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from dbops.errors import UsageFault
from dbops.review.work import Kind, Risk

BREAK_GLASS_MOST: Final = timedelta(hours=4)
LONGEST_DEFAULT: Final = timedelta(days=14)

_DURATION: Final = re.compile(r"([0-9]{1,6})([smhdw])")
_UNITS: Final = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_PRINCIPAL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}")
_TEXT: Final = re.compile(r"\S([^\x00-\x1f\x7f]{0,118}\S)?")

_DURATION_RULE: Final = 'a duration such as "90m", "26h" or "7d", more than nothing'
_NAME_RULE: Final = "1 to 63 lower-case letters, digits and hyphens, the first not a hyphen"


def _duration(value: object) -> timedelta:
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None or not int(match[1]) or int(match[1]) * _UNITS[match[2]] > _UNITS["d"] * 36500:
        raise PydanticCustomError("allowed", _DURATION_RULE)
    return int(match[1]) * _UNITS[match[2]]


def _matching(form: re.Pattern[str], rule: str) -> AfterValidator:
    def check(value: str) -> str:
        if not form.fullmatch(value):
            raise PydanticCustomError("allowed", "{rule}", {"rule": rule})
        return value

    return AfterValidator(check)


_Name = Annotated[str, _matching(_NAME, _NAME_RULE)]
_Text = Annotated[str, _matching(_TEXT, "text on one line, not empty")]
_Principal = Annotated[
    str, _matching(_PRINCIPAL, "a principal as in allowed_signers: A-Za-z0-9._@+-")
]
_Duration = Annotated[timedelta, BeforeValidator(_duration)]
_Persons = Annotated[int, Field(ge=1, le=9)]


class BundleReaders(StrEnum):
    """Who opens the sealed rows of repairs, beside recovery, escrow and the reviewers."""

    RUNNER = "runner"  # the host that runs repairs too
    OFFLINE = "offline"  # nobody: an undo asks for an identity


class Table(BaseModel):
    """A table of the file; a key that it does not know is an error."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)


class PersonTable(Table):
    """`[persons.NAME]`."""

    name: _Text
    principals: Annotated[list[_Principal], Field(min_length=1)]


class RuleTable(Table):
    """`[[rules]]`; without `databases` it is for every one, without `quorum` nobody need agree."""

    kinds: Annotated[list[Annotated[Kind, Strict(strict=False)]], Field(min_length=1)]
    databases: Annotated[list[_Name], Field(min_length=1)] | None = None
    risk: Annotated[Risk, Strict(strict=False)] = Risk.LOW
    author: _Name | None = None
    quorum: dict[_Name, _Persons] = {}
    evidence: bool = False
    evidence_age: _Duration | None = None
    reproduce: bool = False
    backup_age: _Duration | None = None
    longest: _Duration = LONGEST_DEFAULT

    @model_validator(mode="after")
    def _of_evidence(self) -> RuleTable:
        if self.evidence_age is not None and not self.evidence:
            raise PydanticCustomError("allowed", "evidence_age only beside evidence = true")
        if self.reproduce and not self.evidence:
            raise PydanticCustomError("allowed", "reproduce only beside evidence = true")
        return self


class BreakGlassTable(Table):
    """`[break_glass]`."""

    role: _Name
    longest: _Duration = BREAK_GLASS_MOST
    review_within: _Duration

    @model_validator(mode="after")
    def _short(self) -> BreakGlassTable:
        if self.longest > BREAK_GLASS_MOST:
            raise PydanticCustomError("allowed", "longest of at most 4h")
        return self


class FailedVerify(StrEnum):
    """What a change does whose verify.sql fails after steps that no rollback takes back."""

    DOWN = "down"  # down.sql runs at once
    STOP = "stop"  # all stays as it is, for a person to look at


class RepairTable(Table):
    """`[repair]`."""

    bundle: Annotated[BundleReaders, Strict(strict=False)] = BundleReaders.RUNNER


class ChangeTable(Table):
    """`[change]`."""

    failed_verify: Annotated[FailedVerify, Strict(strict=False)] = FailedVerify.STOP


class Document(Table):
    """The whole file."""

    dbops: Literal["policy/v1"]
    demo: bool = False
    persons: dict[_Name, PersonTable] = {}
    roles: dict[_Name, list[_Name]] = {}
    rules: list[RuleTable] = []
    break_glass: BreakGlassTable | None = None
    repair: RepairTable = RepairTable()
    change: ChangeTable = ChangeTable()


_RULES: Final = {
    "string": "a text in quotes",
    "integer": "a whole number",
    "boolean": "true or false",
    "list": "an array",
    "dictionary": "a table",
}
_MODELS: Final[dict[str, type[Table]]] = {
    "persons": PersonTable,
    "rules": RuleTable,
    "break_glass": BreakGlassTable,
    "repair": RepairTable,
    "change": ChangeTable,
}


def usage_fault(source: str, error: ValidationError) -> UsageFault:
    """Return the error for the first thing that validation found, counting the others."""
    every = error.errors(include_url=False)
    first = every[0]
    where = tuple(step for step in first["loc"] if step != "[key]")
    more = f", and {len(every) - 1} more" if len(every) > 1 else ""
    place = f"{source}: {_path(where) or 'the file'}"
    if first["type"] == "extra_forbidden":
        return UsageFault("policy-unknown-key", f"{place}: unknown key{more}", hint=_known(where))
    if first["type"] == "missing":
        return UsageFault(
            "policy-missing-key",
            f"{place}: missing{more}",
            hint="the default policy shows them all",
        )
    return UsageFault(
        "policy-bad-value", f"{place}: not allowed{more}", hint=f"allowed: {_rule_of(first['msg'])}"
    )


def _known(where: tuple[str | int, ...]) -> str:
    model = Document if len(where) == 1 else _MODELS.get(str(where[0]), Document)
    near = difflib.get_close_matches(str(where[-1]), model.model_fields, n=1)
    meant = f'did you mean "{near[0]}"? ' if near else ""
    return f"{meant}allowed: {', '.join(model.model_fields)}"


def _rule_of(message: str) -> str:
    """Return pydantic's own words in the form of ours."""
    rule = re.sub(r"^(Input should be|Value should have) (a valid )?", "", message)
    return _RULES.get(rule, rule)


def _path(where: tuple[str | int, ...]) -> str:
    written = ""
    for step in where:
        dot = "." if written else ""
        written += f"[{step + 1}]" if isinstance(step, int) else f"{dot}{step}"
    return written
