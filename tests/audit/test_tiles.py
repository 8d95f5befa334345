"""The tile cache: whatever happened to its files, it gives the tree's hashes or says it cannot."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbops.audit.tiles import LEVELS, Tiles
from dbops.audit.tree import (
    EMPTY_ROOT,
    Frontier,
    check_inclusion,
    consistency_path,
    inclusion_path,
    leaf_hash,
    root_at,
)
from dbops.errors import Failed
from tests.audit import rfc9162

LINES = [str(number).encode("ascii") for number in range(5000)]
LEAVES = [leaf_hash(line) for line in LINES]

APPENDER = """
import fcntl, os, sys
from pathlib import Path
from dbops.audit.tiles import Tiles
from dbops.audit.tree import leaf_hash
place, most = Path(sys.argv[1]), int(sys.argv[2])
lock = os.open(place / "lock", os.O_RDWR | os.O_CREAT)
size = 0
while size < most:
    fcntl.flock(lock, fcntl.LOCK_EX)
    tiles = Tiles(place)
    size = tiles.size
    if size < most:
        tiles.append(leaf_hash(str(size).encode("ascii")))
    fcntl.flock(lock, fcntl.LOCK_UN)
"""

LIMITED = """
import resource, sys
from pathlib import Path
from dbops.audit.tiles import Tiles
from dbops.audit.tree import leaf_hash
from dbops.errors import Failed
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    Tiles(Path(sys.argv[1])).extend(leaf_hash(str(n).encode("ascii")) for n in range(100))
except Failed as fault:
    print(fault.code, fault.message)
"""


def root_of(size: int) -> bytes:
    """The root of the first lines."""
    frontier = Frontier()
    frontier.extend(LEAVES[:size])
    return frontier.root()


def made(directory: Path, size: int) -> Tiles:
    """A cache of the first leaves."""
    tiles = Tiles(directory)
    tiles.extend(LEAVES[:size])
    return tiles


def failure(tiles: Tiles, level: int, index: int) -> Failed:
    """How the cache says that a hash cannot be had."""
    with pytest.raises(Failed) as caught:
        tiles.range_hash(level, index)
    return caught.value


def test_an_absent_cache_is_empty(tmp_path: Path) -> None:
    """Without files there are no leaves, and nothing is made by looking."""
    tiles = Tiles(tmp_path)
    assert tiles.size == 0
    assert root_at(tiles, 0) == EMPTY_ROOT
    assert not (tmp_path / "tile").exists()


def test_appending_gives_the_tree_of_the_rfc(tmp_path: Path) -> None:
    """After each append: size, root, the new leaf and its proof are right."""
    tiles = Tiles(tmp_path)
    for size in range(1, 300):
        tiles.append(LEAVES[size - 1])
        assert tiles.size == size
        assert tiles.leaf(size - 1) == LEAVES[size - 1]
        assert root_at(tiles, size) == rfc9162.mth(LINES[:size])
    path = inclusion_path(tiles, 77, 299)
    assert list(path) == rfc9162.path(77, LINES[:299])


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 1200), min_size=1, max_size=4))
def test_batches_and_single_appends_make_the_same_files(
    tmp_path_factory: pytest.TempPathFactory, batches: list[int]
) -> None:
    """However the leaves came, the files are the same, and so are those of a rebuild."""
    place = tmp_path_factory.mktemp("tiles")
    grown, at = Tiles(place / "grown"), 0
    for batch in batches:
        grown.extend(LEAVES[at : at + batch])
        at += batch
    made(place / "once", at)
    Tiles(place / "rebuilt").rebuild(iter(LEAVES[:at]))
    files = [
        {path.name: path.read_bytes() for path in (place / name / "tile").glob("*")}
        for name in ("grown", "once", "rebuilt")
    ]
    assert files[0] == files[1] == files[2]
    assert root_at(grown, at) == root_of(at)


def test_every_perfect_subtree_is_right(tmp_path: Path) -> None:
    """Each level's hashes, stored or computed, are the roots of the lines below them."""
    tiles = made(tmp_path, 4500)
    for level in range(13):
        for index in {0, 1, (4500 >> level) - 1} & set(range(4500 >> level)):
            part = LINES[index << level : (index + 1) << level]
            assert tiles.range_hash(level, index) == rfc9162.mth(part)


