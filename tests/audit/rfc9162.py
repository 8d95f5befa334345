"""RFC 9162 §2.1, written from its text alone: what an independent reader of a ledger would have.

Nothing of dbops is imported here. Slow on purpose: the definitions, as they stand there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def _hash(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _k(n: int) -> int:
    """§2.1.1: the largest power of two smaller than n."""
    k = 1
    while 2 * k < n:
        k = 2 * k
    return k


def mth(entries: Sequence[bytes]) -> bytes:
    """§2.1.1: the Merkle Tree Hash of a list of entries."""
    n = len(entries)
    if n == 0:
        return _hash(b"")
    if n == 1:
        return _hash(b"\x00" + entries[0])
    k = _k(n)
    return _hash(b"\x01" + mth(entries[:k]) + mth(entries[k:]))


def path(m: int, entries: Sequence[bytes]) -> list[bytes]:
    """§2.1.3.1: the inclusion proof PATH(m, D_n)."""
    n = len(entries)
    if n == 1:
        return []
    k = _k(n)
    if m < k:
        return [*path(m, entries[:k]), mth(entries[k:])]
    return [*path(m - k, entries[k:]), mth(entries[:k])]


def proof(m: int, entries: Sequence[bytes]) -> list[bytes]:
    """§2.1.4.1: the consistency proof PROOF(m, D_n) for 0 < m < n."""
    return _subproof(m, entries, known=True)


def _subproof(m: int, entries: Sequence[bytes], *, known: bool) -> list[bytes]:
    n = len(entries)
    if m == n:
        return [] if known else [mth(entries)]
    k = _k(n)
    if m <= k:
        return [*_subproof(m, entries[:k], known=known), mth(entries[k:])]
    return [*_subproof(m - k, entries[k:], known=False), mth(entries[:k])]


def verify_inclusion(
    hash_: bytes, leaf_index: int, tree_size: int, inclusion_path: Sequence[bytes], root: bytes
) -> bool:
    """§2.1.3.2: whether the proof shows the leaf hash in the tree with that root."""
    if leaf_index >= tree_size:
        return False
    fn, sn = leaf_index, tree_size - 1
    r = hash_
    for p in inclusion_path:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            r = _hash(b"\x01" + p + r)
            if not fn & 1:
                while not (fn & 1 or fn == 0):
                    fn, sn = fn >> 1, sn >> 1
        else:
            r = _hash(b"\x01" + r + p)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and r == root


def verify_consistency(
    first: int,
    second: int,
    first_hash: bytes,
    second_hash: bytes,
    consistency_path: Sequence[bytes],
) -> bool:
    """§2.1.4.2: whether the proof shows the first tree at the beginning of the second."""
    if not consistency_path:
        return False
    values = list(consistency_path)
    if first & (first - 1) == 0:
        values.insert(0, first_hash)
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = values[0]
    for c in values[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = _hash(b"\x01" + c + fr), _hash(b"\x01" + c + sr)
            if not fn & 1:
                while not (fn & 1 or fn == 0):
                    fn, sn = fn >> 1, sn >> 1
        else:
            sr = _hash(b"\x01" + sr + c)
        fn, sn = fn >> 1, sn >> 1
    return fr == first_hash and sr == second_hash and sn == 0
