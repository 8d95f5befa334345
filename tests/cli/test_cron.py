"""The lines of docs/how-to/nightly.md, run as cron runs them."""

from __future__ import annotations

import configparser
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.crash.processes import Outcome, is_locked, wait_until
from tests.support.estate import found_test_estate, run_sql

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "nightly.md"
PROGRAM = "/usr/local/bin/dbops"
ESTATE = "/etc/dbops/dbops.toml"
CRON = ["env", "-i", "LOGNAME=root", "PATH=/usr/bin:/bin", "SHELL=/bin/sh"]
_LINE = re.compile(r"(?:[\d*]+ ){5}(/.*)")
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""


def _blocks(language: str) -> list[str]:
    return [text for kind, text in _BLOCK.findall(PAGE.read_text("utf-8")) if kind == language]


def _lines() -> list[str]:
    """The commands of all crontab lines of the page, in order."""
    found = [_LINE.fullmatch(line) for text in _blocks("crontab") for line in text.splitlines()]
    return [line[1] for line in found if line is not None]


NIGHTLY = _lines()[0]


def _estate(root: Path, names: tuple[str, ...]) -> Path:
    """An estate with a database of each name, in files with Chinese names."""
    found_test_estate(root)
    config = root / "dbops.toml"
    head = config.read_text().partition("[databases.example]")[0]
    parts = [
        f'[databases.{name}]\nsystem = "example"\nengine = "sqlite"\npath = "数据/{name}.db"\n'
        'repository = "main"\npolicy = "nightly"\n'
        for name in names
    ]
    config.write_text(head + "\n".join(parts), encoding="utf-8")
    (root / "数据").mkdir()
    for name in names:
        run_sql(
            root / "数据" / f"{name}.db", "CREATE TABLE t(v TEXT); INSERT INTO t VALUES ('血');"
        )
    return root


def _here(command: str, root: Path) -> str:
    """The command with the reader's own paths."""
    program = Path(sys.executable).parent / "dbops"
    assert command.startswith(f"{PROGRAM} --estate {ESTATE} ")
    return command.replace(PROGRAM, str(program)).replace(ESTATE, str(root / "dbops.toml"))


def _start(command: str, root: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*CRON, f"HOME={root}", "/bin/sh", "-c", _here(command, root)],
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        start_new_session=True,
    )


def _cron(command: str, root: Path) -> Outcome:
    process = _start(command, root)
    out, err = process.communicate(timeout=60)
    return Outcome(process.returncode, out, err)


@contextmanager
def _locked_by_a_writer(path: Path) -> Iterator[None]:
    command = [sys.executable, "-c", _LOCK, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"locked\n"
        yield
        writer.communicate()


def test_nightly_line_is_silent_when_all_is_well(tmp_path: Path) -> None:
    """Every database gets a backup, nothing is printed, the status is 0."""
    root = _estate(tmp_path / "estate", ("lab", "oa"))
    assert _cron(NIGHTLY, root) == Outcome(0, "", "")
    for name in ("lab", "oa"):
        assert len(list((root / "backups" / "db" / name / "manifest").iterdir())) == 1


def test_nightly_line_goes_on_after_a_failure(tmp_path: Path) -> None:
    """The others are backed up, the status is 3, and the summary is the one on the page."""
    root = _estate(tmp_path / "estate", ("lab", "pathology", "oa"))
    missing = root / "数据" / "pathology.db"
    missing.unlink()
    outcome = _cron(NIGHTLY, root)
    (shown,) = (text for text in _blocks("text") if "pathology" in text)
    assert outcome == Outcome(3, "", shown.replace("/srv/data/pathology.db", str(missing)))
    found = sorted(path.name for path in (root / "backups" / "db").iterdir())
    assert found == ["lab", "oa"]


def test_second_run_is_refused_while_the_first_goes_on(tmp_path: Path) -> None:
    """It says so in the words of the page and ends with 11; the first ends well."""
    root = _estate(tmp_path / "estate", ("lab",))
    with _locked_by_a_writer(root / "数据" / "lab.db"):
        first = _start(NIGHTLY, root)
        assert wait_until(lambda: is_locked(root / "state" / "lock" / "lab"), 30)
        (shown,) = (text for text in _blocks("text") if "another run" in text)
        assert _cron(NIGHTLY, root) == Outcome(11, "", shown)
        assert first.poll() is None
    out, err = first.communicate(timeout=60)
    assert (first.returncode, out, err) == (0, "", "")
    assert len(list((root / "backups" / "db" / "lab" / "manifest").iterdir())) == 1


def test_second_run_backs_up_the_other_databases(tmp_path: Path) -> None:
    """What another run works on is skipped with status 3; the rest gets its backups."""
    root = _estate(tmp_path / "estate", ("lab", "oa"))
    with _locked_by_a_writer(root / "数据" / "lab.db"):
        first = _start(NIGHTLY.replace("--all", "lab"), root)
        assert wait_until(lambda: is_locked(root / "state" / "lock" / "lab"), 30)
        assert _cron(NIGHTLY, root) == Outcome(
            3,
            "",
            "error: 1 of 2 databases have no backup\n"
            "  lab: another run is working on lab\n"
            "    hint: wait until it has ended; see who it is: ps -ef | grep dbops\n",
        )
    out, err = first.communicate(timeout=60)
    assert (first.returncode, out, err) == (0, "", "")
    assert len(list((root / "backups" / "db" / "oa" / "manifest").iterdir())) == 1


def test_the_other_lines_of_the_week_work(tmp_path: Path) -> None:
    """Verification, status and heartbeat are silent after a good night; expiry says what stays."""
    root = _estate(tmp_path / "estate", ("lab",))
    _, verify, status, expire, heartbeat = _lines()
    assert _cron(NIGHTLY, root).status == 0
    assert _cron(verify, root) == Outcome(0, "", "")
    assert _cron(status, root) == Outcome(0, "", "")
    assert _cron(heartbeat, root) == Outcome(0, "", "")
    outcome = _cron(expire, root)
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.endswith("lab: 0 marked, 0 deleted, 0 B freed\n")


def test_systemd_runs_the_same_line() -> None:
    """Service and timer of the page are unit files, and the service runs cron's command."""
    service, timer = (_unit(text) for text in _blocks("ini"))
    assert service["Service"]["ExecStart"] == NIGHTLY
    assert service["Service"]["Type"] == "oneshot"
    hour, minute = re.findall(r"^(\d+) (\d+) ", _blocks("crontab")[0], re.MULTILINE)[0][::-1]
    assert timer["Timer"]["OnCalendar"] == f"*-*-* {int(hour):02}:{minute}"
    assert timer["Install"]["WantedBy"] == "timers.target"


def _unit(text: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # as its own docs say
    parser.read_string(text)
    return parser
