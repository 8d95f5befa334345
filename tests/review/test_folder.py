"""Reading a folder that anybody may have prepared, and holding it against what git has."""

from __future__ import annotations

import os
import resource
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from dbops.errors import DbopsError, Failed, NotFound, Refused
from dbops.review.folder import (
    FILE_MOST,
    FILES_MOST,
    find_work,
    list_work,
    read_work,
    refuse_uncommitted,
)
from dbops.review.work import Kind, SignedText
from tests.fix_tools import absent, require_root
from tests.support.ops_tree import OpsTree, made_tree

ID = "2026-117-ward"
FOLDER = f"repairs/{ID}"
FILES = {
    f"{FOLDER}/repair.yml": b"dbops: repair/v1\n",
    f"{FOLDER}/repair.sql": "update 病区 set a = 1;\n".encode(),
    f"{FOLDER}/tables/visit.csv": b"1\n",
    f"{FOLDER}/approvals/li.na@hospital.txt": b"text\n",
    f"{FOLDER}/approvals/li.na@hospital.txt.sig": b"armor\n",
}


@pytest.fixture
def tree(tmp_path: Path) -> OpsTree:
    """A repository with one committed repair."""
    made = made_tree(tmp_path / "ops")
    made.commit(FILES)
    return made


def fault(tree: OpsTree) -> DbopsError:
    """The error of reading the work and holding it against git."""
    with pytest.raises(DbopsError) as caught:
        refuse_uncommitted(tree.path, read_work(tree.path, find_work(tree.path, ID)))
    return caught.value


def test_a_committed_folder_is_read_whole(tree: OpsTree) -> None:
    """Every file is there by its path, statements apart, and the commit is named."""
    work = read_work(tree.path, find_work(tree.path, ID))
    assert (work.kind, work.id, work.folder) == (Kind.REPAIR, ID, FOLDER)
    assert sorted(work.files) == ["repair.sql", "repair.yml", "tables/visit.csv"]
    assert work.files["repair.sql"] == FILES[f"{FOLDER}/repair.sql"]
    assert work.statements == {"li.na@hospital": SignedText(b"text\n", b"armor\n")}
    assert refuse_uncommitted(tree.path, work) == tree.git("rev-parse", "HEAD")
    assert read_work(tree.path, Path(FOLDER)) == work


def test_half_a_statement_is_kept_as_half(tree: OpsTree) -> None:
    """A text without signature, or the other way round, speaks for nobody and hides nothing."""
    approvals = tree.path / FOLDER / "approvals"
    (approvals / "li.na@hospital.txt.sig").unlink()
    (approvals / "a.txt.sig").write_bytes(b"armor\n")
    work = read_work(tree.path, Path(FOLDER))
    assert work.statements["li.na@hospital"] == SignedText(b"text\n", b"")
    assert work.statements["a"] == SignedText(b"", b"armor\n")


def test_work_is_listed_by_kind_and_id(tree: OpsTree) -> None:
    """Everything that an id can name is listed, links among them; nothing else is."""
    tree.write({"changes/b/change.yml": b"", "changes/README.md": b"", "changes/Upper/x": b""})
    tree.write({"changes/note": b"", "restores/.hidden/x": b""})
    (tree.path / "changes/a").symlink_to("/etc")
    listed = [folder.relative_to(tree.path).as_posix() for folder in list_work(tree.path)]
    assert listed == [FOLDER, "changes/a", "changes/b"]


def test_work_that_is_not_there_is_not_found(tree: OpsTree) -> None:
    """The id is named, and what lists the others."""
    with pytest.raises(NotFound) as caught:
        find_work(tree.path, "2026-118")
    assert (caught.value.code, caught.value.message, caught.value.hint) == (
        "work-missing",
        "there is no work 2026-118",
        "dbops review list",
    )
    with pytest.raises(NotFound):
        read_work(tree.path, Path("repairs/2026-118"))


@pytest.mark.parametrize("work_id", ["../etc", "", "a/b", "Ward", "x\n", ".git", "a" * 81])
def test_an_id_is_plain(tree: OpsTree, work_id: str) -> None:
    """An id never leads anywhere else."""
    with pytest.raises(Refused) as caught:
        find_work(tree.path, work_id)
    assert caught.value.code == "work-id"


