"""What differs between two schemas, in words for people; pure.

Short texts are said, long ones (a view's definition) only that they differ: `text_diff` has those.
Of an object that is new it is said besides who may do what with it, where that is short.
"""

from __future__ import annotations

import difflib
import re
from typing import Final

from dbops.change.diff import Difference, Verb
from dbops.change.function_text import function_words, powers
from dbops.change.implied import is_of_server
from dbops.change.members import digest_words, is_digest, is_list, list_words
from dbops.change.phrases import said_at_once, said_instead
from dbops.change.schema import GRANTS, ObjectKind, ObjectName

_LONGEST: Final = 60  # characters of a text that is still said in a line
_LONGEST_GRANTS: Final = 200

_TYPE: Final = "type"
_BETWEEN: Final = "; "  # grants, as engines list them
_SET: Final = frozenset({"", "yes", "true", "on"})
_NO: Final = "no"
_ON: Final = frozenset(
    {
        ObjectKind.INDEX,
        ObjectKind.TRIGGER,
        ObjectKind.RULE,
        ObjectKind.POLICY,
        ObjectKind.STATISTICS,
    }
)
# The names of PostgreSQL's types that everybody writes in place of the standard's; only shown so.
_SHORT_TYPES: Final = (
    (re.compile(r"\bcharacter varying\b"), "varchar"),
    (re.compile(r"\bcharacter(?=\(|\[|$)"), "char"),
    (re.compile(r"\bbit varying\b"), "varbit"),
    (re.compile(r"\b(timestamp|time)(\([0-9]\))? without time zone\b"), r"\1\2"),
    (re.compile(r"\b(timestamp|time)(\([0-9]\))? with time zone\b"), r"\1tz\2"),
)


def difference_words(difference: Difference) -> tuple[str, ...]:
    """Return lines that can be printed: one, or of an altered object one a property.

    ``column `ward_code` of `his.visit`: varchar(8) → varchar(12)``,
    ``index `his.visit_ward_ix` on `his.visit` is new``, ``view `his.v`: definition differs``.
    """
    subject = _subject(difference)
    if difference.verb is Verb.DROP:
        return (f"{subject} is gone",)
    if difference.verb is Verb.CREATE:
        told = ", ".join(new_words(difference.name.kind, difference.after))
        return (f"{subject} is new: {told}" if told else f"{subject} is new",)
    keys = sorted(difference.changed, key=lambda key: (key != _TYPE, key))
    return tuple(f"{subject}: {printable(_change(key, difference))}" for key in keys)


def text_diff(difference: Difference) -> list[str]:
    """Return the lines of a unified diff for each long text of the object that differs."""
    lines: list[str] = []
    for key in sorted({*difference.before, *difference.after}):
        old, new = _sides(key, difference)
        if old != new and any(map(_is_long, (old or "", new or ""))):
            name = printable(f"{difference.name.title}, {key}")
            lines += difflib.unified_diff(
                _lines(old), _lines(new), f"{name} before", f"{name} after", lineterm=""
            )
    return lines


def short_type(text: str) -> str:
    """Return the name of a type as people write it: `varchar(8)`, `timestamptz`."""
    for pattern, short in _SHORT_TYPES:
        text = pattern.sub(short, text)
    return text


def printable(text: str) -> str:
    """Return the text on one line, whatever a terminal might obey as an escape."""
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def _subject(difference: Difference) -> str:
    """Kind and name; what belongs to something by its own name, and what that is."""
    name = difference.name
    outer = difference.within[0] if difference.within else None
    if outer is None and name.kind is ObjectKind.COLUMN and len(name.path) > 1:
        outer = ObjectName(ObjectKind.TABLE, name.path[:-1])
    if outer is None:
        return f"{name.kind.value} `{printable(name.written)}`"
    own = ObjectName(name.kind, name.path[-1:]) if name.path[:-1] == outer.path else name
    link = "on" if name.kind in _ON else "of"
    owner = printable(outer.written)
    return f"{name.kind.value} `{printable(own.written)}` {link} `{owner}`"


def _sides(key: str, difference: Difference) -> tuple[str | None, str | None]:
    """A property before and after; what it means where an altered object does not have it."""
    usual = difference.usual.get(key) if difference.verb is Verb.ALTER else None
    return difference.before.get(key, usual), difference.after.get(key, usual)


def _change(key: str, difference: Difference) -> str:
    """One property that differs."""
    old, new = _sides(key, difference)
    label = printable(key)
    if old is None and new in _SET:
        return f"now {label}"
    if new is None and old in _SET:
        return f"no longer {label}"
    if (old, new) in {(None, _NO), (_NO, None)}:
        return f"now not {label}" if old is None else f"{label} again"
    if key in difference.usual or any(map(_is_long, (old or "", new or ""))):
        return f"{label} {_long_change(key, old, new)}"
    words = f"{_shown(key, old)} → {_shown(key, new)}"
    return words if key == _TYPE else f"{label}: {words}"


def _long_change(key: str, old: str | None, new: str | None) -> str:
    """What became of a long text: of grants which came and went, of others that they differ."""
    is_many = key.endswith("s")
    if key == GRANTS:
        had, has = (set(() if text is None else text.split(_BETWEEN)) for text in (old, new))
        turned = [f"+ {each}" for each in sorted(has - had)]
        turned += [f"- {each}" for each in sorted(had - has)]
        if len(told := printable(_BETWEEN.join(turned))) <= _LONGEST_GRANTS:
            return told
    if old is None:
        return "are new" if is_many else "is new"
    if new is None:
        return "are gone" if is_many else "is gone"
    return "differ" if is_many else "differs"


def _shown(key: str, text: str | None) -> str:
    if text is None:
        return "none"
    return printable(short_type(text) if key == _TYPE else text) or "empty"


def _is_long(text: str) -> bool:
    return len(text) > _LONGEST or "\n" in text


def _lines(text: str | None) -> list[str]:
    return [] if text is None else [printable(line.expandtabs()) for line in text.split("\n")]
