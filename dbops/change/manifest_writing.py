"""Write `change.yml`: whole, or with a blank wherever its author must answer; pure.

A whole one reads back as the same change. Each blank is `"?"`, which no key allows: until all are
filled, `dbops change check` says where.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from dbops.change.manifest import (
    ATTEMPTS,
    DAYS,
    LOCK_WAIT,
    PAUSE,
    STATEMENT,
    Accepted,
    Change,
    DataLoss,
    Limits,
    Ring,
    Window,
)
from dbops.change.manifest_text import ALL
from dbops.change.touch import Touch
from dbops.durations import duration_text
from dbops.review.section import BLANK
from dbops.review.work import Kind

_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9@._/+-]*")
_PLAIN_TOUCH: Final = re.compile(r"[a-z -]+ [A-Za-z0-9_.]+( \([a-z, ]+\))?")


def change_text(change: Change) -> bytes:
    """Return the bytes of a `change.yml` that reads back as the change, at other lines."""
    lines = [*_head(change)]
    marks = {"prepares": change.prepares, "records": change.records}
    lines += [f"{mark}: {what}" for mark, what in marks.items() if what is not None]
    if change.requires:
        lines.append(f"requires: {_flow(change.requires)}")
    if change.window is not None:
        lines.append(_window(change.window))
    lines += _touches(change.touches)
    if change.data_loss is not DataLoss.NONE:
        lines.append(f"data_loss: {change.data_loss.value}")
    lines += _limits(change.limits)
    if change.personal:
        lines.append("personal:")
        lines += [f"  {_scalar(name)}: {sort}" for name, sort in change.personal.items()]
    if change.accepted:
        lines += ["accepted:", *map(_accepted, change.accepted)]
    return _joined(lines)


def draft_text(
    change: Change,
    data_loss: DataLoss | None,
    *,
    touches_known: bool,
    new_columns: Sequence[str] = (),
) -> bytes:
    """Return the bytes of a `change.yml` to be completed by its author.

    Without `touches_known` the author names the touches, where it is None the `data_loss`, and what
    each of `new_columns` holds.
    """
    lines = [*_head(change)]
    if change.why is None:
        lines.append(f'why: "{BLANK}"                       # what it is good for, in one line')
    lines += [
        "# requires: [2026-029-ward-key]  # changes that must have run before",
        '# window: {days: [sat, sun], from: "22:00", to: "02:00", zone: Asia/Shanghai}',
    ]
    if touches_known:
        lines += _touches(change.touches) or ["# touches:                     # nothing differs"]
    else:
        lines += ["touches:                       # anything else that differs fails the run"]
        lines += [f'  - "{BLANK}"                        # create index his.visit_ward_ix']
    loss = f'"{BLANK}" ' if data_loss is None else data_loss.value
    lines += [
        f"data_loss: {loss}                # none, recoverable or permanent",
        "# limits: {lock_wait: 3s, statement: 15m, attempts: 5, pause: 10s}",
        *_personal(new_columns),
        "# accepted:                      # findings of dbops change check that may stand",
        '#   - {rule: PG-IDX, at: "up.sql line 3", why: "the table has 40 rows"}',
    ]
    return _joined(lines)


def _personal(new_columns: Sequence[str]) -> Iterator[str]:
    sort = "# what sort of personal data new columns hold"
    if not new_columns:
        yield f"# personal:                      {sort}"
        yield "#   his.visit.phone: contact     # or none"
        return
    yield f"personal:                        {sort}, or none"
    yield from (f'  {_scalar(name)}: "{BLANK}"' for name in new_columns)


def _joined(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass")


def _head(change: Change) -> Iterator[str]:
    yield f"dbops: {Kind.CHANGE.value}/v1"
    yield f"id: {_scalar(change.id)}"
    yield f"title: {_scalar(change.title)}"
    if change.why is not None:
        yield f"why: {_scalar(change.why)}"
    if change.ticket is not None:
        yield f"ticket: {_scalar(change.ticket)}"
    yield f"author: {_scalar(change.author)}"
    yield f"risk: {change.risk.value}"
    yield f"databases: {_flow(change.databases)}"
    if change.rings != (Ring(ALL, change.databases),):
        yield "rings:"
        yield from map(_ring, change.rings)


def _ring(ring: Ring) -> str:
    soak = f", soak: {duration_text(ring.soak)}" if ring.soak else ""
    return f"  - {{name: {ring.name}, databases: {_flow(ring.databases)}{soak}}}"


def _window(window: Window) -> str:
    days = _flow(DAYS[day] for day in sorted(window.days))
    hours = f'from: "{window.begin:%H:%M}", to: "{window.closes}"'
    return f"window: {{days: {days}, {hours}, zone: {_scalar(window.zone.key)}}}"


def touch_lines(touches: Iterable[Touch]) -> Iterator[str]:
    """Yield an item of the list `touches` for each."""
    for touch in touches:
        text = touch.line
        yield f"  - {text if _PLAIN_TOUCH.fullmatch(text) else _quoted(text)}"


def _touches(touches: tuple[Touch, ...]) -> list[str]:
    return ["touches:", *touch_lines(touches)] if touches else []


def _limits(limits: Limits) -> list[str]:
    """Only what is not as it would be without."""
    times = {
        "lock_wait": (limits.lock_wait, LOCK_WAIT),
        "statement": (limits.statement, STATEMENT),
        "pause": (limits.pause, PAUSE),
    }
    said = [f"{key}: {duration_text(one)}" for key, (one, usual) in times.items() if one != usual]
    if limits.attempts != ATTEMPTS:
        said.append(f"attempts: {limits.attempts}")
    return [f"limits: {{{', '.join(said)}}}"] if said else []


def _accepted(each: Accepted) -> str:
    at = "" if each.at is None else f", at: {_quoted(each.at)}"
    return f"  - {{rule: {each.rule}{at}, why: {_quoted(each.why)}}}"


def _flow(names: Iterable[str]) -> str:
    return f"[{', '.join(map(_scalar, names))}]"


def _scalar(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else _quoted(text)


def _quoted(text: str) -> str:
    """The text in YAML's double quotes, whose escapes are those of JSON."""
    return json.dumps(text, ensure_ascii=False)
