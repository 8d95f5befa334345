"""Add persons to the trust root: keys to `allowed_signers`, roles to `policy.toml`; pure.

Lines are only ever added. Both texts are edited as text, so that comments stay, and read back:
what then stands there is what stood there and the new persons, nothing else.
"""

from __future__ import annotations

import copy
import json
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from typing import Any, Final

from dbops.crypto.sshsig import Namespace, PublicKey
from dbops.crypto.trust import TrustedSigner, format_signer, parse_allowed_signers, plain_text
from dbops.errors import NotFound, Refused, UsageFault
from dbops.review.policy import Policy
from dbops.review.work import is_principal

_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_PERSON_HINT: Final = "write: --person li-na:李娜:li.na@hospital:li-na.pub:it-department"


@dataclass(frozen=True, slots=True)
class NewPerson:
    """Somebody who is to sign: one key, one principal, one or more roles."""

    id: str
    name: str
    principal: str
    key: PublicKey
    roles: tuple[str, ...]


def parse_person(text: str, read_key: Callable[[Path], PublicKey]) -> NewPerson:
    """The person that `ID:NAME:PRINCIPAL:KEYFILE.pub:ROLE[,ROLE]` means.

    `read_key` reads a `.pub` file, and what it raises is raised; UsageFault for another form.
    """
    parts = text.split(":", 3)
    path, _, listed = parts[-1].rpartition(":")
    if len(parts) != 4 or not path or not listed:
        raise _not_a_person("it is not ID:NAME:PRINCIPAL:KEYFILE.pub:ROLE[,ROLE]")
    person, name, principal = parts[:3]
    roles = tuple(dict.fromkeys(listed.split(",")))
    if not _ID.fullmatch(person) or not all(map(_ID.fullmatch, roles)):
        raise _not_a_person("ids and roles are lower-case letters, digits and hyphens")
    if not is_principal(principal):
        raise _not_a_person("a principal has no characters but A-Za-z0-9._@+-")
    if not name.strip() or not name.isprintable():
        raise _not_a_person("the name is not one line of text")
    if not path.endswith(".pub"):
        raise _not_a_person("the key is not a .pub file: a private key stays with its owner")
    return NewPerson(person, name, principal, read_key(Path(path)), roles)


def _not_a_person(reason: str) -> UsageFault:
    return UsageFault("trust-person", f"--person does not say who: {reason}", hint=_PERSON_HINT)


def refuse_unknown(
    policy: Policy, persons: Iterable[NewPerson], countersigning: frozenset[str]
) -> None:
    """Raise NotFound for a role that the policy does not have, or a countersigner not added."""
    named = {person.id for person in persons}
    roles = dict.fromkeys(role for person in persons for role in person.roles)
    unknown = [role for role in roles if role not in policy.roles]
    if unknown:
        raise NotFound(
            "no-role",
            f"the policy has no role {unknown[0]}",
            hint=f"there are: {', '.join(sorted(policy.roles)) or 'none'}; add it to [roles] first",
        )
    strangers = sorted(countersigning - named)
    if strangers:
        raise NotFound(
            "no-person",
            f"--countersigns names {strangers[0]}, whom no --person adds",
            hint=f"there are: {', '.join(sorted(named)) or 'none'}",
        )


def signs_for(
    policy: Policy, person: NewPerson, countersigning: frozenset[str]
) -> frozenset[Namespace]:
    """What the policy may ask the person to sign as the named roles; Refused where nothing."""
    held = set(person.roles)
    asking = [rule for rule in policy.rules if rule.asks]
    anybody = any(rule.author_role is None for rule in asking)
    broken = policy.break_glass
    chosen = {
        Namespace.REQUEST: anybody or any(rule.author_role in held for rule in asking),
        Namespace.APPROVAL: any(held & set(rule.quorum) for rule in asking),
        Namespace.BREAKGLASS: broken is not None and broken.role in held,
        Namespace.COUNTERSIGN: person.id in countersigning,
    }
    may = frozenset(namespace for namespace, wanted in chosen.items() if wanted)
    if not may:
        raise Refused(
            "trust-nothing",
            f"the policy asks {person.id} for no signature as {', '.join(person.roles)}",
            hint="dbops trust show; a rule of policy.toml names the roles whose agreement it asks",
        )
    return may


