"""The work tree in which pieces of work are requested and approved."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path


def make_work_tree(place: Path) -> bool:
    """Afterwards the empty directory is a git work tree; False where git is not there or failed.

    Then a person makes it one: nothing else of an estate needs git.
    """
    git = shutil.which("git")
    if git is None:
        return False
    command = [git, "init", "--quiet", "--template=", "--initial-branch=main", str(place)]
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return done.returncode == 0
