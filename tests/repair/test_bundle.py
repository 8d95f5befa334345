"""Sealed bundles: what comes out is what went in, whole, or it is refused."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import tracemalloc
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from dbops.crypto.age import Identity, SealingWriter
from dbops.errors import Failed, NoIdentity, Refused, Unreachable
from dbops.repair.bundle import (
    Bundle,
    BundleHeader,
    BundleSeal,
    BundleTable,
    BundleWriter,
    digest_of,
    end_line,
    header_line,
)
from dbops.repair.manifest import SideEffect
from dbops.repair.ports import MarkerKind
from dbops.repair.table import Change, Column, Shape, TableName
from tests.fix_tools import require_tool

ONE, TWO, OTHER = Identity.generate(), Identity.generate(), Identity.generate()
KEY = "5f" * 32
VISIT = BundleTable(
    table=TableName("his", "visit"),
    columns=(Column("id", "integer", assigned=True), Column("病房", "text"), Column("at", "text")),
    key=("id",),
    schema="ab" * 32,
    volatile=("at",),
)
WARD = replace(VISIT, table=TableName("", 'odd "name"'), columns=VISIT.columns[:1], volatile=())
HEADER = BundleHeader(
    run="0123abcd",
    work="2026-117-visit-ward",
    plan="cd" * 32,
    kind=MarkerKind.REPAIR,
    database="his",
    identity="7412345678901234567/16384",
    server="PostgreSQL 15.18",
    encoding="utf-8",
    at=datetime(2026, 11, 23, 2, 30, 1, 500, UTC),
    key=KEY,
    tables=(VISIT, WARD),
    side_effects=(SideEffect(TableName("his", "visit_audit"), 38),),
)
CELL = st.none() | st.binary(max_size=30) | st.text(max_size=10).map(str.encode)


def row_of(width: int) -> st.SearchStrategy[tuple[bytes | None, ...]]:
    return st.tuples(*[CELL] * width)


def change_of(width: int) -> st.SearchStrategy[Change]:
    key = st.lists(st.binary(max_size=9), min_size=1, max_size=2).map(tuple)
    return st.builds(Change, key, st.none() | row_of(width), st.none() | row_of(width))


CHANGES = st.lists(
    st.tuples(st.just(0), change_of(3)) | st.tuples(st.just(1), change_of(1)), max_size=20
)
UPDATE = (0, Change((b"7",), (b"7", b"OLD", None), (b"7", "内科".encode(), b"now")))
INSERT = (0, Change((b"8",), None, (b"8", b"\xff\xfe", b"")))
DELETE = (1, Change((b"9",), (b"9",), None))
FEW = [UPDATE, INSERT, DELETE]


def write(
    changes: Iterable[tuple[int, Change]], header: BundleHeader = HEADER
) -> tuple[bytes, BundleSeal]:
    sink = io.BytesIO()
    with BundleWriter(sink, [ONE.recipient, TWO.recipient], header) as writer:
        for index, change in changes:
            writer.add(index, change)
        seal = writer.close()
    return sink.getvalue(), seal


def bundle_of(sealed: bytes, *identities: Identity, sha256: str | None = None) -> Bundle:
    return Bundle(lambda: io.BytesIO(sealed), identities or [ONE], "bundle x", sha256)


def sealed_from(plain: bytes) -> bytes:
    sink = io.BytesIO()
    with SealingWriter(sink, [ONE.recipient]) as writer:
        writer.write(zstandard.compress(plain))
    return sink.getvalue()


@settings(max_examples=25, deadline=None)
@given(CHANGES)
def test_what_comes_out_is_what_went_in(changes: list[tuple[int, Change]]) -> None:
    """Header and changes survive to the byte, as often as they are read, for each recipient."""
    sealed, seal = write(changes)
    bundle = bundle_of(sealed, TWO, sha256=seal.sha256)
    assert bundle.header == HEADER
    assert list(bundle) == changes
    assert list(bundle) == changes
    assert seal.rows == bundle.check() == len(changes)
    assert seal.sha256 == hashlib.sha256(sealed).hexdigest()
    assert seal.digest == digest_of(bundle.header, bundle)


def test_plain_tools_open_a_bundle(tmp_path: Path) -> None:
    """`age -d -i key FILE | zstd -d` yields the lines, and the last one holds for those before."""
    age, zstd = require_tool("age", "age"), require_tool("zstd", "zstd")
    sealed, seal = write(FEW)
    (tmp_path / "key").write_text(ONE.secret + "\n")
    (tmp_path / "file").write_bytes(sealed)
    command = [str(age), "-d", "-i", str(tmp_path / "key"), str(tmp_path / "file")]
    packed = subprocess.run(command, capture_output=True, check=True).stdout
    plain = subprocess.run([str(zstd), "-d"], input=packed, capture_output=True, check=True).stdout
    lines = plain.splitlines(keepends=True)
    head = json.loads(lines[0])
    assert head["dbops"] == "bundle/v1"
    assert head["at"] == "2026-11-23T02:30:01.000500Z"
    assert head["tables"][1]["table"] == {"schema": "", "name": 'odd "name"'}
    assert lines[1:4] == [
        '[0,["7"],["7","OLD",null],["7","内科","now"]]\n'.encode(),
        b'[0,["8"],null,["8",{"hex":"fffe"},""]]\n',
        b'[1,["9"],["9"],null]\n',
    ]
    digest = hashlib.sha256(b"".join(lines[:4])).hexdigest()
    assert json.loads(lines[4]) == {"end": {"rows": seal.rows, "sha256": digest}}
    assert len(lines) == 5


def test_a_long_row_goes_in_pieces() -> None:
    """A row with values of many MiB, text and bytes, comes back; writing takes little memory."""
    long = ("病" * (2 << 20)).encode() + b'"'
    change = Change((b"1",), (b"1", long, None), (b"1", b"\xff" * (4 << 20), long))
    sink = io.BytesIO()
    writer = BundleWriter(sink, [ONE.recipient], HEADER)
    tracemalloc.start()
    try:
        writer.add(0, change)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    seal = writer.close()
    assert list(bundle_of(sink.getvalue())) == [(0, change)]
    assert digest_of(HEADER, [(0, change)]) == seal.digest
    assert peak < 12 << 20


def test_memory_does_not_grow_with_the_rows() -> None:
    """24 MB of rows are written and read with a fraction of that in memory."""

    class Nowhere:
        def write(self, block: bytes, /) -> int:
            return len(block)

    def peak(work: Callable[[], object]) -> int:
        tracemalloc.start()
        try:
            work()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    def many(count: int) -> Iterable[tuple[int, Change]]:
        value = b"v" * 2000
        for number in range(count):
            order = b"%08d" % number
            yield 0, Change((order,), (order, value, None), (order, value, b"x"))

    def write_many() -> None:
        with BundleWriter(Nowhere(), [ONE.recipient], HEADER) as writer:
            for index, change in many(6_000):
                writer.add(index, change)

    sealed, _ = write(many(6_000))
    assert peak(write_many) < 6 << 20
    assert peak(lambda: bundle_of(sealed).check()) < 6 << 20


@pytest.mark.parametrize(
    ("cut", "code", "message"),
    [
        (slice(0, -1), "bundle-damaged", "bundle x is damaged: it does not decrypt"),
        (slice(0, -20), "bundle-damaged", "bundle x is damaged: it does not decrypt"),
    ],
)
def test_a_cut_file_is_refused(cut: slice, code: str, message: str) -> None:
    """A sealed file that lost its end does not open."""
    sealed, _ = write(FEW)
    with pytest.raises(Refused) as caught:
        list(bundle_of(sealed[cut]))
    assert (caught.value.code, caught.value.message) == (code, message)


def lines_of(changes: list[bytes], end: bytes | None = None) -> bytes:
    body = header_line(HEADER) + b"".join(changes)
    last = end_line(len(changes), hashlib.sha256(body).hexdigest()) if end is None else end
    return body + last


LINE = b'[1,["9"],["9"],null]\n'
SHORT = "bundle x is cut: its last line is missing or wrong"


@pytest.mark.parametrize(
    "plain",
    [
        lines_of([LINE], b""),
        lines_of([LINE], b'{"end'),
        lines_of([LINE])[:-1],
        lines_of([LINE], end_line(1, "00" * 32)),
        lines_of([LINE, LINE]).replace(LINE + LINE, LINE),
        lines_of([LINE]) + LINE,
        lines_of([LINE]) + b"\n",
        lines_of([LINE]) + lines_of([LINE]),
    ],
)
def test_a_bundle_without_its_right_last_line_is_refused(plain: bytes) -> None:
    """Whoever sealed it: lines that are missing, doubled or follow the last one are found out."""
    bundle = bundle_of(sealed_from(plain))
    with pytest.raises(Refused) as caught:
        list(bundle)
    assert (caught.value.code, caught.value.message) == ("bundle-short", SHORT)


@pytest.mark.parametrize(
    "line",
    [
        b"[2,[],null,null]\n",
        b"[-1,[],null,null]\n",
        b"[true,[],null,null]\n",
        b"[0,[null],null,null]\n",
        b'[0,["1"],["1"],null]\n',
        b'[0,["1"],{"a":1},null]\n',
        b'[1,["1"],[7],null]\n',
        b'[1,["1"],["\\ud800"],null]\n',
        b'[1,["1"],null]\n',
        b"[" * 100_000 + b"\n",
        b"[\n",
    ],
)
def test_a_line_that_is_no_row_is_refused(line: bytes) -> None:
    """A line that no writer makes is refused, and the refusal does not quote it."""
    bundle = bundle_of(sealed_from(lines_of([line])))
    with pytest.raises(Refused) as caught:
        list(bundle)
    assert caught.value.code == "bundle-invalid"
    assert caught.value.message == "bundle x holds a line that is no row"


@pytest.mark.parametrize(
    ("plain", "code", "message"),
    [
        (b"", "bundle-short", "bundle x is cut: it holds nothing"),
        (b"[]\n", "bundle-invalid", "bundle x does not begin with a bundle's header"),
        (b"{}\n", "bundle-invalid", "bundle x does not begin with a bundle's header"),
        (b'{"dbops"', "bundle-invalid", "bundle x does not begin with a bundle's header"),
        (
            header_line(HEADER).replace(b'"batch":0', b'"batch":"0"'),
            "bundle-invalid",
            "bundle x does not begin with a bundle's header",
        ),
        (
            header_line(HEADER).replace(b"bundle/v1", b"bundle/v2"),
            "bundle-version",
            "bundle x is not of the version bundle/v1",
        ),
    ],
)
def test_what_is_no_bundle_is_refused(plain: bytes, code: str, message: str) -> None:
    """The header is checked before anything is read."""
    with pytest.raises(Refused) as caught:
        bundle_of(sealed_from(plain))
    assert (caught.value.code, caught.value.message) == (code, message)


def test_what_does_not_unpack_is_refused() -> None:
    """Sealed bytes that are not zstd, or follow it, are damage."""
    sink = io.BytesIO()
    with SealingWriter(sink, [ONE.recipient]) as writer:
        writer.write(zstandard.compress(lines_of([LINE])) + b"more")
    with pytest.raises(Refused) as caught:
        list(bundle_of(sink.getvalue()))
    assert caught.value.code == "bundle-damaged"
    assert caught.value.message == "bundle x is damaged: it does not unpack"


def test_another_bundle_is_not_taken_for_the_one_that_was_named() -> None:
    """A whole bundle with another sha256 than the expected one is refused."""
    sealed, _ = write(FEW)
    with pytest.raises(Refused) as caught:
        list(bundle_of(sealed, sha256="00" * 32))
    assert caught.value.message == "bundle x has another sha256 than it should have"


def test_only_recipients_open_a_bundle() -> None:
    """Another identity gets the error that says how to name one."""
    sealed, _ = write(FEW)
    with pytest.raises(NoIdentity) as caught:
        bundle_of(sealed, OTHER)
    assert caught.value.message == "no identity at hand opens bundle x"


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """The system's reason is given by its code."""
    with pytest.raises(Unreachable) as caught:
        Bundle(lambda: (tmp_path / "none").open("rb"), [ONE], "bundle x")
    assert caught.value.message == "bundle x cannot be read (ENOENT)"


