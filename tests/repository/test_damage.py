"""Every harm to a repository is found, and the finding names what was harmed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from dbops.backup.expire import expire, plan_expiry
from dbops.backup.retention import Keep
from dbops.crypto.age import load_identities
from dbops.crypto.signing import KeyFileSigner, generate_signing_key
from dbops.errors import DbopsError, Refused
from dbops.repository.check import check_readable
from dbops.repository.layout import catalogue_name, pack_name
from dbops.repository.manifest import CatalogueEntry, Envelope
from dbops.repository.records import ProofLevel
from tests.repository.damage import (
    Harm,
    findings,
    flipping,
    flipping_class,
    found_whole,
    harmed,
    put_manifest,
    reseal,
    reseal_object,
    sealed_classes,
    signed_classes,
    targets,
)
from tests.support.estate import (
    DATABASE,
    BuiltEstate,
    contents_of,
    copy_estate,
    found_test_estate,
    ignore_progress,
    open_test_estate,
    take_backup,
    verify,
)

SEALED = ("pack", "catalogue")
SIGNED = ("manifest", "tombstone", "certificate", "hold", "recipients")
SEALED_PLACES = (
    "version",
    "stanza kind",
    "stanza share",
    "stanza body",
    "mac",
    "nonce",
    "payload",
    "last tag",
)
HARMS: dict[str, Harm] = {
    "emptied": lambda _: b"",
    "cut by a byte": lambda data: data[:-1],
    "cut in half": lambda data: data[: len(data) // 2],
    "appended to": lambda data: data + b"\n",
    "doubled": lambda data: data + data,
    "without its first byte": lambda data: data[1:],
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> BuiltEstate:
    """A repository that every test leaves as it found it."""
    return found_whole(tmp_path_factory.mktemp("whole") / "estate")


@pytest.fixture
def copy(whole: BuiltEstate, tmp_path: Path) -> BuiltEstate:
    """A copy that a test may leave in pieces."""
    return copy_estate(whole, tmp_path / "estate")


def named(found: list[str], name: str) -> bool:
    return any(finding.startswith(name) for finding in found)


def test_a_whole_repository_has_no_findings(whole: BuiltEstate) -> None:
    """The checks that find every harm below find nothing where there is none."""
    assert findings(whole) == []
    assert len(whole.newest().envelope.packs) == 3


@pytest.mark.parametrize("kind", SEALED)
@pytest.mark.parametrize(
    "place",
    [
        "version",
        "stanza kind",
        "stanza share",
        "stanza body",
        "mac",
        "nonce",
        "payload",
        "last tag",
    ],
)
def test_a_flipped_bit_of_a_sealed_object_is_named_without_a_key(
    whole: BuiltEstate, kind: str, place: str
) -> None:
    """Every byte class of a sealed object: caught at `stored`, which needs no key."""
    target = targets(whole)[kind]
    for bit in (0, 3, 7):
        with harmed(target.path, flipping_class(sealed_classes, place, bit)):
            assert findings(whole) == [f"{target.named}its bytes have changed"]


@pytest.mark.parametrize("kind", SIGNED)
@pytest.mark.parametrize(
    "place",
    [
        "first brace",
        "key",
        "value",
        "last of the body",
        "newline before the armor",
        "armor's first line",
        "armor's text",
        "armor's last line",
        "last newline",
    ],
)
def test_a_flipped_bit_of_a_signed_document_is_named(
    whole: BuiltEstate, kind: str, place: str
) -> None:
    """Every byte class of every signed document counts no more once it is changed."""
    target = targets(whole)[kind]
    for bit in (0, 3, 7):
        with harmed(target.path, flipping_class(signed_classes, place, bit)):
            assert named(findings(whole), target.named)


@pytest.mark.parametrize("kind", SIGNED)
def test_every_few_bytes_of_a_signed_document_are_covered(whole: BuiltEstate, kind: str) -> None:
    """There is no byte outside the classes above that could be changed unseen."""
    target = targets(whole)[kind]
    for position in range(0, target.path.stat().st_size, 41):
        with harmed(target.path, flipping(position, position % 8)):
            assert named(findings(whole), target.named), position


@pytest.mark.sweep
@pytest.mark.parametrize("kind", [*SIGNED, *SEALED])
def test_every_byte_is_covered(whole: BuiltEstate, kind: str) -> None:
    """The first 4,000 bytes of every kind of object one by one: of all but packs that is all."""
    target = targets(whole)[kind]
    for position in range(min(4000, target.path.stat().st_size)):
        with harmed(target.path, flipping(position, position % 8)):
            assert named(findings(whole), target.named), position


@pytest.mark.parametrize("kind", [*SEALED, *SIGNED])
@pytest.mark.parametrize("harm", HARMS)
def test_other_harm_to_an_object_is_named(whole: BuiltEstate, kind: str, harm: str) -> None:
    """Objects that are cut, emptied or doubled are found."""
    target = targets(whole)[kind]
    with harmed(target.path, HARMS[harm]):
        assert named(findings(whole), target.named)


@pytest.mark.parametrize("kind", SEALED)
def test_messages_say_what_happened_to_an_object(whole: BuiltEstate, kind: str) -> None:
    """A missing object, a wrong size and changed bytes are told apart, in these words."""
    target = targets(whole)[kind]
    size = target.path.stat().st_size
    with harmed(target.path, lambda _: None):
        assert findings(whole) == [f"{target.named}it is missing"]
    with harmed(target.path, lambda data: data[:-1]):
        assert findings(whole) == [f"{target.named}it has {size - 1} bytes instead of {size}"]


def test_the_removed_newest_backup_is_missed(copy: BuiltEstate) -> None:
    """The host remembers the newest backup, so the repository cannot lose it unseen."""
    targets(copy)["manifest"].path.unlink()
    assert findings(copy) == [
        "example@3: this host has seen it, and the repository no longer holds it"
    ]


def test_a_removed_older_manifest_is_missed(copy: BuiltEstate) -> None:
    """A number with neither a manifest nor a tombstone is a dropped backup."""
    (copy.objects / copy.history().backups[1].name).unlink()
    assert findings(copy) == ["example@2: its manifest is missing and no tombstone says why"]


def test_a_removed_tombstone_of_an_expired_backup_is_missed(copy: BuiltEstate) -> None:
    """Without its tombstone a lawful gap is a dropped backup."""
    (copy.objects / copy.history().backups[0].name).unlink()
    assert findings(copy) == []
    targets(copy)["tombstone"].path.unlink()
    assert findings(copy) == ["example@1: its manifest is missing and no tombstone says why"]


def test_swapped_packs_are_both_named(copy: BuiltEstate) -> None:
    """Two packs under each other's names are two changed objects."""
    envelope = copy.newest().envelope
    first, second = (copy.objects / pack_name(DATABASE, p.sha256) for p in envelope.packs[:2])
    swap(first, second)
    found = findings(copy)
    assert len(found) == 2
    assert all(named(found, f"pack {pack.sha256[:16]} of example@3") for pack in envelope.packs[:2])


