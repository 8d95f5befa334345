"""What differs between two schemas as text and back, and whether two runs came to the same; pure.

The file lies in git beside a change: its first line names the format, and each other line
is one difference as JSON, in the order of the objects' names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Final

from dbops.change.diff import Difference, Verb, is_only_order
from dbops.change.json_lines import line_of, name_parts, parse_lines, parse_name, parse_texts
from dbops.change.members import is_list, list_change
from dbops.change.schema import POSITION
from dbops.change.words import difference_words, printable
from dbops.errors import Refused

FORMAT: Final = '{"dbops":"diff/v1"}'
_KEYS: Final = frozenset({"verb", "object", "within", "before", "after"})
_USUAL: Final = "usual"  # stands there only where it says something: older files have none


def diff_text(differences: Sequence[Difference]) -> bytes:
    """Return the bytes of differences; raises ValueError where one object stands there twice."""
    if len({each.name for each in differences}) < len(differences):
        raise ValueError("one object differs twice")
    lines = [FORMAT, *map(_line, sorted(differences, key=lambda each: each.name))]
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass")


def parse_diff(data: bytes, source: str) -> tuple[Difference, ...]:
    """Return the differences that the bytes say; `source` names them in errors.

    Raises Refused `diff-form` with the line for anything that `diff_text` does not write.
    """
    found: list[Difference] = []
    for number, difference in parse_lines(data, FORMAT, _read, partial(_fault, source)):
        if found and found[-1].name >= difference.name:
            raise _fault(source, number)
        found.append(difference)
    return tuple(found)


def same_effect(found: Sequence[Difference], rehearsed: Sequence[Difference]) -> tuple[str, ...]:
    """Return a sentence for each thing that came of a run and not of the rehearsal, or otherwise.

    Empty where both made, dropped and altered the same objects, and left the same properties. What
    they were before, and the places of columns among others, do not count.
    """
    ours = {each.name: each for each in found if not is_only_order(each)}
    theirs = {each.name: each for each in rehearsed if not is_only_order(each)}
    return tuple(
        sentence
        for name in sorted(ours.keys() | theirs.keys())
        for sentence in _apart(ours.get(name), theirs.get(name))
    )


def _apart(one: Difference | None, other: Difference | None) -> Iterator[str]:
    """What a run made of an object beside what the rehearsal made of it."""
    if one is None and other is not None:
        yield from (f"rehearsed, and did not come: {line}" for line in difference_words(other))
    elif one is not None and other is None:
        yield from (f"not rehearsed: {line}" for line in difference_words(one))
    elif one is not None and other is not None:
        mine, theirs = _effect(one), _effect(other)
        title = printable(one.name.title)
        if one.verb is not other.verb:
            yield f"{title}: {one.verb.value}, and {other.verb.value} was rehearsed"
            return
        for key in sorted({*mine, *theirs}):
            if mine.get(key) != theirs.get(key) or (key in mine) is not (key in theirs):
                yield f"{title}: {printable(key)} is not as it was rehearsed"


def _effect(difference: Difference) -> Mapping[str, str | None]:
    """What became of each property; None of one that was taken away."""
    keys = difference.changed if difference.verb is Verb.ALTER else difference.after
    return {key: _outcome(key, difference) for key in keys if key != POSITION}


def _outcome(key: str, difference: Difference) -> str | None:
    """What a property is now; of a list of an extension's members only what came and went.

    A restored copy may lack what somebody did to a member: no dump has it.
    """
    if difference.verb is Verb.ALTER and is_list(key):
        return list_change(difference.before.get(key), difference.after.get(key))
    return difference.after.get(key)


def _line(difference: Difference) -> str:
    fields: dict[str, object] = {
        "verb": difference.verb.value,
        "object": name_parts(difference.name),
        "within": [name_parts(name) for name in difference.within],
        "before": dict(difference.before),
        "after": dict(difference.after),
    }
    if difference.usual:
        fields[_USUAL] = dict(difference.usual)
    return line_of(fields)


def _read(fields: dict[str, object]) -> tuple[Difference, str]:
    """Return what a line says, and the line that is written for it."""
    within = fields["within"]
    if fields.keys() - {_USUAL} != _KEYS or not isinstance(within, list):
        raise ValueError
    found = Difference(
        Verb(str(fields["verb"])),
        parse_name(fields["object"]),
        parse_texts(fields["before"]),
        parse_texts(fields["after"]),
        tuple(map(parse_name, within)),
        parse_texts(fields.get(_USUAL, {})),
    )
    return found, _line(found)


def _fault(source: str, line: int) -> Refused:
    return Refused(
        "diff-form",
        f"{source} line {line}: these are no differences as dbops writes them",
        hint="take the file from git as it was committed, or rehearse again",
    )
