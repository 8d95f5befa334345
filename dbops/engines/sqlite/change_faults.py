"""What SQLite says of a step, translated: result codes and names, never a value.

SQLite's words for what is wrong with a definition are names, and are kept where they are of a form
that holds nothing else. What may quote the statement, or be a trigger's own words, is not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import apsw

from dbops.change.ports import LockTimeout
from dbops.change.step import Step
from dbops.engines.sqlite.faults import not_writable
from dbops.engines.sqlite.repair_faults import Place, code_name
from dbops.errors import DbopsError, Failed, Refused

_NAME: Final = r"[^\s'\"]+"
_WHERE: Final = rf"error in (?:table|view|trigger|index) {_NAME}(?: after [a-z ]+)?"
_WHAT: Final = "|".join(
    (
        rf"(?:table|index|view|trigger) {_NAME} already exists",
        rf"there is already (?:a table|an index|another table or index)[a-z ]*:? {_NAME}",
        rf"no such (?:table|index|view|trigger|column|module|function): {_NAME}",
        rf"no such collation sequence: {_NAME}",
        rf"duplicate column name: {_NAME}",
        rf"ambiguous column name: {_NAME}",
        rf"cannot drop (?:PRIMARY KEY |UNIQUE )?column: \"{_NAME}\"",
        rf"cannot drop column \"{_NAME}\": no other columns exist",
        rf"foreign key mismatch - \"{_NAME}\" referencing \"{_NAME}\"",
        r"Cannot add a [A-Za-z ]+",
        r"index associated with UNIQUE or PRIMARY KEY constraint cannot be dropped",
        rf"use DROP (?:TABLE|VIEW) to delete (?:table|view) {_NAME}",
        rf"(?:table|view) {_NAME} may not be [a-z]+",
    )
)
_NAMED: Final = re.compile(rf"(?:{_WHERE}: )?(?:{_WHAT})")
# What ALTER TABLE says while it runs. Words of a virtual table of that moment can be a row's: FTS5
# reads a query in a value, and calls the columns that it looks for by name.
_RUNNING: Final = re.compile(rf"{_WHERE}: (?:{_WHAT})|Cannot add a [A-Za-z ]+")
_VACUUM: Final = "cannot VACUUM"


@dataclass(frozen=True, slots=True)
class ChangePlace:
    """Where an error comes from; `work` is the change that runs there."""

    place: Place
    work: str

    def fault(self, failure: Exception, doing: str, *, running: bool = False) -> DbopsError:
        """Return the error to raise, `from None`; `doing` names what was being done.

        `running` says that the statement was understood, so that what failed may be of a row.
        """
        named = _RUNNING if running else _NAMED
        name, path = self.place.name, self.place.path
        match failure:
            case apsw.BusyError() | apsw.LockedError():
                return self.locked()
            case apsw.InterruptError():
                hint = "raise limits.statement in change.yml, or do less in one step"
                return _step(f"{name}: {doing} took longer than it may", hint)
            case apsw.ReadOnlyError():
                return not_writable(name, path)
            case apsw.FullError():
                message = f"{name}: {doing} finds no space left"
                return Failed("no-space", message, hint=f"free some space: df -h {path.parent}")
            case apsw.SQLError() if str(failure).startswith(_VACUUM):
                hint = "run it by hand when nobody works: it alters no definition"
                return _step(f"{name}: {doing} is a VACUUM, which runs in no transaction", hint)
            case apsw.SQLError() if named.fullmatch(str(failure)):
                return _step(f"{name}: {doing} fails: {failure}")
            case apsw.ConstraintError() if code_name(failure) == "SQLITE_CONSTRAINT_TRIGGER":
                return _step(f"{name}: {doing} is refused by a trigger")
            case (
                apsw.SQLError()
                | apsw.ConstraintError()
                | apsw.MismatchError()
                | apsw.TooBigError()
                | UnicodeDecodeError()
            ):
                return _step(self.place.fault(failure, doing).message)
        return self.place.fault(failure, doing)

    def locked(self) -> LockTimeout:
        """The error for a lock that somebody else kept."""
        said = self.place.locked()
        return LockTimeout(said.code, said.message, hint=said.hint)

    def lost(self) -> Refused:
        """The error for work in a transaction that is not there."""
        return Refused(
            "transaction-lost",
            f"{self.place.name}: no transaction is open, or not the one that was begun",
            hint="nothing was changed; take out what ends it (ROLLBACK, OR ROLLBACK)",
        )

    def reads_only(self) -> Refused:
        """The error for a write in a session that was opened for reading."""
        return Refused(
            "read-only",
            f"{self.place.name}: this session of {self.work} only reads",
            hint=f"what changes a database: dbops change run {self.work}",
        )


def titled(step: Step) -> str:
    """How errors name a step."""
    return f"step {step.number} at line {step.line}"


def _step(message: str, hint: str = "correct the script, and rehearse it") -> Failed:
    return Failed("change-step", message, hint=hint)
