"""Climbing the levels of proof, and what the certificate says of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dbops.backup.verify import VerifyOrder, verify_backup
from dbops.crypto.age import Identity
from dbops.errors import ExitStatus, Failed, NoIdentity, Unreachable
from dbops.repository.layout import catalogue_name, pack_name
from dbops.repository.records import Certificate, ProofLevel
from tests.support.estate import (
    DATABASE,
    BuiltEstate,
    copy_estate,
    found_test_estate,
    ignore_progress,
    take_backup,
    verify,
    verify_order,
)
from tests.support.memory_engine import MemoryEngine, MemoryScratch

ROWS = {"ward": (b"1\tA", b"2\tB", b"3\tC"), "bed": (b"1\t7", b"2\t8")}
LEVELS = [ProofLevel.STORED, ProofLevel.READABLE, ProofLevel.RESTORED, ProofLevel.PROVEN]


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> BuiltEstate:
    """An estate with one backup of rows in memory, to be copied."""
    estate = found_test_estate(tmp_path_factory.mktemp("founded") / "estate")
    engine = MemoryEngine(dict(ROWS), extra={"grant": {"ward": "r"}, "sequence": {"bed_id": "8"}})
    take_backup(estate, engine=engine)
    return estate


@pytest.fixture
def estate(founded: BuiltEstate, tmp_path: Path) -> BuiltEstate:
    """A copy of it for one test."""
    return copy_estate(founded, tmp_path / "estate")


def order_for(
    estate: BuiltEstate, level: ProofLevel, scratch: MemoryScratch | None = None
) -> VerifyOrder:
    return replace(verify_order(estate, level), scratch=scratch or MemoryScratch())


def certify(estate: BuiltEstate, order: VerifyOrder) -> Certificate:
    return verify_backup(estate.repository, estate.newest(), order, estate.clock, ignore_progress)


def mutated(estate: BuiltEstate, mutate: Callable[[MemoryEngine], None]) -> Certificate:
    return certify(estate, order_for(estate, ProofLevel.PROVEN, MemoryScratch(mutate)))


@pytest.mark.parametrize("level", LEVELS)
def test_a_whole_backup_reaches_what_was_asked(estate: BuiltEstate, level: ProofLevel) -> None:
    """Each level is reached, certified under the verifier's name, and shown in the history."""
    certificate = certify(estate, order_for(estate, level))
    assert (certificate.asked, certificate.reached) == (level.label, level.label)
    assert certificate.findings == ()
    backup = estate.newest()
    assert backup.level is level
    assert backup.certificates == (certificate,)
    assert (backup.proven_at is None) is (level is not ProofLevel.PROVEN)


def test_a_certificate_says_where_and_how_long(estate: BuiltEstate) -> None:
    """Tables, rows, the place and the milliseconds of every step stand in it."""
    certificate = certify(estate, order_for(estate, ProofLevel.PROVEN))
    assert (certificate.tables, certificate.rows) == (2, 5)
    assert certificate.where == "Memory 1, nowhere"
    assert sorted(certificate.milliseconds) == ["check", "compare", "readable", "restore", "stored"]
    assert certificate.manifest == estate.newest().sha256


