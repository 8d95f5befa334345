"""The schema of a backup as a pg_dump archive, and pg_restore over parts of it.

The archive lies in memory or in a file without a name, so nothing of it is left whatever happens.
pg_restore gets it, and the list of entries to restore, as open files. What pg_restore prints holds
SQL with names, and sometimes values: of it only the number of the entry that failed is used.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from dbops.engines.postgresql.client import password_file
from dbops.engines.postgresql.connect import Parameters, client_env, conninfo_keepalive
from dbops.engines.postgresql.encoding import Encoding
from dbops.engines.postgresql.toc import Contents, Entry, read_contents
from dbops.errors import DbopsError, Failed

_FAILED_ENTRY = re.compile(rb"from TOC entry (\d+);")
_LAST_STDERR = 1 << 16
_UNKNOWN_SETTING = re.compile(
    rb'ERROR:  unrecognized configuration parameter "transaction_timeout"\n'
    rb"Command was: SET transaction_timeout = 0;\n"
)
_COMPLAINT = re.compile(rb"\b(?:ERROR|FATAL): +(.*)")
_REASONS: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (re.compile(rb"violates|could not create unique index"), "its rows do not allow it"),
    (re.compile(rb"^role "), "a role is missing"),
    (re.compile(rb"^permission denied|^must be "), "the role lacks a privilege"),
    (re.compile(rb"^extension .* is not available|control file"), "an extension is not installed"),
    (re.compile(rb"^could not access file"), "a library is not installed"),
    (re.compile(rb"already exists$"), "it already exists"),
    (re.compile(rb"does not exist$"), "something that it needs is missing"),
    (re.compile(rb"No space left|out of memory|disk full"), "the server has no space left"),
    (re.compile(rb"not supported in this build|invalid locale"), "a locale is not installed"),
)


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive that pg_restore can read, and what it holds."""

    file: BinaryIO
    contents: Contents


@dataclass(frozen=True, slots=True)
class RestoreClient:
    """Which pg_restore to run, where it connects, and with how many connections at once.

    `newer` says that it is newer than the server and begins with a setting that the server does
    not know; then it has to go on after errors, and all but that one count at its end.
    """

    program: Path
    parameters: Parameters
    encoding: Encoding
    jobs: int
    tablespaces: bool
    newer: bool


@contextmanager
def spooled(blocks: Iterable[bytes], encoding: Encoding) -> Iterator[Archive]:
    """The archive whose bytes these are, for the length of the `with`.

    Raises Failed where they are not a whole archive.
    """
    with _nameless("schema") as file:
        for block in blocks:
            file.write(block)
        file.flush()
        file.seek(0)
        yield Archive(file, read_contents(file.read(), encoding))


def run_pg_restore(
    client: RestoreClient, archive: Archive, entries: Iterable[Entry], doing: str
) -> None:
    """Afterwards these entries of the archive exist in the database.

    Raises Failed, naming the entry that failed; those before it exist then.
    """
    chosen = {entry.id: entry for entry in entries}
    if not chosen:
        return
    with _nameless("entries") as listed:
        listed.write(b"".join(b"%d;\n" % number for number in chosen))
        listed.flush()
        status, said = _run(client, archive.file.fileno(), listed.fileno())
    if status != 0 and not (client.newer and _only_unknown_settings(said)):
        raise _fault(status, said, archive.contents, client.encoding, doing)


def _run(client: RestoreClient, archive: int, listed: int) -> tuple[int, bytes]:
    command = [
        str(client.program),
        "--no-password",
        f"--jobs={client.jobs}",
        f"--use-list={_path(listed)}",
        f"--dbname={conninfo_keepalive()}",
    ]
    if not client.newer:
        command.append("--exit-on-error")
    if not client.tablespaces:
        command.append("--no-tablespaces")
    for descriptor in (archive, listed):
        os.lseek(descriptor, 0, os.SEEK_SET)
    with password_file(client.parameters) as (passfile, descriptors):
        try:
            process = subprocess.Popen(
                [*command, _path(archive)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=client_env(client.parameters, passfile, client.encoding),
                pass_fds=(archive, listed, *descriptors),
            )
        except OSError as error:
            raise Failed(
                "client-not-started",
                f"{client.program} cannot be started (errno {error.errno})",
                hint="dbops doctor",
            ) from None
        return _end_of(process)


def _end_of(process: subprocess.Popen[bytes]) -> tuple[int, bytes]:
    """Exit status and the end of what it said; the process never outlives this function."""
    said = b""
    assert process.stderr is not None  # noqa: S101 - asked for as a pipe
    try:
        while block := os.read(process.stderr.fileno(), _LAST_STDERR):
            said = (said + block)[-_LAST_STDERR:]
        return process.wait(), said
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()
        process.stderr.close()


def _only_unknown_settings(said: bytes) -> bool:
    """Whether everything that went wrong is a setting that an older server does not have."""
    unknown = len(_UNKNOWN_SETTING.findall(said))
    return len(said) < _LAST_STDERR and 0 < unknown == said.count(b"pg_restore: error: ")


def _fault(
    status: int, said: bytes, contents: Contents, encoding: Encoding, doing: str
) -> DbopsError:
    entry = _failed_entry(said, contents, encoding)
    if entry is None:
        return Failed(
            "restore-failed",
            f"{doing}: pg_restore ended with status {status}",
            hint="check the connection to the server: dbops doctor",
        )
    return Failed(
        "restore-failed",
        f"{doing}: {entry.title} was refused by the server{_reason(said)}",
        hint="the target server's log tells why; docs/how-to/restore-a-database.md lists the"
        " usual reasons",
    )


def _failed_entry(said: bytes, contents: Contents, encoding: Encoding) -> Entry | None:
    """The entry that it speaks of; with several jobs it tells only the statement."""
    numbers = _FAILED_ENTRY.findall(said)
    if numbers:
        return contents.by_id().get(int(numbers[-1]))
    _, found, command = said.rpartition(b"Command was: ")
    statement = encoding.decode(command).strip() if found else ""
    for entry in contents.entries:
        definition = entry.definition.strip()
        if definition and (statement.startswith(definition) or definition.startswith(statement)):
            return entry if found else None
    return None


def _reason(said: bytes) -> str:
    """A reason of our own words, chosen by the server's; its words go nowhere."""
    complaints = _COMPLAINT.findall(said)
    if not complaints:
        return ""
    words = (words for pattern, words in _REASONS if pattern.search(complaints[-1]))
    return "".join(f": {found}" for found in list(words)[:1])


@contextmanager
def _nameless(name: str) -> Iterator[BinaryIO]:
    """A file that no directory lists: in memory on Linux, else unlinked and for its owner only."""
    if sys.platform == "linux":
        with os.fdopen(os.memfd_create(name), "w+b") as file:
            yield file
    else:
        with tempfile.TemporaryFile() as file:
            yield file


def _path(descriptor: int) -> str:
    return f"/dev/fd/{descriptor}"
