"""Git, run so that a repository which somebody else can write runs nothing of theirs.

Whoever writes a work tree also writes its `.git/config`, and git takes orders from there: hooks,
fsmonitor, filters, pagers, and remote helpers where a partial clone lacks an object. So `READ`
knows two verbs that need none of these, takes no configuration but the repository's own, forbids
every transport by a variable that no configuration overrides, and runs as the owner of the work
tree where dbops is root: what could still be run could be run by that owner anyway. `WRITE` is for
a clone that dbops itself keeps; git refuses one that belongs to somebody else.

What git says on stderr is never shown: a repository chooses much of it.
"""

from __future__ import annotations

import errno
import hashlib
import os
import pwd
import re
import resource
import shlex
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import IO, Final

from dbops.errors import DbopsError, Failed, NotFound, Refused, Unreachable

OUTPUT_MOST: Final = 32 << 20  # bytes
MEMORY_MOST: Final = 1 << 30  # bytes that a reading git may allocate; mapped packs do not count

_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_STDERR_MOST: Final = 1 << 16  # bytes, looked through for known words
_REMOTE: Final = frozenset({"push", "fetch", "ls-remote"})
_READING: Final = frozenset({"rev-parse", "ls-tree"})
_KEPT: Final = ("HOME", "PATH", "SSH_AUTH_SOCK", "http_proxy", "https_proxy", "no_proxy")
_OBJECT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_TREE_LINE: Final = re.compile(rb"([0-7]{6}) ([a-z]+) ([0-9a-f]{40}|[0-9a-f]{64})\t(.+)", re.DOTALL)

_SETTINGS: Final = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.pager=cat",
    "gc.auto=0",
    "maintenance.auto=false",
    "protocol.ext.allow=never",
)
_READING_SETTINGS: Final = ("safe.directory=*",)
_WRITING_SETTINGS: Final = (
    "core.autocrlf=false",
    "commit.gpgSign=false",
    "tag.gpgSign=false",
    "push.gpgSign=false",
    "push.recurseSubmodules=no",
)
_READING_ENVIRON: Final[Mapping[str, str]] = MappingProxyType(
    {
        "PATH": _PATH,
        "HOME": "/nonexistent",
        "LC_ALL": "C",
        # Said outright, git asks nobody whose the repository is and climbs to no other one.
        "GIT_DIR": ".git",
        "GIT_WORK_TREE": ".",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_NO_LAZY_FETCH": "1",
        # Overrides protocol.*.allow of the repository; no scheme has such a name.
        "GIT_ALLOW_PROTOCOL": "!",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_GRAFT_FILE": "/dev/null",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
    }
)
_NO_ENVIRON: Final[Mapping[str, str]] = MappingProxyType({})


class Access(Enum):
    """What git may do: look at what is committed, or change a clone and speak with its remote."""

    READ = "read"
    WRITE = "write"


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """One file of a commit: its mode (`100644`, `120000` a link, …), kind and object id."""

    mode: str
    kind: str
    id: str


def run_git(
    directory: Path,
    *arguments: str,
    access: Access = Access.READ,
    stdin: bytes = b"",
    timeout: float = 60,
    environ: Mapping[str, str] = _NO_ENVIRON,
) -> bytes:
    """Return what git prints, run at the top of the work tree `directory`.

    `arguments` begin with the verb; for `READ` it is rev-parse or ls-tree, else ValueError.
    `timeout` is in seconds. Of `environ` only HOME, PATH, proxies and the ssh agent's socket reach
    git, and only for `WRITE`; nothing is inherited, and nothing can ask a person anything.

    Raises `NotFound` git-missing, `Refused` git-repository (no work tree's top) or git-rejected (a
    push that the remote does not take), `Unreachable` git-remote, and `Failed` git-timeout,
    git-output or git-failed; a git that takes too long is killed with its children.
    """
    ran = _run(directory, arguments, access, stdin, timeout, environ)
    if ran.status != 0:
        raise _fault(directory, arguments, ran)
    return ran.output


