"""Key drills against a real repository: a receipt exists only where every header opens."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dbops.crypto.age import Identity, Recipient, SealingWriter, load_identities
from dbops.crypto.signed import sign_document
from dbops.crypto.signing import KeyFileSigner, generate_signing_key
from dbops.crypto.sshsig import Namespace
from dbops.errors import DbopsError, Failed, Finding, Refused, UsageFault
from dbops.keys.drill import (
    DrillHeader,
    DrillRequest,
    answer_request,
    last_receipts,
    read_request,
)
from dbops.keys.drill_repository import RecordedReceipt, collect_headers, record_receipt
from dbops.repository.codec import encode
from dbops.repository.layout import pack_name
from dbops.repository.recipients import Role
from dbops.repository.records import Receipt
from tests.support.estate import (
    BuiltEstate,
    backup_order,
    copy_estate,
    found_test_estate,
    take_backup,
)

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> BuiltEstate:
    """An estate with two backups; the second has packs of a few pages each."""
    estate = found_test_estate(tmp_path_factory.mktemp("drill") / "estate")
    take_backup(estate)
    take_backup(estate, order=backup_order(estate, pack_bytes=4096))
    return estate


@pytest.fixture
def estate(made: BuiltEstate, tmp_path: Path) -> BuiltEstate:
    return copy_estate(made, tmp_path / "estate")


def request_of(estate: BuiltEstate) -> DrillRequest:
    """The headers of the newest backup."""
    return collect_headers(estate.repository, [estate.newest()], estate.clock())


def receipt_of(estate: BuiltEstate, request: DrillRequest) -> Receipt:
    """What the hospital's identity answers."""
    identities = load_identities(estate.root / "hospital" / "recovery")
    return answer_request(request, identities, Role.RECOVERY, "hospital", estate.clock())


def signed(estate: BuiltEstate, receipt: Receipt, key: str = "hospital/signing") -> bytes:
    return sign_document(encode(receipt), Namespace.RECEIPT, KeyFileSigner.load(estate.root / key))


def record(estate: BuiltEstate, document: bytes) -> RecordedReceipt:
    listed, _ = estate.wiring.recipients
    living = estate.history().living
    return record_receipt(estate.repository, document, listed, living, estate.clock())


def test_headers_are_those_of_packs_and_catalogue(estate: BuiltEstate) -> None:
    """Each object's header stands once, with its digest, and is where the object begins."""
    request = request_of(estate)
    envelope = estate.newest().envelope
    assert [item.sha256 for item in request.headers] == [
        *(pack.sha256 for pack in envelope.packs),
        envelope.catalogue.sha256,
    ]
    for item in request.headers[:-1]:
        stored = (estate.objects / pack_name("example", item.sha256)).read_bytes()
        assert stored.startswith(item.text)
        assert item.text.startswith(b"age-encryption.org/v1\n-> X25519 ")
    assert request.backups == (str(envelope.id),)


def test_headers_hold_nothing_of_the_data(estate: BuiltEstate) -> None:
    """The file of headers is a few hundred bytes an object, whatever the object's size."""
    request = request_of(estate)
    # A sealer may add a stanza of a random size that nobody can open.
    assert all(len(item.text) < 1200 for item in request.headers)
    assert len(encode(request)) < 1500 * len(request.headers)


@pytest.mark.parametrize(
    ("file", "role"), [("hospital/recovery", Role.RECOVERY), ("verifier/drill", Role.DRILL)]
)
def test_each_recipient_opens_all_headers(estate: BuiltEstate, file: str, role: Role) -> None:
    """The receipt names the recipient, and every header by its digest."""
    request = request_of(estate)
    identities = load_identities(estate.root / file)
    receipt = answer_request(request, identities, role, "somebody", NOW)
    assert receipt.recipient == identities[0].recipient.text
    assert receipt.opened == len(receipt.headers) == len(request.headers)
    assert receipt.role == role.value


def test_the_catalogue_key_gets_no_receipt(estate: BuiltEstate) -> None:
    """The backup host's own key opens catalogues, and no pack."""
    request = request_of(estate)
    identities = load_identities(estate.root / "keys" / "catalogue")
    count = len(request.headers)
    with pytest.raises(Finding) as caught:
        answer_request(request, identities, Role.RECOVERY, "hospital", NOW)
    assert caught.value.message == (
        f"{count - 1} of {count} packs and catalogues cannot be opened by this identity:"
        " those of example@2"
    )


def test_packs_sealed_to_another_class_only_are_caught(estate: BuiltEstate) -> None:
    """One pack that only the drill identity opens costs the recovery identity its receipt."""
    drill = load_identities(estate.root / "verifier" / "drill")[0].recipient
    forged = DrillHeader("example@2", "pack", "0" * 64, header_for(drill))
    request = request_of(estate)
    request = replace(request, headers=(*request.headers, forged))
    with pytest.raises(Finding) as caught:
        receipt_of(estate, request)
    assert caught.value.message == (
        f"1 of {len(request.headers)} packs and catalogues cannot be opened by this identity:"
        " those of example@2"
    )