MUTATIONS: dict[str, tuple[Callable[[MemoryEngine], None], str]] = {
    "a changed digit": (
        lambda copy: copy.tables.update(ward=(b"1\tA", b"2\tB", b"4\tC")),
        "table ward: rows differ (3 rows on both sides)",
    ),
    "a missing row": (
        lambda copy: copy.tables.update(ward=(b"1\tA", b"2\tB")),
        "table ward: 2 rows instead of 3",
    ),
    "a doubled row": (
        lambda copy: copy.tables.update(ward=(b"1\tA", b"2\tB", b"3\tC", b"3\tC")),
        "table ward: 4 rows instead of 3",
    ),
    "one row in the place of another": (
        lambda copy: copy.tables.update(ward=(b"1\tA", b"1\tA", b"3\tC")),
        "table ward: rows differ (3 rows on both sides)",
    ),
    "values swapped between rows": (
        lambda copy: copy.tables.update(ward=(b"1\tB", b"2\tA", b"3\tC")),
        "table ward: rows differ (3 rows on both sides)",
    ),
    "a missing table": (
        lambda copy: copy.tables.__delitem__("bed"),
        "table bed: missing from the restored copy",
    ),
    "another table": (
        lambda copy: copy.tables.update(extra=()),
        "table extra: not in the backup",
    ),
    "a changed grant": (
        lambda copy: copy.extra["grant"].update(ward="rw"),
        "grant ward: differs",
    ),
    "a missing grant": (
        lambda copy: copy.extra["grant"].clear(),
        "grant ward: missing from the restored copy",
    ),
    "another grant": (
        lambda copy: copy.extra["grant"].update(bed="r"),
        "grant bed: not in the backup",
    ),
    "a sequence off by one": (
        lambda copy: copy.extra["sequence"].update(bed_id="9"),
        "sequence bed_id: differs",
    ),
}


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_copy_that_differs_is_not_proven(estate: BuiltEstate, mutation: str) -> None:
    """What differs in the restored copy is named, by object and count, and stops at `restored`."""
    mutate, finding = MUTATIONS[mutation]
    certificate = mutated(estate, mutate)
    assert finding in certificate.findings
    assert certificate.reached == "restored"
    assert estate.newest().findings == certificate.findings


def test_rows_in_another_order_are_equal(estate: BuiltEstate) -> None:
    """A table is a bag of rows: its order in the restored copy does not matter."""
    certificate = mutated(estate, lambda copy: copy.tables.update(ward=ROWS["ward"][::-1]))
    assert certificate.reached == "proven"


def test_a_schema_that_differs_is_a_finding(estate: BuiltEstate) -> None:
    """What the engine itself says of the schema counts."""

    def mutate(copy: MemoryEngine) -> None:
        copy.schema_differences = ("function f: body differs",)

    assert mutated(estate, mutate).findings == ("function f: body differs",)


def test_a_copy_that_fails_its_check_is_only_readable(estate: BuiltEstate) -> None:
    """The engine's own checker stands before `restored`."""

    def mutate(copy: MemoryEngine) -> None:
        copy.faults = ("index bed_pk: 1 fault",)

    certificate = mutated(estate, mutate)
    assert (certificate.reached, certificate.findings) == ("readable", ("index bed_pk: 1 fault",))


def test_damage_stops_the_climb_at_the_bottom(estate: BuiltEstate) -> None:
    """A changed pack is a finding of the first step, and no level is reached."""
    backup = estate.newest()
    pack = backup.envelope.packs[0].sha256
    path = estate.objects / pack_name(DATABASE, pack)
    path.write_bytes(path.read_bytes()[:-1] + b"\x00")
    certificate = verify(estate, ProofLevel.PROVEN)
    assert certificate.reached == "unknown"
    assert certificate.findings == (f"pack {pack[:16]} of example@1: its bytes have changed",)
    assert estate.newest().level is ProofLevel.UNKNOWN


def test_a_repaired_backup_climbs_again(estate: BuiltEstate) -> None:
    """A finding is settled by a later check that goes as far."""
    path = estate.objects / pack_name(DATABASE, estate.newest().envelope.packs[0].sha256)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert certify(estate, order_for(estate, ProofLevel.READABLE)).findings
    path.write_bytes(whole)
    certify(estate, order_for(estate, ProofLevel.STORED))
    assert estate.newest().findings != ()
    certify(estate, order_for(estate, ProofLevel.READABLE))
    assert estate.newest().findings == ()
    assert estate.newest().level is ProofLevel.READABLE


def test_level_stored_needs_no_identity(estate: BuiltEstate) -> None:
    """A host that can open nothing can still see that all is there."""
    order = replace(order_for(estate, ProofLevel.STORED), identities=())
    assert certify(estate, order).reached == "stored"


