"""`allowed_signers` and `revoked` mean to `ssh-keygen -Y verify` what they mean here."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from dbops.crypto.signing import KeyFileSigner, generate_signing_key
from dbops.crypto.sshsig import Namespace, PublicKey, check_signature
from dbops.crypto.trust import load_trust_root
from dbops.errors import Refused
from tests.fix_tools import require_tool

SPACE = Namespace.APPROVAL
TEXT = b"decision: approve\n"
WHO = "li.na@hospital"
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ZONES = ("UTC", "Asia/Shanghai", "America/New_York")


@dataclass(frozen=True)
class Place:
    """A directory with a key and its signature, in which trust roots are written."""

    path: Path
    key: PublicKey

    def write(self, options: str, who: str = WHO, revoked: str = "") -> None:
        """The trust root is one line, and what is revoked."""
        (self.path / "allowed_signers").write_text(f"{who} {options} {self.key.line}\n")
        (self.path / "revoked").write_text(revoked)

    def tool(self, zone: str, now: datetime) -> bool:
        """Whether ssh-keygen takes the signature for that person at that time, in that zone."""
        command = ["ssh-keygen", "-Y", "verify", "-f", "allowed_signers", "-I", WHO, "-n", SPACE]
        command += ["-s", "sig", "-r", "revoked", f"-Overify-time={now:%Y%m%d%H%M%S}Z"]
        done = subprocess.run(
            command,
            cwd=self.path,
            input=TEXT,
            capture_output=True,
            check=False,
            env={**os.environ, "TZ": zone},
        )
        return done.returncode == 0

    def ours(self, zone: str, now: datetime) -> bool:
        """Whether dbops does."""
        try:
            root = load_trust_root(self.path, ZoneInfo(zone))
            key = check_signature(TEXT, (self.path / "sig").read_text(), SPACE)
            return root.judge(key, SPACE, now) == WHO
        except Refused:
            return False


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """One key and one signature for all trust roots."""
    require_tool("ssh-keygen", "openssh-client")
    path = tmp_path_factory.mktemp("trust")
    generate_signing_key(path / "key", WHO)
    signer = KeyFileSigner.load(path / "key")
    (path / "sig").write_text(signer.sign(TEXT, SPACE))
    return Place(path, signer.public_key)


@pytest.mark.parametrize(
    ("options", "good"),
    [
        (f'namespaces="{SPACE}"', True),
        (f'namespaces="git,{SPACE}"', True),
        (f'namespaces="{Namespace.REQUEST}"', False),
        ('namespaces="git"', False),
        (f'namespaces="x{SPACE}"', False),
    ],
)
def test_namespaces(place: Place, options: str, good: bool) -> None:
    """A key signs for the uses that its line names, whole names only."""
    place.write(options)
    assert (place.tool("UTC", NOON), place.ours("UTC", NOON)) == (good, good)


def test_principals(place: Place) -> None:
    """The same key under another name speaks for that name."""
    for who in ("li.na@hospital.example", "LI.NA@hospital", "wang.fang@site"):
        place.write(f'namespaces="{SPACE}"', who)
        assert (place.tool("UTC", NOON), place.ours("UTC", NOON)) == (False, False)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(
    "time", ["20261123", "202611231200", "20261123120001", "20261123115959Z", "20261123120001Z"]
)
def test_validity_in_every_zone(place: Place, zone: str, time: str) -> None:
    """A time without Z is local, one with Z is not, and both ends are judged by it."""
    digits = time.removesuffix("Z").ljust(14, "0")
    meant = UTC if time.endswith("Z") else ZoneInfo(zone)
    end = datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=meant).astimezone(UTC)
    for word, good in (("valid-before", end >= NOON), ("valid-after", end <= NOON)):
        place.write(f'namespaces="{SPACE}",{word}="{time}"')
        assert (place.tool(zone, NOON), place.ours(zone, NOON)) == (good, good)


def test_revoked_keys(place: Place) -> None:
    """A plain list of keys revokes for both, and the key of somebody else revokes nothing."""
    other = generate_signing_key(place.path / "other", "other")
    for revoked, good in ((f"{place.key.line} lost\n", False), (f"{other.line}\n", True)):
        place.write(f'namespaces="{SPACE}"', revoked=revoked)
        assert (place.tool("UTC", NOON), place.ours("UTC", NOON)) == (good, good)


@pytest.mark.parametrize(
    ("who", "options"),
    [
        ("*@hospital", f'namespaces="{SPACE}"'),
        (f"{WHO},wang.fang@site", f'namespaces="{SPACE}"'),
        (WHO, 'namespaces="dbops-*"'),
        (WHO, 'valid-after="20200101Z"'),
    ],
)
def test_what_is_taken_by_ssh_keygen_alone(place: Place, who: str, options: str) -> None:
    """Patterns, shared keys and lines without namespaces work there, and are refused here."""
    place.write(options, who)
    assert (place.tool("UTC", NOON), place.ours("UTC", NOON)) == (True, False)
