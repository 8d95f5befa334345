"""Keys on a host as `dbops init` leaves it, and with one thing wrong at a time."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dbops.crypto.sshsig import Namespace
from dbops.crypto.trust import TrustRoot, load_trust_root
from dbops.doctor.finding import Finding, Verdict
from dbops.doctor.keys import check_recipients, check_signing_keys
from dbops.estate.load import load_estate
from dbops.estate.values import Estate
from dbops.founding import Founding, found_estate, write_identity
from dbops.stores.local import LocalStore

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    place = tmp_path / "estate"
    founding = Founding(place, "示范医院", "Asia/Shanghai", "backup-1", "0" * 32)
    return load_estate(found_estate(founding, lambda path: LocalStore(path, "main"), NOW))


@pytest.fixture
def trust(estate: Estate) -> TrustRoot:
    return load_trust_root(estate.trust, estate.zone)


def signing(estate: Estate, trust: TrustRoot, now: datetime = NOW) -> dict[str, Finding]:
    return {item.code: item for item in check_signing_keys(estate.host, trust, now)}


def recipients(estate: Estate, trust: TrustRoot) -> dict[str, Finding]:
    return {item.code: item for item in check_recipients(estate, trust, NOW)}


def move_away(estate: Estate) -> None:
    """What the hospital does after `dbops init`."""
    shutil.rmtree(estate.path.parent / "hospital")


def test_a_fresh_estate_is_told_to_move_the_hospitals_keys(
    estate: Estate, trust: TrustRoot
) -> None:
    """The recovery identity and the hospital's signing key do not belong on a backup host."""
    found = recipients(estate, trust)
    folder = estate.path.parent / "hospital"
    assert {code for code, item in found.items() if item.verdict is not Verdict.OK} == {
        "recovery-identity-here",
        "hospital-key-here",
    }
    assert found["recovery-identity-here"] == Finding(
        "recovery-identity-here",
        Verdict.WARNING,
        f"{folder / 'recovery'} is the recovery identity of hospital:"
        " whoever gets into this host reads every backup",
        "move it offline: onto two media that the hospital keeps",
    )


def test_nothing_is_wrong_once_they_are_moved(estate: Estate, trust: TrustRoot) -> None:
    """Then everything is ok, and what the host can do is said."""
    move_away(estate)
    found = signing(estate, trust) | recipients(estate, trust)
    assert {item.verdict for item in found.values()} == {Verdict.OK}
    assert found["writes-and-reads"].text == "this host writes and verifies: its keys open backups"
    assert found["recipients-signed"].text == (
        "hospital signed who can open backups: recovery (hospital), drill (verifier);"
        " and rows of repairs: runner (runner)"
    )


def test_a_host_without_identities_only_writes(estate: Estate, trust: TrustRoot) -> None:
    """No identity, no verifier key: it cannot open what it writes."""
    move_away(estate)
    host = replace(estate.host, identities=(), verifier_key=None)
    plain = replace(estate, host=host)
    found = signing(plain, trust) | recipients(plain, trust)
    assert found["writes-only"].text == "this host writes backups and cannot open them"
    assert found["no-verifier"].verdict is Verdict.OK


def test_a_recovery_identity_in_use_is_told_once(estate: Estate, trust: TrustRoot) -> None:
    """Named in host.identities as well as lying in the folder, it is one warning."""
    path = estate.path.parent / "hospital" / "recovery"
    plain = replace(estate, host=replace(estate.host, identities=(path,)))
    codes = [item.code for item in check_recipients(plain, trust, NOW)]
    assert codes.count("recovery-identity-here") == 1


def test_an_identity_of_nobody_is_a_warning(estate: Estate, trust: TrustRoot) -> None:
    """An identity that is not in today's list opens no backup to come."""
    path = estate.path.parent / "old"
    write_identity(path, "drill", NOW)
    plain = replace(estate, host=replace(estate.host, identities=(path,)))
    assert recipients(plain, trust)["identity-not-listed"] == Finding(
        "identity-not-listed",
        Verdict.WARNING,
        f"identity {path} opens no backup made from now on",
        "keep it while dbops keys report says so, then take it out of dbops.toml",
    )


def test_a_catalogue_identity_that_opens_backups_is_a_problem(
    estate: Estate, trust: TrustRoot
) -> None:
    """The backup host's own key must not be a recipient: it could read what it writes."""
    plain = replace(estate, host=replace(estate.host, catalogue_identity=estate.host.identities[0]))
    found = recipients(plain, trust)["catalogue-opens-backups"]
    assert found.verdict is Verdict.PROBLEM
    assert found.text == (
        "the catalogue identity is also drill recipient verifier:"
        " this host reads what it should only write"
    )


def test_the_runner_opens_rows_and_no_backups(estate: Estate, trust: TrustRoot) -> None:
    """In its own place it is right, among the identities that open backups it is of no use."""
    runner = estate.host.runner_identity
    assert runner is not None
    text = "the runner identity opens rows of repairs, and no backups"
    assert recipients(estate, trust)["runner-identity"].text == text
    plain = replace(estate, host=replace(estate.host, identities=(runner,)))
    assert recipients(plain, trust)["identity-not-listed"].verdict is Verdict.WARNING


