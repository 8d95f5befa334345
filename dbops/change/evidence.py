"""What a rehearsal of a change found on one database: names, times, counts; pure.

It stands in `rehearsed-DB.yml`, and the signed `evidence.yml` has the digest of that file. The text
of a value is always the same, and reads back as that value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from dbops.change.evidence_written import WrittenEvidence, read_written, written_lines
from dbops.change.lock_plan import RehearsedLocks
from dbops.change.manifest import DataLoss
from dbops.change.ports import Lock
from dbops.change.rehearsed_files import findings_file
from dbops.change.step import Direction
from dbops.change.touch import Touch, parse_touch
from dbops.review.evidence_text import VERSION as OLD_VERSION
from dbops.review.evidence_text import (
    EvidenceReader,
    evidence_fault,
    mapping_lines,
    open_evidence,
    quoted_text,
    time_text,
)
from dbops.review.work import Work

VERSION: Final = "evidence/v3"
"""What is written now where the rows that steps write were counted.

Older evidence is read still. In v2 nobody counted them; in v1 nobody measured how long locks are
held, either.
"""
UNCOUNTED: Final = "evidence/v2"

_NUMBER: Final = "(0|[1-9][0-9]{0,17}|-)"
_ROWS: Final = re.compile(f"{_NUMBER} {_NUMBER} {_NUMBER}")
_NO_TABLE: Final = "-"
_NONE: Final = "none"


@dataclass(frozen=True, slots=True)
class StepEvidence:
    """One step: how long it took, which locks it took, and which tables were written anew."""

    direction: Direction
    number: int
    name: str
    milliseconds: int
    locks: tuple[Lock, ...] = ()
    rewritten: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HeldEvidence:
    """How long the locks of a part were held: from its step `first` until its end.

    What its steps up to `last` did, verify.sql and the judgement are in it.
    """

    direction: Direction
    first: int
    last: int
    milliseconds: int


@dataclass(frozen=True, slots=True)
class RowCounts:
    """The rows of a table before, after `up.sql` and after `down.sql`; None: there was no table."""

    before: int | None
    after: int | None
    down: int | None


@dataclass(frozen=True, slots=True)
class DownEvidence:
    """How the way back went.

    `equal` says that the schema was as before, to the last property; `order` names the columns
    that came back behind others. `lost` is the loss that the change declares.
    """

    equal: bool
    order: tuple[str, ...] = ()
    lost: DataLoss = DataLoss.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeEvidence:
    """What the verifying host `host` found at `at` when it rehearsed the change `id`.

    It ran on `backup` (such as `his@12`), `taken` then and verified up to `proof`, on `server`.
    `source` is the sha256 of `source.schema`. `touched` are the differences, `unseen` the touches
    of the manifest of which there was none. `held` is of each part that locked anything; None in
    evidence of the first version, where that was not measured. `rows` are by table, `sizes` the
    bytes before, with indexes, of the tables that the change concerns. `written` are the rows that
    each direction wrote, by table; None where they were not counted. `down` is None where there is
    no way back; `lint` counts findings by a word. `files` are the sha256 of the files that were
    rehearsed, by path.
    """

    id: str
    at: datetime
    host: str
    database: str
    backup: str
    taken: datetime
    proof: str
    server: str
    source: str
    touched: tuple[Touch, ...] = ()
    unseen: tuple[Touch, ...] = ()
    steps: tuple[StepEvidence, ...]
    held: tuple[HeldEvidence, ...] | None = ()
    rows: Mapping[str, RowCounts] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    written: WrittenEvidence | None = field(default_factory=dict)
    down: DownEvidence | None
    lint: Mapping[str, int] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    def took(self, direction: Direction) -> int:
        """How many milliseconds all steps of a direction took."""
        return sum(step.milliseconds for step in self.steps if step.direction is direction)

    @property
    def locks(self) -> RehearsedLocks:
        """The locks of each step, by its direction and number."""
        return {(step.direction, step.number): step.locks for step in self.steps}


def evidence_text(evidence: ChangeEvidence) -> bytes:
    """Return the bytes of `rehearsed-DB.yml`.

    Raises Refused `evidence-form`, `yaml-…` or `text-…` where they would not read back as the
    value, such as for a table whose name hides a character.
    """
    data = "".join(f"{line}\n" for line in _lines(evidence)).encode("utf-8", "surrogatepass")
    name = findings_file(evidence.database)
    if parse_evidence(data, name) != evidence:
        raise evidence_fault(name, 1, "it would not read back as what was found")
    return data


def read_evidence(work: Work, database: str) -> ChangeEvidence | None:
    """Return what was found on a database, **unverified**; None where it was not rehearsed there.

    Whether it counts is asked of `review.judge`. Raises Refused `evidence-form`, `yaml-…`.
    """
    name = findings_file(database)
    data = work.files.get(name)
    return None if data is None else parse_evidence(data, f"{work.folder}/{name}")


def parse_evidence(data: bytes, source: str) -> ChangeEvidence:
    """Return what the bytes say; `source` names them in errors. Raises as `read_evidence`."""
    top = open_evidence(data, source, (VERSION, UNCOUNTED, OLD_VERSION))
    old = top.is_text("dbops", OLD_VERSION)
    found = ChangeEvidence(
        id=top.text("id"),
        at=top.time("at"),
        host=top.text("host"),
        database=top.text("database"),
        backup=top.text("backup"),
        taken=top.time("taken"),
        proof=top.text("proof"),
        server=top.text("server"),
        source=top.digest("source"),
        touched=_touches(top, "touched"),
        unseen=_touches(top, "unseen"),
        steps=tuple(map(_step, top.items("steps"))),
        held=None if old else tuple(map(_held, top.items("held"))),
        rows=top.below("rows").each(_rows),
        sizes={} if old else top.below("sizes").each(EvidenceReader.count),
        written=read_written(top) if top.is_text("dbops", VERSION) else None,
        down=_down(top),
        lint=top.below("lint").each(EvidenceReader.count),
        files=top.below("files").each(EvidenceReader.digest),
    )
    top.refuse_others()
    return found


def _lines(evidence: ChangeEvidence) -> Iterator[str]:
    yield f"dbops: {_version(evidence)}"
    yield f"id: {quoted_text(evidence.id)}"
    yield f"at: {time_text(evidence.at)}"
    yield f"host: {quoted_text(evidence.host)}"
    yield f"database: {quoted_text(evidence.database)}"
    yield f"backup: {quoted_text(evidence.backup)}"
    yield f"taken: {time_text(evidence.taken)}"
    yield f"proof: {quoted_text(evidence.proof)}"
    yield f"server: {quoted_text(evidence.server)}"
    yield f"source: {evidence.source}"
    yield from _list_lines("touched", (touch.line for touch in evidence.touched))
    yield from _list_lines("unseen", (touch.line for touch in evidence.unseen))
    yield "steps:" if evidence.steps else "steps: []"
    for step in evidence.steps:
        yield from _step_lines(step)
    if evidence.held is not None:
        yield "held:" if evidence.held else "held: []"
        yield from map(_held_line, evidence.held)
    yield from mapping_lines("rows", {name: _counts(each) for name, each in evidence.rows.items()})
    if evidence.held is not None:
        yield from mapping_lines("sizes", evidence.sizes)
    if evidence.written is not None:
        yield from written_lines(evidence.written)
    yield from _down_lines(evidence.down)
    yield from mapping_lines("lint", evidence.lint)
    yield from mapping_lines("files", evidence.files)


def _version(evidence: ChangeEvidence) -> str:
    if evidence.held is None:
        return OLD_VERSION
    return UNCOUNTED if evidence.written is None else VERSION


def _list_lines(key: str, texts: Iterable[str]) -> Iterator[str]:
    lines = [f"  - {quoted_text(text)}" for text in texts]
    yield f"{key}:" if lines else f"{key}: []"
    yield from lines


def _step_lines(step: StepEvidence) -> Iterator[str]:
    yield f"  - direction: {step.direction.value}"
    yield f"    number: {step.number}"
    yield f"    name: {quoted_text(step.name)}"
    yield f"    milliseconds: {step.milliseconds}"
    yield "    locks:" if step.locks else "    locks: []"
    for lock in step.locks:
        told = f"object: {quoted_text(lock.object)}, mode: {quoted_text(lock.mode)}"
        blocks = f", blocks: {quoted_text(lock.blocks)}" if lock.blocks else ""
        yield f"      - {{{told}{blocks}}}"
    yield f"    rewritten: [{', '.join(map(quoted_text, step.rewritten))}]"


def _held_line(held: HeldEvidence) -> str:
    steps = f"from: {held.first}, to: {held.last}"
    return f"  - {{direction: {held.direction.value}, {steps}, milliseconds: {held.milliseconds}}}"


def _down_lines(down: DownEvidence | None) -> Iterator[str]:
    if down is None:
        yield f"down: {_NONE}"
        return
    yield "down:"
    yield f"  equal: {'true' if down.equal else 'false'}"
    yield f"  order: [{', '.join(map(quoted_text, down.order))}]"
    yield f"  lost: {down.lost.value}"


def _counts(rows: RowCounts) -> str:
    """One text a table, so that thousands of tables are read in a moment."""
    counts = (rows.before, rows.after, rows.down)
    return quoted_text(" ".join(_NO_TABLE if count is None else str(count) for count in counts))


def _rows(reader: EvidenceReader, key: str) -> RowCounts:
    text = reader.text(key, lambda text: _ROWS.fullmatch(text) is not None)
    return RowCounts(*(None if each == _NO_TABLE else int(each) for each in text.split(" ")))


def _touches(reader: EvidenceReader, key: str) -> tuple[Touch, ...]:
    lines = reader.texts(key, lambda line: parse_touch(line) is not None)
    return tuple(touch for touch in map(parse_touch, lines) if touch is not None)


def _step(reader: EvidenceReader) -> StepEvidence:
    found = StepEvidence(
        _direction(reader),
        reader.count("number"),
        reader.text("name"),
        reader.count("milliseconds"),
        tuple(map(_lock, reader.items("locks"))),
        reader.names("rewritten"),
    )
    reader.refuse_others()
    return found


def _held(reader: EvidenceReader) -> HeldEvidence:
    found = HeldEvidence(
        _direction(reader),
        reader.count("from"),
        reader.count("to"),
        reader.count("milliseconds"),
    )
    reader.refuse_others()
    return found


def _direction(reader: EvidenceReader) -> Direction:
    return Direction(reader.text("direction", lambda text: text in set(Direction)))


def _lock(reader: EvidenceReader) -> Lock:
    blocks = reader.text("blocks") if "blocks" in reader.tree.fields else ""
    found = Lock(reader.text("object"), reader.text("mode"), blocks)
    reader.refuse_others()
    return found


def _down(top: EvidenceReader) -> DownEvidence | None:
    if top.is_text("down", _NONE):
        return None
    reader = top.below("down")
    found = DownEvidence(
        reader.text("equal", lambda text: text in {"true", "false"}) == "true",
        reader.names("order"),
        DataLoss(reader.text("lost", lambda text: text in set(DataLoss))),
    )
    reader.refuse_others()
    return found
