"""Git on repositories that somebody else wrote: what is read, and that nothing of theirs runs."""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
from pathlib import Path

import pytest

from dbops.errors import DbopsError, Failed, NotFound, Refused, Unreachable
from dbops.git import OUTPUT_MOST, Access, TreeEntry, blob_id, head_commit, list_tree, run_git
from tests.fix_tools import require_root
from tests.support.ops_tree import OpsTree, made_tree

NOBODY = 65534


@pytest.fixture
def tree(tmp_path: Path) -> OpsTree:
    """A repository with one commit."""
    made = made_tree(tmp_path / "ops")
    made.commit({"repairs/one/repair.sql": b"update ward set name = 'a';\n", "README": b"x\n"})
    return made


@pytest.fixture
def trap(tmp_path: Path) -> tuple[Path, Path]:
    """A program that leaves a file behind when it is run, and that file."""
    ran = tmp_path / "ran"
    program = tmp_path / "trap"
    program.write_text(f"#!/bin/sh\ntouch {ran}\necho trap\n")
    program.chmod(0o755)
    return program, ran


def configure(tree: OpsTree, program: Path) -> None:
    """Every setting by which reading could run a program, in the repository's own configuration."""
    for name in (
        "core.fsmonitor",
        "core.pager",
        "pager.ls-tree",
        "pager.rev-parse",
        "core.sshCommand",
        "core.gitProxy",
        "core.askPass",
        "core.editor",
        "core.alternateRefsCommand",
        "credential.helper",
        "diff.external",
        "diff.x.textconv",
        "filter.x.clean",
        "filter.x.smudge",
        "filter.x.process",
        "gpg.program",
        "gpg.ssh.program",
        "uploadpack.packObjectsHook",
        "trace2.eventTarget",
    ):
        tree.git("config", name, str(program))
    tree.git("config", "alias.ls-tree", f"!{program}")
    tree.git("config", "alias.rev-parse", f"!{program}")
    tree.write({".gitattributes": b"* filter=x diff=x\n"})
    hooks = tree.path / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("pre-commit", "post-index-change", "fsmonitor-watchman", "reference-transaction"):
        (hooks / name).write_bytes(program.read_bytes())
        (hooks / name).chmod(0o755)


def test_the_last_commit_and_its_files_are_read(tree: OpsTree) -> None:
    """A file of the commit is listed with its mode and the id that its bytes have."""
    commit = head_commit(tree.path)
    assert commit == tree.git("rev-parse", "HEAD")
    data = (tree.path / "repairs/one/repair.sql").read_bytes()
    found = list_tree(tree.path, commit, "repairs/one")
    entry = TreeEntry("100644", "blob", blob_id(data, like=commit))
    assert found == {b"repairs/one/repair.sql": entry}
    assert entry.id == tree.git("hash-object", "repairs/one/repair.sql")


def test_a_repository_of_sha256_is_read(tmp_path: Path) -> None:
    """The object format is seen from the ids."""
    tree = made_tree(tmp_path / "ops", object_format="sha256")
    commit = tree.commit({"repairs/one/a": b"a\n"})
    assert head_commit(tree.path) == commit
    entry = list_tree(tree.path, commit, "repairs/one")[b"repairs/one/a"]
    assert entry.id == blob_id(b"a\n", like=commit) == hashlib.sha256(b"blob 2\0a\n").hexdigest()


def test_names_with_newlines_and_links_are_listed_as_they_are(tree: OpsTree) -> None:
    """Nothing is quoted, and a link is told from a file by its mode."""
    (tree.path / "repairs/one/li\nnk").symlink_to("/etc/passwd")
    (tree.path / "repairs/one/b\n\u8840").write_bytes(b"")
    found = list_tree(tree.path, tree.commit(), "repairs/one")
    assert found[b"repairs/one/li\nnk"].mode == "120000"
    assert "repairs/one/b\n\u8840".encode() in found


