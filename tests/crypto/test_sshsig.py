"""The strict verifier against real ssh-keygen, both ways, and against crafted signatures."""

from __future__ import annotations

import base64
import hashlib
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from dbops.crypto.sshsig import Namespace, PublicKey, check_signature
from dbops.crypto.sshwire import RSA_MOST_BITS, Reader, Subject, mpint, string
from dbops.errors import Refused
from tests.fix_tools import require_tool

MESSAGE = "血库 backup 0001\n".encode()
SPACE = Namespace.MANIFEST
BEGIN, END = "-----BEGIN SSH SIGNATURE-----\n", "-----END SSH SIGNATURE-----\n"
ED = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
ED_BLOB = string(b"ssh-ed25519") + string(ED.public_key().public_bytes_raw())
P256 = ec.derive_private_key(12345, ec.SECP256R1())
POINT = P256.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
SK_ED = b"sk-ssh-ed25519@openssh.com"
SK_EC = b"sk-ecdsa-sha2-nistp256@openssh.com"


@dataclass(frozen=True)
class Parts:
    """The fields of a signature before they are armored, so that each can be made wrong."""

    magic: bytes = b"SSHSIG"
    version: int = 1
    blob: bytes = ED_BLOB
    space: bytes = SPACE.encode()
    reserved: bytes = b""
    digest: bytes = b"sha512"
    algorithm: bytes = b"ssh-ed25519"
    flags: bytes = b""  # with counter, of a hardware key
    inner_tail: bytes = b""
    tail: bytes = b""

    @property
    def signed(self) -> bytes:
        """What the key signs, said again here in the test's own words."""
        hashed = hashlib.new(self.digest.decode(), MESSAGE).digest()
        return b"SSHSIG" + b"".join(map(string, (self.space, self.reserved, self.digest, hashed)))

    def around(self, raw: bytes) -> bytes:
        """The whole signature around the key's own `raw` one."""
        inner = string(self.algorithm) + string(raw) + self.flags + self.inner_tail
        fields = (self.blob, self.space, self.reserved, self.digest, inner)
        head = self.magic + self.version.to_bytes(4, "big")
        return head + b"".join(map(string, fields)) + self.tail


def armor(blob: bytes, width: int = 70) -> str:
    """Armor as ssh-keygen writes it, said again here in the test's own words."""
    text = base64.b64encode(blob).decode()
    body = "".join(text[at : at + width] + "\n" for at in range(0, len(text), width))
    return BEGIN + body + END


def crafted(parts: Parts) -> str:
    """A signature by the fixed ed25519 key with fields of the test's choice."""
    return armor(parts.around(ED.sign(parts.signed)))


def sk_parts(kind: bytes, blob: bytes, flags: int) -> tuple[Parts, bytes]:
    """The parts of a hardware key's signature, and what the device signs."""
    parts = Parts(blob=blob, algorithm=kind, flags=bytes([flags]) + (7).to_bytes(4, "big"))
    device = hashlib.sha256(b"ssh:").digest() + parts.flags + hashlib.sha256(parts.signed).digest()
    return parts, device


def sk_signature(kind: bytes, flags: int) -> str:
    """What a hardware key would have made, from a software key of the same curve."""
    if kind == SK_ED:
        blob = string(kind) + string(ED.public_key().public_bytes_raw()) + string(b"ssh:")
        parts, device = sk_parts(kind, blob, flags)
        return armor(parts.around(ED.sign(device)))
    blob = string(kind) + string(b"nistp256") + string(POINT) + string(b"ssh:")
    parts, device = sk_parts(kind, blob, flags)
    pair = utils.decode_dss_signature(P256.sign(device, ec.ECDSA(hashes.SHA256())))
    return armor(parts.around(b"".join(map(mpint, pair))))


def code_of(text: str, message: bytes = MESSAGE, space: Namespace = SPACE) -> str:
    """The code with which the verifier refuses."""
    with pytest.raises(Refused) as caught:
        check_signature(message, text, space)
    return caught.value.code


@pytest.fixture(scope="module")
def ssh_keygen() -> Path:
    """The real thing."""
    return require_tool("ssh-keygen", "openssh-client")