def test_a_runner_that_opens_backups_is_a_problem(estate: Estate, trust: TrustRoot) -> None:
    """Whoever gets into the host that runs repairs must not read what is backed up."""
    (drill,) = estate.host.identities
    plain = replace(estate, host=replace(estate.host, runner_identity=drill))
    found = recipients(plain, trust)["runner-opens-more"]
    assert (found.verdict, found.text) == (
        Verdict.PROBLEM,
        "the runner identity is also drill recipient verifier",
    )


def test_a_runner_of_nobody_or_nowhere_is_told(
    estate: Estate, trust: TrustRoot, tmp_path: Path
) -> None:
    """An undo needs what it opens; a host that runs no repairs needs none."""
    write_identity(tmp_path / "other", "runner", NOW)
    host = estate.host
    plain = replace(estate, host=replace(host, runner_identity=tmp_path / "other"))
    assert recipients(plain, trust)["runner-not-listed"].verdict is Verdict.WARNING
    plain = replace(estate, host=replace(host, runner_identity=tmp_path / "none"))
    assert recipients(plain, trust)["runner-identity"].verdict is Verdict.PROBLEM
    plain = replace(estate, host=replace(host, runner_identity=None))
    assert not [code for code in recipients(plain, trust) if code.startswith("runner")]


def test_a_missing_catalogue_identity_is_a_problem(estate: Estate, trust: TrustRoot) -> None:
    """Without it no backup can be made."""
    assert estate.host.catalogue_identity is not None
    estate.host.catalogue_identity.unlink()
    found = recipients(estate, trust)["catalogue-identity"]
    assert found.verdict is Verdict.PROBLEM
    assert found.text == f"no identity file {estate.host.catalogue_identity}"


def test_an_unsigned_list_is_a_problem(estate: Estate, trust: TrustRoot) -> None:
    """One changed byte, and the list is nobody's; there is nothing to hold keys against."""
    data = estate.recipients.read_bytes()
    estate.recipients.write_bytes(data.replace(b'"verifier"', b'"verified"'))
    (found,) = check_recipients(estate, trust, NOW)
    assert (found.verdict, found.code) == (Verdict.PROBLEM, "signature-wrong")


def test_a_signing_key_must_be_trusted_for_manifests(estate: Estate, trust: TrustRoot) -> None:
    """A verifier's key in the writer's place is a problem before the night is."""
    plain = replace(
        estate, host=replace(estate.host, signing_key=estate.path.parent / "verifier" / "signing")
    )
    found = signing(plain, trust)
    assert found["trust-namespace"].verdict is Verdict.PROBLEM
    assert found["trust-namespace"].text.endswith(
        "of verifier@backup-1 may not sign for dbops-manifest@v1"
    )
    assert found["one-key-for-both"].verdict is Verdict.WARNING


def test_a_key_that_the_trust_root_does_not_know_is_a_problem(
    estate: Estate, trust: TrustRoot
) -> None:
    """A trust root without the writer's line believes none of its backups."""
    others = tuple(s for s in trust.signers if Namespace.MANIFEST not in s.namespaces)
    assert signing(estate, TrustRoot(others))["trust-key-unknown"].verdict is Verdict.PROBLEM


@pytest.mark.parametrize(("days", "warned"), [(29, True), (31, False)])
def test_a_key_that_ends_soon_is_a_warning(
    estate: Estate, trust: TrustRoot, days: int, *, warned: bool
) -> None:
    """A month before a key ends there is time to replace it."""
    ends = NOW + timedelta(days=days)
    signers = tuple(replace(signer, valid_before=ends) for signer in trust.signers)
    found = signing(estate, TrustRoot(signers))
    assert ("key-expires" in found) is warned
    if warned:
        assert found["key-expires"].text == (
            "verifier key of verifier@backup-1 is believed only until 2026-12-21"
        )


def test_a_key_file_that_is_open_is_a_problem(estate: Estate, trust: TrustRoot) -> None:
    """What the signer would refuse at night is found by day."""
    assert estate.host.signing_key is not None
    estate.host.signing_key.chmod(0o644)
    found = signing(estate, trust)["key-file-open"]
    assert found.text == "signing key writer is readable by others (mode 0644)"
    assert found.advice == f"chmod 600 {estate.host.signing_key}"


def test_a_host_that_only_verifies_has_nothing_wrong(estate: Estate, trust: TrustRoot) -> None:
    """Without the writer's keys a verifying host is in order, and says what it does not do."""
    host = replace(estate.host, signing_key=None, catalogue_identity=None)
    move_away(estate)
    found = [
        *check_signing_keys(host, trust, NOW),
        *check_recipients(replace(estate, host=host), trust, NOW),
    ]
    assert "no-writer" in {item.code for item in found}
    assert not [item for item in found if item.verdict is Verdict.PROBLEM]


def test_a_writer_without_a_catalogue_identity_is_a_problem(
    estate: Estate, trust: TrustRoot
) -> None:
    """Its backups could not be sealed: the night would fail."""
    plain = replace(estate, host=replace(estate.host, catalogue_identity=None))
    codes = {item.code: item.verdict for item in check_recipients(plain, trust, NOW)}
    assert codes["no-catalogue-identity"] is Verdict.PROBLEM