def test_a_repository_without_commits_has_no_head(tmp_path: Path) -> None:
    """Nothing committed is no error."""
    assert head_commit(made_tree(tmp_path / "new").path) is None


def test_what_is_no_work_tree_is_refused(tree: OpsTree) -> None:
    """Git does not climb: a folder inside a work tree is not its top."""
    with pytest.raises(Refused) as caught:
        head_commit(tree.path / "repairs")
    assert caught.value.code == "git-repository"
    assert caught.value.message == f"{tree.path}/repairs is not the top of a git work tree"


def test_reading_runs_nothing_that_the_repository_names(
    tree: OpsTree, trap: tuple[Path, Path]
) -> None:
    """No hook, filter, pager, monitor or alias of the repository is run; the answer is right."""
    commit = tree.git("rev-parse", "HEAD")
    program, ran = trap
    configure(tree, program)
    assert head_commit(tree.path) == commit
    assert set(list_tree(tree.path, commit, "repairs")) == {b"repairs/one/repair.sql"}
    assert not ran.exists()
    assert subprocess.run([program], check=True, capture_output=True).stdout == b"trap\n"
    assert ran.exists()


@pytest.mark.parametrize("url", ["ext::{trap}", "file://{here}", "{here}", "ssh://x/y"])
def test_a_partial_clone_fetches_nothing(tree: OpsTree, trap: tuple[Path, Path], url: str) -> None:
    """An object that is not there is a failure, whatever the repository allows git to fetch by."""
    program, ran = trap
    commit = tree.git("rev-parse", "HEAD")
    gone = tree.git("rev-parse", "HEAD:repairs")
    for name, value in (
        ("core.repositoryFormatVersion", "1"),
        ("extensions.partialClone", "evil"),
        ("remote.evil.url", url.format(trap=program, here=tree.path)),
        ("remote.evil.promisor", "true"),
        ("remote.evil.uploadpack", str(program)),
        ("core.sshCommand", str(program)),
        ("protocol.allow", "always"),
        ("protocol.ext.allow", "always"),
        ("protocol.file.allow", "always"),
        ("protocol.ssh.allow", "always"),
    ):
        tree.git("config", name, value)
    (tree.path / ".git/objects" / gone[:2] / gone[2:]).unlink()
    with pytest.raises(Failed) as caught:
        list_tree(tree.path, commit, "repairs")
    assert caught.value.code == "git-failed"
    assert not ran.exists()


def test_a_git_file_that_points_elsewhere_is_read_and_runs_nothing(
    tree: OpsTree, trap: tuple[Path, Path]
) -> None:
    """A linked work tree is read by its own HEAD; the configuration that it shares runs nothing."""
    commit = tree.git("rev-parse", "HEAD")
    other = tree.path.parent / "linked"
    tree.git("worktree", "add", "--quiet", "--detach", str(other))
    tree.commit({"repairs/two/x": b"2\n"})
    program, ran = trap
    configure(tree, program)
    assert (other / ".git").is_file()
    assert head_commit(other) == commit
    assert not ran.exists()


def test_replaced_objects_and_grafts_are_not_followed(tree: OpsTree) -> None:
    """What the commit itself says counts, whatever refs/replace puts in its place."""
    first = tree.git("rev-parse", "HEAD")
    second = tree.commit({"repairs/one/repair.sql": b"delete from ward;\n"})
    tree.git("replace", second, first)
    (tree.path / ".git/info/grafts").write_text(f"{second} {first}\n")
    assert tree.git("rev-parse", "HEAD^{tree}") == tree.git("rev-parse", f"{first}^{{tree}}")
    found = list_tree(tree.path, head_commit(tree.path) or "", "repairs")
    wanted = blob_id(b"delete from ward;\n", like=second)
    assert found[b"repairs/one/repair.sql"].id == wanted


def test_a_work_tree_setting_does_not_shift_paths(tree: OpsTree) -> None:
    """`core.worktree` of the repository does not decide what is the top."""
    commit = tree.git("rev-parse", "HEAD")
    tree.git("config", "core.worktree", str(tree.path.parent))
    assert set(list_tree(tree.path, commit, "repairs")) == {b"repairs/one/repair.sql"}


