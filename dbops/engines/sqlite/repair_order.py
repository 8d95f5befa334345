"""Parts of a key as bytes that ascend as SQLite's own index does, with binary collation; pure.

SQLite sorts numbers before text before blobs, and numbers by their value, whatever their type:
2 and 2.0 are one key. So a part is a letter and then: for a number the nearest double in an order
that bytes have too, and how far the number is from it; for a text its stored bytes; for a blob
its hex digits.
"""

from __future__ import annotations

import struct
from typing import Final

from dbops.engines.sqlite.repair_values import Bindable, Plain, Raw
from dbops.errors import Refused

_SIGN: Final = 1 << 63
_ALL: Final = (1 << 64) - 1
_BITS: Final = struct.Struct(">Q")
_DOUBLE: Final = struct.Struct(">d")
_MIDDLE: Final = 0x800  # a 64-bit integer is at most 512 away from its nearest double


def order_part(stored: Plain) -> bytes:
    """Return the part for a key's value; a text is given as `text_part`."""
    match stored:
        case int():
            near = float(stored)
            return _number(near, stored - int(near))
        case float():
            return _number(stored, 0)
        case bytes():
            return b"x" + stored.hex().encode()
    raise TypeError("a text is ordered by its stored bytes")


def text_part(stored: bytes) -> bytes:
    """Return the part for a text by its stored bytes."""
    return b"t" + stored


def part_value(part: bytes) -> Bindable:
    """Return what to look for; raises Refused `order-form` for what no reading gave out."""
    try:
        match part[:1]:
            case b"n":
                return _number_of(part[1:])
            case b"t":
                return Raw(part[1:])
            case b"x":
                return bytes.fromhex(part[1:].decode("ascii"))
    except ValueError:
        pass
    raise Refused(
        "order-form",
        "a key is in no form that SQLite's keys have",
        hint="take the bundle of a repair of this database",
    )


def _number(near: float, rest: int) -> bytes:
    (bits,) = _BITS.unpack(_DOUBLE.pack(near + 0.0))  # -0.0 is the key 0
    bits = bits ^ _ALL if bits & _SIGN else bits | _SIGN
    return b"n%016x%03x" % (bits, rest + _MIDDLE)


def _number_of(text: bytes) -> int | float:
    bits, rest = int(text[:16], 16), int(text[16:], 16) - _MIDDLE
    bits = bits & ~_SIGN if bits & _SIGN else bits ^ _ALL
    (near,) = _DOUBLE.unpack(_BITS.pack(bits))
    if abs(near) <= float(1 << 63) and near == int(near):
        found = int(near) + rest
        if -_SIGN <= found < _SIGN:
            return found
    return float(near)
