"""The tree: the same roots and proofs as RFC 9162 defines, and no other proof accepted."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbops.audit.tree import (
    EMPTY_ROOT,
    Frontier,
    check_consistency,
    check_inclusion,
    consistency_path,
    frontier_at,
    inclusion_path,
    leaf_hash,
    perfect_root,
    root_at,
)
from tests.audit import rfc9162

MOST = 70
LINES = [f'{{"seq":{number}}}'.encode() for number in range(MOST)]
LEAVES = [leaf_hash(line) for line in LINES]
ROOTS = [rfc9162.mth(LINES[:size]) for size in range(MOST + 1)]

# The reference tree of Certificate Transparency: transparency-dev/merkle, testonly/constants.go.
CT_LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657"]
CT_LEAVES += ["606162636465666768696a6b6c6d6e6f"]
CT_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
CT_PROOF_6_8 = [
    "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
]


class Leaves:
    """Nodes over a list of leaf hashes in memory."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self._leaves = leaves

    def range_hash(self, level: int, index: int) -> bytes:
        """The hash of one perfect subtree, all of which must be there."""
        part = self._leaves[index << level : (index + 1) << level]
        assert len(part) == 1 << level
        return perfect_root(part)


NODES = Leaves(LEAVES)


def grown(leaves: Sequence[bytes]) -> Frontier:
    """A frontier to which the leaves were added one by one."""
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    return frontier


def altered(value: bytes) -> bytes:
    """The same bytes but for one bit."""
    return bytes([value[0] ^ 1]) + value[1:]


@pytest.mark.parametrize("size", range(9))
def test_the_reference_tree(size: int) -> None:
    """The published roots of Certificate Transparency's reference tree come out."""
    leaves = [leaf_hash(bytes.fromhex(text)) for text in CT_LEAVES[:size]]
    expected = bytes.fromhex(CT_ROOTS[size])
    assert grown(leaves).root() == root_at(Leaves(leaves), size) == expected
    assert rfc9162.mth([bytes.fromhex(text) for text in CT_LEAVES[:size]]) == expected


def test_the_reference_consistency_proof() -> None:
    """The published proof that the reference tree of 8 leaves begins with that of 6 comes out."""
    leaves = [leaf_hash(bytes.fromhex(text)) for text in CT_LEAVES]
    path = consistency_path(Leaves(leaves), 6, 8)
    assert [step.hex() for step in path] == CT_PROOF_6_8


def test_the_empty_tree_has_the_root_of_nothing() -> None:
    """A tree without leaves has the hash of no bytes as its root."""
    assert Frontier().root() == root_at(NODES, 0) == EMPTY_ROOT == ROOTS[0]


def test_every_root_is_that_of_the_rfc() -> None:
    """Frontier, nodes and the recursive definition agree on every size."""
    for size in range(MOST + 1):
        frontier = grown(LEAVES[:size])
        assert frontier.size == size
        assert frontier.root() == root_at(NODES, size) == ROOTS[size]


def test_every_inclusion_path_is_that_of_the_rfc() -> None:
    """Each leaf of each tree has the path of §2.1.3.1, and both verifiers take it."""
    for size in range(1, MOST + 1):
        for index in range(size):
            path = inclusion_path(NODES, index, size)
            assert list(path) == rfc9162.path(index, LINES[:size])
            assert check_inclusion(LEAVES[index], index, size, path, ROOTS[size])
            assert rfc9162.verify_inclusion(LEAVES[index], index, size, path, ROOTS[size])


def test_every_consistency_path_is_that_of_the_rfc() -> None:
    """Each pair of trees has the path of §2.1.4.1, and both verifiers take it."""
    for second in range(1, MOST + 1):
        for first in range(1, second):
            path = consistency_path(NODES, first, second)
            assert list(path) == rfc9162.proof(first, LINES[:second])
            assert check_consistency(first, second, ROOTS[first], ROOTS[second], path)
            assert rfc9162.verify_consistency(first, second, ROOTS[first], ROOTS[second], path)


