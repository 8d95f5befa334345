"""Founding an estate: everything new, nothing replaced, and private."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from dbops.cli.reviewing import policy_of
from dbops.cli.wiring import Wiring
from dbops.crypto.age import load_identities
from dbops.crypto.signing import KeyFileSigner
from dbops.crypto.sshsig import Namespace
from dbops.errors import DbopsError, Failed, Refused
from dbops.estate.load import load_estate
from dbops.founding import Founding, found_estate, write_identity
from dbops.review.work import Kind, Risk
from dbops.stores.local import LocalStore
from tests.engines.sqlite.files import give_up, unprivileged

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def found(place: Path, *, demo: bool = False) -> Path:
    founding = Founding(place, "示范医院", "Asia/Shanghai", "backup-1", "0" * 32, demo=demo)
    return found_estate(founding, lambda path: LocalStore(path, "repository main"), NOW)


def test_a_founded_estate_can_seal_and_open(tmp_path: Path) -> None:
    """Recipients are signed by the hospital, and the host has its keys."""
    wiring = Wiring(load_estate(found(tmp_path / "estate")), {})
    keys = wiring.sealing_keys()
    assert [entry.name for entry in keys.recipients.recipients] == [
        "hospital",
        "verifier",
        "runner",
    ]
    (drill,) = wiring.identities()
    assert drill.recipient == keys.recipients.backup_keys[1]
    assert wiring.repository("main").id == "0" * 32


def test_a_reviewer_reads_rows_of_repairs_and_no_backup(tmp_path: Path) -> None:
    """Where one is asked for, the hospital's medium has an identity that bundles are sealed to."""
    founding = Founding(tmp_path, "示范医院", "Asia/Shanghai", "backup-1", "0" * 32, reviewer=True)
    path = found_estate(founding, lambda root: LocalStore(root, "repository main"), NOW)
    listed, _ = Wiring(load_estate(path), {}).recipients
    place = tmp_path / "hospital" / "reviewer"
    assert place.stat().st_mode & 0o077 == 0
    (reviewer,) = load_identities(place)
    assert reviewer.recipient in listed.bundle_keys(runner=False)
    assert reviewer.recipient not in listed.backup_keys


def test_secrets_are_private(tmp_path: Path) -> None:
    """No other account can enter the directories of the keys."""
    found(tmp_path / "estate")
    for folder in ("keys", "hospital", "verifier", "trust", "secrets", "ops"):
        assert (tmp_path / "estate" / folder).stat().st_mode & 0o077 == 0
    keys = ("writer", "catalogue", "ledger", "runner", "../hospital/recovery", "../verifier/drill")
    for key in keys:
        assert (tmp_path / "estate" / "keys" / key).stat().st_mode & 0o077 == 0


def test_every_key_may_sign_its_own_things_only(tmp_path: Path) -> None:
    """The host's keys approve nothing, and the hospital's signs no checkpoints."""
    estate = load_estate(found(tmp_path / "estate"))
    may = {one.principal: one.namespaces for one in Wiring(estate, {}).trust.signers}
    assert may["ledger@backup-1"] == {Namespace.CHECKPOINT}
    approving = {Namespace.APPROVAL, Namespace.BREAKGLASS, Namespace.COUNTERSIGN}
    assert approving <= may["hospital"]
    assert [name for name, spaces in may.items() if spaces & approving] == ["hospital"]
    assert estate.audit.signing_key is not None
    signer = KeyFileSigner.load(estate.audit.signing_key)
    judged = Wiring(estate, {}).trust.judge(signer.public_key, Namespace.CHECKPOINT, NOW)
    assert judged == "ledger@backup-1"


def test_the_hospital_alone_can_approve(tmp_path: Path) -> None:
    """It holds the role of the IT department; engineers are added later, by name."""
    estate = load_estate(found(tmp_path / "estate"))
    wiring = Wiring(estate, {})
    policy = policy_of(wiring)
    hospital = policy.person_of("hospital")
    assert hospital is not None
    assert policy.holds(hospital, "it-department")
    assert policy.roles["engineer"] == frozenset()
    assert not policy.demo
    for kind in (Kind.RESTORE, Kind.RELEASE, Kind.RECIPIENTS):
        rules, without = policy.matching(kind, ("example",), Risk.LOW)
        assert without == ()
        assert all(rule.asks for rule in rules)


def test_a_demo_asks_nothing_for_what_a_night_needs(tmp_path: Path) -> None:
    """Restores, releases and recipients are free there; repairs and changes are not."""
    policy = policy_of(Wiring(load_estate(found(tmp_path / "estate", demo=True)), {}))
    assert policy.demo
    asked = {
        kind: any(rule.asks for rule in policy.matching(kind, ("example",), Risk.LOW)[0])
        for kind in Kind
    }
    assert asked == {
        Kind.REPAIR: True,
        Kind.CHANGE: True,
        Kind.RESTORE: False,
        Kind.RELEASE: False,
        Kind.RECIPIENTS: False,
    }


@pytest.mark.parametrize(
    "part", ["dbops.toml", "keys", "hospital", "trust", "backups", "audit", "ops"]
)
def test_what_is_there_is_left_alone(tmp_path: Path, part: str) -> None:
    """Any part of an estate stops the founding of another one."""
    (tmp_path / part).write_text("mine")
    with pytest.raises(Refused) as caught:
        found(tmp_path)
    assert caught.value.message == f"{tmp_path} holds {part} already; nothing was changed"
    assert [item.name for item in tmp_path.iterdir()] == [part]
    assert (tmp_path / part).read_text() == "mine"


def test_a_place_that_cannot_be_written_is_named() -> None:
    """A closed directory, or a file where a directory should be."""
    with unprivileged() as place:
        (place / "file").write_text("")
        with pytest.raises(DbopsError) as occupied:
            found(place / "file")
        give_up()
        with pytest.raises(DbopsError) as closed:
            found(place / "estate")
    assert occupied.value.code == "file-unwritable"
    assert isinstance(closed.value, Failed)
    assert closed.value.message == f"{place}/estate/keys cannot be made (Permission denied)"


def test_an_identity_is_never_replaced(tmp_path: Path) -> None:
    """What a lost key opened would be lost with it."""
    write_identity(tmp_path / "key", "recovery", NOW)
    before = (tmp_path / "key").read_bytes()
    with pytest.raises(Refused) as caught:
        write_identity(tmp_path / "key", "recovery", NOW)
    assert caught.value.message == f"{tmp_path / 'key'} exists already; nothing was changed"
    assert (tmp_path / "key").read_bytes() == before
