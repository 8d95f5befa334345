"""Reading a piece of work: each file once, from a folder that anybody may have prepared.

The folder belongs to engineers, and dbops may be root. So no symbolic link is followed anywhere
below the work tree, every step goes from an open directory to a name inside it, nothing but plain
files of plain names and bounded size is read, and the bytes in memory are what is judged, shown
and run from then on: what happens to the folder afterwards changes nothing.
"""

from __future__ import annotations

import errno
import os
import shlex
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from dbops.crypto.sshsig import ARMOR_MOST
from dbops.errors import DbopsError, Failed, NotFound, Refused
from dbops.git import blob_id, head_commit, list_tree
from dbops.review.statement import STATEMENT_MOST
from dbops.review.work import (
    APPROVALS,
    ID_RULE,
    PATH_RULE,
    Kind,
    SignedText,
    Work,
    check_work_id,
    is_plain_path,
    is_principal,
    is_work_id,
)

FILE_MOST: Final = 16 << 20  # bytes
WORK_MOST: Final = 64 << 20  # bytes of all files together
FILES_MOST: Final = 1000
NAMES_MOST: Final = 10_000  # entries of a folder of folders

TEXT: Final = ".txt"
SIGNATURE: Final = ".txt.sig"

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_REGULAR_MODES: Final = frozenset({"100644", "100755"})


def list_work(worktree: Path) -> tuple[Path, ...]:
    """Return the folder of every piece of work, by kind and id.

    What cannot be read as work (a link, for one) is listed, and refused by `read_work`. Files, and
    names that are no id, are not: nothing by such a name can ever run.
    """
    found: list[Path] = []
    for kind in Kind:
        with opened_folder(worktree, (kind.folder,)) as directory:
            names = [] if directory is None else _names(directory, NAMES_MOST, kind.folder)
            folders = [name for name in names if is_work_id(name) and _is_folder(name, directory)]
        found.extend(worktree / kind.folder / name for name in sorted(folders))
    return tuple(found)


def find_work(worktree: Path, work_id: str) -> Path:
    """Return the folder of the work with this id.

    Raises `NotFound` work-missing, and `Refused` work-id, work-ambiguous where two kinds have the
    id, or work-twins where another folder's name differs only in case.
    """
    check_work_id(work_id)
    found: list[Path] = []
    for kind in Kind:
        with opened_folder(worktree, (kind.folder,)) as directory:
            names = [] if directory is None else _names(directory, NAMES_MOST, kind.folder)
        twins = [name for name in names if name.casefold() == work_id]
        if len(twins) > 1:
            raise _twins(f"{kind.folder}/{work_id}")
        if twins == [work_id]:
            found.append(worktree / kind.folder / work_id)
    if not found:
        raise NotFound("work-missing", f"there is no work {work_id}", hint="dbops review list")
    if len(found) > 1:
        raise Refused(
            "work-ambiguous",
            f"{work_id} is the id of {len(found)} pieces of work",
            hint="rename all but one: an id names one piece of work for good",
        )
    return found[0]


def read_work(worktree: Path, folder: Path) -> Work:
    """Return the work in `folder` (`repairs/<id>`, absolute or from the work tree).

    Half of a statement, text or signature, is returned with `b""` for the other: no signature fits
    it. Whatever else is not a plain file of a plain name is `Refused`: work-link (symbolic links,
    and files with a second name elsewhere), work-special, work-name, work-twins, work-large,
    work-extra (in `approvals/`), work-folder. `NotFound` work-missing; `Failed` work-unreadable.
    """
    inner = folder.is_absolute() and folder.is_relative_to(worktree)
    relative = folder.relative_to(worktree) if inner else folder
    kind = next((kind for kind in Kind if kind.folder == str(relative.parent)), None)
    if kind is None or not is_work_id(relative.name):
        raise Refused(
            "work-folder",
            f"{_shown(str(relative))} is no folder of a piece of work",
            hint=f"a piece of work lies in KIND/ID; an id is {ID_RULE}",
        )
    with opened_folder(worktree, relative.parts) as directory:
        if directory is None:
            raise NotFound("work-missing", f"there is no {relative}", hint="dbops review list")
        found = dict(_read_folder(directory, relative.as_posix()))
    _refuse_twins(found, relative.as_posix())
    inside = f"{APPROVALS}/"
    files = {path: data for path, data in found.items() if not path.startswith(inside)}
    given = {path.removeprefix(inside): data for path, data in found.items() if path not in files}
    return Work(kind, relative.name, relative.as_posix(), files, _statements(given))