def add_signers(
    text: str,
    persons: Iterable[NewPerson],
    may: Callable[[NewPerson], frozenset[Namespace]],
    *,
    source: str,
    zone: tzinfo,
) -> tuple[str, tuple[str, ...]]:
    """Return the text of `allowed_signers` with a line for each key that has none, and these lines.

    `may` says what a person signs. A key that stands there for the same principal stays as it is:
    Refused `trust-narrow` where its line does not name all of it, since a line is never replaced;
    Refused `trust-key-shared` where it is somebody else's.
    """
    plain_text(text.encode(), source)
    known = {signer.key: signer for signer in parse_allowed_signers(text, source=source, zone=zone)}
    added = []
    for person in persons:
        wanted = TrustedSigner(person.principal, person.key, may(person))
        present = known.get(person.key)
        if present is None:
            added.append(format_signer(wanted, person.id))
            known[person.key] = wanted
        else:
            _refuse_other(present, wanted, source)
    changed = text + "".join(added)
    parse_allowed_signers(changed, source=source, zone=zone)
    return changed, tuple(added)


def _refuse_other(present: TrustedSigner, wanted: TrustedSigner, source: str) -> None:
    """A line that stands there is never replaced, so it must say all that is wanted."""
    if present.principal != wanted.principal:
        raise Refused(
            "trust-key-shared",
            f"{source}: the key of {wanted.principal} is already that of {present.principal}",
            hint="everybody has a key of their own: dbops keys new signing --help",
        )
    missing = sorted(str(each) for each in wanted.namespaces - present.namespaces)
    if missing:
        raise Refused(
            "trust-narrow",
            f"{source}: the line of {present.principal} does not name {', '.join(missing)}",
            hint=f"add it to that line's namespaces by hand: {source}",
        )


def add_persons(text: str, persons: Iterable[NewPerson], *, source: str) -> str:
    """Return the policy's text with the persons, their principals and roles added.

    Raises Refused `policy-edit` where the text is laid out so that a line cannot be added; then a
    person does it.
    """
    for person in persons:
        text = _add_person(text, person, source)
        for role in person.roles:
            text = _add_to_list(text, "roles", role, person.id, source)
    return text


def _add_person(text: str, person: NewPerson, source: str) -> str:
    document = tomllib.loads(text)
    present = document.get("persons", {}).get(person.id)
    if present is not None:
        return _add_to_list(text, f"persons.{person.id}", "principals", person.principal, source)
    block = (
        f"\n[persons.{person.id}]\n"
        f"name = {_string(person.name)}\n"
        f"principals = [{_string(person.principal)}]\n"
    )
    wanted = copy.deepcopy(document)
    wanted.setdefault("persons", {})[person.id] = {
        "name": person.name,
        "principals": [person.principal],
    }
    return _checked(text + block, wanted, source)


def _add_to_list(text: str, table: str, key: str, value: str, source: str) -> str:
    """Return the text in which the list `key` of `[table]` also has the value."""
    wanted = copy.deepcopy(tomllib.loads(text))
    place = wanted
    for name in table.split("."):
        place = place.setdefault(name, {})
    values = place.setdefault(key, [])
    if value in values:
        return text
    values.append(value)
    lines = text.splitlines(keepends=True)
    start = next((n for n, line in enumerate(lines) if line.strip() == f"[{table}]"), None)
    if start is None:
        return _checked(f"{text}\n[{table}]\n{key} = [{_string(value)}]\n", wanted, source)
    for number in range(start + 1, len(lines)):
        if lines[number].lstrip().startswith("["):
            break
        match = re.fullmatch(rf"(\s*{re.escape(key)}\s*=\s*\[)([^\[\]#]*)(\].*\n?)", lines[number])
        if match:
            comma = ", " if match[2].strip() else ""
            inner = match[2].rstrip().rstrip(",")
            lines[number] = f"{match[1]}{inner}{comma}{_string(value)}{match[3]}"
            return _checked("".join(lines), wanted, source)
    lines.insert(start + 1, f"{key} = [{_string(value)}]\n")
    return _checked("".join(lines), wanted, source)


def _checked(text: str, wanted: Mapping[str, Any], source: str) -> str:
    """The text, if it says what is wanted and nothing else."""
    try:
        said = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        said = {}
    if said != wanted:
        raise Refused(
            "policy-edit",
            f"{source} is laid out in a way that no line can be added to safely",
            hint="add the person by hand, then: dbops trust lint",
        )
    return text


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
