"""What the parts of a change must say of each other; pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from dbops.change.diff import Verb
from dbops.change.manifest import Change
from dbops.change.schema import ObjectKind
from dbops.change.touch import Touch
from dbops.review.section import Section, refusal
from dbops.review.work import Kind, Work
from dbops.review.yaml_text import Fields, parse_yaml
from dbops.wording import suggestion

_WITH_COLUMNS: Final = frozenset(
    {ObjectKind.TABLE, ObjectKind.FOREIGN_TABLE, ObjectKind.VIRTUAL_TABLE, ObjectKind.TYPE}
)


def check_databases(change: Change, databases: Iterable[str], section: Section) -> None:
    """Check that every database stands in exactly one ring, and no other there.

    Raises Refused `change-ring` with the line.
    """
    known = tuple(databases)
    seen: set[str] = set()
    for ring in change.rings:
        for name in ring.databases:
            if name not in known:
                what, hint = f"{name} is not one of databases", "write it there too"
                raise section.refuse("contradiction", "rings", what, hint)
            if name in seen:
                hint = "a database changes once: leave it in one ring"
                raise section.refuse("contradiction", "rings", f"{name} stands in two rings", hint)
            seen.add(name)
    for name in known:
        if name not in seen:
            hint = "put each database into a ring, or leave rings out"
            raise section.refuse("contradiction", "rings", f"{name} stands in no ring", hint)


def check_change(change: Change, section: Section) -> None:
    """Check requirements, touches, personal data and accepted findings; raises `change-…`."""
    if change.id in change.requires:
        hint = "name changes that must have run before"
        raise section.refuse("contradiction", "requires", "the change requires itself", hint)
    _check_touches(change.touches, section)
    _check_personal(change, section)
    _check_accepted(change, section)


def refuse_unknown_required(work: Work, change: Change, known: Collection[str]) -> None:
    """Raise Refused `change-no-such` where the change requires one that nobody knows.

    `known` are the ids of all changes. It could never run: no journal would have that one.
    """
    missing = [each for each in change.requires if each not in known]
    if not missing:
        return
    source = f"{work.folder}/{work.kind.manifest}"
    tree = parse_yaml(work.files[work.kind.manifest], source)
    assert isinstance(tree, Fields)  # noqa: S101 - the manifest was read before
    section = Section(work.kind, source, tree)
    node = section.items("requires")[change.requires.index(missing[0])]
    what = f"requires: there is no change {missing[0]}"
    hint = suggestion(missing[0], sorted({*known} - {change.id}), label="there are")
    raise refusal(work.kind, "no-such", source, node.line, what, hint)


def _check_touches(touches: tuple[Touch, ...], section: Section) -> None:
    """Refuse one object in two lines: a difference is one verb, with all that it alters."""
    seen: set[tuple[ObjectKind, str]] = set()
    for number, touch in enumerate(touches):
        name = (touch.kind, touch.written)
        if name in seen:
            line = section.items("touches")[number].line
            what = f"touches[{number + 1}]: {touch.kind.value} {touch.written} stands there twice"
            hint = "what is dropped and made anew is altered; name all its properties in one line"
            raise refusal(Kind.CHANGE, "twice", section.source, line, what, hint)
        seen.add(name)


def _check_personal(change: Change, section: Section) -> None:
    """Refuse personal data in a column that the change does not make."""
    columns = {each.written for each in change.touches if _makes(each, ObjectKind.COLUMN)}
    tables = [f"{each.written}." for each in change.touches if _makes(each, *_WITH_COLUMNS)]
    for name in change.personal:
        if name not in columns and not name.startswith(tuple(tables)):
            hint = f'touches says of a new column: "create column {name}"'
            given = section.section("personal")
            raise given.refuse("contradiction", name, "no column that the change makes", hint)


def _makes(touch: Touch, *kinds: ObjectKind) -> bool:
    return touch.verb is Verb.CREATE and touch.kind in kinds


def _check_accepted(change: Change, section: Section) -> None:
    seen: set[tuple[str, str | None]] = set()
    for number, each in enumerate(change.accepted, 1):
        if (each.rule, each.at) in seen:
            what = f"accepted[{number}]: {each.rule} is accepted twice"
            hint = "write each once; at tells two places apart"
            raise refusal(Kind.CHANGE, "twice", section.source, each.line, what, hint)
        seen.add((each.rule, each.at))
