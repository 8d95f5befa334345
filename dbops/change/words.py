"""What differs between two schemas, in words for people; pure.

Short texts are said, long ones (a view's definition) only that they differ: `text_diff` has those.
Of an object that is new it is said besides who may do what with it, where that is short.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Final

from dbops.change.diff import Difference, Verb
from dbops.change.function_text import function_words, powers
from dbops.change.implied import is_of_server
from dbops.change.members import (
    MEMBER_TABLES,
    digest_words,
    is_digest,
    is_list,
    is_said,
    list_words,
)
from dbops.change.phrases import said_at_once, said_instead
from dbops.change.schema import GRANTS, ObjectKind, ObjectName

_LONGEST: Final = 60  # characters of a text that is still said in a line
_LONGEST_GRANTS: Final = 200

_LONGEST_CLAUSE: Final = 200

_TYPE: Final = "type"
_DEFINITION: Final = "definition"
_RUNNING: Final = frozenset({ObjectKind.FUNCTION, ObjectKind.PROCEDURE})
_RULE: Final = re.compile(r"(?<= AS )ON .*[^;]", re.DOTALL)
_BETWEEN: Final = "; "  # grants, as engines list them
# What an object has of which nobody granted anything; what that is only the server can say, and a
# schema that was read from a file does not.
_AT_FIRST: Final = "those of a new one"
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
        told = printable("; ".join(_new(difference.name.kind, difference.after)))
        return (f"{subject} is new: {told}" if told else f"{subject} is new",)
    keys = sorted(difference.changed, key=lambda key: (key != _TYPE, key))
    return tuple(f"{subject}: {printable(_change(key, difference))}" for key in keys)


def text_diff(difference: Difference) -> list[str]:
    """Return the lines of a unified diff for each long text of the object that differs.

    A short definition of an object that came or went stands on a line of its own.
    """
    lines: list[str] = []
    for key in sorted({*difference.before, *difference.after}):
        old, new = _sides(key, difference)
        if is_list(key) and is_said(key, old, new):
            continue
        if old != new and any(map(_is_long, (old or "", new or ""))):
            name = printable(f"{difference.name.title}, {key}")
            lines += difflib.unified_diff(
                _lines(old), _lines(new), f"{name} before", f"{name} after", lineterm=""
            )
        elif key == _DEFINITION and not _is_told(difference):
            lines += [f"-{each}" for each in _lines(old)] + [f"+{each}" for each in _lines(new)]
    return lines


def _is_told(difference: Difference) -> bool:
    """Whether words say all of a short definition: of a property, or of a column's type."""
    if difference.verb is Verb.ALTER or difference.name.kind is not ObjectKind.COLUMN:
        return difference.verb is Verb.ALTER
    texts = difference.after or difference.before
    return texts.get(_DEFINITION) == f"{difference.name.path[-1]} {texts.get(_TYPE)}"


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
    own = difference.name.kind is not ObjectKind.COLUMN and not is_of_server(difference.name)
    usual = difference.usual.get(key, _AT_FIRST if key == GRANTS and own else None)
    missing = usual if difference.verb is Verb.ALTER else None
    return difference.before.get(key, missing), difference.after.get(key, missing)


def _new(kind: ObjectKind, properties: Mapping[str, str]) -> Iterator[str]:
    """What matters most of a new object, as far as it is short."""
    short = {key: text for key, text in properties.items() if not _is_long(text)}
    if kind is ObjectKind.COLUMN and _TYPE in short:
        yield _shown(_TYPE, short[_TYPE])
    elif kind is ObjectKind.POLICY:
        yield from _policy(properties)
    elif kind is ObjectKind.RULE and _DEFINITION in properties:
        yield from _rule(properties[_DEFINITION])
    elif kind in _RUNNING:
        yield from powers(properties.get(_DEFINITION, ""))
    yield from (f"{key}: {text}" for key, text in short.items() if key == GRANTS)
    lists = (key for key in sorted(properties) if is_list(key) and key != MEMBER_TABLES)
    yield from (list_words(key, None, properties[key]) for key in lists)


def _policy(properties: Mapping[str, str]) -> Iterator[str]:
    """For which command, for whom, and on which conditions."""
    kind = "restrictive, " if "restrictive" in properties else ""
    command, roles = (properties.get(key) for key in ("command", "roles"))
    if command is not None and roles is not None:
        yield f"{kind}for {command} to {roles}"
    for key, clause in (("using", "USING"), ("check", "WITH CHECK")):
        text = " ".join(properties.get(key, "").split())
        if text:
            yield f"{clause} {text if len(text) <= _LONGEST_CLAUSE else '…'}"


def _rule(definition: str) -> Iterator[str]:
    """On what it does what."""
    text = " ".join(definition.split())
    found = _RULE.search(text)
    if found is not None and len(found[0]) <= _LONGEST_CLAUSE:
        yield found[0]


def _change(key: str, difference: Difference) -> str:
    """One property that differs."""
    old, new = _sides(key, difference)
    sentence = said_at_once(key, old, new)
    if sentence is not None:
        return sentence
    if key == _DEFINITION and difference.name.kind in _RUNNING:
        words = function_words(old or "", new or "")
        return words if len(words) <= _LONGEST_GRANTS else f"{key} differs"
    if is_list(key):
        return list_words(key, old, new)
    if any(is_digest(text or "") for text in (old, new)):
        return digest_words(key, old, new)
    return _plain_change(key, difference)


def _plain_change(key: str, difference: Difference) -> str:
    old, new = _sides(key, difference)
    if old is None and new in _SET:
        return f"now {key}"
    if new is None and old in _SET:
        return f"no longer {key}"
    if (old, new) in {(None, _NO), (_NO, None)}:
        return f"now not {key}" if old is None else f"{key} again"
    if key == GRANTS and _AT_FIRST in (old, new):
        told = f"{key}: {old} → {new}"
        return told if len(told) <= _LONGEST_GRANTS else f"{key} differ"
    if key in difference.usual or any(map(_is_long, (old or "", new or ""))):
        return f"{key} {_long_change(key, old, new)}"
    of_server = key == GRANTS and is_of_server(difference.name)
    missing = "as the server made it" if of_server else said_instead(key)
    was, now = (missing if text is None else _shown(key, text) for text in (old, new))
    return f"{was} → {now}" if key == _TYPE else f"{key}: {was} → {now}"


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


def _shown(key: str, text: str) -> str:
    return printable(short_type(text) if key == _TYPE else text) or "empty"


def _is_long(text: str) -> bool:
    """Whether it is more than a line may say; of a digest there is nothing to be shown."""
    return (len(text) > _LONGEST or "\n" in text) and not is_digest(text)


def _lines(text: str | None) -> list[str]:
    return [] if text is None else [printable(line.expandtabs()) for line in text.split("\n")]
