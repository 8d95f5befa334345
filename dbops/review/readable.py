"""Text that a reviewer sees all of: nothing in it is drawn as nothing; pure."""

from __future__ import annotations

import re
from typing import Final

from dbops.crypto.trust import plain_text
from dbops.errors import Refused

# Unicode's Default_Ignorable_Code_Point (DerivedCoreProperties.txt), in which a table `ward` and
# another `ward` differ on no screen, and the controls of interlinear notes.
_INVISIBLE: Final = re.compile(
    "[\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]"
)


def readable_text(data: bytes, what: str) -> str:
    """Return `data` as text of which every character shows; `what` names it in the error.

    Raises Refused as `plain_text`, and `text-hidden` for characters that no screen draws: zero
    width spaces and joiners, soft hyphens, fillers, variation selectors, tags.
    """
    text = plain_text(data, what)
    hidden = _INVISIBLE.search(text)
    if hidden is not None:
        line = text.count("\n", 0, hidden.start()) + 1
        raise Refused(
            "text-hidden",
            f"{what} line {line} holds the hidden character U+{ord(hidden[0]):04X}",
            hint="see what is there: cat -A FILE",
        )
    return text
