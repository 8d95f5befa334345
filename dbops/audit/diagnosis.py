"""Tell what was done to a ledger whose chain does not hold: changed, put in, taken out or moved.

The lines are first taken together to runs, stretches in which each line follows the one before.
Then the runs are put in the order of the chain: each link says which run came next, wherever it
stands in the files now. What had to be bridged on the way, and what is left over, are the findings.
The simplest tampering that explains what is there is what is named; many at once may be told as
others that come to the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from dbops.audit.entry import NOTHING_BEFORE
from dbops.audit.findings import LedgerFinding, Verdict, number_of
from dbops.audit.scan import TornTail
from dbops.audit.segments import HEAD, Line, Segments, is_entry
from dbops.audit.tree import leaf_hash

RUNS_MOST: Final = 2_000  # what falls into more pieces is told as far as that

Hash = bytes  # 32 bytes

_NOBODY: Final = bytes.fromhex(NOTHING_BEFORE)


@dataclass(slots=True)
class Run:
    """Lines that follow each other, entries `first` to `last`, number `place` of the runs.

    `before` is the hash that the first line names, `inner` and `hash` those of the last but one
    line (`before`, where there is only one) and of the last. `opens` is the segment that begins
    with it, if one does; `strays` counts the lines in front of it that are no entries.
    """

    place: int
    first: int
    last: int
    before: Hash
    inner: Hash
    hash: Hash
    head: Hash  # of the first line
    opens: str | None
    strays: int

    @property
    def single(self) -> bool:
        """Whether it is one line."""
        return self.first == self.last


@dataclass(slots=True)
class Pieces:
    """The runs as they stand in the files, and the lines behind the last that are no entries."""

    runs: list[Run] = field(default_factory=list)
    strays: int = 0
    cut: bool = False  # there were more runs than are told


def collect(lines: Iterable[Line], torn: Sequence[TornTail]) -> Pieces:
    """Return the runs of the lines; what `torn` tells of is nobody's entry."""
    pieces = Pieces()
    segment = None
    for line in lines:
        found = HEAD.match(line.data)
        if not line.whole or any(_covers(tail, line) for tail in torn):
            continue
        if found is None or not is_entry(line.data):
            pieces.strays += 1
            continue
        sequence, before = int(found[1]), bytes.fromhex(found[2].decode())
        run = pieces.runs[-1] if pieces.runs else None
        mine = leaf_hash(line.data)
        follows = run is not None and (run.last + 1, run.hash) == (sequence, before)
        if run is not None and follows and not pieces.strays:
            run.last, run.inner, run.hash = sequence, run.hash, mine
        elif len(pieces.runs) == RUNS_MOST:
            pieces.cut = True
            break
        else:
            opens = line.segment if line.segment != segment else None
            place = len(pieces.runs)
            run = Run(place, sequence, sequence, before, before, mine, mine, opens, pieces.strays)
            pieces.runs.append(run)
            pieces.strays = 0
        segment = line.segment
    return pieces


def _covers(tail: TornTail, line: Line) -> bool:
    begin = tail.offset
    return tail.segment == line.segment and begin <= line.offset <= begin + tail.length


@dataclass(slots=True)
class _Chain:
    """The way along the chain: the run that it has reached, and what is not on it yet."""

    waiting: list[Run]
    order: list[Run] = field(default_factory=list)
    findings: list[LedgerFinding] = field(default_factory=list)
    end: int = -1  # the newest entry on the way
    hash: Hash = _NOBODY
    inner: Hash | None = None
    doubt: bool = False  # the run was reached over a link that does not fit

    def take(self, run: Run, *, first: int | None = None, doubt: bool = False) -> None:
        self.waiting.remove(run)
        self.order.append(run)
        self.end = run.last if first is None else first
        self.hash, self.inner = run.hash, run.inner
        self.doubt = doubt and run.single

    def told(self, verdict: Verdict, code: str, sequence: int, message: str) -> None:
        self.findings.append(LedgerFinding(verdict, code, sequence, message))


def diagnose(segments: Segments, torn: Sequence[TornTail]) -> tuple[tuple[LedgerFinding, ...], int]:
    """Return what is wrong with the lines, and how many entries there are to the end of the chain.

    `torn` are the torn tails that are known. The size counts entries missing in the middle. Reads
    the ledger once more where something stands there twice.
    """
    pieces = collect(segments.lines(), torn)
    chain = _Chain(list(pieces.runs))
    while chain.waiting and _step(chain):
        pass
    _tell_strays(chain, pieces)
    _tell_moved(chain)
    _tell_left(chain, segments)
    if pieces.cut:
        chain.told(
            Verdict.EDITED,
            "chain-broken",
            chain.end + 1,
            f"the chain is broken in more than {RUNS_MOST} places; only the first are told",
        )
    findings = sorted(chain.findings, key=lambda finding: finding.sequence or 0)
    return tuple(findings), chain.end + 1