@pytest.fixture(scope="module")
def made(ssh_keygen: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with one ssh-keygen key and signature of each kind."""
    directory = tmp_path_factory.mktemp("keys")
    sizes = {"ed25519": [0], "ecdsa": [256, 384, 521], "rsa": [3072, 1024]}
    for kind, bits in [(kind, bits) for kind, every in sizes.items() for bits in every]:
        name = f"{kind}{bits or ''}"
        sized = ["-b", str(bits)] if bits else []
        make = [str(ssh_keygen), "-q", "-t", kind, *sized, "-N", "", "-C", "x", "-f", name]
        subprocess.run(make, cwd=directory, check=True)
        sign_by_tool(directory, name)
    return directory


def sign_by_tool(directory: Path, name: str, *more: str) -> str:
    """Sign the message by ssh-keygen; the armor is also in NAME.sig."""
    command = ["ssh-keygen", "-q", "-Y", "sign", "-n", SPACE, "-f", name, *more]
    done = subprocess.run(command, cwd=directory, input=MESSAGE, capture_output=True, check=True)
    (directory / f"{name}.sig").write_bytes(done.stdout)
    return done.stdout.decode()


def tool_accepts(directory: Path, key: PublicKey, signature: str) -> bool:
    """Whether `ssh-keygen -Y verify` takes the signature."""
    (directory / "signers").write_text(f'a namespaces="{SPACE}" {key.line}\n')
    (directory / "sig").write_text(signature)
    command = ["ssh-keygen", "-Y", "verify", "-f", "signers", "-I", "a", "-n", SPACE, "-s", "sig"]
    done = subprocess.run(command, cwd=directory, input=MESSAGE, capture_output=True, check=False)
    return done.returncode == 0


KINDS = ["ed25519", "ecdsa256", "ecdsa384", "ecdsa521", "rsa3072"]


@pytest.mark.parametrize("name", KINDS)
def test_real_signatures_pass(made: Path, name: str) -> None:
    """A signature by ssh-keygen names the key in its .pub file, by either hash."""
    key = PublicKey.parse((made / f"{name}.pub").read_text())
    for digest in ("sha256", "sha512"):
        assert (
            check_signature(MESSAGE, sign_by_tool(made, name, f"-Ohashalg={digest}"), SPACE) == key
        )


@pytest.mark.parametrize("name", KINDS)
def test_real_signatures_hold_for_one_text_and_use(made: Path, name: str) -> None:
    """Another text or another namespace voids a good signature."""
    text = (made / f"{name}.sig").read_text()
    assert code_of(text, MESSAGE + b" ") == "signature-wrong"
    assert code_of(text, space=Namespace.APPROVAL) == "signature-namespace"


@pytest.mark.parametrize("name", KINDS)
def test_fingerprint_is_that_of_ssh_keygen(made: Path, name: str) -> None:
    """The fingerprint is the one that `ssh-keygen -l` prints."""
    command = ["ssh-keygen", "-l", "-f", f"{name}.pub"]
    printed = subprocess.run(command, cwd=made, capture_output=True, check=True, text=True).stdout
    assert PublicKey.parse((made / f"{name}.pub").read_text()).fingerprint == printed.split()[1]


def test_weak_rsa_is_refused(made: Path) -> None:
    """A signature by 1024 bits, which ssh-keygen still makes, is refused; so is the key itself."""
    assert code_of((made / "rsa1024.sig").read_text()) == "signature-key-weak"
    with pytest.raises(Refused, match="the rsa key has 1024 bits, fewer than 2048"):
        PublicKey.parse((made / "rsa1024.pub").read_text())


@pytest.mark.parametrize("kind", [SK_ED, SK_EC])
@pytest.mark.parametrize("flags", [0x01, 0x05])
def test_touched_hardware_keys_pass(made: Path, kind: bytes, flags: int) -> None:
    """A hardware key's signature with a touch passes here and in ssh-keygen."""
    text = sk_signature(kind, flags)
    key = check_signature(MESSAGE, text, SPACE)
    assert key.kind == kind.decode()
    assert tool_accepts(made, key, text)


@pytest.mark.parametrize("kind", [SK_ED, SK_EC])
@pytest.mark.parametrize("flags", [0x00, 0x04])
def test_untouched_hardware_keys_are_refused(kind: bytes, flags: int) -> None:
    """A signature that a program could have taken from the device alone is refused."""
    assert code_of(sk_signature(kind, flags)) == "signature-presence"


def test_crafting_makes_good_signatures(made: Path) -> None:
    """The crafted signature with nothing wrong passes, so what fails below fails for its reason."""
    for digest in (b"sha256", b"sha512"):
        text = crafted(Parts(digest=digest))
        assert tool_accepts(made, check_signature(MESSAGE, text, SPACE), text)
    wide = armor(Parts().around(ED.sign(Parts().signed)), 76)
    assert tool_accepts(made, check_signature(MESSAGE, wide, SPACE), wide)


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        (Parts(digest=b"md5"), "signature-hash"),
        (Parts(digest=b"sha1"), "signature-hash"),
        (Parts(magic=b"SSHSIX"), "signature-magic"),
        (Parts(version=2), "signature-version"),
        (Parts(reserved=b"x"), "signature-reserved"),
        (Parts(space=b"git"), "signature-namespace"),
        (Parts(space=SPACE.encode() + b"\0"), "signature-namespace"),
        (Parts(algorithm=b"ssh-rsa"), "signature-kind"),
        (Parts(algorithm=b"rsa-sha2-512"), "signature-kind"),
        (Parts(algorithm=SK_ED), "signature-kind"),
        (Parts(inner_tail=b"\0"), "signature-trailing"),
        (Parts(tail=b"\0"), "signature-trailing"),
        (Parts(flags=b"\1\0\0\0\7"), "signature-trailing"),
        (
            Parts(blob=string(b"ecdsa-sha2-nistp256") + string(b"nistp256") + string(POINT)),
            "signature-kind",
        ),
        (Parts(blob=ED_BLOB + b"\0"), "signature-key-trailing"),
        (Parts(blob=ED_BLOB[:-1]), "signature-key-truncated"),
        (Parts(blob=string(b"ssh-dss")), "signature-key-kind"),
        (Parts(blob=string(b"\x1b[31mred")), "signature-key-kind"),
        (Parts(blob=string(b"ssh-ed25519-cert-v01@openssh.com")), "signature-key-certificate"),
    ],
)
def test_crafted_signatures_are_refused(parts: Parts, code: str) -> None:
    """Each field made wrong is refused for that field."""
    assert code_of(crafted(parts)) == code


