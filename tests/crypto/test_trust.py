"""The trust root: what a line may say, and whom it then trusts for what and when."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from hypothesis import given
from hypothesis import strategies as st

from dbops.crypto.signing import KeyFileSigner, generate_signing_key
from dbops.crypto.sshsig import Namespace, PublicKey
from dbops.crypto.sshwire import string
from dbops.crypto.trust import (
    TrustedSigner,
    TrustRoot,
    format_signer,
    load_trust_root,
    parse_allowed_signers,
    plain_text,
)
from dbops.errors import Failed, NotFound, Refused
from tests.fix_tools import require_tool


def key_number(number: int) -> PublicKey:
    """A key that is the same in every run."""
    private = ed25519.Ed25519PrivateKey.from_private_bytes(number.to_bytes(32, "big"))
    raw = private.public_key().public_bytes_raw()
    return PublicKey.from_blob(string(b"ssh-ed25519") + string(raw))


KEY, OTHER = key_number(1), key_number(2)
SPACE = Namespace.MANIFEST
NAMES = f'namespaces="{SPACE}"'
GOOD = f"host@hospital {NAMES} {KEY.line} 备份机\n"
NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
CHINA = ZoneInfo("Asia/Shanghai")


def refusal(text: str) -> Refused:
    """How the text is refused."""
    with pytest.raises(Refused) as caught:
        parse_allowed_signers(text, source="allowed_signers", zone=CHINA)
    return caught.value


def judged(root: TrustRoot, key: PublicKey = KEY, now: datetime = NOW) -> str:
    """The code with which the key is refused."""
    with pytest.raises(Refused) as caught:
        root.judge(key, SPACE, now)
    return caught.value.code


LINE = KEY.line


def test_key_lines_read_back() -> None:
    """A .pub line with and without comment and newline is the same key; its line reads back."""
    for text in (LINE, LINE + "\n", LINE + " 张三 zhang@host\n"):
        assert PublicKey.parse(text) == KEY


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("", "key-line"),
        (" " + LINE, "key-line"),
        (LINE + "\n\n", "key-line"),
        (LINE + "\r\n", "key-line"),
        (LINE + " a\tb", "key-line"),
        (LINE.replace(" ", "  "), "key-line"),
        (LINE + "=", "key-line"),
        (LINE.replace("ssh-ed25519", "ssh-rsa"), "key-kind"),
        ('namespaces="x" ' + LINE, "key-line"),
    ],
)
def test_key_lines_are_strict(line: str, code: str) -> None:
    """Another spelling of a key line is refused."""
    with pytest.raises(Refused) as caught:
        PublicKey.parse(line)
    assert caught.value.code == code


def test_good_lines_are_read() -> None:
    """Lines, comments and empty lines give the signers in their order."""
    second = f'it namespaces="{SPACE},git",valid-before="20270101Z" {OTHER.line}\n'
    signers = parse_allowed_signers("# keys\n\n" + GOOD + second, source="x", zone=CHINA)
    assert signers == (
        TrustedSigner("host@hospital", KEY, frozenset({SPACE})),
        TrustedSigner(
            "it", OTHER, frozenset({SPACE, "git"}), None, datetime(2027, 1, 1, tzinfo=UTC)
        ),
    )
    assert all(isinstance(name, Namespace) for name in signers[0].namespaces)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (f"* {NAMES} {KEY.line}\n", "trust-wildcard"),
        (f"!a@b {NAMES} {KEY.line}\n", "trust-wildcard"),
        (f'a namespaces="dbops-*" {KEY.line}\n', "trust-wildcard"),
        (f"a,b {NAMES} {KEY.line}\n", "trust-key-shared"),
        (f'"a" {NAMES} {KEY.line}\n', "trust-principal"),
        (f"李四 {NAMES} {KEY.line}\n", "trust-principal"),
        (f"a cert-authority,{NAMES} {KEY.line}\n", "trust-cert-authority"),
        (f"a {NAMES},Cert-Authority {KEY.line}\n", "trust-cert-authority"),
        (f"a {KEY.line}\n", "trust-namespaces"),
        (f'a valid-after="20260101Z" {KEY.line}\n', "trust-namespaces"),
        (f'a namespaces="" {KEY.line}\n', "trust-namespaces"),
        (f'a namespaces="x,x" {KEY.line}\n', "trust-namespaces"),
        (f'a namespaces="x, y" {KEY.line}\n', "trust-namespaces"),
        (f"a namespaces {KEY.line}\n", "trust-option"),
        (f"a namespaces=x {KEY.line}\n", "trust-line"),
        (f"a {NAMES},{NAMES} {KEY.line}\n", "trust-option"),
        (f"a {NAMES},verify-required {KEY.line}\n", "trust-option"),
        (f"a NAMESPACES{NAMES[10:]} {KEY.line}\n", "trust-option"),
        (f"a {NAMES}, {KEY.line}\n", "trust-line"),
        (f" a {NAMES} {KEY.line}\n", "trust-line"),
        (f"a  {NAMES} {KEY.line}\n", "trust-line"),
        (f"a {NAMES}  {KEY.line}\n", "trust-line"),
        (f"a\t{NAMES} {KEY.line}\n", "trust-line"),
        (f"a {NAMES}\n", "trust-line"),
        (f"a {NAMES} ssh-ed25519\n", "trust-key-line"),
        (f"a {NAMES} {KEY.line[:-4]}\n", "trust-key-truncated"),
        (f"a {NAMES} ssh-dss AAAAB3NzaC1kc3M=\n", "trust-key-kind"),
        (GOOD + GOOD, "trust-duplicate"),
        (GOOD + GOOD.replace("host", "ghost"), "trust-key-shared"),
        (GOOD.replace("\n", "\r\n"), "text-hidden"),
        ("\ufeff" + GOOD, "text-hidden"),
        (GOOD + "\0\n", "text-hidden"),
        (GOOD + "# \u202eevil\n", "text-hidden"),
        (GOOD + "# \u2028" + GOOD, "text-hidden"),
        (GOOD.rstrip("\n"), "text-end"),
        (GOOD + "\udc80\n", "text-encoding"),
    ],
)
def test_other_lines_are_refused(text: str, code: str) -> None:
    """Each thing that OpenSSH or a hurried person might write otherwise has its own refusal."""
    assert refusal(text).code == code


def test_refusals_name_file_and_line() -> None:
    """A refusal names the text, the line, what is wrong, and how a line looks."""
    fault = refusal("# a\n\n" + GOOD + f"b {NAMES} {KEY.line}\n")
    assert fault.message == "allowed_signers line 4: host@hospital and b share one key"
    assert fault.hint == 'write: principal namespaces="dbops-…@v1" keytype base64 comment'
    hidden = refusal(GOOD + "# \u202e\n")
    assert hidden.message == "allowed_signers line 2 holds the hidden character U+202E"
    assert hidden.hint == "see what is there: cat -A FILE"


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("20261231Z", datetime(2026, 12, 31, tzinfo=UTC)),
        ("20261231", datetime(2026, 12, 30, 16, tzinfo=UTC)),
        ("202612311830", datetime(2026, 12, 31, 10, 30, tzinfo=UTC)),
        ("20261231183059Z", datetime(2026, 12, 31, 18, 30, 59, tzinfo=UTC)),
    ],
)
def test_times_are_read_in_their_zone(text: str, time: datetime) -> None:
    """A time with Z is UTC, one without is in the zone given."""
    line = f'a {NAMES},valid-before="{text}" {KEY.line}\n'
    assert parse_allowed_signers(line, source="x", zone=CHINA)[0].valid_before == time


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Z",
        "2026",
        "20261301",
        "20260230",
        "2026123124",
        "20261231235960",
        "2026-12-31",
        "19700101Z",
        "00000000",
        "20261231z",
        " 20261231",
        "２０２６１２３１",
        "99991231",
    ],
)
def test_other_times_are_refused(text: str) -> None:
    """A time in another form, or one that no calendar has, is refused."""
    assert refusal(f'a {NAMES},valid-after="{text}" {KEY.line}\n').code == "trust-time"


@pytest.mark.parametrize("text", ["202603290230", "202610250230"])
def test_times_that_are_none_or_two_are_refused(text: str) -> None:
    """A local time that the clock skips or shows twice is refused; with Z it is taken."""
    line = f'a {NAMES},valid-after="{text}" {KEY.line}\n'
    with pytest.raises(Refused, match="none or two in the local zone, so write it with Z"):
        parse_allowed_signers(line, source="x", zone=ZoneInfo("Europe/Berlin"))
    parse_allowed_signers(
        line.replace(text, text + "Z"), source="x", zone=ZoneInfo("Europe/Berlin")
    )


def test_validity_that_never_is_is_refused() -> None:
    """A line whose end is not after its beginning is refused."""
    times = 'valid-after="20270101Z",valid-before="20270101Z"'
    assert refusal(f"a {NAMES},{times} {KEY.line}\n").code == "trust-time"


def test_judge_says_who_or_why_not() -> None:
    """Unknown, revoked, and not permitted keys are told apart; a good one gives its principal."""
    signer = TrustedSigner("a", KEY, frozenset({SPACE}))
    assert TrustRoot((signer,)).judge(KEY, SPACE, NOW) == "a"
    assert judged(TrustRoot((signer,)), OTHER) == "trust-key-unknown"
    assert judged(TrustRoot((signer,), frozenset({KEY.fingerprint}))) == "trust-key-revoked"
    assert judged(TrustRoot((), frozenset({KEY.fingerprint}))) == "trust-key-revoked"
    other = TrustedSigner("a", KEY, frozenset({Namespace.HOLD, "git"}))
    assert judged(TrustRoot((other,))) == "trust-namespace"


def test_judge_keeps_to_the_validity() -> None:
    """A key counts from valid-after to valid-before, both included, and not a second further."""
    after, before = NOW, NOW + timedelta(days=1)
    root = TrustRoot((TrustedSigner("a", KEY, frozenset({SPACE}), after, before),))
    second = timedelta(seconds=1)
    assert judged(root, now=after - second) == "trust-not-yet-valid"
    assert judged(root, now=before + second) == "trust-expired"
    assert root.judge(KEY, SPACE, after) == root.judge(KEY, SPACE, before) == "a"
    elsewhere = before.astimezone(timezone(timedelta(hours=8)))
    assert root.judge(KEY, SPACE, elsewhere) == "a"
    with pytest.raises(Refused) as caught:
        root.judge(KEY, SPACE, before + second)
    assert caught.value.message == (
        f"key {KEY.fingerprint} of a was valid only until 20261124010000Z"
    )


def test_trust_root_has_one_principal_a_key() -> None:
    """A root in which one key stands twice cannot be made, by whatever way its signers came."""
    twice = [TrustedSigner(name, KEY, frozenset({SPACE})) for name in "ab"]
    with pytest.raises(Refused) as caught:
        TrustRoot(tuple(twice))
    assert caught.value.code == "trust-key-shared"


TIMES = st.none() | st.integers(946684800, 4102444800).map(
    lambda seconds: datetime.fromtimestamp(seconds, UTC)
)
SIGNERS = st.builds(
    TrustedSigner,
    principal=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,20}", fullmatch=True),
    key=st.integers(1, 9).map(key_number),
    namespaces=st.frozensets(st.sampled_from(Namespace), min_size=1),
    valid_after=TIMES,
    valid_before=st.none(),
)


@given(SIGNERS, st.sampled_from(["", "张三", "a b"]))
def test_written_lines_read_back(signer: TrustedSigner, comment: str) -> None:
    """A line that is written reads back as the signer it was written for, in any zone."""
    line = format_signer(signer, comment)
    assert parse_allowed_signers(line, source="x", zone=CHINA) == (signer,)


@pytest.mark.parametrize("principal", ["", "a b", "a,b", "*", "# a", "a\nb"])
def test_unwritable_signers_are_refused(principal: str) -> None:
    """A principal or comment that would say something else in the file is not written."""
    with pytest.raises(Refused):
        format_signer(TrustedSigner(principal, KEY, frozenset({SPACE})))
    good = TrustedSigner("a", KEY, frozenset({SPACE}))
    for comment in (f"x\nb {NAMES} {OTHER.line}", "x\n# y", "x\n"):
        with pytest.raises(Refused):
            format_signer(good, comment)


@given(st.text())
def test_arbitrary_text_is_read_or_refused(text: str) -> None:
    """Whatever a file holds, it is read or refused, and nothing else is raised."""
    code = "trust-"
    try:
        parse_allowed_signers(text, source="x", zone=CHINA)
    except Refused as fault:
        code = fault.code
    assert code.startswith(("trust-", "text-"))


def test_plain_text_keeps_chinese_and_tabs() -> None:
    """Ordinary text of any language passes unchanged."""
    assert plain_text("血库\t一\n".encode(), "x") == "血库\t一\n"


def test_trust_root_is_loaded(tmp_path: Path) -> None:
    """Both files are read; a key is revoked by its line or by its fingerprint."""
    (tmp_path / "allowed_signers").write_text(GOOD)
    assert load_trust_root(tmp_path, CHINA).judge(KEY, SPACE, NOW) == "host@hospital"
    revoked = f"# lost\n{KEY.line} 2026\n\n{OTHER.fingerprint}\n"
    (tmp_path / "revoked").write_text(revoked)
    assert load_trust_root(tmp_path, CHINA).revoked == {KEY.fingerprint, OTHER.fingerprint}


@pytest.mark.parametrize(
    "line",
    [
        "SHA256:short",
        KEY.fingerprint[:-1] + "B",
        KEY.fingerprint + " lost",
        KEY.fingerprint + "=",
        KEY.fingerprint.lower(),
        "MD5:00:11",
        KEY.line[:-1],
    ],
)
def test_malformed_revocations_are_refused(tmp_path: Path, line: str) -> None:
    """A line that would revoke nothing stops everything, for its writer thinks it does."""
    (tmp_path / "allowed_signers").write_text(GOOD)
    (tmp_path / "revoked").write_text(line + "\n")
    with pytest.raises(Refused, match="revoked line 1"):
        load_trust_root(tmp_path, CHINA)


def test_missing_and_empty_roots_are_refused(tmp_path: Path) -> None:
    """No file is not found, one without signers is refused: nothing is trusted by default."""
    with pytest.raises(NotFound) as caught:
        load_trust_root(tmp_path, CHINA)
    assert caught.value.message == (
        f"there is no trust root: {tmp_path}/allowed_signers does not exist"
    )
    (tmp_path / "allowed_signers").write_text("# none\n")
    with pytest.raises(Refused) as refused:
        load_trust_root(tmp_path, CHINA)
    assert refused.value.code == "trust-empty"


@pytest.mark.parametrize("name", ["allowed_signers", "revoked"])
def test_only_plain_files_are_read(tmp_path: Path, name: str) -> None:
    """A link, dangling or not, a pipe, a directory or an endless file in the place is refused."""
    (tmp_path / "allowed_signers").write_text(GOOD)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text(GOOD)
    path = tmp_path / name
    for target in (elsewhere, tmp_path / "nothing"):
        path.unlink(missing_ok=True)
        path.symlink_to(target)
        with pytest.raises(Refused, match="is a link or no regular file"):
            load_trust_root(tmp_path, CHINA)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(Refused, match="is a link or no regular file"):
        load_trust_root(tmp_path, CHINA)
    path.unlink()
    path.write_text("#\n" * 600_000)
    with pytest.raises(Refused, match="is over 1048576 bytes"):
        load_trust_root(tmp_path, CHINA)


def test_unreadable_root_fails(tmp_path: Path) -> None:
    """A directory that is none fails with the system's name for it."""
    (tmp_path / "file").write_text("")
    with pytest.raises(Failed, match="cannot be read \\(ENOTDIR\\)"):
        load_trust_root(tmp_path / "file", CHINA)


