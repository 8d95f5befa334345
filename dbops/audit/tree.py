"""The Merkle tree of RFC 9162 §2.1 (the same as RFC 6962's) over the ledger's lines; pure.

A tree of n leaves is split at the largest power of two below n, left and right again, down to the
leaves. Every part that does not lie at the right edge is therefore *perfect*: 2**level leaves,
beginning at a multiple of that, and its hash never changes again. Proofs are written in terms of
those, so they need nothing but a reader of hashes of perfect subtrees, `Nodes`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum
from hashlib import sha256
from typing import Final, NamedTuple, Protocol

HASH_SIZE: Final = 32  # bytes
EMPTY_ROOT: Final = sha256(b"").digest()

_LEAF: Final = b"\x00"
_NODE: Final = b"\x01"
_BATCH: Final = 8  # levels hashed at once by Frontier.extend: 256 leaves


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of one leaf: a line's bytes, without its newline."""
    return sha256(_LEAF + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of the node above `left` and `right`."""
    return sha256(_NODE + left + right).digest()


def perfect_root(hashes: Sequence[bytes]) -> bytes:
    """Return the hash above `hashes`, whose number is a power of two, one at least."""
    while len(hashes) > 1:
        hashes = parents(hashes)
    return hashes[0]


def parents(hashes: Iterable[bytes]) -> list[bytes]:
    """Return the hashes one level above `hashes`; a last one without a neighbour is left out."""
    pairs = iter(hashes)
    return [
        sha256(_NODE + left + right).digest() for left, right in zip(pairs, pairs, strict=False)
    ]


class Frontier:
    """A tree that only grows: its size and root, in the space of one hash a level.

    `peaks` are the roots of the perfect subtrees that `size` leaves are made of, the largest first.
    """

    __slots__ = ("_peaks", "_size")

    def __init__(self, peaks: Iterable[bytes] = (), size: int = 0) -> None:
        self._peaks = list(peaks)
        self._size = size
        if len(self._peaks) != size.bit_count():
            raise ValueError("a tree of that size has another number of peaks")

    @property
    def size(self) -> int:
        """The number of leaves."""
        return self._size

    def append(self, leaf: bytes) -> None:
        """Add the hash of one leaf at the end."""
        self._add(leaf, 0)

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Add many leaf hashes at the end: faster by far than one by one."""
        left = list(leaves)
        wide = 1 << _BATCH
        start = min(-self._size % wide, len(left))
        for leaf in left[:start]:
            self._add(leaf, 0)
        whole = start + (len(left) - start) // wide * wide
        for at in range(start, whole, wide):
            self._add(perfect_root(left[at : at + wide]), _BATCH)
        for leaf in left[whole:]:
            self._add(leaf, 0)

    def root(self) -> bytes:
        """Return the root of the tree as it is now."""
        return _fold(self._peaks)

    def copy(self) -> Frontier:
        """Return a frontier with the same leaves, which grows on its own."""
        return Frontier(self._peaks, self._size)

    def _add(self, peak: bytes, level: int) -> None:
        """Add a perfect subtree of 2**level leaves; the size is a multiple of that."""
        count = self._size >> level
        while count & 1:
            peak = sha256(_NODE + self._peaks.pop() + peak).digest()
            count >>= 1
        self._peaks.append(peak)
        self._size += 1 << level


class Nodes(Protocol):
    """Reads the hashes of perfect subtrees."""

    def range_hash(self, level: int, index: int) -> bytes:
        """Return the hash of the 2**level leaves that begin at leaf `index` * 2**level."""


def root_at(nodes: Nodes, size: int) -> bytes:
    """Return the root of the tree's first `size` leaves."""
    return _subtree(nodes, 0, size)


def frontier_at(nodes: Nodes, size: int) -> Frontier:
    """Return the frontier of the tree's first `size` leaves, to go on from there.

    Where its root is the one that was signed, everything that `nodes` gave for it is right: so a
    cache that may be wrong still leads to a right root, with leaf hashes from the lines after it.
    """
    return Frontier(_peaks(nodes, 0, size), size)


def inclusion_path(nodes: Nodes, index: int, size: int) -> tuple[bytes, ...]:
    """Return the proof that leaf `index` is in the tree of `size` leaves: RFC 9162 §2.1.3.1.

    From the leaf's neighbour upwards. Raises ValueError where there is no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError("the tree has no such leaf")
    return _siblings(nodes, _descend(index, size))


def consistency_path(nodes: Nodes, first: int, second: int) -> tuple[bytes, ...]:
    """Return the proof that the tree of `second` leaves begins with that of `first`: §2.1.4.1.

    The empty tree and the tree itself need no proof: their path is empty. Raises ValueError where
    `first` is the larger one.
    """
    if not 0 <= first <= second:
        raise ValueError("the earlier tree is larger than the later one")
    if first in {0, second}:
        return ()
    descent = _descend(first - 1, second, until=first)
    base = () if descent.begin == 0 else (_subtree(nodes, descent.begin, first),)
    return (*base, *_siblings(nodes, descent))


def check_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Return whether `path` proves the leaf hash `leaf` at `index` of the `size` leaves."""
    if not 0 <= index < size or not _are_hashes(leaf, root, *path):
        return False
    steps = _descend(index, size).steps
    if len(path) != len(steps):
        return False
    for (side, _begin, _end), sibling in zip(reversed(steps), path, strict=True):
        leaf = node_hash(sibling, leaf) if side is _Side.LEFT else node_hash(leaf, sibling)
    return leaf == root


def check_consistency(
    first: int, second: int, first_root: bytes, second_root: bytes, path: Sequence[bytes]
) -> bool:
    """Return whether `path` proves that the second tree begins with the whole first one."""
    if not 0 <= first <= second or not _are_hashes(first_root, second_root, *path):
        return False
    if first == 0 and first_root != EMPTY_ROOT:
        return False
    if first in {0, second}:
        return not path and (first != second or first_root == second_root)
    descent = _descend(first - 1, second, until=first)
    # A first tree that is a perfect subtree at the left edge is known already: its root.
    hashes = [first_root, *path] if descent.begin == 0 else list(path)
    if len(hashes) != len(descent.steps) + 1:
        return False
    earlier = later = hashes[0]
    for (side, _begin, _end), sibling in zip(reversed(descent.steps), hashes[1:], strict=True):
        if side is _Side.LEFT:
            earlier, later = node_hash(sibling, earlier), node_hash(sibling, later)
        else:
            later = node_hash(later, sibling)
    return earlier == first_root and later == second_root


class _Side(Enum):
    """Where a neighbour stands."""

    LEFT = 1
    RIGHT = 2


class _Descent(NamedTuple):
    """A way down from the root: the neighbours passed, topmost first, and where it ended.

    A neighbour is its side, its first leaf and the leaf after its last; the way ended at the
    subtree that begins with leaf `begin`.
    """

    steps: list[tuple[_Side, int, int]]
    begin: int


def _descend(index: int, size: int, until: int | None = None) -> _Descent:
    """Go down to leaf `index`, or to the first subtree on the way that ends before leaf `until`."""
    steps: list[tuple[_Side, int, int]] = []
    begin, end = 0, size
    while end - begin > 1 and end != until:
        middle = begin + _split(end - begin)
        if index < middle:
            steps.append((_Side.RIGHT, middle, end))
            end = middle
        else:
            steps.append((_Side.LEFT, begin, middle))
            begin = middle
    return _Descent(steps, begin)


def _siblings(nodes: Nodes, descent: _Descent) -> tuple[bytes, ...]:
    return tuple(_subtree(nodes, begin, end) for _side, begin, end in reversed(descent.steps))


def _subtree(nodes: Nodes, begin: int, end: int) -> bytes:
    """Return the root over leaves `begin` to `end`, a part that the splitting of a tree makes."""
    return _fold(_peaks(nodes, begin, end))


def _peaks(nodes: Nodes, begin: int, end: int) -> list[bytes]:
    """Return the roots of the perfect subtrees that make up such a part, the largest first."""
    peaks = []
    while begin < end:
        level = (end - begin).bit_length() - 1
        peaks.append(nodes.range_hash(level, begin >> level))
        begin += 1 << level
    return peaks


def _split(size: int) -> int:
    """Return the largest power of two below `size`, which is two at least."""
    return 1 << (size - 1).bit_length() - 1


def _fold(peaks: Sequence[bytes]) -> bytes:
    """Return the root above perfect subtrees that get smaller and smaller."""
    if not peaks:
        return EMPTY_ROOT
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = node_hash(peak, root)
    return root


def _are_hashes(*values: bytes) -> bool:
    return all(len(value) == HASH_SIZE for value in values)
