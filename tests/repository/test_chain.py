"""What manifests, tombstones and the remembered head say together."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbops.repository.chain import Backup, Head, check_chain, newest_link
from dbops.repository.layout import digest
from dbops.repository.manifest import CatalogueEntry, Envelope, Totals
from dbops.repository.records import Certificate, ProofLevel, Tombstone

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def sha(number: int) -> str:
    return digest(str(number).encode())


def backup(number: int, predecessor: str | None = None) -> Backup:
    before = predecessor or (sha(number - 1) if number > 1 else None)
    envelope = Envelope(
        format="dbops-manifest/1",
        repository="r",
        database="lab",
        engine="sqlite",
        identity="sqlite:0:lab",
        server="SQLite 3",
        sequence=number,
        predecessor=before,
        generation=1,
        witness=False,
        started=NOW,
        snapshot=NOW,
        finished=NOW,
        host="backup-1",
        tool="dbops",
        recipients=sha(0),
        sealed_to=(),
        catalogue=CatalogueEntry(sha(0), 1),
        packs=(),
        totals=Totals(0, 0, 0, 0, 0, 0),
    )
    return Backup(envelope, sha(number), f"manifest {number}", "writer")


def stone(number: int, manifest: str | None = None) -> Tombstone:
    return Tombstone(
        "dbops-tombstone/1", "r", "lab", number, manifest or sha(number), None, NOW, "expired"
    )


def faults(
    numbers: list[int], stones: list[int] | None = None, head: Head | None = None
) -> list[str]:
    found = check_chain("lab", map(backup, numbers), map(stone, stones or []), head)
    return [str(damage) for damage in found]


@given(st.integers(0, 6), st.sets(st.integers(1, 6)), st.sets(st.integers(1, 6)))
def test_a_chain_is_whole_exactly_when_nothing_is_missing(
    length: int, marked: set[int], gone: set[int]
) -> None:
    """Numbers that expired lawfully may go; every other one that is gone is reported, once."""
    every = range(1, length + 1)
    stones = sorted(marked & set(every))
    kept = [number for number in every if number not in gone]
    found = faults(kept, stones, Head(length, sha(length)) if length else None)
    dropped = {number for number in every if number in gone and number not in stones}
    assert {fault.partition(":")[0] for fault in found} >= (
        {f"lab@{length}"} if length in dropped else set()
    )
    links = set(kept) | set(stones)
    inner = {number for number in dropped if number < max(links, default=0)}
    assert {f"lab@{number}" for number in inner} <= {fault.partition(":")[0] for fault in found}
    assert bool(found) is bool(dropped)


def test_a_dropped_backup_is_named() -> None:
    """A gap that no tombstone explains."""
    assert faults([1, 3]) == ["lab@2: its manifest is missing and no tombstone says why"]
    assert faults([1, 3], [2]) == []
    assert faults([3]) == [
        "lab@1: its manifest is missing and no tombstone says why",
        "lab@2: its manifest is missing and no tombstone says why",
    ]


def test_a_dropped_end_is_seen_against_the_remembered_head() -> None:
    """The repository alone cannot show that its newest backup was taken away."""
    assert faults([1, 2]) == []
    assert faults([1, 2], head=Head(3, sha(3))) == [
        "lab@3: this host has seen it, and the repository no longer holds it"
    ]
    assert faults([], head=Head(1, sha(1))) == [
        "lab@1: this host has seen it, and the repository no longer holds it"
    ]


def test_a_replaced_end_is_seen_against_the_remembered_head() -> None:
    """The same number with other bytes is another history."""
    assert faults([1, 2], head=Head(2, sha(99))) == [
        "lab@2: this host has seen another manifest of this number"
    ]
    assert faults([1, 2, 3], head=Head(2, sha(99))) == [
        "lab@2: this host has seen another manifest of this number"
    ]


def test_a_head_that_lags_behind_is_no_fault() -> None:
    """Another host may have gone on; a tombstone stands in for an expired head."""
    assert faults([1, 2, 3], head=Head(1, sha(1))) == []
    assert faults([3], [1, 2], head=Head(1, sha(1))) == []


def test_a_wrong_predecessor_is_named() -> None:
    """Each manifest names the bytes of the one before it."""
    found = check_chain("lab", [backup(1), backup(2, sha(77))], [], None)
    assert [str(damage) for damage in found] == ["lab@2: its predecessor is another manifest"]


def test_a_predecessor_that_expired_is_known_by_its_tombstone() -> None:
    """The tombstone holds the digest that the next manifest names."""
    found = check_chain("lab", [backup(2)], [stone(1, sha(77))], None)
    assert [str(damage) for damage in found] == ["lab@2: its predecessor is another manifest"]


def test_a_first_manifest_has_no_predecessor() -> None:
    """Otherwise something was cut off before it."""
    found = check_chain("lab", [backup(1, sha(77))], [], None)
    assert [str(damage) for damage in found] == ["lab@1: the first manifest names a predecessor"]


def test_a_fork_is_named() -> None:
    """Two manifests of one number are two histories."""
    other = replace(backup(2), sha256=sha(88))
    found = [str(damage) for damage in check_chain("lab", [backup(1), backup(2), other], [], None)]
    assert "lab@2: two manifests have this number (a fork)" in found


def test_a_tombstone_of_other_bytes_is_named() -> None:
    """It would explain away a manifest that it was not made for."""
    found = check_chain("lab", [backup(1)], [stone(1, sha(77))], None)
    assert [str(damage) for damage in found] == ["lab@1: its tombstone was made for other bytes"]


def certificate(
    hours: int, asked: ProofLevel, reached: ProofLevel, findings: tuple[str, ...] = ()
) -> Certificate:
    return Certificate(
        format="dbops-certificate/1",
        repository="r",
        database="lab",
        sequence=1,
        manifest=sha(1),
        asked=asked.label,
        reached=reached.label,
        at=NOW + timedelta(hours=hours),
        host="h",
        tool="t",
        where="",
        tables=0,
        rows=0,
        milliseconds={},
        findings=findings,
    )


STORED, READABLE, PROVEN = ProofLevel.STORED, ProofLevel.READABLE, ProofLevel.PROVEN
BAD = certificate(2, READABLE, STORED, ("range 1 is damaged",))


@pytest.mark.parametrize(
    ("certificates", "level", "findings"),
    [
        ((), ProofLevel.UNKNOWN, ()),
        ((certificate(1, PROVEN, PROVEN),), PROVEN, ()),
        ((certificate(1, PROVEN, PROVEN), certificate(2, STORED, STORED)), PROVEN, ()),
        ((certificate(1, PROVEN, PROVEN), BAD), STORED, BAD.findings),
        ((BAD, certificate(1, PROVEN, PROVEN)), STORED, BAD.findings),
        ((BAD, certificate(3, STORED, STORED)), STORED, BAD.findings),
        ((BAD, certificate(3, READABLE, READABLE)), READABLE, ()),
        ((BAD, certificate(3, PROVEN, PROVEN)), PROVEN, ()),
    ],
)
def test_a_backup_stands_where_its_certificates_leave_it(
    certificates: tuple[Certificate, ...], level: ProofLevel, findings: tuple[str, ...]
) -> None:
    """The highest level since the last finding; a cheaper check clears nothing."""
    found = replace(backup(1), certificates=certificates)
    assert found.level is level
    assert found.findings == findings
    assert (found.proven_at is not None) is (level is PROVEN)


def test_a_number_out_of_the_blue_does_not_end_the_numbers() -> None:
    """A junk file with a huge number is no link; one right behind the newest is."""
    trusted = [Head(1, "a"), Head(2, "b")]
    assert newest_link(trusted, [Head(99_999_999, "junk")]) == Head(2, "b")
    assert newest_link(trusted, [Head(3, "c"), Head(4, "d"), Head(9, "junk")]) == Head(4, "d")
    assert newest_link(trusted, [Head(2, "other")]) == Head(2, "b")
    assert newest_link([], [Head(1, "first")]) == Head(1, "first")
    assert newest_link([], []) is None