def refuse_uncommitted(worktree: Path, work: Work) -> str:
    """Return the commit that holds the work, statements included, byte for byte as it was read.

    `Refused` work-uncommitted where git's HEAD has nothing by the name of a file, work-dirty where
    it has other bytes, a link, or a file that the folder lacks. This makes what ran findable in
    the history; who may run it is decided by signatures alone.
    """
    commit = head_commit(worktree)
    committed = {} if commit is None else list_tree(worktree, commit, work.folder)
    read = {f"{work.folder}/{path}".encode(): data for path, data in _all_files(work).items()}
    new = sorted(read.keys() - committed.keys())
    if commit is None or new:
        raise _unlike(worktree, work, "uncommitted", new, "is not committed")
    changed = [
        path
        for path, data in sorted(read.items())
        if committed[path].mode not in _REGULAR_MODES
        or committed[path].id != blob_id(data, like=commit)
    ]
    if changed:
        raise _unlike(worktree, work, "dirty", changed, "differs from what is committed")
    gone = sorted(committed.keys() - read.keys())
    if gone:
        raise _unlike(worktree, work, "dirty", gone, "is committed and not in the folder")
    return commit


@contextmanager
def opened_folder(worktree: Path, parts: tuple[str, ...]) -> Iterator[int | None]:
    """Yield the directory of these names below the work tree, None where one is not there.

    Raises what was not expected of the file system as the user's error, here and in the block.
    """
    descriptors: list[int] = []
    shown = "/".join(parts)
    try:
        descriptors.append(os.open(worktree, _DIRECTORY & ~os.O_NOFOLLOW))
        yield _descend(descriptors, parts)
    except OSError as fault:
        if not descriptors and fault.errno == errno.ENOENT:
            raise NotFound(
                "work-missing",
                f"there is no work tree of the ops repository: {worktree} does not exist",
                hint=f"have it there: git clone URL {shlex.quote(str(worktree))}",
            ) from None
        name = errno.errorcode.get(fault.errno or 0, "unknown error")
        raise Failed(
            "work-unreadable",
            f"{shown} of the work tree {worktree} cannot be read ({name})",
            hint=f"look at it: ls -la {shlex.quote(str(worktree / shown))}",
        ) from None
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _descend(descriptors: list[int], parts: tuple[str, ...]) -> int | None:
    for number, part in enumerate(parts, 1):
        try:
            mode = os.stat(part, dir_fd=descriptors[-1], follow_symlinks=False).st_mode
        except FileNotFoundError:
            return None
        if not stat.S_ISDIR(mode):
            raise _not_plain("/".join(parts[:number]), is_link=stat.S_ISLNK(mode))
        descriptors.append(os.open(part, _DIRECTORY, dir_fd=descriptors[-1]))
    return descriptors[-1]


def _all_files(work: Work) -> dict[str, bytes]:
    found = dict(work.files)
    for name, signed in work.statements.items():
        found[f"{APPROVALS}/{name}{TEXT}"] = signed.text
        found[f"{APPROVALS}/{name}{SIGNATURE}"] = signed.signature
    return found


def _unlike(worktree: Path, work: Work, reason: str, paths: list[bytes], what: str) -> Refused:
    first = _shown(os.fsdecode(paths[0])) if paths else work.folder
    more = f" (and {len(paths) - 1} more)" if len(paths) > 1 else ""
    tree = shlex.quote(str(worktree))
    return Refused(
        f"work-{reason}",
        f"{first} {what}{more}",
        hint=f"see what differs: git -C {tree} status --ignored {work.folder}; then commit it",
    )


def _statements(found: Mapping[str, bytes]) -> dict[str, SignedText]:
    """Pair texts with signatures; every name here has been seen to be one or the other."""
    names = sorted({name.removesuffix(".sig").removesuffix(TEXT) for name in found})
    return {
        name: SignedText(found.get(name + TEXT, b""), found.get(name + SIGNATURE, b""))
        for name in names
    }


