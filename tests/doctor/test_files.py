"""Who can change what dbops runs by, and who can read its secrets: real files, real modes."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterable
from pathlib import Path

import pytest

from dbops.doctor.files import (
    check_credential,
    check_credentials,
    check_private,
    check_state,
    check_unchangeable,
)
from dbops.doctor.finding import Finding, Verdict
from dbops.estate.values import (
    Address,
    PostgresqlAddress,
    SecretCommand,
    SecretEnv,
    SecretFile,
    SqliteAddress,
    SslMode,
)
from tests.fix_tools import require_root

ME = pwd.getpwuid(os.geteuid()).pw_name


def only(findings: Iterable[Finding]) -> Finding:
    (finding,) = findings
    return finding


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of this account that nobody else can change, in such a directory."""
    tmp_path.chmod(0o755)
    path = tmp_path / "dbops.toml"
    path.write_text("secret\n")
    path.chmod(0o600)
    return path


def test_a_file_of_ones_own_is_protected(file: Path) -> None:
    """Owner and mode right: one finding, ok, that names the owner."""
    finding = only(check_unchangeable(file, "the estate file"))
    assert finding == Finding(
        "file-protected", Verdict.OK, f"the estate file {file} can be changed by {ME} only"
    )


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_can_write_is_a_problem(file: Path, mode: int) -> None:
    """Group or others: the mode is shown, and how to take it away."""
    file.chmod(mode)
    assert only(check_unchangeable(file, "the estate file")) == Finding(
        "file-writable",
        Verdict.PROBLEM,
        f"the estate file {file} can be changed by other accounts (mode {mode:04o})",
        f"chmod go-w {file}",
    )


def test_a_directory_that_others_can_write_is_a_problem(file: Path) -> None:
    """Who can write the directory can put another file in place."""
    file.parent.chmod(0o777)
    assert only(check_unchangeable(file, "the estate file")) == Finding(
        "file-writable",
        Verdict.PROBLEM,
        f"the directory of the estate file {file.parent} can be changed by other accounts"
        " (mode 0777)",
        f"chmod go-w {file.parent}",
    )


def test_a_sticky_directory_protects_its_files(file: Path) -> None:
    """In a directory like /tmp others cannot replace a file."""
    file.parent.chmod(0o1777)
    assert only(check_unchangeable(file, "the estate file")).verdict is Verdict.OK


def test_a_file_of_another_account_is_a_problem(file: Path) -> None:
    """Its owner can change it whatever the mode."""
    require_root("giving files away")
    os.chown(file, 12345, -1)
    assert only(check_unchangeable(file, "the estate file")) == Finding(
        "file-owner",
        Verdict.PROBLEM,
        f"the estate file {file} belongs to uid 12345, who can change it",
        f"chown {ME} {file}",
    )


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o610])
def test_a_secret_file_that_is_open_is_a_problem(file: Path, mode: int) -> None:
    """Any permission of others counts."""
    file.chmod(mode)
    assert check_private(file, "signing key") == Finding(
        "file-open",
        Verdict.PROBLEM,
        f"signing key {file} is open to other accounts (mode {mode:04o})",
        f"chmod 600 {file}",
    )


def test_a_private_file_is_ok(file: Path) -> None:
    """It says who can read it."""
    finding = check_private(file, "signing key")
    assert (finding.verdict, finding.text) == (
        Verdict.OK,
        f"signing key {file} can be read by {ME} only",
    )


def test_a_missing_file_is_a_problem(tmp_path: Path) -> None:
    """A key that is not there is said, with the command that shows the directory."""
    path = tmp_path / "key"
    assert check_private(path, "identity") == Finding(
        "file-missing",
        Verdict.PROBLEM,
        f"identity {path} is not there or cannot be seen",
        f"ls -l {path}",
    )


def test_a_directory_is_no_key(tmp_path: Path) -> None:
    """What is not a regular file holds no secret."""
    assert check_private(tmp_path, "identity").code == "file-kind"


def test_a_secret_of_another_account_is_a_warning(file: Path) -> None:
    """Root reads it all the same; so does its owner."""
    require_root("giving files away")
    os.chown(file, 12345, -1)
    assert check_private(file, "password of lab") == Finding(
        "file-owner",
        Verdict.WARNING,
        f"password of lab {file} belongs to uid 12345, who can read it",
        f"chown {ME} {file}",
    )


def test_a_state_directory_is_private(tmp_path: Path) -> None:
    """0700 is right, entering it alone is harmless, reading it is not."""
    state = tmp_path / "state"
    assert only(check_state(state)).code == "state-absent"
    state.mkdir(mode=0o700)
    assert only(check_state(state)).code == "state-private"
    state.chmod(0o711)
    assert only(check_state(state)).code == "state-private"
    state.chmod(0o750)
    assert only(check_state(state)) == Finding(
        "state-open",
        Verdict.PROBLEM,
        f"state directory {state} is open to other accounts (mode 0750);"
        " restored rows lie in it for a while",
        f"chmod 700 {state}",
    )


def test_a_state_that_is_a_file_is_a_problem(file: Path) -> None:
    """A file where the directory should be is no state directory."""
    assert only(check_state(file)).code == "state-unusable"


def test_a_variable_that_is_not_set_is_a_problem() -> None:
    """Set it is ok, and who can read it is said; the value never is."""
    secret = SecretEnv("DBOPS_TEST_PASSWORD")
    assert check_credential(secret, "password of lab", {}) == Finding(
        "secret-missing",
        Verdict.PROBLEM,
        "password of lab: environment variable DBOPS_TEST_PASSWORD is not set",
        "set DBOPS_TEST_PASSWORD, or name a file in dbops.toml",
    )
    finding = check_credential(secret, "password of lab", {"DBOPS_TEST_PASSWORD": "canary"})
    assert finding.verdict is Verdict.OK
    assert "canary" not in finding.text + finding.advice


def test_a_program_that_others_can_change_is_a_problem(file: Path) -> None:
    """Who can change the program gets the password and the account."""
    file.chmod(0o772)
    secret = SecretCommand((str(file), "canary"))
    finding = check_credential(secret, "password of lab", {})
    assert finding == Finding(
        "file-writable",
        Verdict.PROBLEM,
        f"password of lab: the program {file} can be changed by other accounts (mode 0772)",
        f"chmod go-w {file}",
    )
    file.chmod(0o755)
    assert check_credential(secret, "password of lab", {}).verdict is Verdict.OK
    missing = SecretCommand((str(file) + "-not", "canary"))
    assert check_credential(missing, "password of lab", {}).code == "file-missing"
    assert check_credential(SecretCommand(("pass", "canary")), "x", {}).verdict is Verdict.OK


def test_only_databases_with_passwords_are_looked_at(file: Path) -> None:
    """A SQLite file and a server without a password have no credential."""

    def server(secret: SecretFile | None) -> PostgresqlAddress:
        return PostgresqlAddress(
            name="lab",
            host="127.0.0.1",
            port=5432,
            dbname="lab",
            user="dbops",
            password=secret,
            sslmode=SslMode.PREFER,
            sslrootcert=None,
            jobs=1,
        )

    addresses: list[Address] = [
        SqliteAddress(name="a", path=file),
        server(None),
        server(SecretFile(file)),
    ]
    finding = only(check_credentials(addresses, {}))
    assert finding.text == f"password of lab {file} can be read by {ME} only"
