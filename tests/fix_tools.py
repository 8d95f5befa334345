"""What tests need of the machine: found, or skipped with a reason, or failed where it must exist.

`DBOPS_TEST_REQUIRE` is a comma list of names, or `all`: what it names must not be skipped. Names
are those of tools, and `root` and `mount` for what the kernel lets this account do.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest


def absent(requirement: str, reason: str) -> NoReturn:
    """The test is skipped, or failed where DBOPS_TEST_REQUIRE names what it lacks."""
    required = {entry.strip() for entry in os.environ.get("DBOPS_TEST_REQUIRE", "").split(",")}
    if required & {requirement, "all"}:
        pytest.fail(f"{reason} (DBOPS_TEST_REQUIRE asks for {requirement})", pytrace=False)
    pytest.skip(reason)


def require_tool(name: str, package: str) -> Path:
    """Return the path of tool `name`, else skip, naming the Debian package that brings it."""
    found = shutil.which(name)
    if found is None:
        absent(name, f"{name} is missing: apt-get install {package}")
    return Path(found)


def require_root(what: str) -> None:
    """Skip where tests do not run as root; `what` needs it."""
    if os.geteuid() != 0:
        absent("root", f"{what} needs root")
