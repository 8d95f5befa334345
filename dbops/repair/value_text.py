"""A value in JSON: NULL is null, UTF-8 is a string, other bytes are {"hex": "…"}; pure and exact.

Each value has one form only, so equal values have equal texts.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from typing import Final

from dbops.repair.table import Row, Value

PIECE: Final = 1 << 20
NOT_A_VALUE: Final = 'a value is null, a string, or {"hex": "…"} of bytes that are not UTF-8'
# What JSON text holds escaped: then json itself writes the row.
_ESCAPED: Final = bytes(range(0x20)) + b'"\\'
_BREAK: Final = b"\0"
_NULL: Final = b"\1"
_JSON: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def encode_value(value: Value) -> object:
    """Return what json writes for the value: None, a string, or {"hex": …}."""
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"hex": value.hex()}


def decode_value(found: object) -> Value:
    """Return the value that `encode_value` gave this form; raises ValueError for any other.

    The error never says what was found.
    """
    if found is None:
        return None
    try:
        return found.encode() if isinstance(found, str) else _from_hex(found)
    except ValueError:
        # Python's own words would quote the text: a lone surrogate, an odd digit.
        raise ValueError(NOT_A_VALUE) from None


def row_text(row: Row) -> bytes:
    """Return the JSON array of a row's values, without spaces.

    Most rows hold nothing that JSON escapes. They are put together without an object for each
    value, several times as fast as by json itself; the text is the same.
    """
    nulls = row.count(None)
    joined = (
        _BREAK.join(_NULL if value is None else value for value in row)
        if nulls
        else (
            _BREAK.join(row)  # type: ignore[arg-type]  # none of them is None
        )
    )
    escaped = len(joined) - len(joined.translate(None, _ESCAPED))
    # More escapes than breaks and NULLs: a value holds one.
    if not row or escaped != len(row) - 1 + nulls or not _is_short_text(joined):
        return _JSON.encode([encode_value(value) for value in row]).encode()
    text = b'["%b"]' % joined.replace(_BREAK, b'","')
    return text.replace(b'"%b"' % _NULL, b"null") if nulls else text


def row_pieces(row: Row | None) -> Iterator[bytes]:
    """Yield the JSON text of a row, null for none; that of a long row in pieces of some MiB."""
    if row is None:
        yield b"null"
    elif sum(map(len, filter(None, row))) < PIECE:
        yield row_text(row)
    else:
        before = b"["
        for value in row:
            yield before
            yield from (b"null",) if value is None else value_pieces(value)
            before = b","
        yield b"]"


def value_pieces(value: bytes) -> Iterator[bytes]:
    """Yield the JSON text of a long value in pieces of some MiB; memory holds one of them."""
    if not _is_text(value):
        yield b'{"hex":"'
        yield from (piece.hex().encode() for piece in _cut(value))
        yield b'"}'
        return
    decoder = codecs.getincrementaldecoder("utf-8")()
    yield b'"'
    for piece in _cut(value):
        yield json.dumps(decoder.decode(piece), ensure_ascii=False)[1:-1].encode()
    yield b'"'


def _from_hex(found: object) -> bytes:
    match found:
        case {"hex": str(digits), **others} if not others:
            value = bytes.fromhex(digits)
        case _:
            raise ValueError(NOT_A_VALUE)
    if value.hex() != digits or _is_text(value):
        raise ValueError(NOT_A_VALUE)
    return value


def _is_short_text(value: bytes) -> bool:
    if value.isascii():
        return True
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_text(value: bytes) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for piece in _cut(value):
            decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _cut(value: bytes) -> Iterator[memoryview]:
    view = memoryview(value)
    return (view[start : start + PIECE] for start in range(0, len(view), PIECE))
