"""Packs: they hold what was written, standard tools open them, memory stays bounded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dbops.crypto.age import Identity, Recipient
from dbops.repository.frames import Payload
from dbops.repository.layout import digest, pack_name
from dbops.repository.opening import RangeReader
from dbops.repository.packing import PackOrder, PackWriter
from dbops.repository.ranges import NOTHING, StoredRange, Stream
from dbops.stores.local import LocalStore
from tests.fix_tools import require_tool
from tests.support.faulty import FaultyStore, StoreBroke

KEY = b"k" * 32
IDENTITY = Identity.generate()
ROWS = Payload.ROWS


def order(*extra: Recipient, pack_bytes: int = 1 << 20) -> PackOrder:
    return PackOrder("lab", 1, KEY, (IDENTITY.recipient, *extra), pack_bytes)


def pack(writer: PackWriter, ranges: list[bytes], stream: str = "t") -> Stream:
    """Write the ranges, each in three blocks; return the stream as a catalogue would hold it."""
    for index, data in enumerate(ranges):
        writer.begin(stream, index, ROWS)
        third = len(data) // 3
        for block in (data[:third], data[third : 2 * third], data[2 * third :]):
            writer.write(block)
        writer.end()
    writer.flush()
    found = [part for item in writer.packs for name, part in item.ranges if name == stream]
    return Stream(stream, ROWS, {}, tuple(sorted(found, key=lambda part: part.index)))


def read(store: LocalStore, stream: Stream, parts: list[StoredRange] | None = None) -> list[bytes]:
    reader = RangeReader(store, "lab", KEY, (IDENTITY,))
    try:
        wanted = stream.ranges if parts is None else parts
        return [b"".join(reader.read_range(stream, part)) for part in wanted]
    finally:
        reader.close()


@given(
    st.lists(st.lists(st.binary(max_size=50).map(lambda b: b.replace(b"\n", b"")), max_size=20)),
    st.sampled_from([1, 300, 1 << 20]),
    st.randoms(use_true_random=False),
)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_packs_hold_what_was_written(
    tmp_path: Path, tables: list[list[bytes]], pack_bytes: int, random: object
) -> None:
    """Ranges come back in any order, empty ones too, whatever the size of a pack."""
    ranges = [b"".join(row + b"\n" for row in rows) for rows in tables]
    store = LocalStore(tmp_path, "r")
    writer = PackWriter(store, order(pack_bytes=pack_bytes))
    stream = pack(writer, ranges)
    assert read(store, stream) == ranges
    assert read(store, stream, list(stream.ranges)[::-1]) == ranges[::-1]
    assert stream.proof.records == sum(map(len, tables))
    for item in writer.packs:
        with store.open(pack_name("lab", item.entry.sha256)) as source:
            data = source.read()
        assert (digest(data), len(data)) == (item.entry.sha256, item.entry.size)


def test_standard_tools_open_a_pack(tmp_path: Path) -> None:
    """`age -d | zstd -d` yields the rows, one range after the other."""
    age, zstd = require_tool("age", "age"), require_tool("zstd", "zstd")
    store = LocalStore(tmp_path / "r", "r")
    writer = PackWriter(store, order())
    ranges = [b"1\tA\n2\tB\n", b"", "3\t血库\n".encode() * 1000]
    pack(writer, ranges)
    (written,) = writer.packs
    key = tmp_path / "key"
    key.write_text(IDENTITY.secret + "\n")
    path = tmp_path / "r" / pack_name("lab", written.entry.sha256)
    plain = subprocess.run([age, "-d", "-i", key, path], capture_output=True, check=True)
    done = subprocess.run([zstd, "-dc"], input=plain.stdout, capture_output=True, check=True)
    assert done.stdout == b"".join(ranges)


def test_a_pack_is_closed_once_it_is_full(tmp_path: Path) -> None:
    """It ends after the range in which it reaches its size; a range is never split."""
    store = LocalStore(tmp_path, "r")
    writer = PackWriter(store, order(pack_bytes=5000))
    stream = pack(writer, [os.urandom(2000).hex().encode() + b"\n" for _ in range(9)])
    sizes = [len(item.ranges) for item in writer.packs]
    assert sum(sizes) == 9
    assert max(sizes) <= 3
    assert all(item.entry.size < 10_000 for item in writer.packs)
    assert len({part.pack for part in stream.ranges}) == len(writer.packs)


def test_nothing_written_makes_no_pack(tmp_path: Path) -> None:
    """A worker without work leaves nothing, and an abandoned pack neither."""
    store = LocalStore(tmp_path, "r")
    writer = PackWriter(store, order())
    writer.flush()
    assert writer.packs == []
    writer.begin("t", 0, ROWS)
    writer.write(b"1\n")
    writer.abandon()
    writer.abandon()
    assert list(store.list("db")) == []
    assert list((tmp_path / "tmp").iterdir()) == []
    assert Stream("t", ROWS, {}, ()).proof == NOTHING


@pytest.mark.parametrize("after", [False, True])
def test_a_write_that_fails_is_never_a_pack(tmp_path: Path, after: bool) -> None:
    """Whichever write into the spool fails, the last one too, the writer hears of it."""
    fail_at = 1
    while True:
        faulty = FaultyStore(LocalStore(tmp_path / str(fail_at), "r"), fail_at, after=after)
        writer = PackWriter(faulty, order())
        try:
            pack(writer, [os.urandom(100_000).hex().encode() + b"\n"])
        except StoreBroke:
            writer.abandon()
            assert writer.packs == []
        else:
            assert not faulty.broke
            break
        fail_at += 1
    assert fail_at > 4


LARGE = """
import resource, sys, pathlib
from dbops.crypto.age import Recipient
from dbops.repository.frames import Payload
from dbops.repository.packing import PackOrder, PackWriter
from dbops.stores.local import LocalStore
order = PackOrder("lab", 1, b"k" * 32, (Recipient(sys.argv[2]),))
writer = PackWriter(LocalStore(pathlib.Path(sys.argv[1]), "r"), order)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
writer.begin("t", 0, Payload.ROWS)
block = b"x" * (1 << 20)
for _ in range(100):
    writer.write(block)
writer.write(b"\\n")
writer.end()
writer.flush()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_row_of_100_mb_takes_little_memory(tmp_path: Path) -> None:
    """Sealing streams: the peak grows by a few buffers, in kB, and not by the row."""
    done = subprocess.run(
        [sys.executable, "-c", LARGE, tmp_path, IDENTITY.recipient.text],
        check=True,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert int(done.stdout) < 20_000