ED_KEY = PublicKey("ssh-ed25519", ED_BLOB)


@pytest.mark.parametrize(
    "parts",
    [
        Parts(digest=b"md5"),
        Parts(digest=b"sha1"),
        Parts(space=b"git"),
        Parts(algorithm=b"ssh-rsa"),
        Parts(blob=string(b"ecdsa-sha2-nistp256") + string(b"nistp256") + string(POINT)),
        Parts(inner_tail=b"\0"),
        Parts(tail=b"\0"),
    ],
)
def test_ssh_keygen_refuses_them_as_well(made: Path, parts: Parts) -> None:
    """The worst of them are refused by OpenSSH too, so they are crafted as they should be."""
    assert code_of(crafted(parts)).startswith("signature-")
    assert not tool_accepts(made, ED_KEY, crafted(parts))


GOOD = crafted(Parts())


@pytest.mark.parametrize(
    "text",
    [
        "",
        BEGIN + END,
        " " + GOOD,
        "\n" + GOOD,
        GOOD + "\n",
        GOOD + " ",
        GOOD + GOOD,
        GOOD.removesuffix("\n"),
        GOOD.replace("\n", "\r\n"),
        GOOD.replace("\n", " \n"),
        GOOD.replace("SSH", "ssh"),
        GOOD.removeprefix(BEGIN),
        GOOD.replace("\n" + END, "=\n" + END),
        GOOD.replace("\n" + END, "\n\n" + END),
        GOOD.replace("A", "Ａ"),
        "﻿" + GOOD,
        armor(Parts().around(ED.sign(Parts().signed)), 64),
        armor(Parts().around(ED.sign(Parts().signed)), 10**6),
    ],
)
def test_armor_is_exact(text: str) -> None:
    """Any other way to write a good signature is refused."""
    assert code_of(text) == "signature-armor"


def test_truncated_signatures_are_refused() -> None:
    """A signature cut at any byte and armored again is refused."""
    whole = Parts().around(ED.sign(Parts().signed))
    codes = {code_of(armor(whole[:size])) for size in range(len(whole))}
    assert codes <= {"signature-truncated", "signature-armor", "signature-magic"}


def test_endless_signature_is_refused_unread() -> None:
    """Text beyond any real signature is refused by its length."""
    assert code_of(BEGIN + "A" * 20000) == "signature-long"


def rsa_parts(algorithm: bytes, chosen: hashes.HashAlgorithm) -> str:
    """An rsa signature with an inner hash of the test's choice."""
    private = rsa.generate_private_key(65537, 2048)
    numbers = private.public_key().public_numbers()
    blob = string(b"ssh-rsa") + mpint(numbers.e) + mpint(numbers.n)
    parts = replace(Parts(), blob=blob, algorithm=algorithm)
    return armor(parts.around(private.sign(parts.signed, padding.PKCS1v15(), chosen)))


def test_rsa_hash_is_sha2() -> None:
    """An rsa signature passes with sha2 as it claims, and never by the old sha-1 algorithm."""
    check_signature(MESSAGE, rsa_parts(b"rsa-sha2-256", hashes.SHA256()), SPACE)
    assert code_of(rsa_parts(b"ssh-rsa", hashes.SHA1())) == "signature-kind"  # noqa: S303
    assert code_of(rsa_parts(b"rsa-sha2-512", hashes.SHA256())) == "signature-wrong"