def _read_folder(directory: int, folder: str) -> Iterator[tuple[str, bytes]]:
    """Yield path and bytes of every file below the open directory, depth first."""
    total = 0
    for count, (path, descriptor) in enumerate(_walk(directory, "", folder), 1):
        if count > FILES_MOST:
            raise _large(folder, f"holds over {FILES_MOST} files and folders")
        if descriptor is None:
            continue
        data = _read_file(descriptor, _size_limit(path), f"{folder}/{path}")
        total += len(data)
        if total > WORK_MOST:
            raise _large(folder, f"holds over {WORK_MOST >> 20} MiB")
        yield path, data


def _walk(directory: int, inside: str, folder: str) -> Iterator[tuple[str, int | None]]:
    """Yield the path of everything below, and of files a descriptor, open until the next one."""
    for name in _names(directory, FILES_MOST, folder):
        path = inside + name
        _check_name(path, folder)
        mode = os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode
        if stat.S_ISDIR(mode):
            if inside == f"{APPROVALS}/":
                raise _extra(f"{folder}/{path}")
            yield path, None
            with _open_at(directory, name, _DIRECTORY) as below:
                yield from _walk(below, f"{path}/", folder)
        elif stat.S_ISREG(mode):
            with _open_at(directory, name, _FILE) as file:
                yield path, file
        else:
            raise _not_plain(f"{folder}/{path}", is_link=stat.S_ISLNK(mode))


@contextmanager
def _open_at(directory: int, name: str, flags: int) -> Iterator[int]:
    descriptor = os.open(name, flags, dir_fd=directory)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _read_file(descriptor: int, most: int, shown: str) -> bytes:
    """Return the bytes of the open file; it was a plain one when it was looked at by name."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise _not_plain(shown, is_link=False)
    if status.st_nlink > 1:  # a second name for what only root may read, perhaps
        raise _not_plain(shown, is_link=True)
    if status.st_size > most:
        raise _large(shown, f"is over {most} bytes")
    with os.fdopen(descriptor, "rb", closefd=False) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise _large(shown, f"is over {most} bytes")
    return data


def _size_limit(path: str) -> int:
    if not path.startswith(f"{APPROVALS}/"):
        return FILE_MOST
    return ARMOR_MOST if path.endswith(SIGNATURE) else STATEMENT_MOST


def _check_name(path: str, folder: str) -> None:
    if path.startswith(f"{APPROVALS}/"):
        name = path.removeprefix(f"{APPROVALS}/").removesuffix(".sig")
        if not name.endswith(TEXT) or not is_principal(name.removesuffix(TEXT)):
            raise _extra(f"{folder}/{path}")
    elif not is_plain_path(path):
        raise Refused(
            "work-name",
            f"{_shown(f'{folder}/{path}')} is a name that no file of a work may have",
            hint=f"rename it: {PATH_RULE}, eight levels at most",
        )


def _refuse_twins(paths: Mapping[str, bytes], folder: str) -> None:
    seen: set[str] = set()
    for path in paths:
        if path.casefold() in seen:
            raise _twins(f"{folder}/{path}")
        seen.add(path.casefold())


def _names(directory: int, most: int, shown: str) -> list[str]:
    names = []
    with os.scandir(directory) as entries:
        for entry in entries:
            names.append(entry.name)
            if len(names) > most:
                raise _large(shown, f"holds over {most} names")
    return sorted(names)


def _is_folder(name: str, directory: int | None) -> bool:
    return not stat.S_ISREG(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode)


def _shown(path: str) -> str:
    """The path on one line and without what a terminal would obey."""
    return path if path.isascii() and path.isprintable() else ascii(path[:200])


def _not_plain(shown: str, *, is_link: bool) -> DbopsError:
    what = "a link, or has a second name elsewhere" if is_link else "no plain file or folder"
    return Refused(
        "work-link" if is_link else "work-special",
        f"{_shown(shown)} is {what}",
        hint=f"put the file itself there: ls -ld {shlex.quote(shown)}",
    )


def _large(shown: str, what: str) -> DbopsError:
    return Refused(
        "work-large",
        f"{_shown(shown)} {what}",
        hint="keep data out of the folder: it holds what people read before they sign",
    )


def _twins(shown: str) -> DbopsError:
    return Refused(
        "work-twins",
        f"another name differs from {_shown(shown)} only in case",
        hint="rename one of them: some file systems hold both to be the same",
    )


def _extra(shown: str) -> DbopsError:
    return Refused(
        "work-extra",
        f"{_shown(shown)} is no statement: approvals/ holds PRINCIPAL.txt and PRINCIPAL.txt.sig",
        hint=f"remove it: git rm -f {shlex.quote(shown)}",
    )