def test_swapped_manifests_are_both_named(copy: BuiltEstate) -> None:
    """A manifest counts under its own number and predecessor only."""
    second, third = (copy.objects / backup.name for backup in copy.history().backups[1:])
    swap(second, third)
    found = findings(copy)
    for path in (second, third):
        name = path.relative_to(copy.objects)
        assert f"{name}: it stands under another manifest's name" in found


@pytest.mark.parametrize("kind", ["tombstone", "certificate", "hold"])
def test_a_record_under_another_name_is_named(copy: BuiltEstate, kind: str) -> None:
    """A true record that was copied elsewhere would keep the right one from being written."""
    path = targets(copy)[kind].path
    stray = path.with_name(path.name.replace("0000000", "0000001", 1))
    stray.write_bytes(path.read_bytes())
    name = stray.relative_to(copy.objects)
    assert findings(copy) == [f"{name}: it stands under another record's name"]


def test_an_old_manifest_put_in_the_place_of_the_newest_is_named(copy: BuiltEstate) -> None:
    """Rolling the newest backup back to an older one is seen."""
    _, second, third = copy.history().backups
    (copy.objects / third.name).write_bytes((copy.objects / second.name).read_bytes())
    found = findings(copy)
    assert f"{third.name}: it stands under another manifest's name" in found
    assert named(found, "example@3: this host has seen it")


