"""The text of a new repair's manifest, with a question wherever its author must answer; pure.

Each blank is `"?"`, which no key allows: until all are filled, `dbops repair check` says where.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Final

from dbops.repair.head import RepairHead
from dbops.repair.propose import Proposal, ProposedWatch
from dbops.repair.reading import Op

BLANK: Final = '"?"'
_ROW: Final = "how many rows exactly, by a query on production"


def draft_manifest(head: RepairHead, proposal: Proposal) -> str:
    """Return the text of `repair.yml`, to be completed by its author."""
    return "\n".join(
        [
            *_head(head),
            *_parameters(proposal),
            *_watches(proposal),
            "# side_effects:                # tables that triggers append to: never undone",
            "#   - {table: visit_audit, insert: 38}",
            "# before:                      # what must hold, else nothing is written",
            '#   - {check: the ward is open, sql: "SELECT count(*) FROM …", equals: 1}',
            "# after:                       # the same, once the script has run",
            f"limits: {{rows: {BLANK}}}      # the most rows that may be written in all",
            "# undo: {keep: 90d, volatile: [updated_at]}",
            "# show: [ward_code]            # columns that may be shown outside of sealed files",
            *_temporary(proposal),
            "",
        ]
    )


def _head(head: RepairHead) -> Iterator[str]:
    yield "dbops: repair/v1"
    yield f"id: {head.id}"
    yield f"title: {BLANK if head.title is None else _quoted(head.title)}"
    yield f"author: {_quoted(head.author)}"
    yield "# ticket: T-2026-117" if head.ticket is None else f"ticket: {_quoted(head.ticket)}"
    yield "risk: low                      # or high" if head.risk is None else f"risk: {head.risk}"
    yield f"databases: [{_quoted(head.database)}]"
    yield f"opened: {BLANK if head.opened is None else head.opened.isoformat()}"
    if head.clocks:
        yield f"clocks: [{', '.join(map(_quoted, head.clocks))}]"
    if head.cause is None:
        yield "# cause: {found: why the data were wrong, fix: ticket of what prevents it}"
        return
    fix = "" if head.fix is None else f", fix: {_quoted(head.fix)}"
    yield f"cause: {{found: {_quoted(head.cause)}{fix}}}"


def _parameters(proposal: Proposal) -> Iterator[str]:
    lines = [
        *(f"  {name}: {{type: {BLANK}, value: {BLANK}}}" for name in proposal.values),
        *(f"  {name}: {{type: table, value: {BLANK}}}" for name in proposal.tables),
        *(
            f"  {name}: {{type: column, table: {BLANK}, value: {BLANK}}}"
            for name in proposal.columns
        ),
        *(f"  {name}: {{type: rows, sealed: true}}" for name in proposal.rows),
    ]
    if lines:
        yield "params:                        # a person's data: sealed: true in place of value"
        yield from lines


def _watches(proposal: Proposal) -> Iterator[str]:
    yield "watch:"
    for unseen in proposal.unseen:
        yield f"  # check: line {unseen.line} {unseen.why}: declare each table that it writes"
    for watch in proposal.watches:
        yield from _watch(watch)
    if not proposal.watches:
        yield f"  - table: {BLANK}"
        yield f"    where: {BLANK}               # which rows, before or after the script"
        yield f"    expect: {{update: {BLANK}}}    # {_ROW}"
        yield f"    may_change: [{BLANK}]"


def _watch(watch: ProposedWatch) -> Iterator[str]:
    lines = ", ".join(str(line) for line in watch.lines)
    table = watch.table if watch.table[0].isalpha() else _quoted(watch.table)
    yield f"  - table: {table}  # by line {lines}"
    if not watch.where:
        yield "    # check: which rows, before or after the script"
        yield from (f"    # of them: {_quoted(part)}" for part in watch.parts)
        yield f"    where: {BLANK}"
    else:
        if not watch.exact:
            yield "    # check: put together from parts of the script"
        yield f"    where: {_quoted(watch.where)}"
    asked = ", ".join(f"{op.value}: {BLANK}" for op in Op if op in watch.ops)
    yield f"    expect: {{{asked}}}  # {_ROW}"
    if Op.UPDATE in watch.ops:
        yield f"    may_change: [{', '.join(map(_plain_or_quoted, watch.may_change)) or BLANK}]"


def _temporary(proposal: Proposal) -> Sequence[str]:
    names = ", ".join(map(_plain_or_quoted, proposal.temporary))
    return [f"temporary: [{names}]"] if names else []


def _plain_or_quoted(name: str) -> str:
    return name if name.replace("_", "a").isalnum() and name[0].isalpha() else _quoted(name)


def _quoted(text: str) -> str:
    """Return the text in YAML's double quotes, whose escapes are those of JSON."""
    return json.dumps(text, ensure_ascii=False)
