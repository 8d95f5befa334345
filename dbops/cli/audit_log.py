"""`dbops audit log` and `dbops audit show`."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import click

from dbops.audit.entry import Result
from dbops.cli.options import json_option

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dbops.audit.entry import Entry
    from dbops.audit.segments import Segments
    from dbops.cli.audit_filter import Wanted
    from dbops.cli.wiring import Wiring

TABLE_LAST: Final = 50
LAST_MOST: Final = 100_000


@click.command()
@click.option("--since", metavar="TIME", help="From then on, such as 2026-03-01 or “26h ago”.")
@click.option("--until", metavar="TIME", help="Before then.")
@click.option(
    "--event",
    "events",
    multiple=True,
    metavar="EVENT",
    help="Such as backup.run, or backup for all of that group; several times.",
)
@click.option("--database", metavar="DB", help="What was done to it, or restored into it.")
@click.option("--work", metavar="ID", help="What was done under this piece of reviewed work.")
@click.option("--actor", metavar="NAME", help="A login, or the account that acted.")
@click.option("--result", type=click.Choice([each.value for each in Result]), help="How it ended.")
@click.option(
    "--last",
    type=click.IntRange(1, LAST_MOST),
    metavar="N",
    help=f"The newest N entries; in a table else {TABLE_LAST}, with --json else all.",
)
@json_option
@click.pass_obj
def log(
    estate: str | None,
    since: str | None,
    until: str | None,
    events: tuple[str, ...],
    database: str | None,
    work: str | None,
    actor: str | None,
    result: str | None,
    last: int | None,
    as_json: bool,  # noqa: FBT001 - click passes options by name
) -> None:
    """List what was done, by whom, and how it ended; newest last.

    Every option narrows the list. With --json each entry stands there as its line in the
    ledger, however many there are. Whether the ledger is whole is for dbops audit verify to say.

    \b
    Example: dbops audit log --since "7d ago" --event backup --result failed
    Exit statuses: 0 done, 2 usage, 10 no ledger, 11 it cannot be read.
    """
    from dbops.cli.audit_filter import parse_events, wanted_lines
    from dbops.cli.ledger import segments_of
    from dbops.cli.wiring import open_wiring
    from dbops.estate.times import parse_moment

    wiring = open_wiring(estate)
    now, zone = wiring.clock(), wiring.estate.zone
    wanted = wanted_lines(
        since=parse_moment(since, now, zone) if since else None,
        until=parse_moment(until, now, zone) if until else None,
        events=parse_events(events),
        database=database,
        work=work,
        actor=actor,
        result=Result(result) if result else None,
    )
    segments = segments_of(wiring)
    if as_json:
        _stream(_newest(segments, wanted, last))
    else:
        _table(wiring, _newest(segments, wanted, last or TABLE_LAST), narrowed=last is None)


def _newest(segments: Segments, wanted: Wanted, last: int | None) -> Iterable[bytes]:
    """The wanted lines, all of them or the last so many; never more of them in memory."""
    found = (line.data for line in segments.lines() if wanted(line.data))
    return found if last is None else deque(found, maxlen=last)


def _stream(lines: Iterable[bytes]) -> None:
    """One JSON array, written as it is read."""
    from json import JSONDecodeError, loads

    from dbops.audit.segments import is_entry

    strange, separator = 0, "["
    for line in lines:
        try:
            text = line.decode()
            loads(text if is_entry(line) else "")
        except (JSONDecodeError, UnicodeDecodeError):
            strange += 1
            continue
        click.echo(f"{separator}\n{text}", nl=False)
        separator = ","
    click.echo("[]" if separator == "[" else "\n]")
    _say_left_out(strange)


def _table(wiring: Wiring, lines: Iterable[bytes], *, narrowed: bool) -> None:
    from dbops.audit.entry import decode
    from dbops.cli.audit_render import HEADERS, entry_row
    from dbops.cli.render import say, show_table

    strange, rows = 0, []
    for line in lines:
        try:
            rows.append(entry_row(decode(line), wiring.estate.zone))
        except ValueError:
            strange += 1
    if rows:
        show_table(rows, HEADERS)
    else:
        say("no entries")
    if narrowed and len(rows) == TABLE_LAST:
        say(f"the newest {TABLE_LAST}; more with --last N")
    _say_left_out(strange)


def _say_left_out(count: int) -> None:
    from dbops.cli.render import counted, say

    if count:
        say(f"remark: {counted(count, 'line')} left out: not in the form of an entry")
        say("hint: dbops audit verify says what is wrong")


@click.command()
@click.argument("sequence", metavar="SEQ", type=click.IntRange(0))
@json_option
@click.pass_obj
def show(
    estate: str | None,
    sequence: int,
    as_json: bool,  # noqa: FBT001 - click passes options by name
) -> None:
    """Show the entry SEQ in full, its leaf hash, and the entry that it answers or that answers it.

    \b
    Example: dbops audit show 1204
    Exit statuses: 0 done, 1 the ledger is damaged there, 2 usage, 10 no such entry, 11 it cannot
    be read.
    """
    from dbops.audit.entry import encode
    from dbops.audit.links import entry_at
    from dbops.audit.tree import leaf_hash
    from dbops.cli.audit_render import entry_lines, show_lines
    from dbops.cli.ledger import segments_of
    from dbops.cli.render import show_json
    from dbops.cli.wiring import open_wiring

    wiring = open_wiring(estate)
    segments = segments_of(wiring)
    entry = entry_at(segments, sequence)
    line = encode(entry)
    leaf, answers = leaf_hash(line).hex(), list(_answers(segments, sequence))
    if as_json:
        import json

        answered_by = [each.sequence for each in answers]
        show_json({"entry": json.loads(line), "leaf": leaf, "answered_by": answered_by})
        return
    show_lines([*entry_lines(entry, wiring.estate.zone), ("leaf", leaf), *map(_partner, answers)])


def _answers(segments: Segments, sequence: int) -> Iterator[Entry]:
    """The entries that answer this one: its outcome, or what a person said about it."""
    from dbops.audit.entry import decode

    text = b'"of":%d,' % sequence
    for line in segments.lines():
        if text in line.data:
            try:
                yield decode(line.data)
            except ValueError:
                continue


def _partner(answer: Entry) -> tuple[str, str]:
    draft = answer.draft
    result = f": {draft.result}" if draft.result else f": {draft.reason}" if draft.reason else ""
    return "answered by", f"{answer.sequence} ({draft.event}{result})"
