"""Signed documents and those who sign them: key files, agents, and a person with a shell."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dbops.crypto
from dbops.crypto.signed import open_document, parse_json_body, sign_document, split_document
from dbops.crypto.signing import KeyFileSigner, Signer, SshKeygenSigner, generate_signing_key
from dbops.crypto.sshsig import Namespace, PublicKey, check_signature
from dbops.crypto.trust import TrustedSigner, TrustRoot, format_signer
from dbops.errors import Failed, NotFound, Refused, UsageFault
from tests.fix_tools import require_tool

SPACE = Namespace.CERTIFICATE
NOW = datetime(2026, 11, 23, tzinfo=UTC)
BODY = '{"database": "血库", "level": 4}\n'.encode()


@pytest.fixture(scope="module")
def ssh_keygen() -> str:
    """The real thing."""
    return str(require_tool("ssh-keygen", "openssh-client"))


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> KeyFileSigner:
    """A signer of our own making."""
    path = tmp_path_factory.mktemp("key") / "host"
    generate_signing_key(path, "host@hospital")
    return KeyFileSigner.load(path)


@pytest.fixture(scope="module")
def root(signer: KeyFileSigner) -> TrustRoot:
    """A trust root that knows that signer."""
    return TrustRoot((TrustedSigner("host@hospital", signer.public_key, frozenset({SPACE})),))


def refused(data: bytes, root: TrustRoot, space: Namespace = SPACE) -> str:
    """The code with which the document is refused."""
    with pytest.raises(Refused) as caught:
        open_document(data, space, root, NOW)
    return caught.value.code


def make_key(directory: Path, kind: str, bits: int = 0, passphrase: str = "") -> Path:
    """A key made by ssh-keygen."""
    path = directory / f"{kind}{bits}"
    sized = ["-b", str(bits)] if bits else []
    command = ["ssh-keygen", "-q", "-t", kind, *sized, "-N", passphrase, "-f", str(path)]
    subprocess.run(command, check=True)
    return path


def test_documents_open_as_they_were_signed(signer: KeyFileSigner, root: TrustRoot) -> None:
    """A signed body comes back byte for byte with the principal and the key that signed it."""
    data = sign_document(BODY, SPACE, signer)
    assert data.startswith(BODY + b"-----BEGIN SSH SIGNATURE-----\n")
    opened = open_document(data, SPACE, root, NOW)
    assert (opened.body, opened.principal, opened.key) == (BODY, "host@hospital", signer.public_key)


def test_a_person_can_check_a_document(
    ssh_keygen: str, signer: KeyFileSigner, root: TrustRoot, tmp_path: Path
) -> None:
    """The shell lines in FORMAT.md pass the document, and fail one with a changed body."""
    text = (Path(dbops.crypto.__path__[0]) / "FORMAT.md").read_text("utf-8")
    script = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)[0]
    (tmp_path / "allowed_signers").write_text(format_signer(root.signers[0]))
    document = tmp_path / "document"
    names = {"DOCUMENT": str(document), "TRUST": str(tmp_path), "NAMESPACE": SPACE}
    environment = {**os.environ, **names, "PRINCIPAL": "host@hospital"}
    for data, good in [
        (sign_document(BODY, SPACE, signer), True),
        (sign_document(BODY, SPACE, signer).replace(b"4", b"3", 1), False),
        (sign_document(BODY, Namespace.HOLD, signer), False),
    ]:
        document.write_bytes(data)
        command = ["sh", "-eu", "-c", script]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert (done.returncode == 0) is good
        assert (signer.public_key.fingerprint in done.stdout) is good


def test_documents_signed_by_hand_open(
    ssh_keygen: str, signer: KeyFileSigner, root: TrustRoot, tmp_path: Path
) -> None:
    """A body with what `ssh-keygen -Y sign` writes appended to it is a signed document."""
    path = make_key(tmp_path, "ed25519")
    command = [ssh_keygen, "-q", "-Y", "sign", "-n", SPACE, "-f", str(path)]
    done = subprocess.run(command, input=BODY, capture_output=True, check=True)
    key = PublicKey.parse(Path(f"{path}.pub").read_text())
    both = TrustRoot((*root.signers, TrustedSigner("it", key, frozenset({SPACE}))))
    assert open_document(BODY + done.stdout, SPACE, both, NOW).principal == "it"


def test_foreign_documents_are_refused(signer: KeyFileSigner, root: TrustRoot) -> None:
    """The signer must be trusted for this use at this time, whatever the signature is worth."""
    data = sign_document(BODY, SPACE, signer)
    assert refused(data, TrustRoot(())) == "trust-key-unknown"
    assert refused(data, root, Namespace.HOLD) == "signature-namespace"
    hold = sign_document(BODY, Namespace.HOLD, signer)
    assert refused(hold, root, Namespace.HOLD) == "trust-namespace"
    revoked = TrustRoot(root.signers, frozenset({signer.public_key.fingerprint}))
    assert refused(data, revoked) == "trust-key-revoked"


def test_documents_have_one_form(signer: KeyFileSigner, root: TrustRoot) -> None:
    """Everything but a body and one armor behind it is refused for what it is."""
    data = sign_document(BODY, SPACE, signer)
    armor = data.removeprefix(BODY)
    codes = {
        b"": "document-unsigned",
        BODY: "document-unsigned",
        armor: "document-empty",
        data + armor: "document-armor",
        armor + data: "document-armor",
        data[:-40]: "text-end",
        data[:-40] + b"\n": "document-armor",
        data[:-1]: "text-end",
        data + b"\n": "document-trailing",
        data + b"x\n": "document-trailing",
        BODY + b"\n" + armor: "signature-wrong",
        BODY[:-1] + armor: "text-end",
        BODY + b" " + armor: "text-end",
        data.replace(b"4", b"3", 1): "signature-wrong",
        data.replace(b"\n", b"\r\n"): "text-hidden",
        b"\xef\xbb\xbf" + data: "text-hidden",
        b"\0" + data: "text-hidden",
        "\u2067".encode() + data: "text-hidden",
        b"\xff" + data: "text-encoding",
        armor.replace(b"BEGIN", b"BEGIN\n") + data: "document-armor",
    }
    assert {text: refused(text, root) for text in codes} == codes


@pytest.mark.parametrize("body", [b"", b"x", b"x\r\n", b"\xff\n", b"-----END SSH SIGNATURE-----\n"])
def test_bodies_that_cannot_be_opened_are_not_signed(signer: KeyFileSigner, body: bytes) -> None:
    """What would be refused on opening is refused before it is signed."""
    with pytest.raises(Refused):
        sign_document(body, SPACE, signer)


def test_split_needs_no_trust(signer: KeyFileSigner) -> None:
    """A document can be taken apart without knowing its signer, changed or not."""
    data = sign_document(BODY, SPACE, signer).replace(b"4", b"3", 1)
    body, armor = split_document(data)
    assert body + armor.encode() == data


@given(st.binary(), st.binary())
def test_arbitrary_documents_are_refused(before: bytes, after: bytes) -> None:
    """Whatever stands in the file, opening refuses it and raises nothing else."""
    armor = base64.b64encode(after)
    edges = b"\n-----BEGIN SSH SIGNATURE-----\n", b"\n-----END SSH SIGNATURE-----\n"
    for data in (before, before + edges[0] + armor + edges[1], edges[0] + after + edges[1]):
        refused(data, TrustRoot(()))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), JSON), st.booleans())
def test_json_bodies_read_back(value: dict[str, object], ascii_only: bool) -> None:
    """An object of anything but fractions comes back as it was written, escaped or not."""
    body = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8")
    assert parse_json_body(body) == value


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"a": 1, "a": 1}', "the document names a json field twice"),
        (b'{"x": [{"a": 1, "\\u0061": 2}]}', "the document names a json field twice"),
        (b'{"a": NaN}', "the document holds NaN or Infinity"),
        (b'{"a": -Infinity}', "the document holds NaN or Infinity"),
        (b'{"a": 1.0}', "the document holds a json number that is not an integer"),
        (b'{"a": 1e2}', "the document holds a json number that is not an integer"),
        (b"[]", "the document is not a json object"),
        (b"", "the document is not well-formed json"),
        (b"{} {}", "the document is not well-formed json"),
        (b"\xef\xbb\xbf{}", "the document is not well-formed json"),
        (b'{"a": "\xff"}', "the document is not well-formed json"),
        (b'{"a": "\\ud800"}', "the document is not well-formed json"),
        (b'{"a": ' + b"1" * 5000 + b"}", "the document is not well-formed json"),
        (b'{"a": ' + b"[" * 200000 + b"]" * 200000 + b"}", "the document is not well-formed json"),
    ],
)
def test_ambiguous_json_is_refused(body: bytes, words: str) -> None:
    """JSON that two readers could understand differently is refused for what it is."""
    with pytest.raises(Refused) as caught:
        parse_json_body(body)
    assert (caught.value.code, caught.value.message) == ("document-json", words)


@pytest.mark.parametrize(
    ("kind", "bits"),
    [("ed25519", 0), ("ecdsa", 256), ("ecdsa", 384), ("ecdsa", 521), ("rsa", 2048)],
)
@pytest.mark.parametrize("passphrase", ["", "口令 1"])
def test_key_files_sign_for_ssh_keygen(
    ssh_keygen: str, tmp_path: Path, kind: str, bits: int, passphrase: str
) -> None:
    """A key file made by ssh-keygen, with passphrase or not, signs what ssh-keygen takes."""
    path = make_key(tmp_path, kind, bits, passphrase)
    signer: Signer = KeyFileSigner.load(path, passphrase.encode() or b"not needed")
    assert signer.public_key == PublicKey.parse(Path(f"{path}.pub").read_text())
    trusted = TrustedSigner("a", signer.public_key, frozenset({SPACE}))
    (tmp_path / "signers").write_text(format_signer(trusted))
    (tmp_path / "sig").write_text(signer.sign(BODY, SPACE))
    command = [ssh_keygen, "-Y", "verify", "-f", "signers", "-I", "a", "-n", SPACE, "-s", "sig"]
    subprocess.run(command, cwd=tmp_path, input=BODY, capture_output=True, check=True)


def load_refusal(path: Path, passphrase: bytes | None = None) -> tuple[str, str, str]:
    """Code, message and hint with which a key file is refused."""
    with pytest.raises(Refused) as caught:
        KeyFileSigner.load(path, passphrase)
    return caught.value.code, caught.value.message, caught.value.hint


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o601, 0o620])
def test_open_key_files_are_refused(tmp_path: Path, mode: int) -> None:
    """A key that another account may touch in any way is refused, with the command to close it."""
    path = tmp_path / "host"
    generate_signing_key(path, "")
    path.chmod(mode)
    message = f"signing key host is readable by others (mode {mode:04o})"
    assert load_refusal(path) == ("key-file-open", message, f"chmod 600 {path}")


def test_locked_key_files_say_so(ssh_keygen: str, tmp_path: Path) -> None:
    """No passphrase and a wrong one are told apart."""
    path = make_key(tmp_path, "ed25519", passphrase="right")
    message = "signing key ed255190 has a passphrase, and none was given"
    hint = f"sign through ssh-agent: ssh-add {path}, then name {path.name}.pub"
    assert load_refusal(path) == ("key-file-encrypted", message, hint)
    assert load_refusal(path, b"wrong")[0] == "key-file-passphrase"


def test_damaged_and_foreign_key_files_are_refused(ssh_keygen: str, tmp_path: Path) -> None:
    """A key of another format, a cut one, a weak one, and a pipe are refused, each as such."""
    pem = make_key(tmp_path, "rsa", 2048)
    command = [ssh_keygen, "-q", "-p", "-m", "PEM", "-N", "", "-P", "", "-f", str(pem)]
    subprocess.run(command, check=True, capture_output=True)
    assert load_refusal(pem)[0] == "key-file-format"
    assert load_refusal(make_key(tmp_path, "rsa", 1024))[0] == "key-weak"
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert load_refusal(tmp_path / "pipe")[0] == "key-file-format"
    path = tmp_path / "host"
    generate_signing_key(path, "")
    lines = path.read_text().splitlines()
    for keep in range(len(lines) - 1):
        path.write_text("\n".join([*lines[:keep], lines[-1], ""]))
        assert load_refusal(path)[0] in {"key-file-format", "key-file-truncated"}


def test_missing_key_files_are_not_found(tmp_path: Path) -> None:
    """A key that is not there is not found; a path that cannot be is a failure."""
    with pytest.raises(NotFound) as caught:
        KeyFileSigner.load(tmp_path / "none")
    assert caught.value.message == "there is no signing key none"
    with pytest.raises(NotFound):
        SshKeygenSigner(tmp_path / "none.pub").sign(BODY, SPACE)
    (tmp_path / "file").write_text("")
    with pytest.raises(Failed, match="cannot be read \\(ENOTDIR\\)"):
        KeyFileSigner.load(tmp_path / "file" / "key")


def test_the_secret_is_not_shown(signer: KeyFileSigner) -> None:
    """A signer prints as its public key alone."""
    assert repr(signer) == f"KeyFileSigner(public_key={signer.public_key!r})"


def test_generated_keys_are_ordinary(ssh_keygen: str, tmp_path: Path) -> None:
    """A new key is closed, its .pub is open, and ssh-keygen sees the same key in both."""
    path = tmp_path / "host"
    previous = os.umask(0)
    try:
        key = generate_signing_key(path, "备份机 host@hospital")
    finally:
        os.umask(previous)
    public = tmp_path / "host.pub"
    assert [stat.S_IMODE(file.stat().st_mode) for file in (path, public)] == [0o600, 0o644]
    assert public.read_text() == f"{key.line} 备份机 host@hospital\n"
    done = subprocess.run(
        [ssh_keygen, "-y", "-f", path], capture_output=True, text=True, check=True
    )
    assert PublicKey.parse(done.stdout) == key


@pytest.mark.parametrize("present", ["host", "host.pub"])
def test_generating_replaces_nothing(tmp_path: Path, present: str) -> None:
    """Where either file exists, even as a dangling link, both stay as they were."""
    (tmp_path / present).symlink_to(tmp_path / "nothing")
    with pytest.raises(Refused) as caught:
        generate_signing_key(tmp_path / "host", "")
    message = f"{present} exists already, and a key is never replaced"
    assert (caught.value.code, caught.value.message) == ("key-file-exists", message)
    assert [path.name for path in tmp_path.iterdir()] == [present]


def test_generating_says_what_it_cannot(tmp_path: Path) -> None:
    """A comment of two lines and a missing directory are errors, not files."""
    with pytest.raises(UsageFault):
        generate_signing_key(tmp_path / "host", "a\nb")
    with pytest.raises(Failed, match="could not be written \\(ENOENT\\)"):
        generate_signing_key(tmp_path / "none" / "host", "")
    with pytest.raises(Failed, match="could not be written \\(ENAMETOOLONG\\)"):
        generate_signing_key(tmp_path / ("x" * 253), "")  # its .pub has 257 bytes, 255 are allowed
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A running ssh-agent, empty, that this process and its children talk to."""
    program = require_tool("ssh-agent", "openssh-client")
    socket = tmp_path / "agent"
    child = subprocess.Popen(
        [program, "-D", "-a", str(socket)], stdout=subprocess.DEVNULL, start_new_session=True
    )
    try:
        deadline = time.monotonic() + 10
        while not socket.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        yield socket
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(10)


