"""Make a database ready for repairs, as a change that people approve: one text in, one text out.

The folder of the change holds the very SQL that will run. Who reviews it may let it be edited:
what runs is what was approved, not what this version would write today.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dbops.errors import Refused
from dbops.repair.ports import RepairEngine
from dbops.repair.table import TableName
from dbops.review.new_work import NewWork, draw_up_work
from dbops.review.readable import readable_text
from dbops.review.work import DOWN, UP, Kind, Manifest, Risk, Work, read_manifest
from dbops.review.yaml_text import Fields, Scalar, parse_yaml

PREPARES: Final = "prepares"
"""The key of `change.yml` that tells such a change from every other."""

_REPAIRS: Final = "repairs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """What is asked for: repairs of these tables of a database, and who asks.

    Those of `read` repairs may look up, and not write.
    """

    id: str
    title: str
    author: str
    ticket: str | None
    risk: Risk
    database: str
    tables: tuple[TableName, ...]
    read: tuple[TableName, ...] = ()


def draw_up_preparation(wanted: Preparation, engine: RepairEngine) -> Work:
    """Return the change: `up.sql` makes the database ready, `down.sql` takes that back.

    Nothing is asked of the database. Raises what `draw_up_work` raises.
    """
    files = {UP: engine.prepare_sql(wanted.tables, wanted.read), DOWN: engine.remove_sql()}
    return draw_up_work(
        NewWork(
            kind=Kind.CHANGE,
            id=wanted.id,
            title=wanted.title,
            author=wanted.author,
            ticket=wanted.ticket,
            risk=wanted.risk,
            settings={PREPARES: _REPAIRS},
            databases=(wanted.database,),
            tables=tuple(map(str, wanted.tables)),
            files={name: _ended(text).encode() for name, text in files.items()},
        )
    )


def preparation_sql(work: Work, database: str) -> str:
    """Return the SQL that the approved change runs on the database, exactly as it lies there.

    Raises Refused `prepare-other` where the work is another sort of change, or of other databases,
    and `text-…` where the text does not read as it is.
    """
    if work.kind is not Kind.CHANGE or not _prepares(work):
        raise _other(work, "it is no change that prepares a database for repairs")
    manifest: Manifest = read_manifest(work)
    if manifest.databases != (database,):
        raise _other(work, f"it is of {', '.join(manifest.databases)}, not of {database} alone")
    if UP not in work.files:
        raise _other(work, f"there is no {UP}")
    return readable_text(work.files[UP], f"{work.folder}/{UP}")


def prepare_database(work: Work, database: str, engine: RepairEngine) -> None:
    """Afterwards exactly the approved text has run, in one transaction; else nothing of it.

    Raises as `preparation_sql`, and what the engine raises.
    """
    engine.install(preparation_sql(work, database))


def tables_of(names: Sequence[str], option: str = "--table") -> tuple[TableName, ...]:
    """Return the tables, each once; raises Refused `prepare-table` for what names none."""
    found = []
    for name in names:
        try:
            found.append(TableName.parse(name))
        except ValueError as fault:
            raise Refused(
                "prepare-table", f"{option} does not name a table", hint=f"allowed: {fault}"
            ) from None
    return tuple(dict.fromkeys(found))


def _prepares(work: Work) -> bool:
    data = work.files.get(work.kind.manifest)
    tree = None if data is None else parse_yaml(data, f"{work.folder}/{work.kind.manifest}")
    node = tree.fields.get(PREPARES) if isinstance(tree, Fields) else None
    return isinstance(node, Scalar) and node.text == _REPAIRS


def _ended(text: str) -> str:
    return text if text.endswith("\n") else f"{text}\n"


def _other(work: Work, why: str) -> Refused:
    return Refused(
        "prepare-other",
        f"{work.id} does not prepare this database: {why}",
        hint="draw up a change that does: dbops repair prepare --help",
    )
