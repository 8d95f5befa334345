"""Outside tools that tests run: found, or skipped with a reason, or failed where they must exist.

`DBOPS_TEST_REQUIRE` is a comma list of tool names, or `all`: what it names must not be skipped.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest


def require_tool(name: str, package: str) -> Path:
    """Return the path of tool `name`, else skip, naming the Debian package that brings it."""
    found = shutil.which(name)
    if found is not None:
        return Path(found)
    reason = f"{name} is missing: apt-get install {package}"
    required = {entry.strip() for entry in os.environ.get("DBOPS_TEST_REQUIRE", "").split(",")}
    if required & {name, "all"}:
        pytest.fail(f"{reason} (DBOPS_TEST_REQUIRE asks for it)")
    pytest.skip(reason)