def test_without_an_identity_the_roles_wanted_are_named(estate: BuiltEstate) -> None:
    """Nothing is certified, and the message says whose key opens the backup."""
    order = replace(order_for(estate, ProofLevel.READABLE), identities=())
    with pytest.raises(NoIdentity) as caught:
        certify(estate, order)
    assert caught.value.status is ExitStatus.NO_IDENTITY
    assert caught.value.message == (
        "no identity at hand opens example@1; it is sealed to drill (verifier), recovery (hospital)"
    )
    assert estate.newest().certificates == ()


def test_a_wrong_identity_is_no_damage(estate: BuiltEstate) -> None:
    """A key that opens nothing says nothing about the backup."""
    order = replace(order_for(estate, ProofLevel.PROVEN), identities=(Identity.generate(),))
    with pytest.raises(NoIdentity) as caught:
        certify(estate, order)
    assert caught.value.message == "no identity at hand opens the catalogue of example@1"
    assert estate.newest().certificates == ()


def test_a_host_without_a_verifiers_key_certifies_nothing(estate: BuiltEstate) -> None:
    """What it found out it says, and leaves nothing in the repository."""
    order = replace(order_for(estate, ProofLevel.PROVEN), signer=None)
    assert certify(estate, order).reached == "proven"
    assert estate.newest().certificates == ()


def test_a_certificate_counts_for_the_bytes_that_were_verified(estate: BuiltEstate) -> None:
    """Another manifest under the same number does not inherit the proof."""
    certify(estate, order_for(estate, ProofLevel.PROVEN))
    manifest = estate.objects / estate.newest().name
    proven = manifest.read_bytes()
    manifest.unlink()
    (estate.root / "state" / "heads" / estate.repository.id / DATABASE).unlink()
    take_backup(estate, engine=MemoryEngine(dict(ROWS)))
    assert manifest.read_bytes() != proven
    assert estate.newest().level is ProofLevel.UNKNOWN


def test_a_scratch_that_cannot_be_had_is_no_finding(estate: BuiltEstate) -> None:
    """It says nothing about the backup, so nothing is certified."""
    failure = Failed("no-server", "no server starts here", hint="install one")
    order = order_for(estate, ProofLevel.PROVEN, MemoryScratch(failure=failure))
    with pytest.raises(Unreachable) as caught:
        certify(estate, order)
    assert caught.value.message == "no scratch database: no server starts here"
    assert estate.newest().certificates == ()


@pytest.mark.parametrize("code", ["no-space", "target-unwritable"])
def test_a_scratch_that_fills_up_is_no_finding(estate: BuiltEstate, code: str) -> None:
    """A full disk under the scratch copy is no fault of the backup."""

    def fill(_copy: MemoryEngine) -> None:
        raise Failed(code, "the disk is full", hint="df -h")

    with pytest.raises(Unreachable) as caught:
        mutated(estate, fill)
    assert caught.value.message == "no scratch database: the disk is full"
    assert estate.newest().certificates == ()


def test_a_missing_catalogue_is_named(estate: BuiltEstate) -> None:
    """The sealed half of the manifest belongs to what is checked."""
    name = catalogue_name(DATABASE, estate.newest().envelope.catalogue.sha256)
    (estate.objects / name).unlink()
    certificate = certify(estate, order_for(estate, ProofLevel.READABLE))
    assert certificate.findings == ("the catalogue of example@1: it is missing",)


def test_packs_that_were_found_good_are_not_read_twice(estate: BuiltEstate) -> None:
    """In one run a shared pack is hashed once."""
    read: list[int] = []
    order = order_for(estate, ProofLevel.STORED)
    for _ in range(2):
        verify_backup(estate.repository, estate.newest(), order, estate.clock, read.append)
    envelope = estate.newest().envelope
    packs = sum(pack.size for pack in envelope.packs)
    assert sum(read) == packs + 2 * envelope.catalogue.size


def test_many_findings_are_counted_beyond_two_hundred(estate: BuiltEstate) -> None:
    """A certificate stays small, and says how many more there were."""

    def mutate(copy: MemoryEngine) -> None:
        copy.faults = tuple(f"fault {number}" for number in range(250))

    findings = mutated(estate, mutate).findings
    assert (len(findings), findings[-1]) == (201, "and 50 more")
