"""What a host remembers between commands: one lock a database, and the newest backup it has seen.

The remembered head is what makes a cut-off end of the chain visible: the repository alone cannot
show that its newest backup was taken away.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from dbops.errors import Failed, Unreachable
from dbops.locks import try_lock
from dbops.publish import sync_directory
from dbops.repository.chain import Damage, Head


class HostState:
    """Files below one directory, mode 0700."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @contextmanager
    def lock(self, database: str) -> Iterator[None]:
        """Held while one run works on the database; raises Unreachable where another holds it.

        The kernel releases it when the process ends, however it ends.
        """
        with ExitStack() as stack:
            with self._writing():
                mine = stack.enter_context(try_lock(self._make("lock") / database))
            if not mine:
                raise Unreachable(
                    "database-busy",
                    f"another run is working on {database}",
                    hint="wait until it has ended; see who it is: ps -ef | grep dbops",
                )
            yield

    @property
    def locks(self) -> Path:
        """Where locks of other sorts may lie beside those of databases."""
        return self._make("lock")

    def head(self, repository: str, database: str) -> Head | None:
        """The newest backup this host has seen there, or None."""
        path = self._make("heads") / repository / database
        try:
            found = json.loads(path.read_bytes())
            return Head(int(found["sequence"]), str(found["sha256"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError):
            raise Failed(
                "state-damaged",
                f"what this host remembers of {database} cannot be read",
                hint=f"check the repository with another host, then remove {path}",
            ) from None

    def remember(self, repository: str, database: str, head: Head) -> None:
        """Afterwards the head is durable; it never goes back to an older number."""
        known = self.head(repository, database)
        if known is not None and known.sequence >= head.sequence:
            return
        folder = self._make("heads") / repository
        with self._writing():
            folder.mkdir(mode=0o700, exist_ok=True)
        self._write(folder / database, {"sequence": head.sequence, "sha256": head.sha256})

    def check_repository(self, title: str, identifier: str) -> tuple[Damage, ...]:
        """Whether this host has seen another repository under the title.

        Remembered heads belong to a repository: an emptied one with another mark would have none.
        """
        path = self._repository(title)
        try:
            known = str(json.loads(path.read_bytes())["id"])
        except FileNotFoundError:
            return ()
        except (OSError, ValueError, KeyError, TypeError):
            known = "something unreadable"
        if known == identifier:
            return ()
        return (
            Damage(title, f"it was replaced: this host knew {known}; if you did it, remove {path}"),
        )

    def remember_repository(self, title: str, identifier: str) -> None:
        """Afterwards the repository is known; one that was known before stays."""
        path = self._repository(title)
        if not path.exists():
            self._write(path, {"id": identifier})

    def forget_repository(self, title: str) -> None:
        """Afterwards the next repository under the title is taken as it comes."""
        with self._writing():
            self._repository(title).unlink(missing_ok=True)

    def keep_schema(self, database: str, sha256: str, text: bytes) -> None:
        """Afterwards the text of a schema is durable under its digest; older ones stay.

        What lies there and is another text, which something has damaged, is replaced.
        """
        path = self._schema(database, sha256)
        if path.exists() and path.read_bytes() == text:
            return
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        with self._writing():
            with fresh.open("wb") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(path)
            sync_directory(path.parent)

    def schema(self, database: str, sha256: str) -> bytes | None:
        """The text that was kept under the digest; None where this host has none."""
        try:
            return self._schema(database, sha256).read_bytes()
        except FileNotFoundError:
            return None
        except OSError:
            raise Failed(
                "state-damaged",
                f"the recorded schema of {database} cannot be read",
                hint=f"ls -l {self._schema(database, sha256)}",
            ) from None

    def _schema(self, database: str, sha256: str) -> Path:
        folder = self._make("schemas") / database
        with self._writing():
            folder.mkdir(mode=0o700, exist_ok=True)
        return folder / f"{sha256}.schema"

    def _repository(self, title: str) -> Path:
        return self._make("repositories") / title.replace(" ", "-")

    def _write(self, path: Path, value: dict[str, int | str]) -> None:
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        with self._writing():
            with fresh.open("w") as file:
                json.dump(value, file)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(path)
            sync_directory(path.parent)

    def scratch(self) -> Path:
        """Where scratch databases live; only this account can look inside."""
        return self._make("scratch")

    def _make(self, folder: str) -> Path:
        path = self._directory / folder
        with self._writing():
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.mkdir(mode=0o700, exist_ok=True)
        return path

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError:
            raise Unreachable(
                "state-unusable",
                f"the state directory {self._directory} cannot be written",
                hint="set estate.state in dbops.toml to a directory of this account",
            ) from None