@pytest.mark.parametrize("verb", ["status", "diff", "log", "cat-file", "config", "ls-files"])
def test_reading_knows_two_verbs(tree: OpsTree, verb: str) -> None:
    """A verb that could run a program is a mistake of the caller."""
    with pytest.raises(ValueError, match="may run"):
        run_git(tree.path, verb)


@pytest.mark.parametrize("name", ["HEAD", "main", "-h", "0" * 39])
def test_a_commit_is_named_by_its_id(tree: OpsTree, name: str) -> None:
    """Branch names decide nothing."""
    with pytest.raises(ValueError, match="never by a branch"):
        list_tree(tree.path, name, "repairs")


def test_a_git_that_waits_is_ended(tree: OpsTree) -> None:
    """A pipe in place of a file costs the time limit, and no more."""
    config = tree.path / ".git/config"
    config.unlink()
    os.mkfifo(config)
    began = time.monotonic()
    with pytest.raises(Failed) as caught:
        run_git(tree.path, "rev-parse", "HEAD", timeout=0.5)
    assert caught.value.code == "git-timeout"
    assert caught.value.message == f"git rev-parse in {tree.path} took over 0.5 s"
    assert time.monotonic() - began < 10


def test_too_long_an_answer_is_refused(tree: OpsTree, monkeypatch: pytest.MonkeyPatch) -> None:
    """What git prints is read up to a limit."""
    monkeypatch.setattr("dbops.git.OUTPUT_MOST", 40)
    assert OUTPUT_MOST > 40
    with pytest.raises(Failed) as caught:
        list_tree(tree.path, tree.git("rev-parse", "HEAD"), "repairs")
    assert caught.value.code == "git-output"


def test_a_failure_says_how_to_see_it(tree: OpsTree) -> None:
    """The repository's own words are not shown: the command to type is."""
    (tree.path / ".git/config").write_text("[core\nsecret words")
    with pytest.raises(Failed) as caught:
        run_git(tree.path, "rev-parse", "HEAD")
    assert caught.value.code == "git-failed"
    assert caught.value.message == f"git rev-parse in {tree.path} failed (status 128)"
    assert caught.value.hint == f"try it by hand: git -C {tree.path} rev-parse HEAD"