@given(st.data(), st.integers(1, MOST))
def test_an_altered_inclusion_proof_is_refused(data: st.DataObject, size: int) -> None:
    """Another leaf, root, index, size or step, one step more or less: each is noticed."""
    index = data.draw(st.integers(0, size - 1))
    leaf, path, root = LEAVES[index], inclusion_path(NODES, index, size), ROOTS[size]
    assert not check_inclusion(altered(leaf), index, size, path, root)
    assert not check_inclusion(leaf, index, size, path, altered(root))
    assert not check_inclusion(leaf, index, size, (*path, root), root)
    for other in set(range(-1, size + 1)) - {index}:
        assert not check_inclusion(leaf, other, size, path, root)
    for at, step in enumerate(path):
        assert not check_inclusion(
            leaf, index, size, (*path[:at], altered(step), *path[at + 1 :]), root
        )
        assert not check_inclusion(leaf, index, size, path[:at] + path[at + 1 :], root)


@given(st.data(), st.integers(2, MOST))
def test_an_altered_consistency_proof_is_refused(data: st.DataObject, second: int) -> None:
    """Another root, step, one step more or less, trees the wrong way round: each is noticed."""
    first = data.draw(st.integers(1, second - 1))
    path, roots = consistency_path(NODES, first, second), (ROOTS[first], ROOTS[second])
    assert not check_consistency(first, second, altered(roots[0]), roots[1], path)
    assert not check_consistency(first, second, roots[0], altered(roots[1]), path)
    assert not check_consistency(first, second, *roots, (*path, roots[0]))
    assert not check_consistency(second, first, roots[1], roots[0], path)
    for at, step in enumerate(path):
        forged = (*path[:at], altered(step), *path[at + 1 :])
        assert not check_consistency(first, second, *roots, forged)
        assert not check_consistency(first, second, *roots, path[:at] + path[at + 1 :])


def test_consistency_of_trees_that_need_no_proof() -> None:
    """The empty tree begins every tree, and a tree itself; other roots and idle steps do not."""
    for size in (0, 1, 7, 8):
        assert consistency_path(NODES, 0, size) == consistency_path(NODES, size, size) == ()
        assert check_consistency(0, size, EMPTY_ROOT, ROOTS[size], ())
        assert check_consistency(size, size, ROOTS[size], ROOTS[size], ())
        assert not check_consistency(0, size, ROOTS[1], ROOTS[size], ())
        assert not check_consistency(0, size, EMPTY_ROOT, ROOTS[size], (ROOTS[1],))
        assert not check_consistency(size, size, ROOTS[size], altered(ROOTS[size]), ())
    assert not check_consistency(0, 0, ROOTS[1], ROOTS[1], ())
    assert not check_consistency(-1, 3, EMPTY_ROOT, ROOTS[3], ())


def test_hashes_of_another_length_prove_nothing() -> None:
    """Moving a byte from one hash to the next would hash the same; lengths are checked."""
    path, root = inclusion_path(NODES, 0, 2), ROOTS[2]
    assert check_inclusion(LEAVES[0], 0, 2, path, root)
    moved = LEAVES[0] + path[0][:1], path[0][1:]
    assert not check_inclusion(moved[0], 0, 2, moved[1:], root)
    assert not check_consistency(1, 2, LEAVES[0] + path[0][:1], root, moved[1:])


@given(st.lists(st.integers(0, 700), min_size=1, max_size=4))
def test_leaves_added_in_any_batches_make_the_same_tree(batches: list[int]) -> None:
    """Many at once, or one by one, is the same; copies go their own way."""
    leaves = [leaf_hash(bytes(str(number), "ascii")) for number in range(sum(batches))]
    frontier, at = Frontier(), 0
    for batch in batches:
        before = frontier.copy()
        frontier.extend(iter(leaves[at : at + batch]))
        assert before.size == at
        at += batch
    assert frontier.size == at
    assert frontier.root() == grown(leaves).root()


@given(st.integers(0, MOST), st.integers(0, MOST))
def test_a_frontier_is_taken_up_again(size: int, until: int) -> None:
    """From the nodes of an earlier tree and the leaves after it comes the root of the later one."""
    frontier = frontier_at(NODES, size)
    assert frontier.root() == ROOTS[size]
    frontier.extend(LEAVES[size : max(size, until)])
    assert frontier.root() == ROOTS[max(size, until)]


def test_what_is_no_proof_cannot_be_asked_for() -> None:
    """A leaf behind the end, an earlier tree that is larger, peaks that do not fit: ValueError."""
    with pytest.raises(ValueError, match="no such leaf"):
        inclusion_path(NODES, 3, 3)
    with pytest.raises(ValueError, match="larger"):
        consistency_path(NODES, 4, 3)
    with pytest.raises(ValueError, match="peaks"):
        Frontier([ROOTS[1]], 3)