@pytest.mark.parametrize(
    ("blob", "code"),
    [
        (string(b"ssh-rsa") + mpint(65537) + mpint((1 << RSA_MOST_BITS) + 1), "key-malformed"),
        (string(b"ssh-rsa") + mpint(65537) + mpint(1 << 2048), "key-malformed"),
        (string(b"ssh-rsa") + mpint(1) + mpint((1 << 2048) + 1), "key-malformed"),
        (string(b"ssh-rsa") + mpint(65537) + mpint((1 << 2046) + 1), "key-weak"),
        (string(b"ssh-rsa") + string(b"\0\1\0\1") + mpint((1 << 2048) + 1), "key-number"),
        (string(b"ssh-rsa") + string(b"\x80") + mpint((1 << 2048) + 1), "key-number"),
        (string(b"ssh-ed25519") + string(b"\0" * 31), "key-malformed"),
        (string(SK_ED) + string(b"\0" * 32) + string(b"https://x"), "key-malformed"),
        (string(b"ecdsa-sha2-nistp256") + string(b"nistp384") + string(POINT), "key-malformed"),
        (string(b"ecdsa-sha2-nistp384") + string(b"nistp384") + string(POINT), "key-malformed"),
        (string(b"ecdsa-sha2-nistp256") + string(b"nistp256") + string(b""), "key-malformed"),
        (
            string(b"ecdsa-sha2-nistp256") + string(b"nistp256") + string(b"\4" + b"\7" * 64),
            "key-malformed",
        ),
    ],
)
def test_malformed_keys_are_refused(blob: bytes, code: str) -> None:
    """A key that is not the one encoding of a possible key is refused."""
    with pytest.raises(Refused) as caught:
        PublicKey.from_blob(blob)
    assert caught.value.code == code


def test_key_of_another_kind_cannot_exist() -> None:
    """A key object whose kind differs from its bytes cannot be made."""
    with pytest.raises(Refused) as caught:
        PublicKey("ssh-rsa", ED_BLOB)
    assert caught.value.code == "key-kind"


def test_refusals_say_what_to_do() -> None:
    """The refusal of another namespace names both and the command that makes the right one."""
    with pytest.raises(Refused) as caught:
        check_signature(MESSAGE, GOOD, Namespace.HOLD)
    message = "the signature is for dbops-manifest@v1, not for dbops-hold@v1"
    assert caught.value.message == message
    assert caught.value.hint == (
        "sign for this use: ssh-keygen -Y sign -n dbops-hold@v1 -f KEY FILE"
    )


@given(st.text() | st.binary().map(armor))
def test_arbitrary_text_is_refused(text: str) -> None:
    """Whatever arrives, the verifier refuses it with a code and raises nothing else."""
    assert code_of(text).startswith("signature-")


EC = sk_signature(SK_EC, 1)
RSA = rsa_parts(b"rsa-sha2-512", hashes.SHA512())


@given(st.sampled_from([GOOD, EC, RSA]), st.data())
def test_mutated_signatures_are_refused(text: str, data: st.DataObject) -> None:
    """A good signature with some bytes replaced by others is refused and never passed."""
    whole = base64.b64decode(text.removeprefix(BEGIN).removesuffix(END))
    at = data.draw(st.integers(0, len(whole) - 1))
    width = data.draw(st.integers(0, 8))
    changed = whole[:at] + data.draw(st.binary(max_size=8)) + whole[at + width :]
    if changed != whole:
        assert code_of(armor(changed)).startswith("signature-")


@given(st.binary().map(lambda tail: string(b"ssh-rsa") + tail) | st.binary())
def test_arbitrary_keys_are_refused(blob: bytes) -> None:
    """Bytes that are no key are refused with a code."""
    with pytest.raises(Refused) as caught:
        PublicKey.from_blob(blob)
    assert caught.value.code.startswith("key-")


@given(st.integers(0, 1 << 600), st.binary())
def test_wire_values_read_back(number: int, text: bytes) -> None:
    """A number and a string read back as they were written, and nothing is left over."""
    reader = Reader(mpint(number) + string(text), Subject.SIGNATURE)
    assert (reader.mpint(), reader.string()) == (number, text)
    reader.end()


def test_a_required_tool_is_never_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing tool is a skip that names its package, and a failure where it is required."""
    reason = "no-such-tool is missing: apt-get install no-such-package"
    for required in ("", "other"):
        monkeypatch.setenv("DBOPS_TEST_REQUIRE", required)
        with pytest.raises(pytest.skip.Exception, match=reason):
            require_tool("no-such-tool", "no-such-package")
    for required in ("all", "other, no-such-tool"):
        monkeypatch.setenv("DBOPS_TEST_REQUIRE", required)
        with pytest.raises(pytest.fail.Exception, match=reason):
            require_tool("no-such-tool", "no-such-package")
