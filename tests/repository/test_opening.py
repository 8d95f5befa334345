"""Reading ranges: forward, checked, and refused where the pack holds anything else."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard

from dbops.crypto.age import Identity, SealingWriter
from dbops.errors import DbopsError, Failed, NoIdentity, Refused
from dbops.repository.check import check_readable
from dbops.repository.frames import SKIPPABLE, Description, Payload, describe
from dbops.repository.layout import pack_name
from dbops.repository.manifest import Envelope, PackEntry
from dbops.repository.opening import RangeReader, pack_order, read_sealed
from dbops.repository.packing import HashingSpool
from dbops.repository.ranges import Proof, RangeDigest, StoredRange, Stream
from dbops.stores.local import LocalStore
from tests.support.estate import (
    BuiltEstate,
    contents_of,
    found_test_estate,
    ignore_progress,
    take_backup,
)
from tests.support.memory_engine import MemoryEngine

KEY = b"k" * 32
IDENTITY = Identity.generate()
OTHER = Identity.generate()
ROWS = b"1\tA\n2\tB\n"


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path, "r")


def seal(store: LocalStore, plain: bytes, database: str = "lab") -> str:
    """A pack made by hand; returns its name in the catalogue."""
    spool = HashingSpool(store.spool())
    with SealingWriter(spool, [IDENTITY.recipient]) as sealer:
        sealer.write(plain)
    store.put(pack_name(database, spool.sha256), spool.spool)
    return spool.sha256


def frame(
    rows: bytes = ROWS,
    *,
    payload: Payload = Payload.ROWS,
    database: str = "lab",
    stream: str = "t",
    index: int = 0,
    compressed: bytes | None = None,
) -> bytes:
    about = describe(Description(1, payload, database, 1, stream, index))
    return about + (zstandard.compress(rows) if compressed is None else compressed)


def stored(pack: str, length: int, offset: int = 0, rows: bytes = ROWS) -> StoredRange:
    digest = RangeDigest(KEY, Payload.ROWS)
    digest.feed(rows)
    whole, proof = digest.finish()
    return StoredRange(0, pack, offset, length, whole, proof)


def read(store: LocalStore, part: StoredRange, identity: Identity = IDENTITY) -> bytes:
    reader = RangeReader(store, "lab", KEY, (identity,))
    try:
        return b"".join(reader.read_range(Stream("t", Payload.ROWS, {}, (part,)), part))
    finally:
        reader.close()


def error(store: LocalStore, part: StoredRange, identity: Identity = IDENTITY) -> DbopsError:
    with pytest.raises(DbopsError) as caught:
        read(store, part, identity)
    return caught.value


def test_a_range_made_by_hand_is_read(store: LocalStore) -> None:
    """The format is what FORMAT.md says, and not only what the writer writes."""
    plain = frame()
    assert read(store, stored(seal(store, plain), len(plain))) == ROWS
    plain = frame(stream="u") + frame()
    part = stored(seal(store, plain), len(frame()), len(frame(stream="u")))
    assert read(store, part) == ROWS


@pytest.mark.parametrize(
    "change",
    [{"index": 1}, {"stream": "u"}, {"database": "blood-bank"}, {"payload": Payload.OPAQUE}],
)
def test_a_range_that_describes_itself_otherwise_is_named(
    store: LocalStore, change: dict[str, int | str | Payload]
) -> None:
    """A swapped range, or one of another stream or database, is not taken for this one."""
    plain = frame(**change)  # type: ignore[arg-type]  # one keyword of several types
    pack = seal(store, plain)
    failure = error(store, stored(pack, len(plain)))
    assert isinstance(failure, Failed)
    assert failure.code == "range-damaged"
    assert failure.message == (
        f"range 0 of t in pack {pack[:16]} is damaged: the pack describes another range there"
    )


def test_a_delta_is_refused_by_name(store: LocalStore) -> None:
    """A vector of a later version, made by hand."""
    body = {
        "format": 1,
        "payload": "delta",
        "database": "lab",
        "sequence": 2,
        "stream": "t",
        "range": 0,
    }
    text = json.dumps(body).encode()
    plain = struct.pack("<II", SKIPPABLE, len(text)) + text + zstandard.compress(b"-1\n+2\n")
    pack = seal(store, plain)
    failure = error(store, stored(pack, len(plain)))
    assert isinstance(failure, Refused)
    assert failure.message == (
        f"range 0 of t in pack {pack[:16]} holds a delta payload,"
        " which this version of dbops cannot read"
    )


@pytest.mark.parametrize(
    ("compressed", "reason"),
    [
        (zstandard.compress(b"1\tA\n2\tC\n"), "its digest differs from the catalogue's"),
        (zstandard.compress(ROWS + ROWS), "its digest differs from the catalogue's"),
        (zstandard.compress(b""), "its digest differs from the catalogue's"),
        (zstandard.compress(ROWS)[:-2], "its digest differs from the catalogue's"),
        (b"no frame at all", "it does not decompress"),
        (zstandard.compress(ROWS) + b"more", "its frame ends early"),
    ],
)
def test_a_frame_that_holds_other_bytes_is_named(
    store: LocalStore, compressed: bytes, reason: str
) -> None:
    """Other rows, none, cut ones, no frame, and bytes that nobody accounts for."""
    plain = frame(compressed=compressed)
    pack = seal(store, plain)
    failure = error(store, stored(pack, len(plain)))
    assert failure.message in {
        f"range 0 of t in pack {pack[:16]} is damaged: {reason}",
        f"range 0 of t in pack {pack[:16]} is damaged: it does not decompress",
    }


@pytest.mark.parametrize("length", [-1, 0, 5, 60, 10_000])
@pytest.mark.parametrize("offset", [-1, 0, 3, 10_000])
def test_a_place_that_is_wrong_is_an_error_of_ours(
    store: LocalStore, offset: int, length: int
) -> None:
    """Whatever offsets and lengths a catalogue names, nothing else than DbopsError comes out."""
    pack = seal(store, frame())
    assert "pack" in error(store, stored(pack, length, offset)).message


def test_a_missing_pack_and_a_wrong_key_are_told_apart(store: LocalStore) -> None:
    """The one is damage, the other is not."""
    plain = frame()
    pack = seal(store, plain)
    assert isinstance(error(store, stored(pack, len(plain)), OTHER), NoIdentity)
    name = pack_name("lab", "ab" * 32)
    assert error(store, stored("ab" * 32, 10)).message == f"{name} is missing from r"


def test_packs_are_read_in_their_order() -> None:
    """Streams come as their first ranges lie in the packs; empty ones are left out."""

    def stream(name: str, pack: str, offset: int) -> Stream:
        part = StoredRange(0, pack, offset, 1, "", Proof(0, 0, "0"))
        return Stream(name, Payload.ROWS, {}, (part,))

    streams = [stream("a", "p2", 0), stream("b", "p1", 9), stream("c", "p1", 2)]
    empty = Stream("d", Payload.ROWS, {}, ())
    assert [item.name for item in pack_order([*streams, empty], ["p1", "p2"])] == ["c", "b", "a"]


def test_a_sealed_text_is_read_line_by_line(store: LocalStore) -> None:
    """Lines of any length, whole, and an end that is missing is named."""
    name = pack_name("lab", seal(store, zstandard.compress(b"one\n" + b"x" * 700_000 + b"\n")))
    assert [len(line) for line in read_sealed(store, name, [IDENTITY], "x")] == [3, 700_000]
    name = pack_name("lab", seal(store, zstandard.compress(b"one\ntwo")))
    with pytest.raises(Failed, match="its last line has no end"):
        list(read_sealed(store, name, [IDENTITY], "x"))
    name = pack_name("lab", seal(store, b"not compressed"))
    with pytest.raises(Failed, match="it does not decompress"):
        list(read_sealed(store, name, [IDENTITY], "x"))


def test_a_frame_of_an_earlier_backup_is_read_and_checked(tmp_path: Path) -> None:
    """A later manifest may refer to it: the pack is named as not its own, and is not copied."""
    estate = found_test_estate(tmp_path / "estate")
    rows = {"t": (b"1\tA", b"2\tB")}
    take_backup(estate, engine=MemoryEngine(dict(rows)))
    first = contents_of(estate)
    later = refer_to(estate)
    reader = RangeReader(estate.store, "example", first.catalogue.key, first.identities)
    (stream,) = first.catalogue.streams
    assert b"".join(reader.read_stream(stream)) == b"1\tA\n2\tB\n"
    assert check_readable(reader, later, first.catalogue, (), ignore_progress) == ()
    unnamed = replace(later, packs=())
    damages = check_readable(reader, unnamed, first.catalogue, (), ignore_progress)
    reader.close()
    pack = first.envelope.packs[0].sha256[:16]
    assert [str(damage) for damage in damages] == [
        f"pack {pack} of example@2: the envelope does not name it"
    ]


def refer_to(estate: BuiltEstate) -> Envelope:
    """The envelope of a second backup whose only pack is the first one's."""
    first = estate.newest().envelope
    packs = tuple(PackEntry(pack.sha256, pack.size, own=False) for pack in first.packs)
    return replace(first, sequence=2, packs=packs)
