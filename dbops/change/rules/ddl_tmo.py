"""DDL-TMO: a limit of time that the script sets itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from dbops.change.rules.finding import Case, Rule
from dbops.review.finding import Finding, Severity

_LIMITS: Final = re.compile(
    "LOCK_TIMEOUT|STATEMENT_TIMEOUT|DEADLOCK_TIMEOUT|TRANSACTION_TIMEOUT|LOCK_WAIT_TIMEOUT"
    "|IDLE_IN_TRANSACTION_SESSION_TIMEOUT|INNODB_LOCK_WAIT_TIMEOUT|MAX_STATEMENT_TIME"
    "|MAX_EXECUTION_TIME|DDL_LOCK_TIMEOUT|BUSY_TIMEOUT"
)


def _examine(case: Case) -> Iterator[Finding]:
    for reading in (*case.up, *case.down):
        texts = " ".join((*reading.words, *reading.texts)).upper()
        found = _LIMITS.search(texts)
        if found is not None:
            yield DDL_TMO.found(
                reading.place,
                f"{found[0].lower()} is set by the script",
                "remove it: limits: {lock_wait: 3s, statement: 15m} sets it for every statement",
            )


DDL_TMO: Final = Rule(
    "DDL-TMO", Severity.ERROR, "a limit of time that the script sets itself", _examine
)
