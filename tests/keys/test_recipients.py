"""Changing who can open backups: rules, signatures, and a replacement that loses nothing."""

from __future__ import annotations

import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbops.crypto.age import Identity
from dbops.crypto.signing import KeyFileSigner, generate_signing_key
from dbops.crypto.sshsig import Namespace
from dbops.crypto.trust import TrustedSigner, TrustRoot
from dbops.errors import NotFound, Refused, UsageFault
from dbops.keys.recipients import (
    change_list,
    create_document,
    load_signer,
    open_recipients,
    parse_entry,
    read_signed_recipients,
    replace_document,
    sign_list,
)
from dbops.repository.recipients import RecipientEntry, RecipientList, Role
from tests.fix_tools import require_tool

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
KEYS = [Identity.generate().recipient.text for _ in range(5)]
RECOVERY = RecipientEntry(Role.RECOVERY, "hospital", KEYS[0])
DRILL = RecipientEntry(Role.DRILL, "verifier", KEYS[1])
LISTED = RecipientList("dbops-recipients/1", NOW, (RECOVERY, DRILL))


@pytest.fixture
def signer(tmp_path: Path) -> KeyFileSigner:
    generate_signing_key(tmp_path / "signing", "hospital")
    return KeyFileSigner.load(tmp_path / "signing")


@pytest.fixture
def trust(signer: KeyFileSigner) -> TrustRoot:
    may = frozenset({Namespace.RECIPIENTS})
    return TrustRoot((TrustedSigner("hospital", signer.public_key, may),))


def test_an_entry_is_role_name_and_recipient() -> None:
    """An ssh key may carry spaces and a comment; the comment is not kept."""
    ssh = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHtIZG+soHXq1nNJ94JovaBLgwLFZs4qHZT2k+Errp5R"
    assert parse_entry(f"escrow:notary:{ssh} notary@office") == RecipientEntry(
        Role.ESCROW, "notary", ssh
    )
    assert parse_entry(f"drill:verifier:{KEYS[1]}") == DRILL


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("recovery", "--add does not say who: it is not ROLE:NAME:RECIPIENT"),
        (
            "boss:hospital:KEY",
            "--add does not say who: its role is none of recovery, drill, escrow, reviewer, runner",
        ),
        (
            "drill:Me:KEY",
            "--add does not say who: its name is not 1 to 63 lower-case letters, digits and"
            " hyphens, the first not a hyphen",
        ),
        ("drill:me:age1nonsense", "not an age recipient: age1nonsense"),
    ],
)
def test_what_is_no_entry_is_said(text: str, message: str) -> None:
    """Each part that is wrong has its own sentence."""
    with pytest.raises(UsageFault) as caught:
        parse_entry(text.replace("KEY", KEYS[0]))
    assert caught.value.message == message


def test_a_change_keeps_the_order_and_takes_the_new_time() -> None:
    """Removed entries go, the others stay in their order, added ones come last."""
    added = RecipientEntry(Role.ESCROW, "notary", KEYS[2])
    later = NOW + timedelta(days=1)
    changed = change_list(LISTED, [added], ["verifier"], later)
    assert changed == RecipientList("dbops-recipients/1", later, (RECOVERY, added))


def test_a_key_is_changed_by_removing_and_adding_its_name() -> None:
    """A name may be removed and added in one change, with another key."""
    fresh = replace(DRILL, recipient=KEYS[3])
    changed = change_list(LISTED, [fresh], ["verifier"], NOW)
    assert changed.recipients == (RECOVERY, fresh)


@pytest.mark.parametrize(
    ("added", "removed", "reason"),
    [
        ([], ["hospital"], "it names no recovery recipient"),
        (
            [RecipientEntry(Role.ESCROW, "verifier", KEYS[2])],
            [],
            "two entries have the same name",
        ),
        ([RecipientEntry(Role.ESCROW, "notary", KEYS[0])], [], "two entries have the same key"),
    ],
)
def test_a_list_that_breaks_a_rule_is_refused(
    added: list[RecipientEntry], removed: list[str], reason: str
) -> None:
    """A recovery recipient always, no name twice, no key twice."""
    with pytest.raises(Refused) as caught:
        change_list(LISTED, added, removed, NOW)
    assert caught.value.message == f"the recipients document is refused: {reason}"


def test_removing_whom_nobody_knows_is_said() -> None:
    """A name to remove that is not there is an error: it may be a typing mistake."""
    with pytest.raises(NotFound) as caught:
        change_list(LISTED, [], ["verifer", "verifier"], NOW)
    assert caught.value.message == "the recipients document has no verifer"
    assert caught.value.hint == "dbops keys recipients show"


