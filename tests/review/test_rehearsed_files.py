"""What a rehearsal found lies beside the work, and nothing of an earlier one that is stale."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbops.errors import Failed, NotFound
from dbops.review.rehearsed_files import write_rehearsed

FOLDER = "changes/c-1"
SCRIPT = {"up.sql": b"SELECT 1;\n"}
STALE = "rehearsed-his.up-1.diff"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The folder of a change that was rehearsed in two parts."""
    made = tmp_path / FOLDER
    made.mkdir(parents=True)
    for name, data in {**SCRIPT, "rehearsed-his.diff": b"old", STALE: b"old"}.items():
        (made / name).write_bytes(data)
    return made


def write(place: Path, *stale: str) -> None:
    """A rehearsal has found something else."""
    files = {"rehearsed-his.diff": b"new", "evidence.yml": b"of it"}
    write_rehearsed(place.parents[1], FOLDER, files, stale)


def held(place: Path) -> dict[str, bytes]:
    """What the folder has."""
    return {path.name: path.read_bytes() for path in place.iterdir()}


def test_what_is_stale_is_gone(place: Path) -> None:
    """And only that; nothing half written is left in the folder or beside it."""
    write(place, STALE)
    assert held(place) == {**SCRIPT, "rehearsed-his.diff": b"new", "evidence.yml": b"of it"}
    assert [path.name for path in place.parent.iterdir()] == ["c-1"]


def test_what_is_not_called_stale_stays(place: Path) -> None:
    """Whoever calls it says what an earlier rehearsal left."""
    write(place)
    assert held(place)[STALE] == b"old"


def test_what_is_stale_may_be_gone_already(place: Path) -> None:
    """A rehearsal that died behind it is done again."""
    (place / STALE).unlink()
    write(place, "rehearsed-his.up-2.diff", STALE)
    assert held(place) == {**SCRIPT, "rehearsed-his.diff": b"new", "evidence.yml": b"of it"}


def test_a_stale_link_is_removed_and_not_what_it_leads_to(place: Path) -> None:
    """Whoever can write to the folder may have put it there."""
    (place.parent / "other").write_bytes(b"somebody's")
    (place / STALE).unlink()
    (place / STALE).symlink_to("../other")
    write(place, STALE)
    assert not (place / STALE).is_symlink()
    assert (place.parent / "other").read_bytes() == b"somebody's"


def test_what_cannot_be_removed_is_told(place: Path) -> None:
    """Then nothing is written: evidence would lie beside files that it is not of."""
    (place / STALE).unlink()
    (place / STALE).mkdir()
    with pytest.raises(Failed) as caught:
        write(place, STALE)
    told = f"what the rehearsal found could not be written to {FOLDER} (EISDIR)"
    assert (caught.value.code, caught.value.message) == ("rehearse-write", told)
    assert caught.value.hint == f"look at it: ls -la {place}"
    assert (place / "rehearsed-his.diff").read_bytes() == b"old"
    assert not (place / "evidence.yml").exists()


def test_work_that_went_meanwhile_is_not_made_up(place: Path) -> None:
    """No folder is made for it."""
    with pytest.raises(NotFound) as caught:
        write_rehearsed(place.parents[1], "changes/c-2", {"evidence.yml": b""})
    assert (caught.value.code, caught.value.message) == ("work-missing", "there is no changes/c-2")
    assert not (place.parent / "c-2").exists()
