"""Every failure that a user can cause or see, and how it ends the process.

This module imports nothing of dbops, so that every room may raise from it.

* A message is lower case, says what failed with names and counts, and has no full stop.
* A hint is the next command to type, or the next thing to do.
* No row value ever stands in either. Driver messages carry row values, so engines translate
  them (`dbops/engines/*/faults.py`) to codes and object names before they raise.
* `code` is kebab-case and stable: scripts and the documentation refer to it.

Anything that is not a `DbopsError` is a bug and ends with status 70.
"""

from __future__ import annotations

from enum import IntEnum


class ExitStatus(IntEnum):
    """The exit statuses of every command, as DESIGN §9 lists them."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    PARTLY = 3
    FINDING = 4
    REFUSED = 5
    NOT_FOUND = 10
    UNREACHABLE = 11
    NO_IDENTITY = 12
    BUG = 70
    INTERRUPTED = 130


class DbopsError(Exception):
    """An expected failure: a stable code, one sentence, one hint, one exit status."""

    status: ExitStatus = ExitStatus.FAILED

    def __init__(self, code: str, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        """Survive the trip from a worker process; keyword-only arguments do not by default."""
        return _rebuild, (type(self), self.code, self.message, self.hint)


def _rebuild(kind: type[DbopsError], code: str, message: str, hint: str) -> DbopsError:
    return kind(code, message, hint=hint)


class Failed(DbopsError):
    """The work was tried and did not succeed; nothing false was left behind."""


class Partly(DbopsError):
    """The work was done, but something that belongs to it was not."""

    status = ExitStatus.PARTLY


class HalfDone(Partly):
    """Some of the work is done for good; `cause` is the code of what stopped the rest."""

    def __init__(self, code: str, message: str, *, hint: str, cause: str = "") -> None:
        super().__init__(code, message, hint=hint)
        self.cause = cause

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild_half, (self.code, self.message, self.hint, self.cause)


def _rebuild_half(code: str, message: str, hint: str, cause: str) -> HalfDone:
    return HalfDone(code, message, hint=hint, cause=cause)


class UsageFault(DbopsError):
    """The command line or the configuration says something that cannot be meant."""

    status = ExitStatus.USAGE


class Finding(DbopsError):
    """A check did its work and found something wrong."""

    status = ExitStatus.FINDING


class Refused(DbopsError):
    """Policy or doubt forbids the work; nothing was changed."""

    status = ExitStatus.REFUSED


class NotFound(DbopsError):
    """The named thing does not exist."""

    status = ExitStatus.NOT_FOUND


class Unreachable(DbopsError):
    """The named thing is locked or cannot be reached just now."""

    status = ExitStatus.UNREACHABLE


class TryAgain(Unreachable):
    """The source would not hold still; the same command may well succeed."""


class NoIdentity(DbopsError):
    """No identity at hand opens the sealed data."""

    status = ExitStatus.NO_IDENTITY


class Interrupted(DbopsError):
    """Somebody stopped the work (Ctrl-C, SIGTERM, SIGHUP); the message says what is there now."""

    status = ExitStatus.INTERRUPTED
