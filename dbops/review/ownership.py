"""Who can change what decides about approvals: nobody but root and dbops' own account.

An engineer who can write the trust root adds a key, one who can write the estate file points an
alias elsewhere or plants a command, and one who can rename a directory above them does both. So
the whole path counts, as for sshd's StrictModes. This is no lock against whoever holds the
database's own password: see the threat model.
"""

from __future__ import annotations

import os
import pwd
import shlex
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from dbops.errors import Refused

PERSONS_FROM: Final = 1000  # the first number of an account that people log in to
_OTHERS_WRITE: Final = 0o022


def check_protected(paths: Iterable[Path], *, outside: Path | None, euid: int) -> None:
    """Nobody but root and the account `euid`, one that is no person's, can change these paths.

    Asked of every component from `/` on, and of what a named directory holds. A sticky directory
    such as `/tmp` passes above a directory of ours: nobody can rename that, nor make one like it.
    Nothing may lie in `outside`, the work tree; a path that is not there passes where nobody else
    can make it.

    `Refused` trust-personal, trust-owner, trust-writable, trust-link (a component is a symbolic
    link, or no file) or trust-inside-worktree.
    """
    if euid >= PERSONS_FROM:
        raise Refused(
            "trust-personal",
            f"account {_name(euid)} is one that people log in to, so its owner could change what"
            " decides about approvals",
            hint="run it as root or as the account of dbops: sudo dbops …",
        )
    shunned = None if outside is None else _identity(outside)
    for path in paths:
        for component, status in _components(path.absolute()):
            if shunned is not None and _mark(status) == shunned:
                raise _inside(path, component)
            _check_component(component, status, path, euid)


def demo_covers(estate: Path, paths: Iterable[Path]) -> None:
    """Everything that a demo's rules would be used on lies in the directory of the estate file.

    Symbolic links are followed first. `Refused` demo-outside otherwise: rules that ask nobody who
    owns them are for a place in which there is nothing to lose.
    """
    covered = estate.resolve().parent
    for path in paths:
        if not path.resolve().is_relative_to(covered):
            raise Refused(
                "demo-outside",
                f"the policy is marked demo, and {path} lies outside {covered}",
                hint="found an estate of its own for real data: dbops init",
            )


def _components(path: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield what is there of the path, from `/` down, and at its end what a directory holds."""
    status: os.stat_result | None = None
    for component in (*reversed(path.parents), path):
        above, status = status, _status(component)
        if above is not None and _is_shared(above) and not _is_directory(status):
            raise _writable(component.parent, path, above)
        if status is None:
            return
        yield component, status
    if status is not None and _is_directory(status):
        if _is_shared(status):
            raise _writable(path, path, status)
        for name in sorted(os.listdir(path)):  # noqa: PTH208 - names are enough
            held = _status(path / name)
            if held is not None:
                yield path / name, held


def _check_component(component: Path, status: os.stat_result, path: Path, euid: int) -> None:
    if component.name == ".." or not stat.S_ISDIR(status.st_mode) | stat.S_ISREG(status.st_mode):
        raise Refused(
            "trust-link",
            f"{component} on the way to {path} is a link or neither file nor directory",
            hint=f"name the place itself: readlink -f {shlex.quote(str(path))}",
        )
    if status.st_uid not in {0, euid}:
        raise Refused(
            "trust-owner",
            f"{component} belongs to {_name(status.st_uid)}, who could change {path}",
            hint=f"chown {_name(euid)} {shlex.quote(str(component))}",
        )
    if status.st_mode & _OTHERS_WRITE and not _is_shared(status):
        raise _writable(component, path, status)


def _writable(component: Path, path: Path, status: os.stat_result) -> Refused:
    mode = stat.S_IMODE(status.st_mode)
    return Refused(
        "trust-writable",
        f"other accounts can write {component} (mode {mode:04o}), and so change {path}",
        hint=f"chmod go-w {shlex.quote(str(component))}, or keep it elsewhere",
    )


def _inside(path: Path, worktree: Path) -> Refused:
    return Refused(
        "trust-inside-worktree",
        f"{path} lies in the work tree {worktree}, where engineers write",
        hint="move it to /etc/dbops, and name it in dbops.toml",
    )


def _is_shared(status: os.stat_result) -> bool:
    """Many may write there, and each only remove what is theirs."""
    return (
        stat.S_ISDIR(status.st_mode)
        and bool(status.st_mode & stat.S_ISVTX)
        and bool(status.st_mode & _OTHERS_WRITE)
    )


def _is_directory(status: os.stat_result | None) -> bool:
    return status is not None and stat.S_ISDIR(status.st_mode)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        return _mark(path.stat())
    except OSError:
        return None


def _mark(status: os.stat_result) -> tuple[int, int]:
    """What two paths of one directory share, however it is mounted or spelt."""
    return status.st_dev, status.st_ino


def _status(path: Path) -> os.stat_result | None:
    """What is there by this name, itself; None only where there is nothing."""
    try:
        return path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as fault:
        raise Refused(
            "trust-unseen",
            f"{path} cannot be looked at (error {fault.errno})",
            hint=f"ls -ld {shlex.quote(str(path))}",
        ) from None


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
