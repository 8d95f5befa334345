"""Names of systems, databases, repositories, policies, targets and hosts; pure.

A name stands in file names, in commands and in signed envelopes, so it is plain ASCII that needs
no quoting anywhere: `[a-z0-9][a-z0-9-]{0,62}`. Names for people (`name_zh`) may be anything.
"""

from __future__ import annotations

import re

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_NOT_IN_A_NAME = re.compile(r"[^a-z0-9]+")
_LONGEST = 63

NAME_RULE = "1 to 63 lower-case letters, digits and hyphens, the first not a hyphen"


def is_name(text: str) -> bool:
    """Return whether `text` is a name; a trailing newline is not overlooked."""
    return _NAME.fullmatch(text) is not None


def as_name(text: str, *, otherwise: str) -> str:
    """Return the name closest to `text`, such as a host's; `otherwise` where nothing is left."""
    plain = _NOT_IN_A_NAME.sub("-", text.lower()).strip("-")[:_LONGEST].rstrip("-")
    return plain or otherwise
