"""Catalogues: read as written, and refused unless whole."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbops.errors import DbopsError, Failed
from dbops.repository.catalogue import read_lines, write_lines
from dbops.repository.frames import Payload
from dbops.repository.manifest import Catalogue, CatalogueHead, Gap
from dbops.repository.ranges import Proof, StoredRange, Stream

text = st.text(st.characters(codec="utf-8"), max_size=8)
digests = st.binary(min_size=32, max_size=32).map(bytes.hex)
counts = st.integers(0, 2**62)
proofs = st.builds(Proof, counts, counts, digests)
named = st.dictionaries(text, text, max_size=3)


@st.composite
def catalogues(draw: st.DrawFn) -> Catalogue:
    streams = []
    for name in draw(st.lists(text, max_size=3, unique=True)):
        payload = draw(st.sampled_from([Payload.ROWS, Payload.PAGES, Payload.OPAQUE]))
        ranges = tuple(
            StoredRange(index, draw(digests), draw(counts), draw(counts), draw(digests), proof)
            for index, proof in enumerate(draw(st.lists(proofs, max_size=3)))
        )
        streams.append(Stream(name, payload, draw(named), ranges))
    return Catalogue(
        CatalogueHead("dbops-catalogue/1", "lab", draw(st.integers(1, 9)), draw(digests)),
        tuple(streams),
        draw(st.dictionaries(text, proofs, max_size=3)),
        draw(st.dictionaries(text, named, max_size=3)),
        tuple(draw(st.lists(st.builds(Gap, text, text), max_size=2))),
    )


def lines_of(catalogue: Catalogue) -> list[bytes]:
    written = write_lines(
        catalogue.head, catalogue.streams, catalogue.tables, catalogue.facts, catalogue.gaps
    )
    return [line.rstrip(b"\n") for line in written]


ONE = Catalogue(
    CatalogueHead("dbops-catalogue/1", "lab", 1, "ab" * 32),
    (
        Stream(
            "t",
            Payload.ROWS,
            {"columns": "a"},
            (
                StoredRange(0, "cd" * 32, 0, 10, "ef" * 32, Proof(1, 2, "01" * 32)),
                StoredRange(1, "cd" * 32, 10, 10, "ef" * 32, Proof(1, 2, "02" * 32)),
            ),
        ),
    ),
    {"u": Proof(3, 4, "03" * 32)},
    {"count": {"t": "2"}},
    (Gap("foreign table f", "its rows live elsewhere"),),
)


@given(catalogues())
@settings(max_examples=60, deadline=None)
def test_a_catalogue_is_read_as_written(catalogue: Catalogue) -> None:
    """Whatever names and numbers it holds."""
    assert read_lines(lines_of(catalogue), "the catalogue") == catalogue


def test_a_catalogue_that_was_cut_is_refused_at_every_line() -> None:
    """No part of it passes for the whole."""
    lines = lines_of(ONE)
    for end in range(len(lines)):
        with pytest.raises(Failed) as caught:
            read_lines(lines[:end], "the catalogue of lab@1")
        assert caught.value.message == (
            f"the catalogue of lab@1 is malformed: the end is missing (line {end})"
        )


def test_a_catalogue_without_one_of_its_lines_is_refused() -> None:
    """Every line counts, also one that is doubled or follows the end."""
    lines = lines_of(ONE)
    for index, line in enumerate(lines):
        with pytest.raises(DbopsError):
            read_lines(lines[:index] + lines[index + 1 :], "x")
        with pytest.raises(DbopsError):
            read_lines([*lines[:index], line, *lines[index:]], "x")
    with pytest.raises(DbopsError):
        read_lines([*lines, b"{}"], "x")


def test_a_catalogue_that_says_something_twice_is_refused() -> None:
    """A line in the place of another keeps the count and loses a table: it has to be seen."""
    two = lines_of(
        Catalogue(
            ONE.head,
            (*ONE.streams, Stream("v", Payload.ROWS, {}, ())),
            {"u": Proof(1, 1, "01" * 32), "w": Proof(1, 1, "01" * 32)},
            {"a": {}, "b": {}},
            (),
        )
    )
    firsts = {
        json.loads(line).get(key): index
        for index, line in enumerate(two)
        for key in ("stream", "table", "section")
        if isinstance(json.loads(line), dict) and key in json.loads(line)
    }
    for kept, lost in (("u", "w"), ("a", "b")):
        lines = list(two)
        lines[firsts[lost]] = lines[firsts[kept]]
        with pytest.raises(Failed) as caught:
            read_lines(lines, "x")
        assert "it says the same thing twice" in caught.value.message


def test_ranges_stand_in_their_order() -> None:
    """A stream's ranges are numbered from 0 without a gap: otherwise one would be lost."""
    lines = lines_of(ONE)
    lines[2], lines[3] = lines[3], lines[2]
    with pytest.raises(Failed) as caught:
        read_lines(lines, "x")
    assert caught.value.message == ("x is malformed: a range that stands out of its order (line 3)")


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"null",
        b"[]",
        b"3",
        b"{}",
        b'{"other": 1}',
        b'{"stream": "t", "payload": "rows", "detail": {}, "ranges": -1, "more": 1}',
        b'{"stream": "t", "payload": "delta", "detail": {}, "ranges": 0}',
        b'{"table": "t"}',
        b'{"table": "t", "proof": {"records": "1", "bytes": 1, "sum": ""}}',
        b'{"section": "s", "facts": {"a": 1}}',
        b'{"gap": 1}',
        b"\xff",
        b'{"lines": 99}',
    ],
)
def test_a_line_of_another_form_is_refused(line: bytes) -> None:
    """Unknown kinds, missing keys, wrong types, and the reserved delta."""
    lines = lines_of(ONE)
    with pytest.raises(DbopsError):
        read_lines([lines[0], line, *lines[1:]], "x")


@given(st.lists(st.binary(max_size=30), max_size=4))
def test_any_bytes_are_refused_in_our_own_words(lines: list[bytes]) -> None:
    """Whatever stands there, the error is one of ours."""
    with pytest.raises(DbopsError):
        read_lines(lines, "x")
    with pytest.raises(DbopsError):
        read_lines([*lines_of(ONE)[:1], *lines], "x")


def test_proofs_of_tables_come_from_rows_or_stand_for_themselves() -> None:
    """Streams of rows are tables; other streams are proven by the table lines."""
    assert set(ONE.table_proofs) == {"t", "u"}
    assert ONE.table_proofs["t"].records == 2
    assert ONE.rows == 5
    assert ONE.key == b"\xab" * 32