def test_agents_sign(ssh_keygen: str, agent: Path, tmp_path: Path) -> None:
    """A key that is only in the agent signs through ssh-keygen."""
    path = make_key(tmp_path, "ecdsa", 256)
    subprocess.run(["ssh-add", "-q", str(path)], check=True, capture_output=True)
    path.unlink()
    signer: Signer = SshKeygenSigner(Path(f"{path}.pub"))
    assert check_signature(BODY, signer.sign(BODY, SPACE), SPACE) == signer.public_key


def test_agents_without_the_key_fail(
    ssh_keygen: str, agent: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A key that is nowhere fails with the command to try."""
    path = make_key(tmp_path, "ed25519")
    path.unlink()
    with pytest.raises(Failed) as caught:
        SshKeygenSigner(Path(f"{path}.pub")).sign(BODY, SPACE)
    assert caught.value.code == "ssh-keygen-failed"
    assert caught.value.hint.startswith("see whether the agent has the key (ssh-add -L)")


def test_missing_ssh_keygen_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the tool the error names the package that brings it."""
    generate_signing_key(tmp_path / "host", "")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Failed) as caught:
        SshKeygenSigner(tmp_path / "host.pub").sign(BODY, SPACE)
    assert caught.value.code == "ssh-keygen-missing"
    assert caught.value.hint == "install it: apt-get install openssh-client"


def test_a_tool_that_lies_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signature by another key, or none at all, is never handed on."""
    generate_signing_key(tmp_path / "host", "")
    generate_signing_key(tmp_path / "other", "")
    other = KeyFileSigner.load(tmp_path / "other").sign(BODY, SPACE)
    tool = tmp_path / "ssh-keygen"
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    for output, code in ((other, "signing-key"), ("done\n", "signing-wrong")):
        (tmp_path / "output").write_text(output)
        tool.write_text(f"#!/bin/sh\ncat >/dev/null\ncat '{tmp_path}/output'\n")
        tool.chmod(0o700)
        with pytest.raises(Failed) as caught:
            SshKeygenSigner(tmp_path / "host.pub").sign(BODY, SPACE)
        assert caught.value.code == code