@given(
    names=st.lists(st.from_regex(r"[a-z0-9][a-z0-9-]{0,9}", fullmatch=True), max_size=4),
    data=st.data(),
)
def test_no_change_ever_yields_a_list_without_recovery(
    names: list[str], data: st.DataObject
) -> None:
    """Whatever is added and removed, what comes out holds a recovery recipient, names once."""
    added = [
        RecipientEntry(data.draw(st.sampled_from(Role)), name, data.draw(st.sampled_from(KEYS)))
        for name in names
    ]
    removed = data.draw(st.lists(st.sampled_from(["hospital", "verifier"]), unique=True))
    try:
        changed = change_list(LISTED, added, removed, NOW)
    except Refused:
        return
    assert Role.RECOVERY in {entry.role for entry in changed.recipients}
    assert len({entry.name for entry in changed.recipients}) == len(changed.recipients)
    assert len({entry.recipient for entry in changed.recipients}) == len(changed.recipients)


def test_what_is_signed_opens_again(signer: KeyFileSigner, trust: TrustRoot) -> None:
    """The document opens to the same list, signed by the principal of the key."""
    found = open_recipients(sign_list(LISTED, signer, trust, NOW), trust, NOW)
    assert (found.listed, found.principal) == (LISTED, "hospital")
    assert found.fingerprint == signer.public_key.fingerprint


def test_a_key_that_may_not_sign_lists_is_refused(signer: KeyFileSigner) -> None:
    """A document that this host would refuse never comes into being."""
    may = frozenset({Namespace.MANIFEST})
    trust = TrustRoot((TrustedSigner("writer", signer.public_key, may),))
    with pytest.raises(Refused) as caught:
        sign_list(LISTED, signer, trust, NOW)
    assert caught.value.message == (
        f"key {signer.public_key.fingerprint} of writer may not sign for dbops-recipients@v1"
    )


def test_a_pub_file_signs_through_ssh_keygen(
    tmp_path: Path, signer: KeyFileSigner, trust: TrustRoot
) -> None:
    """`.pub` means the key behind it, in an agent or beside it; other names a private key file."""
    require_tool("ssh-keygen", "openssh-client")
    for name in ("signing", "signing.pub"):
        document = sign_list(LISTED, load_signer(tmp_path / name), trust, NOW)
        assert open_recipients(document, trust, NOW).fingerprint == signer.public_key.fingerprint


def test_the_old_document_is_kept_beside_the_new_one(tmp_path: Path) -> None:
    """The new bytes stand in place with the old mode; the old ones under a time stamp."""
    path = tmp_path / "recipients"
    path.write_bytes(b"old\n")
    path.chmod(0o640)
    kept = replace_document(path, b"new\n", NOW)
    assert kept == tmp_path / "recipients.20261122T030000Z"
    assert kept.read_bytes() == b"old\n"
    assert path.read_bytes() == b"new\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert sorted(item.name for item in tmp_path.iterdir()) == [
        "recipients",
        "recipients.20261122T030000Z",
    ]


def test_a_first_document_has_no_predecessor(tmp_path: Path) -> None:
    """Where there was none, only the new one is there."""
    path = tmp_path / "recipients"
    assert replace_document(path, b"new\n", NOW) is None
    assert [item.name for item in tmp_path.iterdir()] == ["recipients"]


def test_two_changes_within_a_second_lose_nothing(tmp_path: Path) -> None:
    """The second is refused, and both documents stay as they are."""
    path = tmp_path / "recipients"
    path.write_bytes(b"old\n")
    kept = replace_document(path, b"new\n", NOW)
    with pytest.raises(Refused) as caught:
        replace_document(path, b"newer\n", NOW)
    assert caught.value.message == f"{kept} exists already; nothing was changed"
    assert path.read_bytes() == b"new\n"
    assert kept is not None
    assert kept.read_bytes() == b"old\n"
    assert len(list(tmp_path.iterdir())) == 2


def test_what_a_crash_left_does_not_stop_the_next_change(tmp_path: Path) -> None:
    """A file of an earlier, killed change is removed."""
    path = tmp_path / "recipients"
    (tmp_path / ".recipients.new").write_bytes(b"half")
    replace_document(path, b"new\n", NOW)
    assert path.read_bytes() == b"new\n"
    assert [item.name for item in tmp_path.iterdir()] == ["recipients"]


def test_a_new_file_replaces_nothing(tmp_path: Path) -> None:
    """`--out` names a new file, always."""
    path = tmp_path / "out"
    create_document(path, b"one\n")
    with pytest.raises(Refused) as caught:
        create_document(path, b"two\n")
    assert caught.value.message == f"{path} exists already; nothing was changed"
    assert path.read_bytes() == b"one\n"


def test_a_missing_document_is_not_an_unsigned_one(tmp_path: Path, trust: TrustRoot) -> None:
    """Missing is NotFound; present but not signed is Refused."""
    path = tmp_path / "recipients"
    with pytest.raises(NotFound) as caught:
        read_signed_recipients(path, trust, NOW)
    assert caught.value.message == f"there is no recipients document {path}"
    path.write_text("{}\n")
    with pytest.raises(Refused) as refused:
        read_signed_recipients(path, trust, NOW)
    assert refused.value.message == "the document carries no signature"
