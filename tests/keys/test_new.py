"""New keys: secret halves that nobody else can read, and public halves that fit them."""

from __future__ import annotations

import re
import stat
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dbops.crypto.age import load_identities
from dbops.crypto.signing import KeyFileSigner
from dbops.errors import Failed, Refused, UsageFault
from dbops.keys.identities import canonical, public_half
from dbops.keys.new import KeyPurpose, make_key
from tests.fix_tools import require_tool

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
AGE_PURPOSES = [purpose for purpose in KeyPurpose if purpose is not KeyPurpose.SIGNING]


@pytest.mark.parametrize("purpose", AGE_PURPOSES)
def test_an_identity_fits_the_public_key_that_is_printed(
    tmp_path: Path, purpose: KeyPurpose
) -> None:
    """The file holds one identity whose public half is returned, mode 0600."""
    path = tmp_path / "key"
    made = make_key(purpose, path, "hospital", NOW)
    (identity,) = load_identities(path)
    assert made.public == public_half(identity)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text().startswith(
        f"# dbops {purpose.value} (hospital) identity, made 2026-11-22T03:00:00Z\n"
    )


def test_a_signing_key_is_openssh_ed25519(tmp_path: Path) -> None:
    """The public line names the key, and the file signs; `.pub` stands beside it."""
    path = tmp_path / "signing"
    made = make_key(KeyPurpose.SIGNING, path, "it@hospital", NOW)
    signer = KeyFileSigner.load(path)
    assert made.public == f"{signer.public_key.line} it@hospital"
    assert made.public.startswith("ssh-ed25519 ")
    assert path.with_suffix(".pub").read_text() == made.public + "\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("purpose", list(KeyPurpose))
def test_a_file_that_is_there_is_never_replaced(tmp_path: Path, purpose: KeyPurpose) -> None:
    """An existing file, even a dangling link, is refused and stays as it is."""
    path = tmp_path / "key"
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Refused, match="exists already"):
        make_key(purpose, path, "hospital", NOW)
    assert path.is_symlink()
    assert not (tmp_path / "elsewhere").exists()


def test_a_missing_directory_is_said(tmp_path: Path) -> None:
    """A key in a directory that is not there fails, and names the file."""
    path = tmp_path / "nowhere" / "key"
    with pytest.raises(Failed) as caught:
        make_key(KeyPurpose.RECOVERY, path, "hospital", NOW)
    assert caught.value.message == f"{path} cannot be written (No such file or directory)"


def test_a_name_that_no_document_could_hold_is_refused(tmp_path: Path) -> None:
    """Names of identities are those of the recipients document; nothing is written."""
    with pytest.raises(UsageFault) as caught:
        make_key(KeyPurpose.ESCROW, tmp_path / "key", "Hospital No. 1", NOW)
    assert caught.value.message == "the name of the key is not a name"
    assert not (tmp_path / "key").exists()


def test_an_ssh_identity_tells_its_public_half(tmp_path: Path) -> None:
    """The public half of an OpenSSH key is its `.pub` line without the comment."""
    path = tmp_path / "signing"
    make_key(KeyPurpose.SIGNING, path, "it@hospital", NOW)
    (identity,) = load_identities(path)
    line = path.with_suffix(".pub").read_text()
    assert public_half(identity) == canonical(line)
    assert re.fullmatch(r"ssh-ed25519 [A-Za-z0-9+/=]+", canonical(line))


def test_age_itself_knows_the_public_half(tmp_path: Path) -> None:
    """`age-keygen -y` prints for our file what we print."""
    tool = require_tool("age-keygen", "age")
    path = tmp_path / "key"
    made = make_key(KeyPurpose.DRILL, path, "verifier", NOW)
    done = subprocess.run([tool, "-y", path], capture_output=True, text=True, check=True)
    assert done.stdout == made.public + "\n"
