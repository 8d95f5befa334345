"""New work: what is written reads back as what was meant, and only where it belongs."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbops.errors import Refused
from dbops.review.folder import read_work
from dbops.review.new_work import NewWork, create_work, draw_up_work
from dbops.review.work import Kind, Risk, read_manifest


def release(title: str, reason: str = "done", ticket: str | None = None) -> NewWork:
    return NewWork(
        kind=Kind.RELEASE,
        id="r-1",
        title=title,
        author="wei@contractor",
        ticket=ticket,
        risk=Risk.HIGH,
        settings={"backup": "lab@12", "reason": reason},
    )


@settings(deadline=None, max_examples=50)
@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=10))
def test_any_text_reads_back_or_is_refused(title: str, reason: str, ticket: str) -> None:
    """No quote, colon, comment sign or control character makes the manifest say something else."""
    try:
        work = draw_up_work(release(title, reason, ticket))
    except Refused:
        return
    found = read_manifest(work)
    assert (found.title, found.settings["reason"], found.ticket) == (title, reason, ticket)
    assert (found.risk, found.databases) == (Risk.HIGH, ("lab",))


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text(max_size=12), min_size=1, max_size=4))
def test_any_table_reads_back_or_is_refused(tables: list[str]) -> None:
    """Names of tables may be Chinese and have quotes."""
    settings = {"source": "lab@1", "target": "copy", "overwrite": "no"}
    new = NewWork(
        kind=Kind.RESTORE,
        id="r-1",
        title="t",
        author="wei@contractor",
        settings=settings,
        tables=tuple(tables),
    )
    try:
        work = draw_up_work(new)
    except Refused:
        return
    assert read_manifest(work).settings == {**settings, "tables": ", ".join(tables)}


@pytest.mark.parametrize("title", ["", " a", "a\nb", "a\u202eb", "a\x1b[2J", "\ud800"])
def test_a_title_that_does_not_read_as_it_is(title: str) -> None:
    """Hidden characters and second lines never get into a manifest."""
    with pytest.raises(Refused):
        draw_up_work(release(title))


def test_the_folder_holds_the_work(tmp_path: Path) -> None:
    """It reads back with the same digests, and nothing else lies there."""
    work = draw_up_work(release("t"))
    folder = create_work(tmp_path, work)
    assert folder == tmp_path / "releases" / "r-1"
    assert read_work(tmp_path, folder).digests == work.digests
    assert [path.name for path in folder.parent.iterdir()] == ["r-1"]
    assert stat.S_IMODE((folder / "release.yml").stat().st_mode) == 0o644


def test_a_linked_folder_is_not_written_through(tmp_path: Path) -> None:
    """Somebody who can write the work tree cannot make dbops write elsewhere."""
    tree, elsewhere = tmp_path / "ops", tmp_path / "elsewhere"
    tree.mkdir()
    elsewhere.mkdir()
    (tree / "releases").symlink_to(elsewhere)
    with pytest.raises(Refused) as refused:
        create_work(tree, draw_up_work(release("t")))
    assert refused.value.code == "work-link"
    assert list(elsewhere.iterdir()) == []


def test_an_id_of_another_kind_is_taken(tmp_path: Path) -> None:
    """Approvals name work by its id alone."""
    (tmp_path / "repairs" / "r-1").mkdir(parents=True)
    with pytest.raises(Refused) as refused:
        create_work(tmp_path, draw_up_work(release("t")))
    assert (refused.value.code, refused.value.message) == (
        "work-exists",
        "repairs/r-1 is there already; nothing was changed",
    )