@settings(deadline=None, max_examples=60)
@given(st.data(), st.integers(0, 1500))
def test_files_of_any_length_are_noticed_and_mended(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, size: int
) -> None:
    """Torn, cut or lengthened files: only what all still hold counts, and the rest is replaced."""
    place = tmp_path_factory.mktemp("tiles")
    tiles = made(place, size)
    lengths = {level: (size >> level) * 32 for level in LEVELS}
    for level in LEVELS[:4]:
        change = data.draw(st.integers(-200, 200))
        lengths[level] = max(0, lengths[level] + change)
        with (place / "tile" / str(level)).open("ab") as file:
            file.write(b"\xaa" * 200)
            file.truncate(lengths[level])
    agreed = tiles.size
    for level, length in lengths.items():
        assert agreed >> level <= length // 32
    assert any((agreed + 1) >> level > length // 32 for level, length in lengths.items())
    kept = min(agreed, size)
    assert [tiles.leaf(index) for index in range(kept)] == LEAVES[:kept]
    if agreed <= size:
        tiles.extend(LEAVES[agreed : size + 20])
        assert tiles.size == size + 20
        assert root_at(tiles, size + 20) == root_of(size + 20)


def test_a_hash_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Asking behind the end says what is missing and what to do."""
    tiles = made(tmp_path, 20)
    fault = failure(tiles, 0, 20)
    assert (fault.code, fault.message) == (
        "ledger-tiles-short",
        "the ledger's tile cache has no hash 20 at level 0",
    )
    assert fault.hint == "have it rebuilt: dbops audit verify"
    assert failure(tiles, 4, 1).code == failure(tiles, 9, 0).code == "ledger-tiles-short"


def test_a_rebuild_that_fails_leaves_the_cache_as_it_was(tmp_path: Path) -> None:
    """While the leaves are still coming, nothing is replaced; the next rebuild clears up."""
    tiles = made(tmp_path, 300)

    def breaking() -> Iterator[bytes]:
        yield from LEAVES[:200]
        raise Failed("ledger-damaged", "the ledger is damaged", hint="dbops audit verify")

    with pytest.raises(Failed, match="the ledger is damaged"):
        tiles.rebuild(breaking())
    assert (tiles.size, root_at(tiles, 300)) == (300, root_of(300))
    tiles.rebuild(LEAVES[:40])
    assert (tiles.size, root_at(tiles, 40)) == (40, root_of(40))
    assert sorted(path.name for path in (tmp_path / "tile").iterdir()) == ["0", "4"]


def test_a_rebuild_that_died_counts_as_no_cache(tmp_path: Path) -> None:
    """Between old and new there is no level 0, so the two are never taken for one tree."""
    tiles = made(tmp_path, 300)
    made(tmp_path / "tile" / "rebuild", 100)
    (tmp_path / "tile" / "0").unlink()
    assert tiles.size == 0
    tiles.extend(LEAVES[:100])
    assert root_at(tiles, 100) == root_of(100)


def test_a_hash_of_another_length_is_never_written(tmp_path: Path) -> None:
    """A leaf that is not 32 bytes would shift all after it: ValueError, and nothing changes."""
    tiles = made(tmp_path, 3)
    with pytest.raises(ValueError, match="32 bytes"):
        tiles.append(LEAVES[3].hex().encode("ascii"))
    assert tiles.size == 3


def test_a_link_in_place_of_a_file_is_not_followed(tmp_path: Path) -> None:
    """Neither reading nor writing nor mending goes through a symbolic link."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"x" * 100)
    (tmp_path / "tile").mkdir()
    (tmp_path / "tile" / "0").symlink_to(victim)
    tiles = Tiles(tmp_path)
    assert failure(tiles, 0, 0).code == "ledger-tiles-unreadable"
    with pytest.raises(Failed, match=r"the ledger's tile cache cannot be written \(ELOOP\)"):
        tiles.append(LEAVES[0])
    assert victim.read_bytes() == b"x" * 100


def test_a_disk_that_takes_only_a_part_is_said_and_mended(tmp_path: Path) -> None:
    """A write cut short (here by a file size limit) fails by name; the next extend mends it."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)], capture_output=True, text=True, check=True
    )
    code, _space, message = done.stdout.strip().partition(" ")
    assert code == "ledger-tiles-unwritable"
    assert message.startswith("the ledger's tile cache cannot be written (E")
    tiles = Tiles(tmp_path)
    assert (tmp_path / "tile" / "0").stat().st_size == 1000
    assert tiles.size == 1000 // 32
    tiles.extend(LEAVES[tiles.size : 100])
    assert root_at(tiles, 100) == root_of(100)


def test_processes_that_take_turns_and_are_killed_make_one_tree(tmp_path: Path) -> None:
    """Four processes append under a lock and die by kill -9 at random: no hash is lost or wrong."""
    most, choose = 3000, random.Random(20261122)
    command = [sys.executable, "-c", APPENDER, str(tmp_path), str(most)]
    tiles, running, killed = Tiles(tmp_path), [], 0
    until = time.monotonic() + 60
    try:
        running = [subprocess.Popen(command) for _ in range(4)]
        while tiles.size < most and time.monotonic() < until:
            before = tiles.size
            while tiles.size < min(before + choose.randrange(100, 300), most):
                assert time.monotonic() < until, "the appenders do not get on"
            victim = running.pop(choose.randrange(len(running)))
            victim.kill()
            killed += victim.wait(timeout=10) == -9
            assert tiles.size >= before
            running.append(subprocess.Popen(command))
        assert [child.wait(timeout=30) for child in running] == [0] * 4
    finally:
        for child in running:
            child.kill()
            child.wait(timeout=10)
    assert killed >= 5
    assert tiles.size == most
    assert [tiles.leaf(index) for index in range(most)] == LEAVES[:most]
    assert root_at(tiles, most) == root_of(most)


def test_proofs_from_the_files_prove(tmp_path: Path) -> None:
    """Paths read from the cache are those of the RFC, at sizes that are no round number."""
    tiles = made(tmp_path, 4111)
    root = root_of(4111)
    for index in (0, 255, 256, 4095, 4096, 4110):
        path = inclusion_path(tiles, index, 4111)
        assert check_inclusion(LEAVES[index], index, 4111, path, root)
        assert rfc9162.verify_inclusion(LEAVES[index], index, 4111, path, root)
    for first in (1, 256, 300, 4096, 4110):
        steps = consistency_path(tiles, first, 4111)
        assert rfc9162.verify_consistency(first, 4111, root_of(first), root, steps)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    """A directory where a file belongs is said by its error's name and the command to look."""
    (tmp_path / "tile" / "0").mkdir(parents=True)
    fault = failure(Tiles(tmp_path), 0, 0)
    assert (fault.code, fault.message) == (
        "ledger-tiles-unreadable",
        "the ledger's tile cache cannot be read (EISDIR)",
    )
    assert fault.hint == f"look at the directory: ls -l {tmp_path}/tile"
