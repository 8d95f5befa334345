"""How an entry of the ledger looks: a row of a table, or all of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from dbops.audit.entry import Count, Event, Label, Phase
from dbops.cli.render import counted, moment
from dbops.estate.times import format_moment

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from dbops.audit.entry import Actor, Draft, Entry

HEADERS = ("entry", "time", "event", "state", "on", "by", "")


def actor_name(actor: Actor) -> str:
    """`login (account)`, or the account alone where it is the one who logged in."""
    person = actor.login or actor.sudo or actor.account
    return person if person == actor.account else f"{person} ({actor.account})"


def entry_row(entry: Entry, zone: ZoneInfo) -> tuple[object, ...]:
    """What the table of `audit log` shows."""
    draft = entry.draft
    return (
        entry.sequence,
        moment(entry.at, zone),
        draft.event,
        _state(draft),
        draft.target or "-",
        actor_name(entry.actor),
        ", ".join(_remarks(draft)),
    )


def entry_lines(entry: Entry, zone: ZoneInfo) -> Iterator[tuple[str, str]]:
    """Everything the entry says, as names and texts."""
    draft, actor = entry.draft, entry.actor
    yield "entry", str(entry.sequence)
    yield "time", format_moment(entry.at, zone)
    yield "event", f"{draft.event} ({draft.phase})"
    yield from _given(("answers", draft.of), ("on", draft.target), ("work", draft.work))
    yield from _given(("ticket", draft.ticket), *sorted(draft.names.items()))
    yield from _given(*sorted(draft.counts.items()))
    yield from ((f"sha256 of {what}", digest) for what, digest in sorted(draft.digests.items()))
    yield from (("approval", digest) for digest in draft.approvals)
    yield from _given(("result", draft.result), ("effect", draft.effect), ("code", draft.code))
    yield from _given(("reason", draft.reason))
    yield "by", actor_name(actor)
    yield from _given(("sudo from", actor.sudo), ("login uid", actor.login_uid))
    yield "process", f"{actor.pid}, uid {actor.uid}, started {actor.started} ticks after boot"
    yield "host", f"{entry.host}, boot {entry.boot}"
    yield "tool", entry.tool
    yield "previous", entry.previous


def show_lines(rows: Sequence[tuple[str, str]]) -> None:
    """Names and texts below each other."""
    width = max(len(name) for name, _ in rows)
    for name, text in rows:
        click.echo(f"{name:<{width}}  {text}")


def _given(*pairs: tuple[str, object]) -> Iterator[tuple[str, str]]:
    return ((name, str(value)) for name, value in pairs if value is not None)


def _state(draft: Draft) -> str:
    return str(draft.result or draft.phase)


def _remarks(draft: Draft) -> Iterator[str]:
    if draft.of is not None:
        yield f"answers {draft.of}"
    if draft.code is not None:
        yield draft.code
    if draft.work is not None:
        yield f"work {draft.work}"
    if draft.ticket is not None:
        yield f"ticket {draft.ticket}"
    yield from (f"{label} {_short(label, name)}" for label, name in sorted(draft.names.items()))
    if draft.approvals:
        yield counted(len(draft.approvals), "approval")
    if draft.event is Event.CHANGE_DRIFT and Count.DIFFERENCES in draft.counts:
        yield counted(draft.counts[Count.DIFFERENCES], "difference")
    if draft.effect is not None and draft.phase is Phase.OUTCOME:
        yield f"effect {draft.effect}"
    if draft.reason is not None:
        yield draft.reason


def _short(label: Label, name: str) -> str:
    """A fingerprint's beginning tells keys apart; `audit show` has all of it."""
    return f"{name[:15]}…" if label is Label.KEY else name
