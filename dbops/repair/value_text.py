"""A value in JSON: NULL is null, UTF-8 is a string, other bytes are {"hex": "…"}; pure and exact.

Each value has one form only, so equal values have equal texts.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from dbops.repair.table import Change, Key, Row, Value, size_of

PIECE: Final = 1 << 20
NOT_A_VALUE: Final = 'a value is null, a string, or {"hex": "…"} of bytes that are not UTF-8'
# What JSON text holds escaped: then json itself writes the row.
_ESCAPED: Final = bytes(range(0x20)) + b'"\\'
_BREAK: Final = b"\0"
_NULL: Final = b"\1"
_TURN: Final = b"\2"
_NEXT_ROW: Final = _BREAK + _TURN + _BREAK
_END: Final = b"\3"
_NEXT_LINE: Final = _BREAK + _END + _BREAK
_NO_ROW: Final = b"\4"
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
    """Return the JSON array of a row's values, without spaces."""
    return _rows_text((row,))


def change_text(key: Key, before: Row | None, after: Row | None) -> Iterable[bytes]:
    """Return the JSON of key, before and after, with commas between, null where there is no row.

    That of long rows comes in pieces of some MiB, so that memory holds no second copy of them.
    """
    if size_of((before or ()) + (after or ())) >= PIECE:
        return _long_change(key, before, after)
    if before is not None and after is not None:
        return (_rows_text((key, before, after)),)
    images = (b"null" if row is None else row_text(row) for row in (before, after))
    return (b",".join((row_text(key), *images)),)


def change_lines(head: bytes, changes: Sequence[Change]) -> bytes:
    """Return a line for each change: `head`, what `change_text` gives, and a bracket.

    For changes of short rows: memory holds the text of all. What is done once for many rows takes
    a fraction of the time that it takes when it is done for each.
    """
    if not changes:
        return b""
    flat: list[Value] = []
    lone = 0
    for key, before, after in changes:
        flat += key
        for row in (before, after):
            flat.append(_TURN)
            if row is None:
                flat.append(_NO_ROW)
                lone += 1
            else:
                flat += row or (_END,)  # an empty row: more marks than expected
        flat.append(_END)
    nulls = flat.count(None)
    parts = [_NULL if value is None else value for value in flat] if nulls else flat
    joined = _BREAK.join(parts)  # type: ignore[arg-type]  # no part is None now
    marks = len(flat) - 1 + 3 * len(changes) + nulls + lone
    escaped = len(joined) - len(joined.translate(None, _ESCAPED))
    if escaped != marks or not _is_short_text(joined):
        lines = (b"".join((head, *change_text(*change), b"]\n")) for change in changes)
        return b"".join(lines)
    body = joined[: -len(_BREAK + _END)].replace(_NEXT_ROW, b'"],["')
    body = body.replace(_NEXT_LINE, b'"]]\n%b["' % head).replace(_BREAK, b'","')
    text = b'%b["%b"]]\n' % (head, body)
    if nulls:
        text = text.replace(b'"%b"' % _NULL, b"null")
    return text.replace(b'["%b"]' % _NO_ROW, b"null") if lone else text


def _rows_text(rows: Sequence[Row]) -> bytes:
    """JSON arrays with commas between.

    Most rows hold nothing that JSON escapes. They are put together without an object for each
    value, several times as fast as by json itself; the text is the same.
    """
    flat = rows[0]
    for row in rows[1:]:
        flat = (*flat, _TURN, *row)
    nulls = flat.count(None)
    parts = [_NULL if value is None else value for value in flat] if nulls else flat
    joined = _BREAK.join(parts)  # type: ignore[arg-type]  # no part is None now
    # More escapes than marks: a value holds one.
    marks = len(flat) - 1 + len(rows) - 1 + nulls
    escaped = len(joined) - len(joined.translate(None, _ESCAPED))
    if escaped != marks or not all(rows) or not _is_short_text(joined):
        return b",".join(_JSON.encode(list(map(encode_value, row))).encode() for row in rows)
    array = b'["%b"]' % joined.replace(_NEXT_ROW, b'"],["').replace(_BREAK, b'","')
    return array.replace(b'"%b"' % _NULL, b"null") if nulls else array


def _long_change(key: Key, before: Row | None, after: Row | None) -> Iterator[bytes]:
    yield row_text(key)
    for row in (before, after):
        yield b","
        yield from (b"null",) if row is None else _row_pieces(row)


def _row_pieces(row: Row) -> Iterator[bytes]:
    before = b"["
    for value in row:
        yield before
        yield from (b"null",) if value is None else value_pieces(value)
        before = b","
    yield b"]" if row else b"[]"


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