def test_an_expired_manifest_put_back_is_named(copy: BuiltEstate) -> None:
    """After expiry deleted it with its packs, its bytes alone make no backup again."""
    path = copy.objects / copy.history().backups[0].name
    old = path.read_bytes()
    copy.clock.skip(timedelta(days=30))
    history = copy.history()
    zone = copy.wiring.estate.zone
    plan = plan_expiry(history, Keep(last=1), timedelta(hours=48), copy.clock(), zone)
    assert [backup.sequence for backup in plan.delete] == [1]
    expire(copy.repository, history, plan, copy.wiring.writer, copy.clock)
    assert not path.exists()
    path.write_bytes(old)
    back = copy.history()
    assert 1 not in [backup.sequence for backup in back.living]
    (put_back,) = [backup for backup in back.backups if backup.sequence == 1]
    wrong = verify(copy, ProofLevel.STORED, put_back).findings
    packs = [pack.sha256[:16] for pack in put_back.envelope.packs]
    assert wrong == (
        *(f"pack {sha256} of example@1: it is missing" for sha256 in packs),
        "the catalogue of example@1: it is missing",
    )


def test_a_manifest_signed_by_a_stranger_is_named(copy: BuiltEstate, tmp_path: Path) -> None:
    """A key outside the trust root makes no backup."""
    key = generate_signing_key(tmp_path / "stranger", "stranger")
    name = put_manifest(copy, next_envelope(copy), KeyFileSigner.load(tmp_path / "stranger"))
    assert findings(copy) == [f"{name}: key {key.fingerprint} is not in the trust root"]


def test_a_manifest_signed_for_another_purpose_is_named(copy: BuiltEstate) -> None:
    """The hospital's key signs recipients and holds, and no manifests."""
    signer = KeyFileSigner.load(copy.root / "hospital" / "signing")
    name = put_manifest(copy, next_envelope(copy), signer)
    mark = signer.public_key.fingerprint
    assert findings(copy) == [f"{name}: key {mark} of hospital may not sign for dbops-manifest@v1"]


def test_two_manifests_of_one_number_are_a_fork(copy: BuiltEstate) -> None:
    """A second history beside the first is seen, even when a trusted writer signed it."""
    newest = copy.newest().envelope
    put_manifest(copy, replace(newest, predecessor="ab" * 32), copy.wiring.writer)
    found = findings(copy)
    assert "example@3: two manifests have this number (a fork)" in found
    assert "example@3: its predecessor is another manifest" in found


def test_a_manifest_of_another_repository_is_named(copy: BuiltEstate) -> None:
    """What belongs elsewhere does not count here."""
    stranger = replace(next_envelope(copy), repository="0" * 32)
    name = put_manifest(copy, stranger, copy.wiring.writer)
    assert findings(copy) == [f"{name}: it belongs to another repository"]


def test_a_pack_of_another_database_is_named(copy: BuiltEstate, tmp_path: Path) -> None:
    """Bytes of another estate's pack under this pack's name are changed bytes."""
    other = found_test_estate(tmp_path / "other")
    take_backup(other)
    pack = other.newest().envelope.packs[0].sha256
    target = targets(copy)["pack"]
    target.path.write_bytes((other.objects / pack_name(DATABASE, pack)).read_bytes())
    found = findings(copy)
    assert len(found) == 1
    assert found[0].startswith(target.named)


def test_a_pack_sealed_to_the_drill_key_only_is_named_without_a_key(copy: BuiltEstate) -> None:
    """A pack that the hospital could never open is found although its digest is right."""
    envelope = next_envelope(copy)
    (drill,) = load_identities(copy.root / "verifier" / "drill")
    entry = reseal(copy, envelope.packs[0], drill)
    put_manifest(copy, replace(envelope, packs=(entry,)), copy.wiring.writer)
    assert findings(copy) == [
        f"pack {entry.sha256[:16]} of example@4: it is sealed to 1 recipients instead of 2"
    ]