def head_commit(directory: Path) -> str | None:
    """Return the id of the commit that HEAD is; None where nothing is committed yet.

    Objects that replace others (`refs/replace`) and grafts are not followed.
    """
    arguments = ("rev-parse", "--verify", "--quiet", "--end-of-options", "HEAD^{commit}")
    ran = _run(directory, arguments, Access.READ, b"", 60, _NO_ENVIRON)
    if ran.status == 1 and not ran.output:
        return None
    found = ran.output.decode("ascii", "replace").removesuffix("\n")
    if ran.status != 0 or not _OBJECT.fullmatch(found):
        raise _fault(directory, arguments, ran)
    return found


def list_tree(directory: Path, commit: str, folder: str) -> dict[bytes, TreeEntry]:
    """Return every file below `folder` in the commit, by its path from the top of the work tree.

    Paths are bytes, as git allows any. Links and submodules are listed as what they are.
    """
    if not _OBJECT.fullmatch(commit):
        raise ValueError("a commit is named by its id, never by a branch")
    arguments = ("ls-tree", "-r", "-z", "--full-tree", commit, "--", folder + "/")
    entries = {}
    for line in run_git(directory, *arguments).split(b"\0")[:-1]:
        match = _TREE_LINE.fullmatch(line)
        if match is None:
            raise _failed(directory, arguments, "printed what is no list of files")
        mode, kind, found = (match[group].decode("ascii") for group in (1, 2, 3))
        entries[match[4]] = TreeEntry(mode, kind, found)
    return entries


