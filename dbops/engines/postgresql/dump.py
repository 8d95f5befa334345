"""What `pg_dump` and `pg_dumpall` write: everything but rows.

`pg_dump` locks tables by itself, and one waiting ACCESS EXCLUSIVE request of somebody else would
make it wait for the end of the very snapshot that waits for it. So it runs while an instant is
still being looked for, and its output waits in memory (a file without a name that other processes
of this account can open) until a worker seals it. It is small beside the rows: definitions only.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dbops.engines.postgresql.client import PIPE_BYTES, start_child
from dbops.engines.postgresql.connect import Parameters, conninfo_keepalive
from dbops.engines.postgresql.encoding import Encoding
from dbops.errors import DbopsError, Failed

MAINTENANCE_DATABASE = "postgres"

Write = Callable[[bytes], object]


@dataclass(frozen=True, slots=True)
class Programs:
    """The client programs and how they log in. It travels to workers."""

    parameters: Parameters
    directory: Path
    encoding: Encoding


@dataclass(frozen=True, slots=True)
class Spooled:
    """Output that waits for its reader: where, and how many bytes."""

    path: str
    size: int


@contextmanager
def schema_dump(programs: Programs, snapshot: str, lock_seconds: float) -> Iterator[Spooled]:
    """The archive of all definitions that the snapshot sees, for the length of the `with`.

    Raises Failed where `pg_dump` fails, or waits longer than `lock_seconds` for locks.
    """
    arguments = (
        "--format=custom",
        "--compress=0",  # the pack compresses
        "--section=pre-data",
        "--section=post-data",
        "--no-blobs",
        f"--snapshot={snapshot}",
        f"--lock-wait-timeout={round(lock_seconds * 1000)}",
        f"--encoding={programs.encoding.name}",
    )
    with _nameless() as (descriptor, path):
        size = _run(programs, "pg_dump", arguments, lambda block: _write_all(descriptor, block))
        yield Spooled(path, size)


def dump_globals(programs: Programs, *, passwords: bool) -> bytes:
    """Roles and tablespaces as SQL; they are few.

    They belong to the server, and a name may be in an encoding that one of its databases takes
    and another one does not: so there are two attempts.
    """
    try:
        return _globals_through(programs, MAINTENANCE_DATABASE, passwords=passwords)
    except DbopsError:
        return _globals_through(programs, programs.parameters.dbname, passwords=passwords)


def read_spooled(spooled: Spooled, write: Write) -> None:
    """All bytes were written; raises Failed where they are not as many as they were."""
    size = 0
    with open(spooled.path, "rb", buffering=0) as file:  # noqa: PTH123 - /proc names no real path
        while block := os.pread(file.fileno(), PIPE_BYTES, size):
            write(block)
            size += len(block)
    if size != spooled.size:
        raise Failed(
            "dump-short",
            f"the schema has {size} bytes instead of {spooled.size}",
            hint="run the command again; no backup was made",
        )


def _globals_through(programs: Programs, database: str, *, passwords: bool) -> bytes:
    # SQL_ASCII: as the server keeps them, without a conversion that could fail.
    arguments = ["--globals-only", "--encoding=SQL_ASCII", f"--database={database}"]
    if not passwords:
        arguments.append("--no-role-passwords")
    blocks: list[bytes] = []
    _run(programs, "pg_dumpall", arguments, blocks.append)
    return b"".join(blocks)


def _run(programs: Programs, tool: str, arguments: Sequence[str], write: Write) -> int:
    """The program has ended well, and its output, so many bytes and at least one, is written."""
    child = start_child(
        programs.directory / tool,
        (*arguments, "--no-password", f"--dbname={conninfo_keepalive()}"),
        programs.parameters,
        programs.encoding,
        doing=f"running {tool}",
    )
    size = 0
    try:
        while block := child.read():
            write(block)
            size += len(block)
        child.finish()
    finally:
        child.kill()
    if size == 0:
        raise Failed(
            "dump-empty",
            f"{tool} ended well and wrote nothing",
            hint="run the command again; if it happens twice, check the client tools: dbops doctor",
        )
    return size


def _write_all(descriptor: int, block: bytes) -> None:
    view = memoryview(block)
    while view:
        view = view[os.write(descriptor, view) :]


@contextmanager
def _nameless() -> Iterator[tuple[int, str]]:
    """A descriptor, and a path under which this account's processes can open the same file."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("dbops-schema")
        try:
            yield descriptor, f"/proc/{os.getpid()}/fd/{descriptor}"
        finally:
            os.close(descriptor)
        return
    with tempfile.NamedTemporaryFile(prefix="dbops-") as file:  # of mode 0600
        yield file.fileno(), file.name
