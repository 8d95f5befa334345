"""The plaintext of a pack: zstd frames, each after a skippable frame that describes it.

`age -d PACK | zstd -d` yields the payloads one after another, because zstd passes over skippable
frames (RFC 8878 §3.1.2). The description is a small JSON object; the payload frame carries zstd's
own checksum.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from dbops.errors import Failed, Refused
from dbops.repository.codec import STRICT, Name, decode, encode_line

SKIPPABLE = 0x184D2A5D
PREFIX_BYTES = 8
LONGEST_DESCRIPTION = 1 << 20


class Payload(StrEnum):
    """What the bytes of a range are."""

    ROWS = "rows"  # one record a line, as the engine's own COPY text
    PAGES = "pages"  # fixed-size pages, in order
    OPAQUE = "opaque"  # bytes that only the engine's own tool understands
    DELTA = "delta"  # reserved: a range as its difference from another one


@dataclass(frozen=True, slots=True)
class Description:
    """What stands before a payload frame."""

    __pydantic_config__: ClassVar = STRICT

    format: int
    payload: Payload
    database: Name
    sequence: int
    stream: str
    range: int


def describe(description: Description) -> bytes:
    """The skippable frame of a description."""
    body = encode_line(description)
    return struct.pack("<II", SKIPPABLE, len(body)) + body


def description_length(prefix: bytes, title: str) -> int:
    """Bytes of description that follow an 8-byte prefix; raises Failed where it is none."""
    magic, length = struct.unpack("<II", prefix) if len(prefix) == PREFIX_BYTES else (0, 0)
    if magic != SKIPPABLE or length > LONGEST_DESCRIPTION:
        raise Failed(
            "pack-malformed",
            f"{title} holds no description where the catalogue says one is",
            hint="dbops backup verify --all --level readable names every damaged range",
        )
    return int(length)


def read_description(body: bytes, title: str) -> Description:
    """The description; refuses by name what this version cannot read."""
    description = decode(Description, body, f"a description in {title}")
    if description.payload is Payload.DELTA:
        raise Refused(
            "delta-not-supported",
            f"{title} holds a delta payload, which this version of dbops cannot read",
            hint="read this repository with a newer dbops",
        )
    if description.format != 1:
        raise Refused(
            "format-not-supported",
            f"{title} holds frames of format {description.format}; this version reads format 1",
            hint="read this repository with a newer dbops",
        )
    return description
