"""DDL-TX: a statement that ends the transaction, or changes the session."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.change.reading import Does, Reading
from dbops.change.rules.finding import Case, Rule
from dbops.review.finding import Finding, Severity

_BEGINS: Final = "remove it: dbops begins and ends; -- part: name says where one more begins"
_OWN: Final = ("FOREIGN_KEYS", "IGNORE_CHECK_CONSTRAINTS", "SESSION_REPLICATION_ROLE")
_IN_HEADER: Final = frozenset({"USER_VERSION", "APPLICATION_ID"})
_SAID_ELSEWHERE: Final = frozenset(
    {
        *_OWN,
        "FOREIGN_KEY_CHECKS",
        "QUOTED_IDENTIFIER",
        "ANSI_NULLS",
        "XACT_ABORT",
        "WRITABLE_SCHEMA",
    }
)


def _examine(case: Case) -> Iterator[Finding]:
    for reading in (*case.up, *case.down):
        first = next(iter(reading.words), "")
        if reading.does is Does.TRANSACTION:
            what = f"{first} begins or ends a transaction"
            yield DDL_TX.found(reading.place, what, _BEGINS)
        elif reading.does is Does.SETTING and not (
            _is_elsewhere(reading) or _is_harmless(reading, case.dialect)
        ):
            what = f"{first} changes a setting for all that follows"
            yield DDL_TX.found(reading.place, what, "remove it: write names with their schema")
        elif _sets_by_call(reading):
            what = "set_config changes a setting for all that follows"
            yield DDL_TX.found(reading.place, what, "remove it: write names with their schema")


def _sets_by_call(reading: Reading) -> bool:
    """Whether a query sets more than limits of time, or for longer than the transaction."""
    if reading.does is not Does.QUERY or "SET_CONFIG" not in reading.words:
        return False
    told = {text.upper() for text in reading.texts}
    if told & _SAID_ELSEWHERE or any("TIMEOUT" in text for text in told):
        return False
    local = reading.has("TRUE", ")")
    return not local or bool(told & {"SEARCH_PATH", "ROLE", "SESSION_AUTHORIZATION"})


def _is_elsewhere(reading: Reading) -> bool:
    """Whether another rule says so, and better."""
    words = set(reading.words)
    return bool(words & _SAID_ELSEWHERE) or any("TIMEOUT" in word for word in words)


def _is_harmless(reading: Reading, dialect: str) -> bool:
    """Whether it ends with the transaction and means no name otherwise, or is a number of the file.

    SET LOCAL of MySQL is of the session.
    """
    words = reading.words
    if dialect == "sqlite":
        return bool(_IN_HEADER & set(words[1:4]))
    if dialect != "postgres":
        return False
    if words[1:2] == ("LOCAL",):
        return words[2:3] not in {("SEARCH_PATH",), ("ROLE",), ("SESSION",)}
    return words[1:2] == ("CONSTRAINTS",)


DDL_TX: Final = Rule(
    "DDL-TX",
    Severity.ERROR,
    "a statement that ends the transaction, or changes the session",
    _examine,
)
