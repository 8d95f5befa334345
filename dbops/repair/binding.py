"""What a repair's placeholders stand for on one database: values as they are, names as spelt."""

from __future__ import annotations

from collections.abc import Mapping

from dbops.repair.manifest import Repair
from dbops.repair.parameter import Argument, ParameterType
from dbops.repair.payload import Payload, arguments_of
from dbops.repair.ports import Binding, RepairSession
from dbops.repair.table import TableName


def bind(
    session: RepairSession,
    repair: Repair,
    payload: Payload | None,
    more: Mapping[str, Argument] | None = None,
) -> Binding:
    """Return the parameters: values as they are, identifiers as the catalogue spells them.

    `more` are values that no manifest has, such as the bounds of a batch. Raises Refused
    `repair-param` for a value that is missing or does not fit its type, and what the session
    raises for a table or a column that is not there.
    """
    identifiers: dict[str, TableName | str] = {}
    for name, parameter in repair.parameters.items():
        if parameter.type is ParameterType.TABLE and parameter.value is not None:
            identifiers[name] = session.shape(TableName.parse(parameter.value)).table
    for name, parameter in repair.parameters.items():
        table = identifiers.get(parameter.table or "")
        if parameter.type is ParameterType.COLUMN and isinstance(table, TableName):
            identifiers[name] = session.column(table, parameter.value or "")
    return Binding({**arguments_of(repair, payload), **(more or {})}, identifiers)
