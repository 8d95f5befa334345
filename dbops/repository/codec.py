"""Frozen values to JSON text and back, strictly.

Text is written with sorted keys, UTF-8, no floats, times in UTC to the second. Reading refuses
unknown keys, missing keys, duplicate keys and wrong types: a document has one meaning or none.
Bytes are signed as they are; nothing is ever canonicalised on reading.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast

from dbops.errors import DbopsError, Failed

# pydantic takes as long to load as all of a backup worker, which writes documents and reads none.
if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import ConfigDict, GetCoreSchemaHandler, TypeAdapter
    from pydantic_core import CoreSchema

Value = TypeVar("Value")

# Set as `__pydantic_config__` on every value that is read from a document.
STRICT: ConfigDict = {"extra": "forbid", "strict": True}


@dataclass(frozen=True, slots=True)
class _Constraint:
    """What pydantic is to hold a value against, made when it reads the first one."""

    make: Callable[[], object]

    def __get_pydantic_core_schema__(
        self, source: type, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return handler.generate_schema(Annotated[source, self.make()])


def _fits(pattern: str) -> _Constraint:
    def make() -> object:
        from pydantic import StringConstraints  # noqa: PLC0415 - see above

        return StringConstraints(pattern=pattern)

    return _Constraint(make)


Digest = Annotated[str, _fits(r"^[0-9a-f]{64}$")]
Name = Annotated[str, _fits(r"^[a-z0-9][a-z0-9-]{0,62}$")]


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a time needs its offset")
    return moment.astimezone(UTC)


def _in_utc() -> object:
    from pydantic import AfterValidator  # noqa: PLC0415 - see above

    return AfterValidator(_utc)


Moment = Annotated[datetime, _Constraint(_in_utc)]


def whole_second(moment: datetime) -> datetime:
    """The moment in UTC as documents hold it."""
    return moment.astimezone(UTC).replace(microsecond=0)


def encode(value: object) -> bytes:
    """The document of a frozen value, for people and programs: one key a line."""
    return (json.dumps(_plain(value), ensure_ascii=False, sort_keys=True, indent=1) + "\n").encode()


def encode_line(value: object) -> bytes:
    """The same on one line."""
    text = json.dumps(_plain(value), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return (text + "\n").encode()


def decode(kind: type[Value], body: bytes, title: str) -> Value:
    """The value a document holds; raises Failed naming `title` and the first key that is wrong."""
    from dbops.crypto.signed import parse_json_body  # noqa: PLC0415 - as with pydantic

    try:
        parse_json_body(body)
    except DbopsError as failure:
        raise _invalid(title, failure.message) from None
    return decode_line(kind, body, title)


def decode_line(kind: type[Value], line: bytes, title: str) -> Value:
    """The same for one line of a sealed file, whose digest vouches for its form already."""
    from pydantic import ValidationError  # noqa: PLC0415 - see above

    try:
        value: Value = _adapter(cast("Any", kind)).validate_json(line)
    except ValidationError as failure:
        first = failure.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the document"
        raise _invalid(title, f"{place}: {first['type'].replace('_', ' ')}") from None
    return value


def _invalid(title: str, reason: str) -> Failed:
    return Failed(
        "document-invalid",
        f"{title} is not a valid document: {reason}",
        hint="dbops backup verify --all --level stored names every damaged object",
    )


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter  # noqa: PLC0415 - see above

    return TypeAdapter(kind)


def _plain(value: object) -> Any:
    """What json can write; a float or an unknown type is a bug and raises TypeError."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    raise TypeError(f"{type(value).__name__} has no place in a document")
