"""What an extension says of its members: the names of these properties, and lists in words; pure.

A list is a text of lines, sorted. Each begins with the title of an object, and a colon.
"""

from __future__ import annotations

from typing import Final

MEMBERS: Final = "members"
"""A digest of functions, types and whatever else is not listed."""
MEMBER_GRANTS: Final = "grants of members"
"""Who may do what on which member, beyond and short of what it came with."""
MEMBER_POLICIES: Final = "policies of members"
"""Policies on tables, and whether they hold."""
MEMBER_POWERS: Final = "powers of members"
"""Functions that run as their owner or under settings, and what another owner has."""
MEMBER_TABLES: Final = "tables of members"
"""What tables, views and sequences consist of, and what is on them."""

WITHOUT: Final = "without "
"""What a line of grants begins with that were taken away."""

_LISTS: Final = frozenset({MEMBER_GRANTS, MEMBER_POLICIES, MEMBER_POWERS, MEMBER_TABLES})
_LONGEST: Final = 400  # characters of a list that is still said in a line
_DIGEST: Final = ", sha256 "
_HEXADECIMAL: Final = frozenset("0123456789abcdef")


def digest_text(what: str, digest: str) -> str:
    """Return a property that only tells whether two are equal; `what` says of what."""
    return f"{what}{_DIGEST}{digest}"


def is_digest(text: str) -> bool:
    """Whether it is a text as `digest_text` returns it."""
    digest = text.rpartition(_DIGEST)[2]
    return len(digest) == 64 and set(digest) <= _HEXADECIMAL and "\n" not in text


def is_list(key: str) -> bool:
    """Whether a property of this name is a list."""
    return key in _LISTS


def digest_words(key: str, old: str | None, new: str | None) -> str:
    """Return how two such texts differ: in what they are of, or only that it was altered."""
    was, now = (None if text is None else text.rpartition(_DIGEST)[0] for text in (old, new))
    altered = f"{key} {'were' if key.endswith('s') else 'was'} altered"
    return altered if was == now else f"{key}: {was or 'none'} → {now or 'none'}"


def list_words(key: str, old: str | None, new: str | None) -> str:
    """Return what came to a list and what went; of tables only titles, and what differs of them."""
    words = _words(key, old, new)
    more, less = _apart(old, new)
    return words if len(words) <= _LONGEST else f"{key}: {len(more)} more, {len(less)} less"


def list_change(old: str | None, new: str | None) -> str:
    """Return all lines that came and went, as one text."""
    more, less = _apart(old, new)
    return "\n".join([*(f"+ {line}" for line in sorted(more)), *(f"- {x}" for x in sorted(less))])


def is_said(key: str, old: str | None, new: str | None) -> bool:
    """Whether `list_words` says all that differs in a list."""
    return key != MEMBER_TABLES and len(_words(key, old, new)) <= _LONGEST


def _words(key: str, old: str | None, new: str | None) -> str:
    more, less = _apart(old, new)
    differ: set[str] = set()
    if key == MEMBER_TABLES:
        more, less = ({line.partition(": ")[0] for line in lines} for lines in (more, less))
        differ = more & less
    elif key == MEMBER_GRANTS:
        given, taken = (_without(lines) for lines in (more, less))
        more, less = (
            (more - given.keys()) | set(taken.values()),
            (less - taken.keys()) | set(given.values()),
        )
    told = [f"+ {each}" for each in sorted(more - differ)]
    told += [f"- {each}" for each in sorted(less - differ)]
    told += [f"{each} differs" for each in sorted(differ)]
    return f"{key}: {'; '.join(told)}"


def _apart(old: str | None, new: str | None) -> tuple[set[str], set[str]]:
    had, has = (set() if text is None else set(text.split("\n")) for text in (old, new))
    return has - had, had - has


def _without(lines: set[str]) -> dict[str, str]:
    """Lines that say what somebody may no longer do, each with what that is."""
    return {line: line.removeprefix(WITHOUT) for line in lines if line.startswith(WITHOUT)}