def _step(chain: _Chain) -> bool:
    """Take the run that comes next; False where none does."""
    linked = [run for run in chain.waiting if run.before == chain.hash]
    right = next((run for run in linked if run.first == chain.end + 1), None)
    if right is not None:
        chain.take(right)
        return True
    return _take_renumbered(chain, linked) or _take_unlinked(chain) or _take_later(chain)


def _take_renumbered(chain: _Chain, linked: list[Run]) -> bool:
    """A line that names the right line before it, and calls itself by another number."""
    wanted = chain.end + 1
    run = next((run for run in linked if run.single), None)
    if run is None:
        return False
    message = f"entry {wanted} was changed: it says that it is entry {run.first}"
    chain.told(Verdict.EDITED, "line-edited", wanted, message)
    chain.take(run, first=wanted, doubt=True)
    return True


def _take_unlinked(chain: _Chain) -> bool:
    """A line of the right number, or of the last one again, that does not name the line before."""
    wanted = chain.end + 1
    twice = next(
        (r for r in chain.waiting if r.first == chain.end and r.before == chain.inner), None
    )
    if twice is not None:
        _tell_twice(chain, chain.end, same=twice.head == chain.hash)
        chain.take(twice)
        return True
    run = next((run for run in chain.waiting if run.first == wanted), None)
    if run is None:
        return False
    # A number that was changed already accounts for the link behind it.
    explained = chain.doubt and chain.findings and chain.findings[-1].sequence == chain.end
    if chain.doubt and not explained:
        chain.findings.pop()
        message = f"entry {chain.end} was changed, and maybe the one before it"
        chain.told(Verdict.EDITED, "line-edited", chain.end, message)
    elif not explained:
        edited = max(chain.end, 0)
        message = f"entry {edited} was changed: entry {wanted} names another line before it"
        if chain.end < 0:
            message = "entry 0 was changed: it names a line before it"
        chain.told(Verdict.EDITED, "line-edited", edited, message)
    chain.take(run, doubt=True)
    return True


def _take_later(chain: _Chain) -> bool:
    """Numbers are left out."""
    run = min(
        (r for r in chain.waiting if r.first > chain.end), key=lambda r: r.first, default=None
    )
    if run is None:
        return False
    gone = range(chain.end + 1, run.first)
    if run.strays == len(gone):
        run.strays = 0
        message = f"{number_of(gone)}: what stands there is no entry any more"
        chain.told(Verdict.EDITED, "line-edited", gone.start, message)
    elif run.opens:
        message = f"{number_of(gone)} missing in front of segment {run.opens}: a whole segment"
        chain.told(Verdict.GAP, "segment-missing", gone.start, message)
    else:
        chain.told(Verdict.GAP, "entries-missing", gone.start, f"{number_of(gone)} missing")
    chain.take(run)
    return True


def _tell_twice(chain: _Chain, sequence: int, *, same: bool) -> None:
    if same:
        message = f"entry {sequence} stands there more than once"
        chain.told(Verdict.EDITED, "line-repeated", sequence, message)
    else:
        message = f"a line that is not the ledger's was put in as entry {sequence}"
        chain.told(Verdict.EDITED, "line-inserted", sequence, message)


def _tell_strays(chain: _Chain, pieces: Pieces) -> None:
    """Lines that are no entries and stand for none."""
    places = [(run.first, run.strays) for run in pieces.runs]
    for sequence, count in [*places, (chain.end + 1, pieces.strays)]:
        if count:
            lines = "a line that is" if count == 1 else f"{count} lines that are"
            where = f"in front of entry {sequence}" if sequence <= chain.end else "at the end"
            message = f"{lines} no entry, {where}, and no torn tail that was recorded"
            chain.told(Verdict.EDITED, "line-foreign", sequence, message)


def _tell_moved(chain: _Chain) -> None:
    """Runs whose order in the files is not that of the chain."""
    for before, after in zip(chain.order, chain.order[1:], strict=False):
        if after.place < before.place:
            moved = f"{number_of(range(after.first, after.last + 1))} and entry {before.last}"
            message = f"{moved} stand in the wrong order"
            chain.told(Verdict.EDITED, "lines-reordered", before.first, message)


def _tell_left(chain: _Chain, segments: Segments) -> None:
    """Runs that have no place in the chain: copies of what is there, or put in."""
    left = {run.first for run in chain.waiting}
    if not left:
        return
    twins: dict[int, set[Hash]] = {}
    for sequence, data in _entries(segments):
        if sequence in left:
            twins.setdefault(sequence, set()).add(leaf_hash(data))
    for run in chain.waiting:
        _tell_twice(chain, run.first, same=len(twins[run.first]) == 1)


def _entries(segments: Segments) -> Iterator[tuple[int, bytes]]:
    for line in segments.lines():
        found = HEAD.match(line.data)
        if found is not None:
            yield int(found[1]), line.data
