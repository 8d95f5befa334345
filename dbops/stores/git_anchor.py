"""Checkpoints as files in a git repository that the hospital keeps.

The clone on this host belongs to dbops. Its remote is asked first and pushed to last: what the
remote has counts, and a branch there that takes no forced push keeps it. A clone without a remote
is an anchor only as far as somebody else reads it.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Final

from dbops.audit.anchor import anchor_folder, anchor_name, is_anchor_name
from dbops.audit.checkpoint import Checkpoint, claimed_checkpoint
from dbops.errors import DbopsError, Failed, Refused
from dbops.git import Access, TreeEntry, head_commit, list_tree, run_git

NOTE_MOST: Final = 64 << 10  # bytes
TRIES: Final = 3  # pushes, where other hosts push to the same branch

_FILE: Final = "100644"


class GitAnchor:
    """Notes as files `ledger/ORIGIN/SIZE.note` in the clone at `path`, one commit each."""

    def __init__(self, path: Path, title: str) -> None:
        self._path = path
        self._title = title

    @property
    def title(self) -> str:
        """What messages call it."""
        return self._title

    def publish(self, note: str, checkpoint: Checkpoint) -> None:
        """Afterwards the note is committed, and pushed where there is a remote.

        Another checkpoint over as many entries stays, and is `Refused` with `anchor-fork`. Raises
        `git-…`; then the note may be committed here and not pushed, and the next call pushes it.
        """
        name = anchor_name(checkpoint.origin, checkpoint.size)
        branch = self._catch_up()
        kept = self._notes(checkpoint.origin).get(name)
        if kept is None:
            self._commit(name, note)
        elif claimed_checkpoint(self._read(kept)) != checkpoint:
            raise Refused(
                "anchor-fork",
                f"{self._title} has another checkpoint over {checkpoint.size} entries",
                hint="see what happened to the ledger: dbops audit verify",
            )
        if branch is not None:
            self._push(branch)

    def newest(self, origin: str) -> str | None:
        """Return the note with the most entries by its name, not verified; None where none is.

        The remote's commits are fetched first; raises `git-remote` where it cannot be reached.
        """
        self._catch_up()
        notes = self._notes(origin)
        return self._read(notes[max(notes)]) if notes else None

    def _notes(self, origin: str) -> dict[str, TreeEntry]:
        commit = head_commit(self._path)
        if commit is None:
            return {}
        folder = anchor_folder(origin)
        found = list_tree(self._path, commit, folder).items()
        named = {path.decode("utf-8", "replace"): entry for path, entry in found}
        return {
            name: entry
            for name, entry in named.items()
            if entry.mode == _FILE and is_anchor_name(name, origin)
        }

    def _read(self, entry: TreeEntry) -> str:
        data = self._git("cat-file", "blob", entry.id)
        if len(data) > NOTE_MOST:
            raise Failed(
                "anchor-note",
                f"{self._title} has a checkpoint of {len(data)} bytes, and none is so long",
                hint=f"see who committed it: git -C {self._path} log --stat -- ledger",
            )
        return data.decode("utf-8", "replace")

    def _commit(self, name: str, note: str) -> None:
        """Commit that one file; what else is changed or staged in the clone stays as it is."""
        path = self._path / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(note, "utf-8")
        except OSError as fault:
            raise Failed(
                "anchor-unwritable",
                f"{self._title} cannot be written ({type(fault).__name__})",
                hint=f"look at it: ls -ld {path.parent}",
            ) from None
        self._git("add", "--force", "--", name)
        message = f"Checkpoint of {Path(name).parent.name}: {int(Path(name).stem)} entries"
        self._git("commit", "--quiet", "--no-verify", "--only", "--message", message, "--", name)

    def _catch_up(self) -> str | None:
        """Bring the clone to where the remote's branch is; return the branch, None without remote.

        What was committed here and not pushed is put on top. Raises `Refused` where both have a
        note over as many entries.
        """
        if not self._git("remote").split():
            return None
        branch = self._git("symbolic-ref", "--short", "HEAD").decode("utf-8").strip()
        self._git("fetch", "--quiet", "--no-tags", "origin")
        theirs = f"refs/remotes/origin/{branch}"
        if not self._git("for-each-ref", theirs).strip():
            return branch  # nothing was ever pushed to it
        if head_commit(self._path) is None:
            self._git("reset", "--quiet", "--hard", theirs)
            return branch
        behind, ahead = self._count(f"HEAD..{theirs}"), self._count(f"{theirs}..HEAD")
        if behind:
            self._join(theirs, alone=not ahead)
        return branch

    def _count(self, commits: str) -> int:
        return int(self._git("rev-list", "--count", commits))

    def _join(self, theirs: str, *, alone: bool) -> None:
        """Take the remote's commits, and put those made here, unless there are none, on top."""
        try:
            if alone:
                self._git("merge", "--quiet", "--ff-only", theirs)
            else:
                self._git("rebase", "--quiet", theirs)
        except DbopsError:
            if not alone:
                with suppress(DbopsError):  # where it did not even begin
                    self._git("rebase", "--abort")
            raise Refused(
                "anchor-diverged",
                f"{self._title} does not continue what its clone on this host knows",
                hint=f"compare them: git -C {self._path} log --oneline HEAD...{theirs}",
            ) from None

    def _push(self, branch: str) -> None:
        for left in reversed(range(TRIES)):
            try:
                self._git("push", "--quiet", "origin", f"HEAD:refs/heads/{branch}")
            except Refused:
                if not left:
                    raise
                self._catch_up()  # another host was quicker
            else:
                return

    def _git(self, *arguments: str) -> bytes:
        return run_git(self._path, *arguments, access=Access.WRITE)