@pytest.mark.parametrize("folder", ["../repairs/x", "repairs", "repairs/a/b", "docs/x", "/etc/x"])
def test_a_folder_is_of_a_kind_and_an_id(tree: OpsTree, folder: str) -> None:
    """Nothing else is read as work."""
    with pytest.raises(Refused) as caught:
        read_work(tree.path, Path(folder))
    assert caught.value.code == "work-folder"


def test_one_id_names_one_piece_of_work(tree: OpsTree) -> None:
    """The same id under two kinds is refused."""
    tree.write({f"changes/{ID}/change.yml": b""})
    assert fault(tree).code == "work-ambiguous"


def test_a_twin_of_the_folder_is_refused(tree: OpsTree) -> None:
    """A folder that some file systems hold to be the same must not be beside it."""
    tree.write({f"repairs/{ID.upper()}/repair.yml": b""})
    assert fault(tree).code == "work-twins"


Change = Callable[[Path], object]


def _link_folder(folder: Path) -> None:
    folder.rename(folder.with_name("real"))
    folder.symlink_to("real")


def _link_kind(folder: Path) -> None:
    folder.parent.rename(folder.parent.with_name("elsewhere"))
    folder.parent.symlink_to("elsewhere")


def _link_file(folder: Path) -> None:
    (folder / "repair.sql").unlink()
    (folder / "repair.sql").symlink_to("/etc/passwd")


def _link_approvals(folder: Path) -> None:
    (folder / "approvals").rename(folder / "real")
    (folder / "approvals").symlink_to("real")


def _second_name(folder: Path) -> None:
    os.link(folder / "repair.sql", folder.parent.parent / "other")


def _huge(folder: Path) -> None:
    with (folder / "dump.sql").open("wb") as file:
        file.truncate(10 << 30)


def _huge_statement(folder: Path) -> None:
    (folder / "approvals/li.na@hospital.txt").write_bytes(b"x" * (1 << 19))


def _much(folder: Path) -> None:
    for number in range(5):
        with (folder / f"dump{number}.sql").open("wb") as file:
            file.truncate(FILE_MOST)


def _many(folder: Path) -> None:
    for number in range(FILES_MOST + 1):
        (folder / f"{number}").touch()


def _deep(folder: Path) -> None:
    path = folder.joinpath(*"abcdefgh")
    path.mkdir(parents=True)
    (path / "x").touch()


def _file_for_folder(folder: Path) -> None:
    folder.rename(folder.with_name("x"))
    folder.touch()


def _no_statements(folder: Path) -> None:
    for path in (folder / "approvals").iterdir():
        path.unlink()


