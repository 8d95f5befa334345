"""Status from the repository alone: what is said, how loud, and what a monitor reads."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbops.backup.expire import expire, plan_expiry
from dbops.backup.hold import place_hold
from dbops.backup.retention import Keep
from dbops.backup.status import DatabaseStatus, Verdict, database_status, prometheus_text
from dbops.crypto.signing import KeyFileSigner
from dbops.estate.values import System
from dbops.estate.zones import find_zone
from dbops.repository.chain import Damage, History
from dbops.repository.manifest import BackupId
from dbops.repository.records import ProofLevel
from tests.support.made_repository import DAY, START, MadeRepository, make_signer

HOUR = timedelta(hours=1)
LAB = System(
    name="lab",
    name_zh="实验室信息化管理系统",
    name_en="Laboratory informatics",
    owner="检验科",
    tier=1,
    rpo=26 * HOUR,
    rto=2 * HOUR,
)


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> KeyFileSigner:
    """The host's key."""
    return make_signer(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def made(tmp_path: Path, signer: KeyFileSigner) -> MadeRepository:
    """An empty repository."""
    return MadeRepository(tmp_path / "repository", signer)


def status(made: MadeRepository, now: datetime) -> DatabaseStatus:
    """The status of the one database."""
    return database_status(made.history(now), LAB, now)


def test_no_backup_at_all(made: MadeRepository) -> None:
    """Without a backup the RPO is missed and the verdict is `never`."""
    found = status(made, START)
    assert (found.verdict, found.rpo_missed, found.rto_missed) == (Verdict.NEVER, True, False)
    assert (found.last_backup_id, found.age_seconds, found.last_proven_at) == (None, None, None)
    assert (found.database, found.system) == ("lab", "lab")
    assert (found.rpo_seconds, found.rto_seconds) == (93_600, 7_200)


def test_the_rpo_is_missed_after_its_last_second(made: MadeRepository) -> None:
    """A backup exactly as old as the RPO is in time; a second later it is not."""
    made.add(START)
    made.certify(1, START)
    edge = START + LAB.rpo
    at_edge, beyond = status(made, edge), status(made, edge + timedelta(seconds=1))
    assert (at_edge.verdict, at_edge.rpo_missed, at_edge.age_seconds) == (
        Verdict.OK,
        False,
        93_600,
    )
    assert (beyond.verdict, beyond.rpo_missed, beyond.age_seconds) == (
        Verdict.RPO_MISSED,
        True,
        93_601,
    )


def test_a_backup_that_was_never_proven(made: MadeRepository) -> None:
    """Fresh but never restored: `unproven`, which is said and does not alarm."""
    made.add(START)
    found = status(made, START + HOUR)
    assert (found.verdict, found.level) == (Verdict.UNPROVEN, ProofLevel.UNKNOWN)
    assert not found.verdict.alarming
    made.certify(1, START + HOUR, reached=ProofLevel.READABLE)
    assert status(made, START + HOUR).level is ProofLevel.READABLE


def test_the_last_proven_may_be_older_than_the_last(made: MadeRepository) -> None:
    """Last night's backup and last week's proof are told apart, and so are data and proof."""
    made.add(START)
    made.certify(1, START + HOUR)
    made.add(START + DAY)
    found = status(made, START + DAY + HOUR)
    assert found.verdict is Verdict.OK
    assert (found.last_backup_id, found.last_backup_at) == (BackupId("lab", 2), START + DAY)
    assert (found.last_proven_id, found.last_proven_at) == (BackupId("lab", 1), START)
    assert (found.last_proof_at, found.level) == (START + HOUR, ProofLevel.UNKNOWN)


def test_a_damaged_backup_is_no_backup(made: MadeRepository) -> None:
    """The age is that of the newest sound backup, so a damaged one silences no alarm."""
    made.add(START)
    made.certify(1, START)
    made.add(START + DAY)
    made.certify(2, START + DAY, ProofLevel.READABLE, ("pack 12ab: its bytes have changed",))
    soon = status(made, START + DAY + HOUR)
    assert (soon.verdict, soon.last_backup_id) == (Verdict.FINDINGS, BackupId("lab", 1))
    assert soon.findings == ("lab@2: pack 12ab: its bytes have changed",)
    late = status(made, START + DAY + 3 * HOUR)
    assert (late.verdict, late.rpo_missed) == (Verdict.RPO_MISSED, True)


def test_a_newer_proof_settles_an_old_finding(made: MadeRepository) -> None:
    """Once a later backup is proven the old finding is still listed, and alarms no more."""
    made.add(START)
    made.certify(1, START, ProofLevel.STORED, ("the catalogue: it is missing",))
    made.add(START + DAY)
    assert status(made, START + DAY).verdict is Verdict.FINDINGS
    made.certify(2, START + DAY)
    found = status(made, START + DAY)
    assert (found.verdict, len(found.findings)) == (Verdict.OK, 1)


def test_only_damaged_backups_are_none(made: MadeRepository) -> None:
    """Where every backup was found damaged, there is none."""
    made.add(START)
    made.certify(1, START, ProofLevel.UNKNOWN, ("a pack: it is missing",))
    found = status(made, START + HOUR)
    assert (found.verdict, found.rpo_missed, found.backup_count) == (Verdict.NEVER, True, 1)


def test_a_backup_from_the_future_is_no_backup(made: MadeRepository) -> None:
    """A backup dated next year does not keep the RPO alarm silent until then."""
    made.add(START)
    made.add(START + 365 * DAY)
    made.certify(2, START)
    now = START + 2 * DAY
    found = status(made, now)
    assert (found.verdict, found.last_backup_id) == (Verdict.RPO_MISSED, BackupId("lab", 1))
    assert found.last_proven_id is None
    assert found.findings == (
        "lab@2: it claims to come from the future: compare the clocks of the hosts",
    )
    # Minutes are what clocks differ by; then the age is zero.
    assert status(made, START - timedelta(minutes=5)).age_seconds == 0


def test_a_broken_chain_is_the_worst(made: MadeRepository) -> None:
    """A missing manifest makes the verdict `damaged`, whatever else is well."""
    made.add(START)
    made.add(START + HOUR)
    made.certify(2, START + HOUR)
    made.store.delete(made.backup(1, START).name)
    found = status(made, START + HOUR)
    assert (found.verdict, found.rpo_missed) == (Verdict.DAMAGED, False)
    assert [str(item) for item in found.damages] == [
        "lab@1: its manifest is missing and no tombstone says why"
    ]


def test_the_rto_is_measured_by_the_newest_restore(made: MadeRepository) -> None:
    """The newest restore counts, of whichever backup; one that broke off measures nothing."""
    made.add(START)
    made.add(START + HOUR)
    made.certify(2, START + HOUR, restore=60_500)
    assert status(made, START + HOUR).measured_restore_seconds == 60.5
    made.certify(1, START + 2 * HOUR, restore=7_200_001)
    made.certify(2, START + 3 * HOUR, reached=ProofLevel.STORED, findings=("x",), restore=5)
    made.certify(2, START + 4 * HOUR)
    found = status(made, START + 4 * HOUR)
    assert (found.measured_restore_seconds, found.rto_missed) == (7200.001, True)
    assert found.verdict is Verdict.RTO_MISSED


def test_marked_and_held_backups_are_counted(made: MadeRepository) -> None:
    """A backup with a tombstone no longer counts as one; one on hold is counted as held."""
    for night in range(3):
        made.add(START + night * HOUR)
    now = START + 3 * HOUR
    repository, history = made.open(now), made.history(now)
    plan = plan_expiry(history, Keep(last=2), DAY, now, find_zone("Asia/Shanghai"))
    expire(repository, history, plan, made.signer, lambda: now)
    place_hold(repository, made.backup(2, now), "audit", "li.si", made.signer, lambda: now)
    found = status(made, now)
    assert (found.backup_count, found.held_count) == (2, 1)


def test_which_verdicts_alarm() -> None:
    """A monitor is told of everything but `ok` and `unproven`."""
    assert [verdict.value for verdict in Verdict if not verdict.alarming] == ["unproven", "ok"]


EMPTY = database_status(History("lab", (), (), (), newest=None), LAB, START)


def test_prometheus_text(made: MadeRepository) -> None:
    """Each metric has help, type and a sample for each database that has the value."""
    made.add(START)
    made.certify(1, START + HOUR, restore=1_500)
    blood = replace(EMPTY, database="blood", damages=(Damage("blood@1", "gone"),))
    text = prometheus_text([status(made, START + HOUR), blood])
    assert text.startswith(
        "# HELP dbops_last_backup_timestamp_seconds "
        "The instant whose data the newest sound backup holds.\n"
        "# TYPE dbops_last_backup_timestamp_seconds gauge\n"
        'dbops_last_backup_timestamp_seconds{database="lab",system="lab"} 1793498400\n'
        "# HELP dbops_last_proven_timestamp_seconds "
    )
    assert datetime.fromtimestamp(1793498400, UTC) == START
    samples = [line for line in text.splitlines() if not line.startswith("#")]
    assert [line for line in samples if 'database="lab"' in line] == [
        f'{name}{{database="lab",system="lab"}} {value}'
        for name, value in {
            "dbops_last_backup_timestamp_seconds": 1793498400,
            "dbops_last_proven_timestamp_seconds": 1793498400,
            "dbops_rpo_seconds": 93600,
            "dbops_rpo_missed": 0,
            "dbops_rto_seconds": 7200,
            "dbops_restore_seconds": 1.5,
            "dbops_rto_missed": 0,
            "dbops_backup_proof_level": 4,
            "dbops_backup_damaged": 0,
            "dbops_backup_findings": 0,
            "dbops_backups": 1,
            "dbops_backups_held": 0,
            "dbops_backup_alarm": 0,
        }.items()
    ]
    assert [line.split('"')[0] for line in samples if 'database="blood"' in line] == [
        f"{name}{{database="
        for name in (
            "dbops_rpo_seconds",
            "dbops_rpo_missed",
            "dbops_rto_seconds",
            "dbops_rto_missed",
            "dbops_backup_proof_level",
            "dbops_backup_damaged",
            "dbops_backup_findings",
            "dbops_backups",
            "dbops_backups_held",
            "dbops_backup_alarm",
        )
    ]
    assert 'dbops_backup_damaged{database="blood",system="lab"} 1\n' in text


def test_no_database_gives_no_text() -> None:
    """An empty estate writes an empty file, not headers without samples."""
    assert prometheus_text([]) == ""


_SAMPLE = re.compile(
    r'[a-z_]+\{database="((?:[^"\\\n]|\\[\\"n])*)",system="((?:[^"\\\n]|\\[\\"n])*)"\} [0-9.]+'
)


@given(st.text(), st.text())
def test_labels_are_escaped(database: str, system: str) -> None:
    """Whatever the names hold, each sample is one line, and unescaping gives the names back."""
    text = prometheus_text([replace(EMPTY, database=database, system=system)])
    samples = [line for line in text.split("\n")[:-1] if not line.startswith("# ")]
    assert samples
    for line in samples:
        match = _SAMPLE.fullmatch(line)
        assert match is not None
        plain = [
            re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], g) for g in match.groups()
        ]
        assert plain == [database, system]
