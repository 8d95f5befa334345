"""A real git repository with pieces of work in it, written with the real git."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.fix_tools import absent, require_tool

_ENVIRON = {
    "HOME": "/nonexistent",
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "Li Na",
    "GIT_AUTHOR_EMAIL": "li.na@hospital",
    "GIT_COMMITTER_NAME": "Li Na",
    "GIT_COMMITTER_EMAIL": "li.na@hospital",
}


@dataclass(frozen=True, slots=True)
class OpsTree:
    """The work tree at `path`."""

    path: Path

    def git(self, *arguments: str) -> str:
        """What git prints; it must succeed."""
        require_tool("git", "git")
        command = ["git", "-C", str(self.path), "-c", "safe.directory=*", *arguments]
        return subprocess.run(
            command, env=_ENVIRON, check=True, capture_output=True, text=True
        ).stdout.strip()

    def write(self, files: Mapping[str, bytes]) -> None:
        """The files are there, by their path from the top."""
        for name, data in files.items():
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            (self.path / name).write_bytes(data)

    def commit(self, files: Mapping[str, bytes] | None = None) -> str:
        """The files, and whatever else changed, are committed; returns the commit's id."""
        self.write(files or {})
        self.git("add", "--all", "--force")
        self.git("commit", "--quiet", "--allow-empty", "--message", "work")
        return self.git("rev-parse", "HEAD")


def made_tree(path: Path, *, object_format: str = "sha1") -> OpsTree:
    """Return a new, empty work tree at `path`."""
    path.mkdir(parents=True, exist_ok=True)
    tree = OpsTree(path)
    tree.git("init", "--quiet", "--initial-branch=main", f"--object-format={object_format}")
    return tree


@contextmanager
def protected_place(given: Path) -> Iterator[Path]:
    """A new directory above which everything belongs to root or this account; gone afterwards.

    Below `given` where that is so for it: some machines have a `/tmp` that is somebody else's.
    """
    bases = (given, Path("/var/tmp"), Path.home(), Path.cwd())  # noqa: S108 - sticky, and tried
    base = next((base for base in bases if _is_ours(base)), None)
    if base is None:
        absent("root", "no directory here is root's along its whole path")
    with tempfile.TemporaryDirectory(prefix="dbops-", dir=base) as made:
        yield Path(made)


def _is_ours(base: Path) -> bool:
    above = [place.stat() for place in (base, *base.parents)]
    ours = all(each.st_uid in {0, os.geteuid()} for each in above)
    shut = all(not each.st_mode & 0o022 or each.st_mode & 0o1000 for each in above)
    return ours and shut and os.access(base, os.W_OK)