def test_no_git_is_said(tree: OpsTree, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host without git says how to get it."""
    monkeypatch.setattr("dbops.git._READING_ENVIRON", {"PATH": str(tree.path)})
    with pytest.raises(NotFound) as caught:
        head_commit(tree.path)
    assert caught.value.code == "git-missing"


def test_no_room_for_what_git_says_is_said(
    tree: OpsTree, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A machine without a place for temporary files gives an error of ours."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "absent"))
    with pytest.raises(Failed) as caught:
        head_commit(tree.path)
    assert caught.value.message == f"git rev-parse in {tree.path} could not be run (ENOENT)"


def test_alternates_give_objects_and_no_orders(tree: OpsTree, trap: tuple[Path, Path]) -> None:
    """Objects may lie in another repository; what its configuration says is not heard."""
    commit = tree.git("rev-parse", "HEAD")
    other = tree.path.parent / "borrowing"
    tree.git("clone", "--quiet", "--shared", "--no-checkout", str(tree.path), str(other))
    program, ran = trap
    configure(tree, program)
    (tree.path / ".git/objects/info/alternates").write_text("/nonexistent\n../../away\n")
    assert (other / ".git/objects/info/alternates").exists()
    assert head_commit(other) == commit
    assert set(list_tree(other, commit, "repairs")) == {b"repairs/one/repair.sql"}
    assert not ran.exists()


def test_root_reads_a_strangers_tree_as_that_stranger(tree: OpsTree) -> None:
    """What git may open is what the owner may: root's own rights are not used."""
    require_root("reading as somebody else")
    for place in (tree.path, *tree.path.parents[:3]):
        if place.stat().st_uid == 0:
            place.chmod(0o755)
    commit = tree.git("rev-parse", "HEAD")
    for place in (tree.path, *tree.path.rglob("*")):
        os.chown(place, NOBODY, NOBODY)
    assert head_commit(tree.path) == commit
    config = tree.path / ".git/config"
    os.chown(config, 0, 0)
    config.chmod(0o600)
    with pytest.raises(Failed) as caught:
        head_commit(tree.path)
    assert caught.value.code == "git-failed"


def write(tree: OpsTree, *arguments: str) -> bytes:
    """What git prints where it may write."""
    return run_git(tree.path, *arguments, access=Access.WRITE)


def fault_of(tree: OpsTree, *arguments: str) -> DbopsError:
    """The error of a git that may write."""
    with pytest.raises(DbopsError) as caught:
        write(tree, *arguments)
    return caught.value


def test_writing_commits_and_pushes_and_runs_no_hook(
    tree: OpsTree, trap: tuple[Path, Path]
) -> None:
    """A clone of dbops' own commits under dbops' name and pushes to its remote."""
    remote = tree.path.parent / "remote.git"
    tree.git("init", "--quiet", "--bare", "--initial-branch=main", str(remote))
    tree.git("remote", "add", "origin", str(remote))
    program, ran = trap
    tree.git("config", "core.fsmonitor", str(program))
    for name in ("pre-commit", "commit-msg", "post-commit", "pre-push"):
        hook = tree.path / ".git/hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_bytes(program.read_bytes())
        hook.chmod(0o755)
    tree.write({"ledger/a.note": b"1\r\n"})
    write(tree, "add", "--", "ledger/a.note")
    write(tree, "commit", "--quiet", "-m", "checkpoint")
    write(tree, "push", "--quiet", "origin", "HEAD")
    assert tree.git("log", "-1", "--format=%an <%ae>") == "dbops <dbops@localhost>"
    pushed = tree.git(f"--git-dir={remote}", "rev-parse", "main")
    assert pushed == head_commit(tree.path)
    assert not ran.exists()
    entry = list_tree(tree.path, pushed, "ledger")[b"ledger/a.note"]
    assert entry.id == blob_id(b"1\r\n", like=pushed)


def test_a_push_that_the_remote_does_not_take_is_told_from_one_that_is_away(tree: OpsTree) -> None:
    """Somebody else's commits, and no remote, are two things."""
    remote = tree.path.parent / "remote.git"
    tree.git("clone", "--quiet", "--bare", str(tree.path), str(remote))
    tree.git("remote", "add", "origin", str(remote))
    tree.commit({"a": b"1"})
    write(tree, "push", "--quiet", "origin", "HEAD:main")
    tree.git("reset", "--quiet", "--hard", "HEAD~1")
    tree.commit({"a": b"2"})
    fault = fault_of(tree, "push", "--quiet", "origin", "HEAD:main")
    assert isinstance(fault, Refused)
    assert (fault.code, fault.message) == ("git-rejected", "the remote did not take the push")
    remote.rename(remote.with_name("away"))
    fault = fault_of(tree, "push", "--quiet", "origin", "HEAD:main")
    assert isinstance(fault, Unreachable)
    assert fault.code == "git-remote"


def test_writing_refuses_a_strangers_clone(tree: OpsTree) -> None:
    """In a clone that dbops does not own, git itself takes no orders."""
    require_root("giving files away")
    for place in (tree.path, tree.path / ".git"):
        os.chown(place, NOBODY, NOBODY)
    fault = fault_of(tree, "status")
    assert fault.code == "git-owner"
    assert fault.message == f"the git repository {tree.path} belongs to another account"


def test_input_reaches_git(tree: OpsTree) -> None:
    """Input is given whole, however long."""
    data = b"x" * 1_000_000
    made = run_git(tree.path, "hash-object", "--stdin", access=Access.WRITE, stdin=data)
    assert made.decode().strip() == blob_id(data, like="0" * 40)