def test_the_right_identity_is_found_among_several(estate: BuiltEstate) -> None:
    """A file may hold several identities: the one that opens everything answers."""
    right = load_identities(estate.root / "hospital" / "recovery")
    receipt = answer_request(
        request_of(estate), (Identity.generate(), *right), Role.RECOVERY, "hospital", NOW
    )
    assert receipt.recipient == right[0].recipient.text


def test_an_ssh_identity_answers(tmp_path: Path) -> None:
    """An ssh-ed25519 recipient is drilled like any other."""
    generate_signing_key(tmp_path / "key", "it@hospital")
    identities = load_identities(tmp_path / "key")
    line = " ".join((tmp_path / "key.pub").read_text().split()[:2])
    item = DrillHeader("lab@1", "pack", "0" * 64, header_for(Recipient(line)))
    request = DrillRequest("dbops-drill/1", "0" * 32, NOW, ("lab@1",), (item,))
    assert answer_request(request, identities, Role.ESCROW, "notary", NOW).recipient == line


def header_for(recipient: Recipient) -> str:
    """The header of an age file that is sealed to one recipient."""
    whole = bytearray()

    class Sink:
        def write(self, block: bytes, /) -> int:
            whole.extend(block)
            return len(block)

    with SealingWriter(Sink(), [recipient]) as writer:
        writer.write(b"rows")
    end = whole.index(b"\n", whole.index(b"\n--- ") + 1) + 1
    return whole[:end].decode("ascii")


def test_a_receipt_is_recorded_and_read_back(estate: BuiltEstate) -> None:
    """It stands in the repository, says what it covers, and counts as the role's last one."""
    receipt = receipt_of(estate, request_of(estate))
    done = record(estate, signed(estate, receipt))
    assert (done.principal, done.fresh) == ("hospital", True)
    assert [str(backup) for backup in done.covered] == ["example@2"]
    ((stored, principal),) = estate.repository.receipts()
    assert (stored, principal) == (receipt, "hospital")
    (last,) = last_receipts(estate.repository.receipts(), receipt.at + timedelta(days=40))
    assert (last.role, last.name, last.age) == ("recovery", "hospital", timedelta(days=40))


def test_recording_twice_changes_nothing(estate: BuiltEstate) -> None:
    """The same receipt is kept once, and the second time is said to be old."""
    document = signed(estate, receipt_of(estate, request_of(estate)))
    assert record(estate, document).fresh
    assert not record(estate, document).fresh
    assert len(estate.repository.receipts()) == 1


def test_a_receipt_may_cover_several_backups(estate: BuiltEstate) -> None:
    """Every backup all of whose headers it holds is named, newest first."""
    request = collect_headers(estate.repository, estate.history().living, estate.clock())
    done = record(estate, signed(estate, receipt_of(estate, request)))
    assert [str(backup) for backup in done.covered] == ["example@2", "example@1"]


Change = Callable[[Receipt], Receipt]
CHANGES: list[tuple[Change, str]] = [
    (lambda r: replace(r, repository="1" * 32), "it was made for another repository"),
    (
        lambda r: replace(r, headers=(*r.headers, "0" * 64), opened=r.opened + 1),
        "1 of {more} headers belong to no living backup",
    ),
    (lambda r: replace(r, opened=r.opened - 1), "it says that {less} of {count} headers opened"),
    (lambda r: replace(r, headers=(), opened=0), "it says that 0 of 0 headers opened"),
    (
        lambda r: replace(r, headers=r.headers[1:], opened=r.opened - 1),
        "it covers no backup whole",
    ),
    (
        lambda r: replace(r, name="notary"),
        "the recipients document has no recovery recipient notary with this key",
    ),
    (
        lambda r: replace(r, role="escrow"),
        "the recipients document has no escrow recipient hospital with this key",
    ),
    (
        lambda r: replace(r, recipient=Identity.generate().recipient.text),
        "the recipients document has no recovery recipient hospital with this key",
    ),
    (lambda r: replace(r, at=r.at + timedelta(hours=1)), "its time lies in the future"),
]


@pytest.mark.parametrize(("change", "reason"), CHANGES)
def test_a_receipt_that_says_too_much_is_refused(
    estate: BuiltEstate, change: Change, reason: str
) -> None:
    """Signed by the hospital, and still refused: what it claims must fit the repository."""
    receipt = receipt_of(estate, request_of(estate))
    count = receipt.opened
    with pytest.raises(Refused) as caught:
        record(estate, signed(estate, change(receipt)))
    expected = reason.format(count=count, more=count + 1, less=count - 1)
    assert caught.value.message == f"the receipt is refused: {expected}"
    assert estate.repository.receipts() == ()


