"""Signed documents: a text and its signature in one file, so that one write commits both.

The file is the body, which ends with a newline, and directly after it the SSHSIG armor of exactly
those bytes. `sed` takes the two apart and `ssh-keygen -Y verify` checks them: see `FORMAT.md`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NoReturn

from dbops.crypto.signing import Signer
from dbops.crypto.sshsig import ARMOR_BEGIN, ARMOR_END, Namespace, PublicKey, check_signature
from dbops.crypto.trust import TrustRoot, plain_text
from dbops.errors import Refused

_BEGIN: Final = ARMOR_BEGIN.encode("ascii")
_END: Final = ARMOR_END.encode("ascii")


@dataclass(frozen=True, slots=True)
class OpenedDocument:
    """A body whose signature was checked, with who signed it by which key."""

    body: bytes
    principal: str
    key: PublicKey


def sign_document(body: bytes, namespace: Namespace, signer: Signer) -> bytes:
    """Return `body` with the signer's signature below it.

    The body is plain UTF-8 text that ends with a newline and holds no armor of its own; anything
    else is `Refused` with a `text-…` or `document-…` code, before the key is used.
    """
    _check_body(body)
    return body + signer.sign(body, namespace).encode("ascii")


def open_document(
    data: bytes, namespace: Namespace, trust: TrustRoot, now: datetime
) -> OpenedDocument:
    """Return the body of a signed document, its signature checked and its signer trusted at `now`.

    `Refused` otherwise, with the code of what failed: `document-…` and `text-…` for the form,
    `signature-…` for the signature, `trust-…` for the signer. Nothing else is raised.
    """
    body, armor = split_document(data)
    key = check_signature(body, armor, namespace)
    return OpenedDocument(body, trust.judge(key, namespace, now), key)


def split_document(data: bytes) -> tuple[bytes, str]:
    """Return body and armor of a signed document, **neither of them verified**.

    For showing what a file claims when its signer is not known; never for deciding anything. The
    form is checked: plain text, a body, and one armor at the end.
    """
    text = plain_text(data, "the document")
    at = data.find(_BEGIN)
    if at < 0:
        raise _refusal("unsigned", "the document carries no signature")
    if data.count(_BEGIN) != 1 or data.count(_END) != 1:
        raise _refusal("armor", "the document does not carry exactly one signature")
    if not text.endswith(f"\n{ARMOR_END}\n"):
        raise _refusal("trailing", "the document goes on after its signature")
    body = data[:at]
    _check_body(body)
    return body, data[at:].decode("ascii", "replace")


def _check_body(body: bytes) -> None:
    if not body:
        raise _refusal("empty", "the document has no text")
    plain_text(body, "the document")
    if _BEGIN in body or _END in body:
        raise _refusal("armor", "the document's text holds a signature of its own")


def _refusal(reason: str, message: str) -> Refused:
    return Refused(
        f"document-{reason}", message, hint="fetch the document again, or have it signed again"
    )


def parse_json_body(body: bytes) -> dict[str, object]:
    """Return the JSON object that `body` is, if all readers of it agree what it says.

    RFC 8259 leaves duplicate names, NaN, the precision of fractions, lone surrogates and depth to
    each reader; all of these are `Refused` with the code `document-json`, as is anything that is
    not one object. Numbers are integers.
    """
    try:
        value: object = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_float=_no_fraction,
            parse_constant=_no_constant,
        )
        if b"\\u" in body:  # the only way to write a lone surrogate, which has no encoding
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):  # UnicodeError and JSONDecodeError are ValueErrors
        raise _refusal("json", "the document is not well-formed json") from None
    if not isinstance(value, dict):
        raise _refusal("json", "the document is not a json object")
    return value


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _refusal("json", "the document names a json field twice")
    return found


def _no_fraction(_text: str) -> NoReturn:
    raise _refusal("json", "the document holds a json number that is not an integer")


def _no_constant(_text: str) -> NoReturn:
    raise _refusal("json", "the document holds NaN or Infinity")
