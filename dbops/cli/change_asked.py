"""What a person reads above the question of `dbops change run` and `revert`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from dbops.change.evidence import ChangeEvidence
    from dbops.change.step import Direction
    from dbops.cli.changing import ReadChange
    from dbops.cli.wiring import Wiring

MOST: Final = 10
"""How many lines of what differs are shown."""
_NOT_REHEARSED: Final = "it was not rehearsed; touches allows:"


def before_asking(
    wiring: Wiring, found: ReadChange, databases: Sequence[str], direction: Direction
) -> Iterator[str]:
    """Yield what is about to be done to the databases, and what it came to when it was rehearsed.

    Of rows that go it is said what the manifest
    declares; taking back says of which tables rows went in the rehearsal.
    """
    from dbops.change.words import printable

    change = found.change
    yield f"{change.id}: {printable(change.title)}"
    facts: list[tuple[str, Iterable[str]]] = [
        ("ticket", () if change.ticket is None else (printable(change.ticket),)),
        ("on", (_on(found, name) for name in databases)),
        ("does", (_does(wiring, found, direction),)),
    ]
    for name in databases:
        ending = f" {name}" if len(databases) > 1 else ""
        facts += [(f"{key}{ending}", lines) for key, lines in _of(found, name, direction).items()]
    width = max(len(key) for key, _ in facts)
    for key, lines in facts:
        for number, line in enumerate(lines):
            yield f"  {'' if number else key:<{width}}  {line}"


def _on(found: ReadChange, database: str) -> str:
    ring = found.change.ring_of(database)
    return database if ring is None else f"{database} (ring {ring.name})"


def _does(wiring: Wiring, found: ReadChange, direction: Direction) -> str:
    """Which script, of how many steps, in how many transactions."""
    from dbops.change.step import Direction
    from dbops.cli.change_scripts import parts_by_script, parts_words
    from dbops.cli.render import counted
    from dbops.review.work import DOWN, UP

    script = UP if direction is Direction.UP else DOWN
    parts = parts_by_script(wiring, found)[script]
    if all(part.alone for part in parts):
        return f"{script}: {parts_words(parts)}" if parts else f"{script}: nothing"
    steps = counted(sum(len(part.steps) for part in parts), "step")
    return f"{script}: {steps} in {parts_words(parts)}"


def _of(found: ReadChange, database: str, direction: Direction) -> Mapping[str, Iterable[str]]:
    """What differs on one database, what is lost there, and how long its locks were held."""
    from dbops.change.evidence import read_evidence
    from dbops.change.step import Direction
    from dbops.change.touch import outermost
    from dbops.cli.changing import rehearsed_of, told

    evidence, rehearsed = read_evidence(found.work, database), rehearsed_of(found.work, database)
    if evidence is None or rehearsed is None:
        touched = [touch.line for touch in found.change.touches]
        return {"differs": _first([_NOT_REHEARSED, *touched])}
    up = direction is Direction.UP
    lines = told(each if up else each.back for each in outermost(rehearsed.differences))
    return {
        "differs" if up else "goes back": _first(lines or ["nothing"]),
        "lost": _lost(found, evidence, direction),
        "locks": (_held(evidence, direction),),
    }


def _first(lines: Sequence[str]) -> Iterator[str]:
    yield from lines[:MOST]
    if len(lines) > MOST:
        yield f"… and {len(lines) - MOST} more"


def _lost(found: ReadChange, evidence: ChangeEvidence, direction: Direction) -> Iterator[str]:
    """The loss that is declared, and the rows of each table that were gone at the rehearsal."""
    from dbops.change.manifest import DataLoss
    from dbops.change.step import Direction
    from dbops.cli.render import counted

    up = direction is Direction.UP
    declared = found.change.data_loss
    if up and declared is not DataLoss.NONE:
        yield f"data, as declared: {declared.value}"
    elif up:
        return
    for table, rows in sorted(evidence.rows.items()):
        had, has = (rows.before, rows.after) if up else (rows.after, rows.down)
        gone = (had or 0) - (has or 0)
        if gone > 0:
            yield f"{counted(gone, 'row')} of {table} in the rehearsal"


def _held(evidence: ChangeEvidence, direction: Direction) -> str:
    """The longest that others had to wait for a part."""
    from dbops.wording import number

    if evidence.held is None:
        return "how long they are held was not measured: rehearse again"
    times = [each.milliseconds for each in evidence.held if each.direction is direction]
    if not times:
        return "none were held in the rehearsal"
    longest = f"about {number(max(times))} ms in the rehearsal"
    if len(times) == 1:
        return f"held for {longest}"
    return f"held {len(times)} times, the longest for {longest}"
