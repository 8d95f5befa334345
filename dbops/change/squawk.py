"""Run squawk, a linter of others for PostgreSQL, where it is installed.

It is given the statements and nothing else, in the transactions in which dbops runs them: no
configuration of the work tree, no environment, and none of the comments by which a script could
tell it to be silent. What may stand is accepted in the manifest, where reviewers read and sign it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from dbops.change.squawk_report import Heard, heard, silent
from dbops.change.step import Part
from dbops.review.work import UP

PROGRAM: Final = "squawk"
LIMIT: Final = 20.0  # seconds
REPORT_MOST: Final = 16 << 20  # bytes

_ORDERS: Final = re.compile("squawk-", re.IGNORECASE)
_DONE: Final = {0, 1}  # found nothing, found something


def find_squawk() -> Path | None:
    """Return the program: the one beside the running Python, else the first on PATH; or None."""
    beside = sysconfig.get_path("scripts")
    found = shutil.which(PROGRAM, path=beside) or shutil.which(PROGRAM)
    return None if found is None else Path(found).resolve()


def ask_squawk(program: Path, parts: Sequence[Part], *, limit: float = LIMIT) -> Heard:
    """Return what squawk finds in the parts of `up.sql`, within `limit` seconds.

    Nothing is raised: what squawk could not do is said among its findings. It is killed when it
    takes longer, and nothing is left of it.
    """
    command = [str(program), "--config", os.devnull, "--reporter", "json", "--stdin-filepath", UP]
    try:
        with tempfile.TemporaryFile() as report:
            status = subprocess.run(
                command,
                input=_written(parts).encode(),
                stdout=report,
                stderr=subprocess.DEVNULL,
                env={"LC_ALL": "C"},
                cwd="/",
                timeout=limit,
                check=False,
            ).returncode
            report.seek(0)
            told = report.read(REPORT_MOST + 1)
    except subprocess.TimeoutExpired:
        return (silent(f"squawk takes longer than {limit:.0f} seconds"),)
    except OSError:
        return (silent("squawk cannot be started"),)
    if status not in _DONE:
        return (silent(f"squawk ends with status {status}"),)
    if len(told) > REPORT_MOST:
        return (silent(f"squawk reports more than {REPORT_MOST} bytes"),)
    return heard(told, [step for part in parts for step in part.steps])


def _written(parts: Iterable[Part]) -> str:
    """Return the statements, each at its line, with the transactions around them."""
    text, line = "", 1
    for part in parts:
        for step in part.steps:
            begins = not part.alone and step is part.steps[0]
            ends = not part.alone and step is part.steps[-1]
            sql = _ORDERS.sub("squawk_", step.sql)
            filled = "\n" * (step.line - line)
            text += f"{filled}{'BEGIN; ' if begins else ''}{sql};{' COMMIT;' if ends else ''}"
            line = step.line + sql.count("\n")
    return f"{text}\n"
