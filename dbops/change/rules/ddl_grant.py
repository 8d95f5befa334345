"""DDL-GRANT: rights for everybody, or for a new account."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.change.reading import Does, Reading
from dbops.change.rules.finding import Case, Rule
from dbops.review.finding import Finding, Severity

_ACCOUNTS: Final = frozenset({"USER", "ROLE", "LOGIN", "GROUP"})
_POWERS: Final = frozenset({"SUPERUSER", "BYPASSRLS", "CREATEROLE", "SYSADMIN", "DBA"})
# Roles of PostgreSQL itself, beside which rights on single tables are nothing.
_OF_SERVER: Final = frozenset(
    {"PG_READ_SERVER_FILES", "PG_WRITE_SERVER_FILES", "PG_EXECUTE_SERVER_PROGRAM"}
    | {"PG_READ_ALL_DATA", "PG_WRITE_ALL_DATA", "PG_MAINTAIN", "PG_SIGNAL_BACKEND"}
    | {"PG_CREATE_SUBSCRIPTION"}
)
_HINT: Final = "grant single rights to a role that is there, and let security review the rest"


def _examine(case: Case) -> Iterator[Finding]:
    for reading in (*case.up, *case.down):
        for what in _given(reading):
            yield DDL_GRANT.found(reading.place, what, _HINT)
    for reading in case.up:  # down.sql takes policies back that up.sql has made
        for what in _opened(reading):
            yield DDL_GRANT.found(reading.place, what, _HINT)


def _given(reading: Reading) -> Iterator[str]:
    words = reading.words
    second = words[1] if len(words) > 1 else ""
    if reading.does is Does.GRANT:
        yield from _granted(reading)
    elif second in _ACCOUNTS and not reading.has("USER", "MAPPING") and words[0] != "DROP":
        yield f"{words[0]} {second}: an account is made or altered"
    elif reading.has("DEFAULT", "PRIVILEGES"):
        yield "default privileges decide on all that is made later"


def _opened(reading: Reading) -> Iterator[str]:
    if reading.has("DISABLE", "ROW", "LEVEL") or reading.has("NO", "FORCE", "ROW", "LEVEL"):
        yield "row level security is switched off"
    if reading.words[:2] == ("DROP", "POLICY"):
        yield "a policy of row level security is dropped"


def _granted(reading: Reading) -> Iterator[str]:
    if reading.has("TO", "PUBLIC") or "%" in reading.texts:
        yield "rights are granted to everybody"
    if reading.has("WITH", "GRANT", "OPTION") or reading.has("WITH", "ADMIN", "OPTION"):
        yield "rights are granted that can be passed on"
    if reading.words[1:2] == ("ALL",):
        yield "all rights are granted at once"
    if _POWERS & set(reading.words) or _OF_SERVER & set(_granted_roles(reading)):
        yield "rights over the whole server are granted"


def _granted_roles(reading: Reading) -> tuple[str, ...]:
    """The roles that are granted; none where rights on an object are."""
    words = reading.words
    if "ON" in words or "TO" not in words:
        return ()
    return words[1 : words.index("TO")]


DDL_GRANT: Final = Rule(
    "DDL-GRANT", Severity.ERROR, "rights for everybody, or for a new account", _examine
)
