"""Runs the commands of a documentation page as a reader would: copied, with his own settings."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
_HEADING = re.compile(r"## (.*)")
_SETTING = re.compile(r"export (\w+)=.*")


def shell_blocks(page: str) -> dict[str, list[str]]:
    """The `sh` blocks of the page by the heading that they stand under, in order."""
    found: dict[str, list[str]] = {}
    heading = ""
    block: list[str] | None = None
    for line in page.splitlines():
        if block is None and (title := _HEADING.fullmatch(line)):
            heading = title[1]
        elif block is None and line == "```sh":
            block = []
        elif block is not None and line == "```":
            found.setdefault(heading, []).append("\n".join(block))
            block = None
        elif block is not None:
            block.append(line)
    return found


def with_settings(script: str, settings: Mapping[str, str]) -> str:
    """The script with the reader's own values; KeyError where he was not told of a setting."""
    return "\n".join(
        f'export {found[1]}="${{READER_{found[1]}}}"'
        if (found := _SETTING.fullmatch(line)) and settings[found[1]]
        else line
        for line in script.splitlines()
    )


def run_sections(
    page: Path, sections: tuple[str, ...], settings: Mapping[str, str], path: str | None = None
) -> subprocess.CompletedProcess[str]:
    """What the commands of these sections print, one shell for all; any failing one ends it."""
    blocks = shell_blocks(page.read_text("utf-8"))
    script = "\n".join(block for section in sections for block in blocks[section])
    environment = {f"READER_{name}": value for name, value in settings.items()}
    environment |= {
        "PATH": path or os.environ["PATH"],
        "HOME": settings["WORK"],
        "LC_ALL": "C.UTF-8",
    }
    return subprocess.run(
        ["bash", "-eu", "-o", "pipefail", "-c", with_settings(script, settings)],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
    )