FOLDERS: dict[str, tuple[str, Change]] = {
    "folder is a link": ("work-link", _link_folder),
    "kind is a link": ("work-link", _link_kind),
    "file is a link": ("work-link", _link_file),
    "dangling link": ("work-link", lambda folder: (folder / "x").symlink_to("nowhere")),
    "approvals is a link": ("work-link", _link_approvals),
    "file with a second name": ("work-link", _second_name),
    "fifo": ("work-special", lambda folder: os.mkfifo(folder / "pipe.sql")),
    "folder is a file": (
        "work-special",
        _file_for_folder,
    ),
    "huge file": ("work-large", _huge),
    "huge statement": ("work-large", _huge_statement),
    "much together": ("work-large", _much),
    "too many files": ("work-large", _many),
    "too deep": ("work-name", _deep),
    "newline in a name": ("work-name", lambda folder: (folder / "a\nb.sql").touch()),
    "dot file": ("work-name", lambda folder: (folder / ".gitattributes").touch()),
    "chinese name": ("work-name", lambda folder: (folder / "病区.sql").touch()),
    "name of broken utf-8": (
        "work-name",
        lambda folder: Path(os.fsdecode(bytes(folder) + b"/\xff.sql")).touch(),
    ),
    "space in a name": ("work-name", lambda folder: (folder / "a b.sql").touch()),
    "option as a name": ("work-name", lambda folder: (folder / "-rf").touch()),
    "nested repository": ("work-name", lambda folder: (folder / ".git").mkdir()),
    "twins": ("work-twins", lambda folder: (folder / "REPAIR.sql").touch()),
    "twin statements": (
        "work-twins",
        lambda folder: (folder / "approvals/Li.Na@hospital.txt").touch(),
    ),
    "no statement": ("work-extra", lambda folder: (folder / "approvals/README.md").touch()),
    "statement of no principal": ("work-extra", lambda f: (f / "approvals/a b.txt").touch()),
    "folder in approvals": ("work-extra", lambda folder: (folder / "approvals/a.txt").mkdir()),
    "new file": ("work-uncommitted", lambda folder: (folder / "more.sql").touch()),
    "new statement": ("work-uncommitted", lambda f: (f / "approvals/zhao.txt").touch()),
    "edited": ("work-dirty", lambda folder: (folder / "repair.sql").write_bytes(b"drop;\n")),
    "one byte more": (
        "work-dirty",
        lambda f: (f / "repair.sql").write_bytes(FILES[f"{FOLDER}/repair.sql"] + b"\n"),
    ),
    "crlf": ("work-dirty", lambda f: (f / "repair.yml").write_bytes(b"dbops: repair/v1\r\n")),
    "edited statement": (
        "work-dirty",
        lambda folder: (folder / "approvals/li.na@hospital.txt").write_bytes(b"other\n"),
    ),
    "missing file": ("work-dirty", lambda folder: (folder / "tables/visit.csv").unlink()),
    "missing statement": (
        "work-dirty",
        _no_statements,
    ),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_what_is_not_plain_and_committed_is_refused(tree: OpsTree, name: str) -> None:
    """Each way to prepare a folder has its own refusal, and none of them hangs or fills memory."""
    code, change = FOLDERS[name]
    change(tree.path / FOLDER)
    found = fault(tree)
    assert (type(found), found.code) == (Refused, code)
    assert "\n" not in found.message


def test_the_messages_name_the_file_and_count_the_rest(tree: OpsTree) -> None:
    """What differs first is named, and what shows the rest."""
    tree.write({f"{FOLDER}/b.sql": b"", f"{FOLDER}/a.sql": b""})
    found = fault(tree)
    assert found.message == f"{FOLDER}/a.sql is not committed (and 1 more)"
    assert found.hint == (
        f"see what differs: git -C {tree.path} status --ignored {FOLDER}; then commit it"
    )
    (tree.path / FOLDER / "a\x1b[2J").touch()
    assert fault(tree).message == (
        f"'{FOLDER}/a\\x1b[2J' is a name that no file of a work may have"
    )


def test_ignored_files_are_files(tree: OpsTree) -> None:
    """What git does not show is still in the folder, and refused."""
    tree.commit({".gitignore": b"*.bak\n"})
    tree.write({f"{FOLDER}/repair.sql.bak": b""})
    assert tree.git("status", "--porcelain") == ""
    assert fault(tree).code == "work-uncommitted"


def test_a_file_that_git_was_told_to_hold_unchanged_is_seen_changed(tree: OpsTree) -> None:
    """Bytes are compared, not what git's index believes."""
    tree.git("update-index", "--assume-unchanged", f"{FOLDER}/repair.sql")
    tree.write({f"{FOLDER}/repair.sql": b"drop;\n"})
    assert tree.git("status", "--porcelain") == ""
    assert fault(tree).code == "work-dirty"


def test_staged_is_not_committed(tree: OpsTree) -> None:
    """The last commit counts, not the index."""
    tree.write({f"{FOLDER}/repair.sql": b"drop;\n"})
    tree.git("add", "--all")
    assert fault(tree).code == "work-dirty"


def test_line_ends_that_git_converts_are_seen(tree: OpsTree) -> None:
    """A checkout that turns line ends holds other bytes than the commit."""
    tree.commit({".gitattributes": b"*.yml text eol=crlf\n"})
    (tree.path / FOLDER / "repair.yml").unlink()
    tree.git("checkout", "--quiet", "--", ".")
    assert tree.git("status", "--porcelain") == ""
    assert fault(tree).code == "work-dirty"


def test_a_link_in_the_commit_is_not_a_file(tree: OpsTree) -> None:
    """A file whose bytes are those of a committed link's target is another thing."""
    (tree.path / FOLDER / "repair.sql").unlink()
    (tree.path / FOLDER / "repair.sql").symlink_to("target")
    tree.commit()
    (tree.path / FOLDER / "repair.sql").unlink()
    tree.write({f"{FOLDER}/repair.sql": b"target"})
    assert fault(tree).code == "work-dirty"


def test_committed_twins_are_missed(tree: OpsTree) -> None:
    """A second file that only the commit has, by a name that differs in case, is not overlooked."""
    blob = tree.git("rev-parse", f"HEAD:{FOLDER}/repair.sql")
    tree.git("update-index", "--add", "--cacheinfo", f"100644,{blob},{FOLDER}/REPAIR.sql")
    tree.git("commit", "--quiet", "--message", "twin")
    assert fault(tree).code == "work-dirty"


def test_nothing_committed_at_all_is_said(tmp_path: Path) -> None:
    """A repository without commits holds no work."""
    tree = made_tree(tmp_path / "new")
    tree.write(FILES)
    found = fault(tree)
    assert found.code == "work-uncommitted"


def test_a_repository_of_sha256_is_compared(tmp_path: Path) -> None:
    """The object format makes no difference."""
    tree = made_tree(tmp_path / "new", object_format="sha256")
    commit = tree.commit(FILES)
    work = read_work(tree.path, Path(FOLDER))
    assert refuse_uncommitted(tree.path, work) == commit
    tree.write({f"{FOLDER}/repair.sql": b"drop;\n"})
    assert fault(tree).code == "work-dirty"


def test_what_was_read_is_what_is_judged(tree: OpsTree) -> None:
    """Changing the folder after it was read changes nothing of the work."""
    work = read_work(tree.path, Path(FOLDER))
    tree.write({f"{FOLDER}/repair.sql": b"drop;\n"})
    assert refuse_uncommitted(tree.path, work) == tree.git("rev-parse", "HEAD")
    assert work.files["repair.sql"] == FILES[f"{FOLDER}/repair.sql"]


def test_a_huge_file_costs_no_memory(tree: OpsTree) -> None:
    """A file of 10 GiB is refused by its size, before it is read."""
    _huge(tree.path / FOLDER)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert fault(tree).message == f"{FOLDER}/dump.sql is over {FILE_MOST} bytes"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB


@pytest.mark.parametrize("name", ["repairs", FOLDER, f"{FOLDER}/tables", f"{FOLDER}/repair.sql"])
def test_a_name_that_turns_into_a_link_leads_nowhere(
    tree: OpsTree, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A name swapped for a link, after it was looked at and before it is opened, is refused."""
    target, outside = tree.path / name, tree.path.parent / "outside"
    shutil.copytree(tree.path / "repairs", outside)
    really = os.open
    swapped: list[str] = []

    def swap_then_open(path: str, flags: int, *, dir_fd: int | None = None) -> int:
        if dir_fd is not None and path == target.name and not swapped:
            swapped.append(path)
            target.rename(tree.path / "aside")
            target.symlink_to(outside / target.relative_to(tree.path / "repairs"))
        return really(path, flags, dir_fd=dir_fd)

    monkeypatch.setattr("os.open", swap_then_open)
    with pytest.raises(Failed) as caught:
        read_work(tree.path, Path(FOLDER))
    assert caught.value.code == "work-unreadable"
    assert swapped


def test_an_open_folder_leaves_no_descriptor(tree: OpsTree) -> None:
    """Refusing does not use up what the process may open."""
    (tree.path / FOLDER / "z").symlink_to("/etc")
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - the directory itself is no path
    for _ in range(5):
        assert fault(tree).code == "work-link"
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_a_device_is_not_opened(tree: OpsTree) -> None:
    """A device file is refused by what it is."""
    require_root("making a device")
    try:
        os.mknod(tree.path / FOLDER / "tape", 0o020600, os.makedev(1, 3))
    except PermissionError:
        absent("root", "the kernel lets this account make no device")
    assert fault(tree).code == "work-special"


def test_a_work_tree_that_is_away_is_said(tree: OpsTree) -> None:
    """It is an error with a hint, not a traceback."""
    away = tree.path.parent / "away"
    with pytest.raises(NotFound) as caught:
        find_work(away, ID)
    assert caught.value.code == "work-missing"
    assert caught.value.message == (
        f"there is no work tree of the ops repository: {away} does not exist"
    )
    assert caught.value.hint == f"have it there: git clone URL {away}"


def test_what_cannot_be_read_is_said(tree: OpsTree) -> None:
    """What the system refuses is said with its name."""
    tree.path.parent.joinpath("file").write_text("x")
    with pytest.raises(Failed) as caught:
        find_work(tree.path.parent / "file", ID)
    assert caught.value.code == "work-unreadable"
    assert caught.value.message == (
        f"repairs of the work tree {tree.path.parent / 'file'} cannot be read (ENOTDIR)"
    )
