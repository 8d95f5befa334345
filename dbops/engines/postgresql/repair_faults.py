"""What a PostgreSQL error means in the middle of a repair; the rest is as `faults` has it.

Constraint violations, casts and conflicts between transactions are everyday answers here, and each
has a code of its own. As everywhere, only the SQLSTATE and names of objects are kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

from dbops.engines.postgresql.faults import objects_of, server_fault
from dbops.errors import DbopsError, Failed, Refused, TryAgain, Unreachable


@dataclass(frozen=True, slots=True)
class _Fault:
    kind: type[DbopsError]
    code: str
    words: str
    hint: str


_CONTROL = _Fault(
    Refused,
    "transaction-control",
    "a repair can neither end its transaction nor nest another",
    "take transaction control out of the script, and out of the procedures that it calls",
)
_RACE = _Fault(
    TryAgain,
    "serialization",
    "somebody else changed the same rows meanwhile; nothing was changed",
    "run the command again",
)
_SYNTAX = _Fault(
    Failed,
    "statement-invalid",
    "the server cannot read the statement",
    "try it in psql on a restored copy; write :name::type where a parameter's type is unclear",
)
_CONSTRAINT = _Fault(
    Failed,
    "constraint-violated",
    "a constraint refuses a row; nothing was changed",
    "correct the script, and rehearse again",
)
_VALUE = _Fault(
    Failed,
    "value-refused",
    "a value does not fit its type; nothing was changed",
    "correct the parameter or the script, and rehearse again",
)
_RAISED = _Fault(
    Failed,
    "refused-by-database",
    "a trigger or function of the database raised an error; nothing was changed",
    "the server's log has its words, at the time of this command",
)

_FAULTS: dict[str, _Fault] = {
    "55P03": _Fault(
        Unreachable,
        "lock-timeout",
        "somebody else holds a lock; nothing was changed",
        "wait until that work is done: select * from pg_locks where not granted",
    ),
    "57014": _Fault(
        Failed,
        "statement-timeout",
        "the statement took longer than it may, or somebody cancelled it; nothing was changed",
        "raise limits.statement in repair.yml, or repair in batches",
    ),
    "42501": _Fault(
        Refused,
        "permission-denied",
        "the repair role lacks a privilege, or row security hides rows from it",
        "dbops repair prepare grants what repairs of these tables need",
    ),
    "25006": _Fault(
        Refused,
        "read-only",
        "a session that only reads cannot write",
        "conditions and previews may not write: take the function that does so out",
    ),
    "2D000": _CONTROL,
    "25000": _CONTROL,
    "25001": _CONTROL,
    "25P01": _CONTROL,
    "40001": _RACE,
    "40P01": _RACE,
    "42601": _SYNTAX,
    "42725": _SYNTAX,
    "42804": _SYNTAX,
    "42P18": _SYNTAX,
}
_CLASSES: dict[str, _Fault] = {"22": _VALUE, "23": _CONSTRAINT, "P0": _RAISED}


@contextmanager
def repairing(doing: str) -> Iterator[None]:
    """Whatever psycopg raises inside leaves as a DbopsError that holds names and codes only.

    Raises Unreachable `lock-timeout`, TryAgain `serialization`, Failed `statement-timeout`,
    `constraint-violated`, `value-refused`, and what `faults.translated` raises.
    """
    try:
        yield
    except psycopg.Error as error:
        raise repair_fault(error, doing) from None


def repair_fault(error: psycopg.Error, doing: str) -> DbopsError:
    """The fault of a statement that failed within a repair."""
    state = error.sqlstate or ""
    # RAISE lets a function put any text into the fields that name objects.
    objects = "" if state.startswith("P0") else objects_of(error)
    fault = _FAULTS.get(state) or _CLASSES.get(state[:2])
    if fault is None:
        return server_fault(error.sqlstate, doing, objects)
    named = f" ({objects})" if objects else ""
    return fault.kind(fault.code, f"{doing}{named}: {fault.words} ({state})", hint=fault.hint)