def test_a_receipt_of_a_signer_who_may_not_is_refused(estate: BuiltEstate) -> None:
    """The writer cannot say that the hospital's key opened anything."""
    receipt = receipt_of(estate, request_of(estate))
    with pytest.raises(Refused) as caught:
        record(estate, signed(estate, receipt, key="keys/writer"))
    assert caught.value.code == "trust-namespace"
    assert estate.repository.receipts() == ()


def test_a_changed_header_is_no_header_of_the_backup(estate: BuiltEstate) -> None:
    """Headers that were not those of the repository's packs make no valid receipt."""
    recipient = load_identities(estate.root / "hospital" / "recovery")[0].recipient
    request = request_of(estate)
    first = replace(request.headers[0], header=header_for(recipient))
    forged = replace(request, headers=(first, *request.headers[1:]))
    with pytest.raises(Refused) as caught:
        record(estate, signed(estate, receipt_of(estate, forged)))
    assert caught.value.message == (
        f"the receipt is refused: 1 of {len(request.headers)} headers belong to no living backup"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d | {"headers": []}, "headers.json holds no header"),
        (
            lambda d: d | {"format": "dbops-drill/2"},
            "headers.json is not a valid document: format: literal error",
        ),
        (
            lambda d: d | {"more": 1},
            "headers.json is not a valid document: more: unexpected keyword argument",
        ),
        (
            lambda d: d | {"backups": ["\u001b[2J"]},
            "headers.json is not a valid document: backups.0: string pattern mismatch",
        ),
    ],
)
def test_a_file_that_is_no_request_is_said(
    estate: BuiltEstate, change: Callable[[dict[str, object]], dict[str, object]], message: str
) -> None:
    """What came on a medium is not believed: unknown keys, formats and characters are refused."""
    document = change(json.loads(encode(request_of(estate))))
    with pytest.raises(DbopsError) as caught:
        read_request(json.dumps(document).encode(), "headers.json")
    assert caught.value.message == message


def test_a_request_survives_its_file(estate: BuiltEstate) -> None:
    """What is read is what was written."""
    request = request_of(estate)
    assert read_request(encode(request), "headers.json") == request


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text + "more\n", "{title} goes on after its end"),
        (lambda text: "x" + text, "{title} is damaged: it does not begin with an age header"),
        (lambda text: text[:-20], "{title} is damaged: it does not begin with an age header"),
    ],
)
def test_a_damaged_header_is_not_an_unopened_one(
    estate: BuiltEstate, change: Callable[[str], str], message: str
) -> None:
    """Damage on the way is said as damage, and does not put the key in doubt."""
    request = request_of(estate)
    item = replace(request.headers[0], header=change(request.headers[0].header))
    with pytest.raises(Failed) as caught:
        receipt_of(estate, replace(request, headers=(item,)))
    title = f"the header of pack {item.sha256[:16]}"
    assert caught.value.message == message.format(title=title)


def test_a_missing_pack_stops_the_drill(estate: BuiltEstate) -> None:
    """A drill over packs that are not there would say less than it seems."""
    name = pack_name("example", estate.newest().envelope.packs[0].sha256)
    (estate.objects / name).unlink()
    with pytest.raises(DbopsError) as caught:
        request_of(estate)
    assert caught.value.message == f"{name} is missing from repository main"


def test_an_identity_without_a_public_half_is_refused(estate: BuiltEstate) -> None:
    """A receipt names the recipient; an identity that cannot is of no use."""
    with pytest.raises(UsageFault) as caught:
        answer_request(request_of(estate), (), Role.RECOVERY, "hospital", NOW)
    assert caught.value.code == "identity-kind"


def test_the_last_receipt_of_each_role_counts() -> None:
    """Newer ones win whatever their order; a time ahead of ours is no negative age."""
    base = Receipt("dbops-receipt/1", "0" * 32, "drill", "a", "age1a", NOW, ("0" * 64,), 1)
    receipts = [
        base,
        replace(base, name="b", at=NOW - timedelta(days=3)),
        replace(base, role="recovery", name="c", at=NOW - timedelta(days=9)),
        replace(base, role="escrow", name="d", at=NOW + timedelta(minutes=1)),
    ]
    found = last_receipts([(receipt, "hospital") for receipt in receipts], NOW)
    assert [(last.role, last.name, last.age) for last in found] == [
        ("drill", "a", timedelta(0)),
        ("escrow", "d", timedelta(0)),
        ("recovery", "c", timedelta(days=9)),
    ]
    assert last_receipts([], NOW) == ()
