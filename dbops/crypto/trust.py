"""The trust root: whose keys count, for what, and until when.

It is two files that the hospital keeps outside every git repository: `allowed_signers` in a strict
subset of OpenSSH's format (`ssh-keygen(1)`, ALLOWED SIGNERS), so that `ssh-keygen -Y verify` reads
the same file to the same effect, and `revoked`. Reading them is strict because a line that says
something else than the person meant decides who may sign.
"""

from __future__ import annotations

import base64
import binascii
import errno
import os
import re
import stat
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Final

from dbops.crypto import sshwire
from dbops.crypto.sshsig import Namespace, PublicKey
from dbops.errors import Failed, NotFound, Refused

FILE_MOST: Final = 1 << 20  # bytes

_HIDDEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]"
)
_OPTION: Final = r'[A-Za-z-]+(?:="[^"\\]*")?'
_LINE: Final = re.compile(rf"([^ ]+) ({_OPTION}(?:,{_OPTION})*) ([^ ].*)")
_PRINCIPAL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}")
_NAMESPACE: Final = re.compile(r"[A-Za-z0-9@._-]{1,64}")
_TIME: Final = re.compile(r"([0-9]{8}|[0-9]{12}|[0-9]{14})(Z?)")
_FINGERPRINT: Final = re.compile(r"SHA256:([A-Za-z0-9+/]{43})")
_OPTIONS: Final = frozenset({"namespaces", "valid-after", "valid-before"})
_NAMESPACES: Final = {known.value: known for known in Namespace}
_LINE_HINT: Final = 'write: principal namespaces="dbops-…@v1" keytype base64 comment'


@dataclass(frozen=True, slots=True)
class TrustedSigner:
    """One line of `allowed_signers`: a principal, its key, and what the key may sign when.

    Both ends of the validity belong to it, as in OpenSSH; times carry their zone.
    """

    principal: str
    key: PublicKey
    namespaces: frozenset[Namespace | str]
    valid_after: datetime | None = None
    valid_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class TrustRoot:
    """Who may sign what, and which fingerprints count no more. Each key has one principal."""

    signers: tuple[TrustedSigner, ...]
    revoked: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if len({signer.key for signer in self.signers}) != len(self.signers):
            raise _refusal("the trust root", "key-shared", "a key stands there twice")

    def judge(self, key: PublicKey, namespace: Namespace, now: datetime) -> str:
        """Return the principal that `key` speaks for, if it may sign for `namespace` at `now`.

        `Refused` otherwise: trust-key-revoked, trust-key-unknown, trust-namespace,
        trust-not-yet-valid or trust-expired. `now` carries its zone.
        """
        mark = key.fingerprint
        if mark in self.revoked:
            raise Refused(
                "trust-key-revoked",
                f"key {mark} is revoked",
                hint="have it signed with another key",
            )
        signer = next((signer for signer in self.signers if signer.key == key), None)
        if signer is None:
            raise Refused(
                "trust-key-unknown",
                f"key {mark} is not in the trust root",
                hint="if it should be, its owner's line belongs in allowed_signers",
            )
        if namespace not in signer.namespaces:
            raise Refused(
                "trust-namespace",
                f"key {mark} of {signer.principal} may not sign for {namespace.value}",
                hint="have it signed by a principal whose line names that namespace",
            )
        _check_time(signer, now)
        return signer.principal


def _check_time(signer: TrustedSigner, now: datetime) -> None:
    name = f"key {signer.key.fingerprint} of {signer.principal}"
    if signer.valid_after is not None and now < signer.valid_after:
        raise Refused(
            "trust-not-yet-valid",
            f"{name} is valid only from {_stamp(signer.valid_after)}",
            hint="check this host's clock: date -u",
        )
    if signer.valid_before is not None and now > signer.valid_before:
        raise Refused(
            "trust-expired",
            f"{name} was valid only until {_stamp(signer.valid_before)}",
            hint="have it signed with a key that is valid, or extend the line in allowed_signers",
        )


