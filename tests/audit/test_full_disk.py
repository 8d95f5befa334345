"""A disk that gets full while the ledger is written, and gets room again."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dbops.audit.entry import Entry
from dbops.audit.recording import Unwritable, recorded
from dbops.audit.scan import entries
from dbops.errors import Unreachable
from tests.audit.made_ledger import Made, heartbeat, intent
from tests.fix_tools import absent, require_root

ROOT = Path(__file__).parents[2]

# Appends until the kernel refuses a longer file, as a full disk does, and says what it got.
CHILD = """
import resource, signal, sys
from pathlib import Path
from dbops.errors import DbopsError
from tests.audit.made_ledger import Made, intent
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
made = Made(Path(sys.argv[1]))
ledger = made.ledger()
ledger.append(intent())
limit = made.newest().stat().st_size + int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    while True:
        number = ledger.append(intent()).sequence
        print(number)
except DbopsError as failure:
    print(failure.code, failure.message, sep="\\n")
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    require_root("mounting a tmpfs")
    place = tmp_path / "small"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "none", place], check=False, capture_output=True
    )
    if made.returncode:
        absent("mount", "this machine lets nobody mount a tmpfs")
    yield place
    subprocess.run(["umount", place], check=True)


def fill_up(place: Path) -> Path:
    """Leave no byte free but those of the last page of each file."""
    ballast = place / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(512)) == 512:
                pass
        except OSError:
            return ballast
    return ballast


def append_up_to(most: int, made: Made, acknowledged: list[Entry]) -> None:
    """Append as processes of their own, until one fails."""
    for _ in range(most):
        acknowledged.append(made.ledger().append(heartbeat()))


def test_a_full_disk_stops_what_must_be_recorded_and_is_mended_by_room(small_disk: Path) -> None:
    """The torn intent stays where it is, no entry is lost, and the ledger goes on behind it."""
    made = Made(small_disk / "audit")
    made.append()
    ballast = fill_up(small_disk)
    acknowledged: list[Entry] = []
    with pytest.raises(Unreachable) as caught:
        append_up_to(50, made, acknowledged)
    assert caught.value.code == "ledger-unwritable"
    assert caught.value.message == "the ledger cannot be written (no room)"
    assert caught.value.hint == f"make room there, then run it again: df -h {made.directory}"
    assert 0 < len(acknowledged) < 50
    seen = made.scan()
    assert (seen.faults, seen.size) == ((), len(acknowledged) + 2)
    assert seen.tail_torn is not None
    ballast.unlink()
    made.append()
    again = made.scan()
    assert (again.faults, again.tail_torn, len(again.torn)) == ((), None, 1)
    found = [*entries(made.segments)]
    assert [entry for entry in acknowledged if entry not in found] == []


def test_on_a_full_disk_a_backup_happens_and_a_repair_does_not(small_disk: Path) -> None:
    """The one would be missed more than its entry, the other less."""
    made = Made(small_disk / "audit")
    fill_up(small_disk)
    done = []
    with recorded(made.ledger(), intent(), unwritable=Unwritable.GO_ON) as account:
        done.append("backup")
    assert account.fault is not None
    assert account.fault.code == "ledger-unwritable"
    with pytest.raises(Unreachable), recorded(made.ledger(), intent()):
        done.append("repair")
    assert done == ["backup"]


@pytest.mark.parametrize("room", [1, 300, 1000])
def test_a_file_that_may_not_grow_is_a_full_disk(tmp_path: Path, room: int) -> None:
    """As a quota has it: the line that did not fit is torn, and told of when there is room."""
    made = Made(tmp_path / "audit")
    ran = subprocess.run(
        [sys.executable, "-c", CHILD, made.directory, str(room)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    *numbers, code, message = ran.stdout.splitlines()
    assert (code, message) == (
        "ledger-unwritable",
        "the ledger cannot be written (no room)",
    )
    seen = made.scan()
    assert (seen.faults, seen.size) == ((), len(numbers) + 2)
    assert seen.tail_torn is not None
    made.append()
    assert (made.scan().faults, made.scan().tail_torn) == ((), None)
