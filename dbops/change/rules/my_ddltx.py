"""MY-DDLTX: rows and tables changed where each statement commits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.change.reading import Does, Reading
from dbops.change.rules.finding import Case, Rule
from dbops.review.finding import Finding, Severity

_DIALECTS: Final = frozenset({"mysql", "oracle"})
_DDL: Final = frozenset(
    {Does.CREATE, Does.ALTER, Does.DROP, Does.RENAME, Does.TRUNCATE, Does.GRANT, Does.REVOKE}
)
_WORDS: Final = ("CREATE", "ALTER", "DROP", "TRUNCATE", "RENAME", "GRANT")


def _examine(case: Case) -> Iterator[Finding]:
    if case.dialect not in _DIALECTS:
        return
    for script in (case.up, case.down):
        defines = any(reading.does in _DDL for reading in script)
        for reading in script:
            if defines and reading.does is Does.WRITE:
                yield MY_DDLTX.found(
                    reading.place,
                    "rows are written beside DDL, which commits: half of it stays if a step fails",
                    "write rows in a change or a repair of their own",
                )
            elif _definitions(reading) > 1:
                yield MY_DDLTX.found(
                    reading.place,
                    "one block runs more than one DDL statement, each of which commits",
                    "write each as a step of its own, so that a run can be resumed",
                )


def _definitions(reading: Reading) -> int:
    """Return how many DDL statements a block holds in texts that it runs."""
    if reading.does is not Does.BLOCK:
        return 0
    return sum(text.strip().upper().startswith(_WORDS) for text in reading.texts)


MY_DDLTX: Final = Rule(
    "MY-DDLTX", Severity.ERROR, "rows and tables changed where each statement commits", _examine
)
