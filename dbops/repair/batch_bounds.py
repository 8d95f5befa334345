"""Which keys the next batch has, as the database itself orders them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from dbops.errors import Refused
from dbops.repair.manifest import Batch
from dbops.repair.parameter import Argument, ParameterType
from dbops.repair.ports import Binding, RepairSession
from dbops.repair.table import Shape, TableName
from dbops.sql.statement import Bound, Identifier, Piece, Statement

FIRST: Final = "batch_first"
LAST: Final = "batch_last"
_AFTER: Final = "batch_after"

# The types whose text goes back into the same value, by how the engines name them.
_TYPES: Final = (
    (ParameterType.INTEGER, ("smallint", "integer", "bigint", "int")),
    (ParameterType.NUMERIC, ("numeric", "decimal")),
    (ParameterType.TEXT, ("text", "character varying", "varchar")),
    (ParameterType.INSTANT, ("timestamp with time zone",)),
    (ParameterType.TIMESTAMP, ("timestamp without time zone",)),
    (ParameterType.DATE, ("date",)),
)


@dataclass(frozen=True, slots=True)
class Bounds:
    """The keys of a batch, both inclusive, as the parameters that scripts and watch sets name.

    `is_last` says that no key follows. An `is_empty` batch has no rows of its own: those that
    were left have gone since the batch before, whose last key its bounds repeat.
    """

    arguments: Mapping[str, Argument]
    last: str
    is_last: bool
    is_empty: bool = False


def next_bounds(session: RepairSession, batch: Batch, after: str | None) -> Bounds:
    """Return the bounds of the batch that follows the key `after`, or of the first.

    Raises Refused `batch-key` for a table that cannot be cut by its key, `batch-empty` where the
    table has no row.
    """
    return _Cutting(session, batch).after(after)


class _Cutting:
    def __init__(self, session: RepairSession, batch: Batch) -> None:
        self._session = session
        self._shape = session.shape(batch.table)
        self._rows = batch.rows
        self._type = _key_type(self._shape)

    def after(self, key: str | None) -> Bounds:
        binding = {} if key is None else {_AFTER: self._argument(key)}
        last = self._ask(binding, "max", limit=self._rows)
        if last is None:
            if key is None:
                raise _empty(self._shape)
            again = {FIRST: self._argument(key), LAST: self._argument(key)}
            return Bounds(again, key, is_last=True, is_empty=True)
        first = self._ask(binding, "min", limit=self._rows)
        more = self._ask({_AFTER: self._argument(last)}, "min", limit=1)
        arguments = {
            FIRST: self._argument(last if first is None else first),
            LAST: self._argument(last),
        }
        return Bounds(arguments, last, more is None)

    def _argument(self, text: str) -> Argument:
        return Argument(self._type, text)

    def _ask(self, arguments: Mapping[str, Argument], what: str, *, limit: int) -> str | None:
        """One value of the next keys; the database orders and compares them."""
        beyond: tuple[Piece, ...] = ()
        if arguments:
            beyond = (" WHERE ", Identifier("key"), " > ", Bound(_AFTER))
        query = Statement(
            (
                f"SELECT {what}(k) FROM (SELECT ",  # noqa: S608 - two words of this module
                Identifier("key"),
                " AS k FROM ",
                Identifier("table"),
                *beyond,
                " ORDER BY ",
                Identifier("key"),
                f" LIMIT {limit:d}) AS part",
            ),
            0,
        )
        names: dict[str, TableName | str] = {
            "table": self._shape.table,
            "key": self._shape.key_names[0],
        }

        found = self._session.check(query, Binding(arguments, names))
        return None if found is None else found.decode(self._session.encoding)


def _key_type(shape: Shape) -> ParameterType:
    if len(shape.key) == 1:
        told = shape.columns[shape.key[0]].type.lower()
        for type_, names in _TYPES:
            if told.split("(")[0].strip() in names:
                return type_
    raise Refused(
        "batch-key",
        f"{shape.table} cannot be cut into batches: its key must be one column of numbers, text"
        " or times",
        hint="choose another table under batch, or run the repair as a whole",
    )


def _empty(shape: Shape) -> Refused:
    return Refused(
        "batch-empty",
        f"{shape.table} has no rows to cut into batches",
        hint="the table under batch is the one whose keys the script goes through",
    )
