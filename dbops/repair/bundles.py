"""Where sealed bundles lie: one directory, write-once names, whole and durable or not there.

A bundle is written under a hidden name, fsynced, and then given its own name. A crash leaves at
most a hidden file, which `sweep` removes once its writer is gone.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from dbops.audit.durable import make_directory
from dbops.crypto.age import Identity
from dbops.errors import Failed, NotFound, Unreachable
from dbops.locks import claim_if_dead, create_locked
from dbops.publish import give_name, sync_directory
from dbops.repair.bundle import Bundle
from dbops.repair.ports import MarkerKind

_NAME: Final = re.compile(
    rf"([a-z0-9][a-z0-9._-]*)\.({'|'.join(MarkerKind)})\.(0|[1-9][0-9]*)\.([0-9a-z-]+)\.age"
)
_HIDDEN: Final = ".new-"


@dataclass(frozen=True, slots=True)
class StoredBundle:
    """A bundle that is whole: its file, and what the name says of it."""

    path: Path
    work: str
    kind: MarkerKind
    batch: int
    run: str

    @classmethod
    def of(cls, path: Path) -> StoredBundle | None:
        """Return what the file's name says; None where it is no bundle's name."""
        found = _NAME.fullmatch(path.name)
        if found is None:
            return None
        return cls(path, found[1], MarkerKind(found[2]), int(found[3]), found[4])


class BundlePlace:
    """The directory of bundles on this host. What fails is Failed or Unreachable, with its code."""

    def __init__(self, directory: Path) -> None:
        """Use this directory; it is made, for this account only, when the first bundle comes."""
        self._directory = directory
        self._digests: dict[Path, str] = {}

    def create(self, work: str, kind: MarkerKind, batch: int, run: str) -> BundleFile:
        """Return a new file to write a bundle into; use it as a context."""
        name = f"{work}.{kind}.{batch}.{run}.age"
        if _NAME.fullmatch(name) is None:
            raise ValueError("this is no name of a bundle")
        with _translated(self._directory):
            make_directory(self._directory)
        return BundleFile(self._directory / name)

    def all(self, work: str | None = None) -> tuple[StoredBundle, ...]:
        """Return the bundles that are there, of one work or of every, by work, kind and batch."""
        with _translated(self._directory):
            paths = list(self._directory.iterdir()) if self._directory.is_dir() else []
        found = [each for each in map(StoredBundle.of, paths) if each is not None]
        wanted = [each for each in found if work in {None, each.work}]
        return tuple(sorted(wanted, key=lambda each: (each.work, each.kind, each.batch, each.run)))

    def of_run(self, run: str) -> tuple[StoredBundle, ...]:
        """Return the bundles of a run, in the order of its batches."""
        return tuple(each for each in self.all() if each.run == run)

    def find(self, sha256: str, work: str | None = None) -> StoredBundle:
        """Return the bundle whose sealed file has this sha256; NotFound `no-bundle` else.

        Each file of the work is read once for as long as this place is in use.
        """
        for each in self.all(work):
            if self._digest(each.path) == sha256:
                return each
        raise NotFound(
            "no-bundle",
            f"no bundle {sha256[:12]} in {self._directory}",
            hint="bring it back from where the host's files are kept; the ledger names its run",
        )

    def open(self, stored: StoredBundle, identities: Sequence[Identity], sha256: str) -> Bundle:
        """Return the bundle, to be read; each reading checks the sealed file's sha256."""
        title = f"bundle {stored.path.name}"
        return Bundle(lambda: self._open(stored.path), identities, title, sha256)

    def remove(self, path: Path) -> None:
        """Afterwards the bundle is not there, durably."""
        with _translated(self._directory):
            path.unlink(missing_ok=True)
            sync_directory(path.parent)

    def sweep(self) -> int:
        """Remove what writers left that died; returns how many files that were."""
        with _translated(self._directory):
            if not self._directory.is_dir():
                return 0
            return sum(map(_remove_if_dead, list(self._directory.glob(f"{_HIDDEN}*"))))

    def _open(self, path: Path) -> BufferedReader:
        with _translated(self._directory):
            try:
                descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            except FileNotFoundError:
                raise NotFound(
                    "no-bundle", f"no bundle {path.name}", hint=f"look into {self._directory}"
                ) from None
        return os.fdopen(descriptor, "rb")

    def _digest(self, path: Path) -> str:
        known = self._digests.get(path)
        if known is None:
            with self._open(path) as file, _translated(self._directory):
                known = self._digests[path] = hashlib.file_digest(file, "sha256").hexdigest()
        return known


class BundleFile:
    """A bundle on its way: takes bytes, and gets its name by `finish`.

    Where the context ends without `finish`, nothing is left. Only this account can read it.
    """

    def __init__(self, path: Path) -> None:
        """Make the hidden file beside `path`, the name that it will have."""
        self._path = path
        self._hidden = path.with_name(f"{_HIDDEN}{secrets.token_hex(16)}")
        self._named = False
        self._finished = False
        with _translated(path.parent):
            self._file = os.fdopen(create_locked(self._hidden, 0o600), "wb", buffering=0)

    def write(self, block: bytes, /) -> int:
        """Take the whole block."""
        with _translated(self._path.parent):
            view = memoryview(block)
            while view:
                view = view[self._file.write(view) or 0 :]
        return len(block)

    def finish(self) -> Path:
        """Afterwards the bundle has its name, and file and name are durable; returns its path.

        Raises Failed `bundle-exists` where the name is taken, which it never overwrites.
        """
        with _translated(self._path.parent):
            os.fsync(self._file.fileno())
            try:
                give_name(self._hidden, self._path)
            except FileExistsError:
                raise Failed(
                    "bundle-exists",
                    f"there is a bundle {self._path.name} already",
                    hint="dbops repair resume says what happened to that run",
                ) from None
            self._named = True
            self._hidden.unlink(missing_ok=True)
            sync_directory(self._path.parent)
        self._finished = True
        return self._path

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with _translated(self._path.parent):
            try:
                if not self._finished:
                    self._hidden.unlink(missing_ok=True)
                    if self._named:
                        self._path.unlink(missing_ok=True)
            finally:
                self._file.close()


def _remove_if_dead(path: Path) -> int:
    with claim_if_dead(path) as dead:
        if dead:
            path.unlink(missing_ok=True)
        return int(dead)


@contextmanager
def _translated(directory: Path) -> Iterator[None]:
    """Turn what the operating system says into what the user can act upon."""
    try:
        yield
    except OSError as failure:
        if failure.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise Failed(
                "no-space",
                f"{directory} has no space left for a bundle",
                hint="free some space and run the same command again",
            ) from None
        reason = errno.errorcode.get(failure.errno or 0, "unknown")
        raise Unreachable(
            "bundle-unreachable",
            f"{directory} cannot be used for bundles ({reason})",
            hint="check that this account may write there: dbops doctor",
        ) from None