@pytest.mark.parametrize("offset", [-1, 0, 1])
def test_ssh_keygen_reads_the_line_the_same(tmp_path: Path, offset: int) -> None:
    """Around both ends of the validity, `ssh-keygen -Y verify` and `judge` agree."""
    require_tool("ssh-keygen", "openssh-client")
    generate_signing_key(tmp_path / "key", "x")
    signer = KeyFileSigner.load(tmp_path / "key")
    after, before = NOW, NOW + timedelta(hours=1)
    trusted = TrustedSigner("a", signer.public_key, frozenset({SPACE}), after, before)
    (tmp_path / "allowed_signers").write_text(format_signer(trusted))
    (tmp_path / "sig").write_text(signer.sign(b"x\n", SPACE))
    root = load_trust_root(tmp_path, CHINA)
    for end, good in ((after, offset >= 0), (before, offset <= 0)):
        now = end + timedelta(seconds=offset)
        command = ["ssh-keygen", "-Y", "verify", "-f", "allowed_signers", "-I", "a", "-n", SPACE]
        command += ["-s", "sig", f"-Overify-time={now:%Y%m%d%H%M%S}Z"]
        done = subprocess.run(command, cwd=tmp_path, input=b"x\n", capture_output=True, check=False)
        assert (done.returncode == 0) is good
        if good:
            root.judge(signer.public_key, SPACE, now)
        else:
            assert judged(root, signer.public_key, now) in {"trust-not-yet-valid", "trust-expired"}
