"""How far a repair in batches has come, as each batch's marker says in the database; pure.

The marker commits together with its batch, so that what it says is true at any moment, and
needs no file to be found and opened again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from dbops.errors import Failed
from dbops.repair.judgement import Breach
from dbops.repair.table import TableName
from dbops.sql.written import Written


@dataclass(frozen=True, slots=True)
class BatchProgress:
    """All batches so far: the `last` key that is done, what was written, and whether that is all.

    `counts` are the rows of each declared table, as the manifest's `expect` counts them.
    """

    last: str
    counts: Mapping[TableName, Written] = field(default_factory=dict)
    whole: bool = False

    def text(self) -> str:
        """The form in which a marker's `upto` holds it."""
        counts = [
            [table.schema, table.name, ops.inserted, ops.updated, ops.deleted]
            for table, ops in sorted(self.counts.items())
        ]
        told = {"last": self.last, "counts": counts, "whole": self.whole}
        return json.dumps(told, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def parse(cls, text: str) -> BatchProgress:
        """Return what a marker's `upto` says; raises Failed `batch-progress`."""
        try:
            told = json.loads(text)
            counts = {
                TableName(str(schema), str(name)): Written(
                    int(inserted), int(updated), int(deleted)
                )
                for schema, name, inserted, updated, deleted in told["counts"]
            }
            if not isinstance(told["last"], str) or not isinstance(told["whole"], bool):
                raise TypeError
            return cls(told["last"], counts, told["whole"])
        except (ValueError, TypeError, KeyError):
            raise Failed(
                "batch-progress",
                "the marker of the last batch does not say how far it came",
                hint="somebody changed dbops' marker table; compare it with: dbops audit log",
            ) from None


def add_counts(
    one: Mapping[TableName, Written], other: Mapping[TableName, Written]
) -> dict[TableName, Written]:
    """Return the sum of both, by table."""
    return {
        table: one.get(table, Written()) + other.get(table, Written())
        for table in sorted({*one, *other})
    }


def judge_totals(
    wanted: Mapping[TableName, Written], written: Mapping[TableName, Written], *, whole: bool
) -> tuple[Breach, ...]:
    """Return why what all batches wrote so far is not, or cannot become, what is wanted."""
    found = []
    for table in sorted(wanted):
        all_, now = wanted[table], written.get(table, Written())
        over = now.inserted > all_.inserted or now.updated > all_.updated
        if over or now.deleted > all_.deleted or (whole and now != all_):
            sentence = f"{table}: expected of all batches are {all_}; with this one they are {now}"
            found.append(Breach("expect-differs", sentence))
    return tuple(found)


def part_of(run: str, number: int) -> str:
    """Return the run id of one of several transactions of a run, 32 hex digits.

    The first has the run's own id, so that one transaction is the plain case.
    """
    if number == 0:
        return run
    return hashlib.sha256(f"{run}/{number}".encode()).hexdigest()[:32]
