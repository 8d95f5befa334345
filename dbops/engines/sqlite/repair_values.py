"""Values of SQLite in bytes and back, exactly, in a form that people can read; pure.

SQLite stores a type with each value, whatever the column was declared as. What is usual for the
column stands as plain text; anything else begins with a mark, so that nothing is ever ambiguous:
`~i:` integer, `~r:` real (Python's shortest text that gives the same double), `~t:` text, `~x:` a
blob in hex, `~u:` in hex the stored bytes of a text that is no valid Unicode.

Source of the affinities: SQLite, Datatypes In SQLite, 3.1.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from typing import Final

from dbops.errors import Failed
from dbops.repair.table import Value

Plain = int | float | str | bytes | None

_INTEGER: Final = re.compile(r"0|-?[1-9][0-9]{0,18}")
_REAL: Final = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]+")
_SAFE_DIGITS: Final = 15  # so many survive any conversion between text and double
# SQLite's own translation from UTF-8 to UTF-16 replaces these.
_UNSAFE: Final = re.compile("[\ufffe\uffff]")
MARK: Final = b"~"


@dataclass(frozen=True, slots=True)
class Raw:
    """A text by its stored bytes, to be written as `CAST(? AS TEXT)`."""

    stored: bytes


Bindable = Plain | Raw


class Affinity(Enum):
    """What a column makes of the values that are put into it."""

    TEXT = auto()
    NUMERIC = auto()  # INTEGER and REAL included
    NONE = auto()


def affinity_of(declared: str, *, strict: bool = False) -> Affinity:
    """Return the affinity of a column that is declared with this type."""
    name = declared.upper()
    if "INT" in name:
        return Affinity.NUMERIC
    if any(word in name for word in ("CHAR", "CLOB", "TEXT")):
        return Affinity.TEXT
    if not name or "BLOB" in name or (strict and name == "ANY"):
        return Affinity.NONE
    return Affinity.NUMERIC


def encoder(affinity: Affinity, codec: str) -> Callable[[Plain, Plain], Value]:
    """Return `encode` for one column; what is usual there takes the short way."""

    def text(kind: Plain, stored: Plain) -> Value:
        if kind == "text" and isinstance(stored, bytes) and _is_utf_8(stored):
            return stored if stored[:1] != MARK else b"~t:" + stored
        return encode(kind, stored, affinity, codec)

    def other(kind: Plain, stored: Plain) -> Value:
        if kind == "integer" and isinstance(stored, int):
            return b"%d" % stored
        return encode(kind, stored, affinity, codec)

    if affinity is not Affinity.TEXT:
        return other
    return text if codec == "utf-8" else partial(encode, affinity=affinity, codec=codec)


def _is_utf_8(stored: bytes) -> bool:
    if stored.isascii():
        return True
    try:
        stored.decode()
    except UnicodeDecodeError:
        return False
    return True


def encode(kind: Plain, stored: Plain, affinity: Affinity, codec: str) -> Value:
    """Return the value whose `typeof` is `kind`; a text is given by its stored bytes.

    `codec` is Python's name of the database's encoding.
    """
    if stored is None:
        return None
    if kind == "text" and isinstance(stored, bytes):
        return _encode_text(stored, affinity, codec)
    if isinstance(stored, int):
        plain = b"%d" % stored
        return plain if affinity is not Affinity.TEXT else b"~i:" + plain
    if isinstance(stored, float):
        text = repr(stored)
        usual = affinity is Affinity.NUMERIC and _is_simple_real(text)
        return text.encode() if usual else b"~r:" + text.encode()
    return b"~x:" + stored.hex().encode() if isinstance(stored, bytes) else None


def _encode_text(stored: bytes, affinity: Affinity, codec: str) -> bytes:
    try:
        text = stored.decode(codec)
        plain = stored if codec == "utf-8" else text.encode()
    except UnicodeError:
        return b"~u:" + stored.hex().encode()
    if codec != "utf-8" and _UNSAFE.search(text):
        return b"~u:" + stored.hex().encode()
    usual = plain[:1] != MARK and (
        affinity is Affinity.TEXT or _decode_plain(text, affinity) == text
    )
    return plain if usual else b"~t:" + plain


def decode(value: Value, affinity: Affinity | None) -> Bindable:
    """Return what to bind for a value of a column with this affinity.

    None stands for a value whose column is not known: plain digits are an integer then, which a
    column with an affinity makes its own of. Raises Failed `value-refused` for what is no value.
    """
    if value is None:
        return None
    try:
        if value.startswith(MARK):
            return _decode_marked(value)
        return _decode_plain(value.decode(), affinity)
    except ValueError:
        raise Failed(
            "value-refused",
            "a value is in no form that SQLite's values have",
            hint="take the values from a bundle or a backup of a SQLite database",
        ) from None


def _decode_marked(value: bytes) -> Bindable:
    tag, text = value[:3], value[3:].decode()
    match tag:
        case b"~i:":
            return int(text)
        case b"~r:":
            return float(text)
        case b"~t:":
            return text
        case b"~x:":
            return bytes.fromhex(text)
        case b"~u:":
            return Raw(bytes.fromhex(text))
    raise ValueError(tag)


def _decode_plain(text: str, affinity: Affinity | None) -> int | float | str:
    if affinity is Affinity.TEXT:
        return text
    if _INTEGER.fullmatch(text) and -(1 << 63) <= int(text) < 1 << 63:
        return int(text)
    if affinity is Affinity.NUMERIC and _is_simple_real(text):
        return float(text)
    return text


def _is_simple_real(text: str) -> bool:
    """Whether the text is one that every conversion takes for the same double."""
    if len(text) > _SAFE_DIGITS + 2 or not _REAL.fullmatch(text):
        return False
    number = float(text)
    return text == "0.0" if number == 0 else repr(number) == text


def bound(value: Bindable) -> tuple[str, Plain]:
    """The place for a value in a statement, and what is bound there."""
    return ("CAST(? AS TEXT)", value.stored) if isinstance(value, Raw) else ("?", value)