def plain_text(data: bytes, what: str) -> str:
    """Return `data` as text that reads on every screen as it is: UTF-8, whole lines.

    CR, BOM, NUL and every other control character but tab and newline, bidirectional controls and
    Unicode line separators are `Refused` with the line where they stand, as is a missing newline at
    the end (a cut file). `what` names the text in the error.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as fault:
        line = data.count(b"\n", 0, fault.start) + 1
        raise _text_refusal("encoding", f"{what} line {line} is not utf-8") from None
    hidden = _HIDDEN.search(text)
    if hidden is not None:
        line = text.count("\n", 0, hidden.start()) + 1
        name = f"U+{ord(hidden[0]):04X}"
        raise _text_refusal("hidden", f"{what} line {line} holds the hidden character {name}")
    if text and not text.endswith("\n"):
        raise _text_refusal("end", f"{what} does not end with a newline, so it may be cut short")
    return text


def _text_refusal(reason: str, message: str) -> Refused:
    return Refused(f"text-{reason}", message, hint="see what is there: cat -A FILE")


def parse_allowed_signers(
    text: str, *, source: str, zone: tzinfo = UTC
) -> tuple[TrustedSigner, ...]:
    """Return the signers of an `allowed_signers` text.

    `source` names the text in errors; `zone` is what a time without `Z` is meant in (in OpenSSH:
    local time). Lines are `principal options keytype base64 [comment]`, one space between, with
    the options `namespaces` (required), `valid-after`, `valid-before`. Anything else that OpenSSH
    would take (patterns, several principals, cert-authority, no namespaces) is `Refused` with
    source and line, as is one key on two lines.
    """
    lines = plain_text(text.encode("utf-8", "surrogatepass"), source).splitlines()
    signers: dict[PublicKey, TrustedSigner] = {}
    for number, line in enumerate(lines, 1):
        if not line or line.startswith("#"):
            continue
        where = f"{source} line {number}"
        signer = _parse_line(line, where, zone)
        if signer.key in signers:
            owner = signers[signer.key].principal
            if owner == signer.principal:
                raise _refusal(where, "duplicate", f"{owner} has this key on an earlier line")
            raise _refusal(where, "key-shared", f"{owner} and {signer.principal} share one key")
        signers[signer.key] = signer
    return tuple(signers.values())


def _parse_line(line: str, where: str, zone: tzinfo) -> TrustedSigner:
    if "\t" in line:
        raise _refusal(where, "line", "a tab stands where one space belongs")
    if len(line.split(" ")) > 1 and line.split(" ")[1] in sshwire.KINDS:
        raise _refusal(where, "namespaces", "a line without namespaces grants every namespace")
    match = _LINE.fullmatch(line)
    if match is None:
        raise _refusal(where, "line", "this is not: principal options keytype base64 comment")
    principal = _parse_principal(match[1], where)
    options = _parse_options(match[2], where)
    if "namespaces" not in options:
        raise _refusal(where, "namespaces", "a line without namespaces grants every namespace")
    after = _parse_time(options.get("valid-after"), where, zone)
    before = _parse_time(options.get("valid-before"), where, zone)
    if after is not None and before is not None and after >= before:
        raise _refusal(where, "time", "valid-after is not before valid-before")
    namespaces = _parse_namespaces(options["namespaces"], where)
    return TrustedSigner(principal, _parse_key(match[3], where), namespaces, after, before)


def _parse_principal(text: str, where: str) -> str:
    if "," in text:
        raise _refusal(where, "key-shared", "several principals share one key")
    if set(text) & set("*?!"):
        raise _refusal(where, "wildcard", "the principal is a pattern")
    if not _PRINCIPAL.fullmatch(text):
        raise _refusal(where, "principal", "the principal has characters other than A-Za-z0-9._@+-")
    return text


def _parse_options(text: str, where: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for option in re.findall(_OPTION, text):
        name, given, value = option.partition("=")
        if name.lower() == "cert-authority":
            raise _refusal(where, "cert-authority", "certificates are not taken")
        if name not in _OPTIONS or not given:
            raise _refusal(
                where, "option", "an option is not namespaces, valid-after, valid-before"
            )
        if name in options:
            raise _refusal(where, "option", f"{name} stands there twice")
        options[name] = value[1:-1]
    return options


def _parse_namespaces(text: str, where: str) -> frozenset[Namespace | str]:
    names = text.split(",")
    if set(text) & set("*?!"):
        raise _refusal(where, "wildcard", "a namespace is a pattern")
    if len(set(names)) != len(names) or not all(map(_NAMESPACE.fullmatch, names)):
        raise _refusal(where, "namespaces", "a namespace is empty, malformed or there twice")
    return frozenset(_NAMESPACES.get(name, name) for name in names)


def _parse_time(text: str | None, where: str, zone: tzinfo) -> datetime | None:
    if text is None:
        return None
    match = _TIME.fullmatch(text)
    digits = match[1].ljust(14, "0") if match else ""
    try:
        local = datetime.strptime(digits, "%Y%m%d%H%M%S").replace(
            tzinfo=UTC if text.endswith("Z") else zone
        )
    except ValueError:
        raise _refusal(where, "time", "a time is not YYYYMMDD[HHMM[SS]][Z]") from None
    if not 2000 <= local.year <= 9998:
        raise _refusal(where, "time", "a time is not between the years 2000 and 9998")
    if local.utcoffset() != local.replace(fold=1).utcoffset():
        raise _refusal(where, "time", "a time is none or two in the local zone, so write it with Z")
    return local.astimezone(UTC)


def _parse_key(text: str, where: str) -> PublicKey:
    try:
        return PublicKey.parse(text)
    except Refused as fault:
        raise Refused(f"trust-{fault.code}", f"{where}: {fault.message}", hint=fault.hint) from None


def _refusal(where: str, reason: str, message: str) -> Refused:
    return Refused(f"trust-{reason}", f"{where}: {message}", hint=_LINE_HINT)


def format_signer(signer: TrustedSigner, comment: str = "") -> str:
    """Return the `allowed_signers` line of `signer`, with its newline.

    Times are written in UTC with `Z`, to the second; OpenSSH reads `Z` since 9.1. A signer or
    comment that the line cannot carry is `Refused`.
    """
    names = ",".join(sorted(str(name) for name in signer.namespaces))
    options = [f'namespaces="{names}"']
    if signer.valid_after is not None:
        options.append(f'valid-after="{_stamp(signer.valid_after)}"')
    if signer.valid_before is not None:
        options.append(f'valid-before="{_stamp(signer.valid_before)}"')
    line = f"{signer.principal} {','.join(options)} {signer.key.line} {comment}".rstrip(" ") + "\n"
    read_back = parse_allowed_signers(line, source="the new line")
    if read_back != (signer,) or line.count("\n") != 1:
        raise _refusal("the new line", "line", "it would not read back as the same signer")
    return line


def _stamp(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y%m%d%H%M%SZ")


def load_trust_root(directory: Path, zone: tzinfo) -> TrustRoot:
    """Return the trust root in `directory`: `allowed_signers`, and `revoked` if it is there.

    `zone` is the zone of times without `Z`. A missing `allowed_signers` is `NotFound`; an empty
    one, a symbolic link, or a malformed line is `Refused`. Who owns the files is not asked here.
    """
    path = directory / "allowed_signers"
    text = read_trust_file(path)
    if text is None:
        raise NotFound(
            "trust-missing",
            f"there is no trust root: {path} does not exist",
            hint=_LINE_HINT,
        )
    signers = parse_allowed_signers(text, source=str(path), zone=zone)
    if not signers:
        raise Refused("trust-empty", f"{path} names no signer", hint=_LINE_HINT)
    revoked = directory / "revoked"
    return TrustRoot(signers, _parse_revoked(read_trust_file(revoked) or "", str(revoked)))


def _parse_revoked(text: str, source: str) -> frozenset[str]:
    """One public key line or one SHA256: fingerprint a line; a fingerprint must be exact."""
    marks = set()
    for number, line in enumerate(text.splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        match = _FINGERPRINT.fullmatch(line)
        if match is None:
            marks.add(_parse_key(line, f"{source} line {number}").fingerprint)
        elif base64.b64encode(binascii.a2b_base64(match[1] + "=")).decode() != match[1] + "=":
            raise Refused(
                "trust-fingerprint",
                f"{source} line {number}: no key has this fingerprint",
                hint="copy it from: ssh-keygen -l -f FILE.pub",
            )
        else:
            marks.add(line)
    return frozenset(marks)


def read_trust_file(path: Path) -> str | None:
    """Return the text of a regular file that is not a symbolic link; None if there is none."""
    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with os.fdopen(os.open(path, flags), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise _not_plain(path)
            data = file.read(FILE_MOST + 1)
    except FileNotFoundError:
        return None
    except OSError as fault:
        if fault.errno == errno.ELOOP:
            raise _not_plain(path) from None
        raise Failed(
            "trust-unreadable",
            f"{path} cannot be read ({errno.errorcode.get(fault.errno or 0, 'unknown error')})",
            hint=f"look at it: ls -l {path}",
        ) from None
    if len(data) > FILE_MOST:
        raise Refused("trust-long", f"{path} is over {FILE_MOST} bytes", hint=f"ls -l {path}")
    return plain_text(data, str(path))


def _not_plain(path: Path) -> Refused:
    return Refused(
        "trust-link",
        f"{path} is a link or no regular file",
        hint=f"put the file itself there: ls -l {path}",
    )