def test_a_catalogue_sealed_to_one_holder_is_named_without_a_key(copy: BuiltEstate) -> None:
    """Without the catalogue the hospital could read rows, and prove nothing."""
    envelope = next_envelope(copy)
    (drill,) = load_identities(copy.root / "verifier" / "drill")
    name = catalogue_name(DATABASE, envelope.catalogue.sha256)
    sealed = reseal_object(copy, name, drill, lambda sha256: catalogue_name(DATABASE, sha256))
    entry = CatalogueEntry(sealed.sha256, sealed.size)
    put_manifest(copy, replace(envelope, catalogue=entry), copy.wiring.writer)
    assert findings(copy) == [
        "the catalogue of example@4: it is sealed to 1 recipients instead of 3"
    ]


def test_a_flipped_repository_mark_is_never_believed(whole: BuiltEstate) -> None:
    """A changed mark is refused by name, or makes every manifest a stranger's."""
    mark = whole.objects / "repository"
    manifests = [backup.name for backup in whole.history().backups]
    for position in range(mark.stat().st_size):
        with harmed(mark, flipping(position, position % 7)):
            found = findings(whole)
        refused = len(found) == 1 and found[0].startswith("repository is not a valid document: ")
        foreign = [f"{name}: it belongs to another repository" for name in manifests]
        assert refused or set(foreign) <= set(found), (position, found)


def test_a_removed_repository_mark_is_named(whole: BuiltEstate) -> None:
    """Without its mark a directory is no repository, and says what may be the matter."""
    with harmed(whole.objects / "repository", lambda _: None):
        assert findings(whole) == ["repository main is not there"]


def test_a_flipped_recipients_document_is_refused_by_name(copy: BuiltEstate) -> None:
    """No backup is sealed to a list that the hospital did not sign to the letter."""
    path = copy.root / "trust" / "recipients"
    assert copy.wiring.recipients
    for position in range(0, path.stat().st_size, 11):
        with harmed(path, flipping(position, position % 8)):
            with pytest.raises(Refused) as caught:
                open_test_estate(copy.root).wiring.sealing_keys()
        assert caught.value.message.startswith(f"the recipients document {path} is refused: ")


@pytest.mark.parametrize("place", ["mac", "nonce", "payload"])
def test_harm_to_a_pack_is_named_when_it_is_read(copy: BuiltEstate, place: str) -> None:
    """Reading does not rely on `stored` having been checked first."""
    contents = contents_of(copy)
    target = targets(copy)["pack"]
    with harmed(target.path, flipping_class(sealed_classes, place)):
        reader = contents.range_reader()
        damages = check_readable(reader, contents.envelope, contents.catalogue, (), ignore_progress)
        reader.close()
    pack = contents.envelope.packs[0].sha256[:16]
    assert [pack in str(damage) for damage in damages] == [True]


def test_a_directory_or_a_link_in_place_of_an_object_is_named(copy: BuiltEstate) -> None:
    """Only a plain file is an object."""
    target = targets(copy)["pack"]
    target.path.unlink()
    target.path.mkdir()
    assert findings(copy) == [f"{target.named}it is missing"]
    target.path.rmdir()
    target.path.symlink_to("/etc/hostname")
    assert findings(copy) == [f"{target.named}it is missing"]


def test_the_catalogue_of_another_backup_is_refused(copy: BuiltEstate) -> None:
    """A signed envelope that names another backup's catalogue opens nothing."""
    first, *_, last = copy.history().backups
    mixed = replace(last.envelope, catalogue=first.envelope.catalogue)
    with pytest.raises(DbopsError) as caught:
        copy.repository.catalogue(mixed, copy.wiring.identities())
    assert caught.value.message == "the catalogue of example@3 belongs to example@1"


def swap(first: Path, second: Path) -> None:
    one, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other)
    second.write_bytes(one)


def next_envelope(estate: BuiltEstate) -> Envelope:
    """What the next backup's envelope would be, had it stored nothing new."""
    newest = estate.newest()
    return replace(newest.envelope, sequence=newest.sequence + 1, predecessor=newest.sha256)
