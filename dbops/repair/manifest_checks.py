"""What the parts of a repair must say of each other; pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final, NamedTuple

from dbops.repair.manifest import Repair, Watch
from dbops.repair.manifest_parameters import BATCH_PLACES, declared
from dbops.repair.manifest_values import refusal
from dbops.repair.parameter import Parameter, ParameterType
from dbops.review.section import Section
from dbops.review.work import SCRIPT
from dbops.sql.statement import Bound, Identifier, Piece, RowColumn, Statement

_HOW: Final = {
    Bound: "value",
    Identifier: "table or column",
    RowColumn: "set of rows",
}
_BATCH_HINT: Final = "write for example: id BETWEEN :batch_first AND :batch_last"


class _Place(NamedTuple):
    """A statement, where it stands, and what it may use."""

    source: str
    statement: Statement
    rows: bool = False
    batch: bool = False


def check_uses(
    repair: Repair, script: Collection[Statement], folder: str, named: Collection[str]
) -> None:
    """Check that every placeholder is of a declared parameter that fits, and that none is idle.

    `named` are the parameters that stand for a whole value of the manifest. Raises Refused
    `repair-undeclared`, `repair-placeholder`, `repair-unused` with file and line.
    """
    used = set(named)
    for place in _places(repair, script, folder):
        for piece in place.statement.pieces:
            if not isinstance(piece, str):
                used.add(_check_piece(piece, place, repair))
    used |= {each.table for each in repair.parameters.values() if each.table and each.name in used}
    for parameter in repair.parameters.values():
        if parameter.name not in used:
            what = f"the parameter {parameter.name} is never used"
            hint = "remove it, or write its placeholder; one inside a text or a comment is text"
            raise refusal("unused", f"{folder}/repair.yml", parameter.line, what, hint)


def check_repair(repair: Repair, script: Collection[Statement], section: Section) -> None:
    """Check tables, counts, columns and batches against each other; raises Refused `repair-…`."""
    source = section.source
    _check_tables(repair, source)
    for watch in repair.watches:
        _check_columns(watch, source)
    expected = sum(watch.expect.total for watch in repair.watches)
    if expected > repair.limits.rows:
        what = f"limits.rows: {expected} rows are expected, and {repair.limits.rows} allowed"
        hint = "limits.rows is the most that may be written in all"
        raise refusal("limit", source, section.line("limits"), what, hint)
    if repair.batch is not None:
        _check_batch(repair, script, section)


def _places(repair: Repair, script: Collection[Statement], folder: str) -> Iterator[_Place]:
    for statement in script:
        yield _Place(f"{folder}/{SCRIPT}", statement, rows=True, batch=True)
    source = f"{folder}/repair.yml"
    for watch in repair.watches:
        yield _Place(source, watch.where, batch=True)
    for condition in (*repair.before, *repair.after):
        yield _Place(source, condition.sql)


def _check_piece(piece: Bound | Identifier | RowColumn, place: _Place, repair: Repair) -> str:
    """Return the name of the parameter that the placeholder is of."""
    line = place.statement.line
    if isinstance(piece, Bound) and piece.name in BATCH_PLACES:
        if repair.batch is None or not place.batch:
            what = f"{piece.name} is used where there is no batch"
            hint = "the bounds of a batch stand in the script and in where, with batch declared"
            raise refusal("placeholder", place.source, line, what, hint)
        return piece.name
    if isinstance(piece, RowColumn) and not place.rows:
        what = f"the rows of {piece.name} are used outside of the script"
        hint = "only a statement of the script runs once for each row"
        raise refusal("placeholder", place.source, line, what, hint)
    parameter = declared(piece.name, place.source, line, repair.parameters)
    if type(piece) is not _kind_of(parameter):
        what = f"the parameter {piece.name} is no {_HOW[type(piece)]}"
        hint = f"it is of type {parameter.type}: write {_spelled(parameter)}"
        raise refusal("placeholder", place.source, line, what, hint)
    return piece.name


def _kind_of(parameter: Parameter) -> type[Piece]:
    if parameter.type is ParameterType.ROWS:
        return RowColumn
    return Identifier if parameter.type.is_identifier else Bound


def _spelled(parameter: Parameter) -> str:
    if parameter.type is ParameterType.ROWS:
        return f":{parameter.name}.column"
    return f':"{parameter.name}"' if parameter.type.is_identifier else f":{parameter.name}"


def _check_tables(repair: Repair, source: str) -> None:
    """Refuse one table in two places: what is counted there would be of neither."""
    places = [
        *((watch.table, watch.line) for watch in repair.watches),
        *((side.table, side.line) for side in repair.side_effects),
    ]
    for number, (table, line) in enumerate(places):
        for other, _ in places[:number]:
            if other == table:
                hint = "put what is written there into one watch; side effects are other tables"
                raise refusal("twice", source, line, f"{table} stands there twice", hint)
            if other.name == table.name and "" in {other.schema, table.schema}:
                what = f"{table} and {other} may be one table"
                raise refusal("twice", source, line, what, "name both with their schema")


def _check_columns(watch: Watch, source: str) -> None:
    updated, columns = watch.expect.updated, len(watch.may_change)
    if columns and not updated:
        what = f"{watch.table}: may_change stands there, and no update is expected"
        hint = "only an update changes columns: remove it, or write expect: {update: N}"
        raise refusal("change", source, watch.line, what, hint)
    if updated and not columns:
        what = f"{watch.table}: an update is expected, and may_change names no column"
        raise refusal("change", source, watch.line, what, "name the columns that it changes")


def _check_batch(repair: Repair, script: Collection[Statement], section: Section) -> None:
    line = section.line("batch")
    table = None if repair.batch is None else repair.batch.table
    if table not in {watch.table for watch in repair.watches}:
        what = f"batch: {table} is not watched"
        raise refusal("batch", section.source, line, what, "name a table of watch")
    for watch in repair.watches:
        if not _uses_batch(watch.where):
            what = f"{watch.table}: where does not use the bounds of the batch"
            raise refusal("batch", section.source, watch.line, what, _BATCH_HINT)
    if not any(map(_uses_batch, script)):
        what = "batch: no statement of the script uses the bounds of the batch"
        raise refusal("batch", section.source, line, what, _BATCH_HINT)


def _uses_batch(statement: Statement) -> bool:
    return {Bound(name) for name in BATCH_PLACES} <= set(statement.pieces)
