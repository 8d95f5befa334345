"""Descriptions of frames: read as written, skipped by zstd, and refused by name."""

from __future__ import annotations

import json
import struct
import subprocess

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from dbops.errors import DbopsError, Failed, Refused
from dbops.repository.frames import (
    LONGEST_DESCRIPTION,
    PREFIX_BYTES,
    SKIPPABLE,
    Description,
    Payload,
    describe,
    description_length,
    read_description,
)
from tests.fix_tools import require_tool

ONE = Description(1, Payload.ROWS, "lab", 3, '"public"."sample"', 7)


def body(**changes: object) -> bytes:
    values = json.loads(describe(ONE)[PREFIX_BYTES:])
    return json.dumps(values | changes).encode()


@given(
    stream=st.text(st.characters(codec="utf-8")),
    number=st.integers(0, 10**9),
    payload=st.sampled_from([Payload.ROWS, Payload.PAGES, Payload.OPAQUE]),
)
def test_a_description_is_read_as_written(stream: str, number: int, payload: Payload) -> None:
    """Any name of a stream comes back, and the length stands before it."""
    one = Description(1, payload, "lab", 1, stream, number)
    frame = describe(one)
    assert description_length(frame[:PREFIX_BYTES], "x") == len(frame) - PREFIX_BYTES
    assert read_description(frame[PREFIX_BYTES:], "x") == one


def test_zstd_passes_over_a_description() -> None:
    """The program prints the payload and nothing else."""
    zstd = require_tool("zstd", "zstd")
    first, second = zstandard.compress(b"1\tA\n"), zstandard.compress(b"2\n")
    data = describe(ONE) + first + describe(ONE) + second
    done = subprocess.run([zstd, "-dc"], input=data, capture_output=True, check=True)
    assert done.stdout == b"1\tA\n2\n"


@pytest.mark.parametrize(
    "prefix",
    [
        b"",
        b"\x00" * 7,
        struct.pack("<II", SKIPPABLE - 1, 10),
        struct.pack("<II", 0xFD2FB528, 10),
        struct.pack("<II", SKIPPABLE, LONGEST_DESCRIPTION + 1),
    ],
)
def test_what_is_no_description_is_named(prefix: bytes) -> None:
    """Another frame, a cut one, or one that is too long."""
    with pytest.raises(Failed) as caught:
        description_length(prefix, "range 1 of file")
    assert caught.value.code == "pack-malformed"
    assert caught.value.message == (
        "range 1 of file holds no description where the catalogue says one is"
    )


def test_a_delta_is_refused_by_name() -> None:
    """The reserved kind of a later version is told apart from damage."""
    with pytest.raises(Refused) as caught:
        read_description(body(payload="delta"), "range 1 of file")
    assert caught.value.code == "delta-not-supported"
    assert caught.value.message == (
        "range 1 of file holds a delta payload, which this version of dbops cannot read"
    )
    assert caught.value.hint == "read this repository with a newer dbops"


def test_another_format_is_refused_by_its_number() -> None:
    """A later format is no damage either."""
    with pytest.raises(Refused) as caught:
        read_description(body(format=2), "range 1 of file")
    assert caught.value.message == (
        "range 1 of file holds frames of format 2; this version reads format 1"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"payload": "lines"},
        {"sequence": "1"},
        {"range": 1.0},
        {"range": True},
        {"database": "../x"},
        {"stream": None},
        {"extra": 1},
    ],
)
def test_a_description_has_one_form(changes: dict[str, object]) -> None:
    """Unknown kinds, wrong types and keys that nobody knows are refused."""
    with pytest.raises(DbopsError):
        read_description(body(**changes), "range 1 of file")


@given(st.binary(max_size=60))
def test_any_bytes_are_refused_in_our_own_words(data: bytes) -> None:
    """Whatever stands there, the error is one of ours."""
    with pytest.raises(DbopsError):
        read_description(data, "range 1 of file")
