"""What the rehearsal of a change found on one database, as `dbops change show` has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dbops.change.diff import Difference
    from dbops.change.evidence import ChangeEvidence, HeldEvidence, StepEvidence
    from dbops.cli.changing import ReadChange
    from dbops.sql.written import Written


def show_rehearsal(found: ReadChange, database: str) -> None:
    """Print it: what differed, locks and times of each step, how long they were held, rows."""
    from dbops.change.evidence import read_evidence
    from dbops.cli.changing import rehearsed_of, told_in_full
    from dbops.cli.fitted import show_fitted

    evidence, rehearsed = read_evidence(found.work, database), rehearsed_of(found.work, database)
    if evidence is None or rehearsed is None:
        click.echo(f"\n{database} was not rehearsed: dbops change rehearse {found.change.id}")
        return
    click.echo(f"\n{database}, rehearsed on {evidence.backup} ({evidence.proof})")
    for line in told_in_full(rehearsed.differences):
        click.echo(f"  {line}")
    for touch in evidence.unseen:
        click.echo(f"  remark: touches names it, and nothing differs: {touch.line}")
    click.echo()
    heads = ("", "step", "takes", "locks added", "blocks others'", "written anew")
    show_fitted([_step_row(each) for each in evidence.steps], heads)
    held = list(_held_words(evidence))
    if held:
        click.echo("\n" + "\n".join(held))
    tables = list(_tables(evidence, rehearsed.differences))
    if tables:
        click.echo()
        show_fitted(tables, ("table", "rows before", "after up", "after down", "size before"))
    click.echo("\n" + "\n".join(written_words(evidence)))
    click.echo(f"\ndown: {down_words(evidence)}")


def rehearsal_json(found: ReadChange, database: str) -> dict[str, object] | None:
    """The same for `--json`; None where it was not rehearsed."""
    from dbops.change.evidence import read_evidence
    from dbops.cli.changing import rehearsed_of, told, told_in_full

    evidence, rehearsed = read_evidence(found.work, database), rehearsed_of(found.work, database)
    if evidence is None or rehearsed is None:
        return None
    return {
        "backup": evidence.backup,
        "words": told(rehearsed.differences),
        "words_in_full": list(told_in_full(rehearsed.differences)),
        "unseen": [touch.line for touch in evidence.unseen],
        "milliseconds": sum(each.milliseconds for each in evidence.steps),
        "steps": evidence.steps,
        "held": evidence.held,
        "rows": evidence.rows,
        "sizes": evidence.sizes,
        "written": evidence.written,
        "down": down_words(evidence),
    }


def written_words(evidence: ChangeEvidence) -> Iterator[str]:
    """The rows that each script writes, a line for each table; yields one line at least."""
    from dbops.change.words import printable

    if evidence.written is None:
        yield (
            "how many rows the scripts write was not counted: by the dbops of then, or because the"
            " server did not count (track_counts)"
        )
        return
    for direction, tables in evidence.written.items():
        for table, rows in tables.items():
            yield f"{direction.file} writes rows of {printable(table)}: {_rows_words(rows)}"
        if not tables:
            yield f"{direction.file} inserts, updates and deletes no rows"


def _rows_words(rows: Written) -> str:
    """`20,000 updated, 3 deleted`."""
    from dbops.wording import number

    done = {"inserted": rows.inserted, "updated": rows.updated, "deleted": rows.deleted}
    return ", ".join(f"{number(count)} {what}" for what, count in done.items() if count)


def down_words(evidence: ChangeEvidence) -> str:
    """How the way back went, in words."""
    down = evidence.down
    if down is None:
        return "there is none"
    if down.equal:
        return "the schema was exactly as before"
    order = f"; these columns came back last: {', '.join(down.order)}" if down.order else ""
    return f"the schema was as before, but for the declared loss ({down.lost.value}){order}"


def _step_row(step: StepEvidence) -> tuple[str, ...]:
    from dbops.change.words import printable
    from dbops.wording import number

    return (
        step.direction.value,
        f"{step.number} {printable(step.name)}",
        f"{number(step.milliseconds)} ms",
        ", ".join(f"{lock.object} ({lock.mode})" for lock in step.locks),
        ", ".join(sorted({lock.blocks for lock in step.locks if lock.blocks})),
        ", ".join(step.rewritten),
    )


def _held_words(evidence: ChangeEvidence) -> Iterator[str]:
    """How long others wait at worst while a part works, verify.sql and the comparison included."""
    from dbops.wording import number

    if evidence.held is None:
        yield "how long locks are held was not measured by the dbops of then: rehearse again"
        return
    if evidence.held:
        yield (
            "how long locks are held, verify.sql and the comparison included;"
            " lock_wait does not bound it:"
        )
    for each in evidence.held:
        yield f"  {each.direction.value}, {_steps_of(each)}: about {number(each.milliseconds)} ms"


def _steps_of(held: HeldEvidence) -> str:
    one = held.first == held.last
    return f"step {held.first}" if one else f"steps {held.first} to {held.last}"


def _tables(
    evidence: ChangeEvidence, differences: tuple[Difference, ...]
) -> Iterator[tuple[str, ...]]:
    """Rows and sizes of tables that differ, are locked or written anew, or whose rows differ."""
    from dbops.change.concerned import concerned
    from dbops.wording import number, size

    names = concerned(differences, evidence.steps)
    for table in sorted({*evidence.rows, *evidence.sizes}):
        rows = evidence.rows.get(table)
        counts = (None, None, None) if rows is None else (rows.before, rows.after, rows.down)
        if len(set(counts)) > 1 or table in names:
            bytes_ = evidence.sizes.get(table)
            told = ("" if count is None else number(count) for count in counts)
            yield (table, *told, "" if bytes_ is None else size(bytes_))