def blob_id(data: bytes, like: str) -> str:
    """Return the id of a file with these bytes, in the object format (sha1, sha256) of `like`.

    Computed here, as `git hash-object` would run the filters that `.gitattributes` names.
    """
    body = b"blob %d\0" % len(data) + data
    if len(like) == 64:
        return hashlib.sha256(body).hexdigest()
    return hashlib.sha1(body, usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class _Ran:
    status: int
    output: bytes
    said: bytes  # stderr


def _run(
    directory: Path,
    arguments: tuple[str, ...],
    access: Access,
    stdin: bytes,
    timeout: float,
    environ: Mapping[str, str],
) -> _Ran:
    if access is Access.READ and arguments[0] not in _READING:
        raise ValueError(f"git {arguments[0]} may run what the repository says")
    if not os.path.lexists(directory / ".git"):
        raise Refused(
            "git-repository",
            f"{directory} is not the top of a git work tree",
            hint=f"look at it: git -C {shlex.quote(str(directory))} rev-parse --show-toplevel",
        )
    reading = access is Access.READ
    more = _READING_SETTINGS if reading else _WRITING_SETTINGS
    options = [part for setting in (*_SETTINGS, *more) for part in ("-c", setting)]
    command = ["git", "--no-pager", "--no-replace-objects", *options, *arguments]
    variables = _READING_ENVIRON if reading else _writing_environ(directory, environ)
    try:
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
            given.write(stdin)
            given.seek(0)
            with _started(command, directory, variables, access, given, said) as process:
                output, late = _drain(process, timeout, directory, arguments)
            said.seek(0)
            ran = _Ran(process.returncode, output, said.read(_STDERR_MOST))
    except OSError as fault:
        raise _not_run(directory, arguments, fault) from None
    if late:
        raise _failed(directory, arguments, f"took over {timeout:g} s", "timeout")
    return ran


@contextmanager
def _started(
    command: list[str],
    directory: Path,
    variables: Mapping[str, str],
    access: Access,
    given: IO[bytes],
    said: IO[bytes],
) -> Iterator[subprocess.Popen[bytes]]:
    """Git is ended with its children where the block is left before it ended itself."""
    user, group = _account(directory) if access is Access.READ else (None, None)
    process = subprocess.Popen(
        command,
        cwd=directory,
        env=variables,
        stdin=given,
        stdout=subprocess.PIPE,
        stderr=said,
        start_new_session=True,  # no terminal to ask on, and one group to end
        user=user,
        group=group,
        extra_groups=None if user is None else (),
    )
    with process:
        try:
            if access is Access.READ:
                with suppress(ProcessLookupError, PermissionError):  # best effort
                    limit = (MEMORY_MOST, MEMORY_MOST)
                    resource.prlimit(process.pid, resource.RLIMIT_DATA, limit)
            yield process
        finally:
            _end(process)


def _drain(
    process: subprocess.Popen[bytes], timeout: float, directory: Path, arguments: tuple[str, ...]
) -> tuple[bytes, bool]:
    """Return what the process prints until it ends, and whether it had to be ended."""
    late = threading.Event()

    def stop() -> None:
        late.set()
        _end(process)

    timer = threading.Timer(timeout, stop)
    timer.start()
    try:
        assert process.stdout is not None  # noqa: S101 - it was asked for
        output = process.stdout.read(OUTPUT_MOST + 1)
        if len(output) > OUTPUT_MOST:
            raise _failed(directory, arguments, f"printed over {OUTPUT_MOST} bytes", "output")
        process.wait()
    finally:
        timer.cancel()
    return output, late.is_set()


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the group; the leader is not reaped before, so its number is nobody else's."""
    if process.returncode is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


def _account(directory: Path) -> tuple[int | None, int | None]:
    """Return whom to read as: root reads a stranger's work tree as that stranger."""
    owner = directory.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        return None, None
    return owner.st_uid, owner.st_gid


def _writing_environ(directory: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """HOME is where ssh finds the host's keys; commits are dbops' own."""
    home = pwd.getpwuid(os.geteuid()).pw_dir
    who = {"NAME": "dbops", "EMAIL": "dbops@localhost"}
    return {
        "PATH": _PATH,
        "HOME": home,
        **{name: environ[name] for name in _KEPT if name in environ},
        **{f"GIT_{role}_{key}": who[key] for role in ("AUTHOR", "COMMITTER") for key in who},
        "LC_ALL": "C",
        "GIT_CEILING_DIRECTORIES": str(directory.absolute().parent),
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_EDITOR": "false",
    }


def _fault(directory: Path, arguments: tuple[str, ...], ran: _Ran) -> DbopsError:
    by_hand = _by_hand(directory, arguments)
    if b"dubious ownership" in ran.said:
        return Refused(
            "git-owner",
            f"the git repository {directory} belongs to another account",
            hint=f"give it to this one: chown -R {os.geteuid()} {shlex.quote(str(directory))}",
        )
    if arguments[0] == "push" and b"rejected]" in ran.said + ran.output:
        return Refused("git-rejected", "the remote did not take the push", hint=by_hand)
    remote = (b"Could not read from remote", b"unable to access", b"does not appear to be a git")
    if arguments[0] in _REMOTE and any(words in ran.said for words in remote):
        return Unreachable(
            "git-remote", f"the remote of {directory} cannot be reached", hint=by_hand
        )
    return _failed(directory, arguments, f"failed (status {ran.status})")


def _not_run(directory: Path, arguments: tuple[str, ...], fault: OSError) -> DbopsError:
    if isinstance(fault, FileNotFoundError) and fault.filename == "git":
        return NotFound(
            "git-missing", "there is no git on this host", hint="install it: apt-get install git"
        )
    code = errno.errorcode.get(fault.errno or 0, "unknown error")
    return _failed(directory, arguments, f"could not be run ({code})")


def _failed(
    directory: Path, arguments: tuple[str, ...], what: str, reason: str = "failed"
) -> Failed:
    return Failed(
        f"git-{reason}",
        f"git {arguments[0]} in {directory} {what}",
        hint=_by_hand(directory, arguments),
    )


def _by_hand(directory: Path, arguments: tuple[str, ...]) -> str:
    return "try it by hand: " + shlex.join(["git", "-C", str(directory), *arguments])