def test_a_sink_that_fails_ends_the_writer() -> None:
    """The sink's own error comes out, of whatever call meets it."""

    class Full:
        def write(self, block: bytes, /) -> int:
            raise Failed("no-space", f"{len(block)} bytes too many", hint="free some")

    def fill() -> None:
        with BundleWriter(Full(), [ONE.recipient], HEADER) as writer:
            for number in range(20_000):
                order = b"%d" % number
                writer.add(0, Change((order,), None, (order, os.urandom(200), None)))

    with pytest.raises(Failed) as caught:
        fill()
    assert caught.value.code == "no-space"


@pytest.mark.parametrize(
    "changed",
    [
        [UPDATE, INSERT],
        [INSERT, UPDATE, DELETE],
        [(0, UPDATE[1]._replace(key=(b"17",))), INSERT, DELETE],
        [(0, UPDATE[1]._replace(before=(b"7", b"NEW", None))), INSERT, DELETE],
        [(0, UPDATE[1]._replace(after=(b"7", b"ORT", b"now"))), INSERT, DELETE],
        [UPDATE, (0, INSERT[1]._replace(after=(b"8", None, b""))), DELETE],
        [UPDATE, INSERT, (1, DELETE[1]._replace(before=(b"10",)))],
        [UPDATE, INSERT, (1, Change((b"9",), None, (b"9",)))],
        [UPDATE, INSERT, (0, Change((b"9",), (b"9", b"", b""), None))],
    ],
)
def test_other_changes_have_another_digest(changed: list[tuple[int, Change]]) -> None:
    """Row, order, operation, table, value before and after: each is in the digest."""
    assert digest_of(HEADER, FEW) != digest_of(HEADER, changed)


def test_what_the_digest_leaves_out() -> None:
    """Volatile columns and the database's own name do not count; another key is another digest."""
    later = (0, UPDATE[1]._replace(after=(*UPDATE[1].after[:2], b"later")))  # type: ignore[index]
    elsewhere = replace(HEADER, database="copy", run="ff", tables=(VISIT, WARD))
    assert digest_of(HEADER, FEW) == digest_of(elsewhere, [later, INSERT, DELETE])
    assert digest_of(HEADER, FEW, "00" * 32) != digest_of(HEADER, FEW)
    assert digest_of(HEADER, FEW, "00" * 32) == digest_of(replace(HEADER, key="00" * 32), FEW)


def test_the_key_is_not_shown() -> None:
    """Who prints a header does not print the key of its digests."""
    assert KEY not in repr(HEADER)


def test_a_table_is_described_by_its_shape() -> None:
    """Only the table's own volatile columns are kept, with the shape's digest."""
    shape = Shape(VISIT.table, VISIT.columns, (0,), text="create table")
    table = BundleTable.of(shape, ["at", "elsewhere"])
    assert table == replace(VISIT, schema=shape.sha256)
