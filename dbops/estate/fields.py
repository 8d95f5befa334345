"""What may stand in a single field of `dbops.toml`, and the words that say so; pure.

Each field's description says what is allowed there, and is what a user reads after a mistake.
A check that has more to say raises `refuse(…)` with its own sentence and hint.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import date, time, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, Strict
from pydantic_core import PydanticCustomError

from dbops.durations import DURATION_RULE, parse_duration
from dbops.errors import UsageFault
from dbops.estate.names import NAME_RULE, is_name
from dbops.estate.values import AnchorKind, Counted, EndOfDay, SslMode, Witness
from dbops.estate.zones import find_zone
from dbops.wording import listed

REFUSAL = "dbops_refusal"
BAD_NAME = "dbops_name"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME_OF_DAY = re.compile(r"[0-9]{2}:[0-9]{2}")
_ORIGIN = re.compile(r"[a-z0-9][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*)*")


def refuse(code: str, message: str, hint: str) -> PydanticCustomError:
    """Return the error of a check that knows its own sentence and hint."""
    return PydanticCustomError(
        REFUSAL, "{message}", {"code": code, "message": message, "hint": hint}
    )


def _text(value: str) -> str:
    if not value.strip() or any(unicodedata.category(each) == "Cc" for each in value):
        raise ValueError
    return value


def _path(value: str) -> str:
    if _text(value).startswith("~"):
        raise ValueError
    return value


def _server(value: str) -> str:
    # libpq reads a comma as a list of servers: the one that answers need not be the one meant.
    if not value.startswith("/") and re.search(r"[\s,/]", value):
        raise ValueError
    return _text(value)


def _variable(value: str) -> str:
    if not _VARIABLE.fullmatch(value):
        raise ValueError
    return value


def _origin(value: str) -> str:
    if not _ORIGIN.fullmatch(value) or len(value) > 120:
        raise ValueError
    return value


def _name(value: str) -> str:
    if not is_name(value):
        raise PydanticCustomError(BAD_NAME, "name")
    return value


def _duration(value: object) -> timedelta:
    duration = parse_duration(value) if isinstance(value, str) else None
    if duration is None:
        raise ValueError
    return duration


def _date(value: object) -> date:
    # A date of TOML's own, or the same in quotes; a time of day would be cut off silently.
    if isinstance(value, str) and _DATE.fullmatch(value):
        return date.fromisoformat(value)
    if type(value) is not date:
        raise ValueError
    return value


def _time_of_day(value: object) -> time:
    if isinstance(value, str) and _TIME_OF_DAY.fullmatch(value):
        return time.fromisoformat(value)
    raise ValueError


def _zone(value: object) -> ZoneInfo:
    if not isinstance(value, str):
        raise ValueError  # not TypeError: pydantic takes that for a bug
    try:
        return find_zone(value)
    except UsageFault as fault:
        raise refuse(fault.code, fault.message, fault.hint) from None


def allowed(what: str) -> object:
    """Return the note on a field that says what may stand there."""
    return Field(description=what)


_PATH_RULE = 'a path, absolute or relative to the directory of dbops.toml ("~" is not expanded)'
_SERVER_RULE = "one host name, one IP address, or the absolute directory of a socket"
_REFERENCE_RULE = "the name of a table of that kind in dbops.toml"
SECRET_RULE = 'write { file = "…" }, { env = "…" } or { command = ["…"] }'  # noqa: S105

_PlainText = Annotated[str, AfterValidator(_text)]
_PlainPath = Annotated[str, AfterValidator(_path)]
_PlainServer = Annotated[str, AfterValidator(_server)]
_PlainVariable = Annotated[str, AfterValidator(_variable)]

Name = Annotated[str, AfterValidator(_name), allowed(NAME_RULE)]
Text = Annotated[_PlainText, allowed("text on one line, not empty")]
OptionalText = Annotated[_PlainText | None, allowed("text on one line, not empty")]
FilePath = Annotated[_PlainPath, allowed(_PATH_RULE)]
OptionalPath = Annotated[_PlainPath | None, allowed(_PATH_RULE)]
Paths = Annotated[list[_PlainPath], allowed("an array of paths")]
Reference = Annotated[str, allowed(_REFERENCE_RULE)]
OptionalReference = Annotated[str | None, allowed(_REFERENCE_RULE)]
_PlainDuration = Annotated[timedelta, BeforeValidator(_duration)]
Duration = Annotated[_PlainDuration, allowed(DURATION_RULE)]
OptionalDuration = Annotated[_PlainDuration | None, allowed(DURATION_RULE)]
Zone = Annotated[ZoneInfo, BeforeValidator(_zone), allowed('an IANA name such as "Asia/Shanghai"')]
Tier = Annotated[int, Field(ge=1, le=3), allowed("1, 2 or 3")]
Keep = Annotated[int, Field(ge=0, le=10_000), allowed("a whole number from 0 to 10000")]
Port = Annotated[int, Field(ge=1, le=65_535), allowed("a whole number from 1 to 65535")]
Jobs = Annotated[int, Field(ge=1, le=64), allowed("a whole number from 1 to 64")]
Server = Annotated[_PlainServer, allowed(_SERVER_RULE)]
OptionalServer = Annotated[_PlainServer | None, allowed(_SERVER_RULE)]
TlsMode = Annotated[SslMode, Strict(strict=False), allowed(listed(SslMode))]
WitnessChoice = Annotated[Witness, Strict(strict=False), allowed(listed(Witness))]
CountedChoice = Annotated[Counted, Strict(strict=False), allowed(listed(Counted))]
Flag = Annotated[bool, allowed("true or false")]
EndOfDayChoice = Annotated[EndOfDay, Strict(strict=False), allowed(listed(EndOfDay))]
_PlainSpan = Annotated[int, Field(ge=1, le=10_000)]
OptionalSpan = Annotated[_PlainSpan | None, allowed("a whole number from 1 to 10000")]
TimeOfDay = Annotated[time, BeforeValidator(_time_of_day), allowed('a time of day such as "18:00"')]
Years = Annotated[
    list[Annotated[int, Field(ge=2000, le=2999)]], allowed("an array of years such as 2027")
]
Dates = Annotated[
    list[Annotated[date, BeforeValidator(_date)]], allowed("an array of dates such as 2026-10-01")
]
AnchorChoice = Annotated[AnchorKind, Strict(strict=False), allowed(listed(AnchorKind))]
OptionalOrigin = Annotated[
    Annotated[str, AfterValidator(_origin)] | None,
    allowed("a-z, 0-9, dots, dashes and slashes, such as hospital/site/dbops/backup-1"),
]
OptionalVariable = Annotated[_PlainVariable | None, allowed("the name of an environment variable")]
OptionalCommand = Annotated[
    Annotated[list[_PlainText], Field(min_length=1)] | None,
    allowed("an array of a program and its arguments"),
]
