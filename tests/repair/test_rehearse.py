"""A rehearsal on a copy: run, undone, refused a second time, and written down without a value."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest

from dbops.crypto.age import Identity
from dbops.crypto.signing import KeyFileSigner, generate_signing_key
from dbops.crypto.sshsig import Namespace, check_signature
from dbops.errors import DbopsError, NoIdentity, Refused
from dbops.repair.bundles import BundlePlace
from dbops.repair.evidence import TableEvidence, UndoEvidence, read_evidence
from dbops.repair.manifest_text import parse_repair, script_of
from dbops.repair.rehearsal import Rehearsal, RehearsalOrder
from dbops.repair.rehearse import rehearse, rehearse_undo
from dbops.repair.rehearsed import must_come_again, rehearsed_rows
from dbops.repair.run import run_repair
from dbops.repair.run_order import RunOrder
from dbops.repair.table import TableName
from dbops.repair.transaction import Stage
from dbops.review.work import ROWS, Kind, Work
from dbops.sql.written import Written
from tests.engines.repair_site import CANARY
from tests.engines.sqlite.repairs import SqliteSite

ID = "2026-117-visit-ward"
NOW = datetime(2026, 11, 23, 2, 10, 30, 500_000, tzinfo=UTC)
TAKEN = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
VISIT = TableName("", "visit")
READER = Identity.generate()
SCHEMA = (
    "CREATE TABLE visit (id INTEGER PRIMARY KEY, ward TEXT, note TEXT)",
    "CREATE TABLE audit (id INTEGER PRIMARY KEY, visit INTEGER)",
    "INSERT INTO visit VALUES (1, 'OLD', 'a'), (2, 'OLD', 'canary-4711'), (3, 'ORT', NULL)",
    "CREATE TRIGGER noted AFTER UPDATE ON visit"
    " BEGIN INSERT INTO audit (visit) VALUES (new.id); END",
)
MANIFEST = f"""\
dbops: repair/v1
id: {ID}
title: visits booked to the closed ward
author: wang.fang@site
risk: low
databases: [lab]
watch:
  - table: visit
    where: ward = :from_ward OR ward = 'ORT'
    expect: {{update: 2}}
    may_change: [ward]
side_effects:
  - {{table: audit, insert: 2}}
params:
  from_ward: {{type: text, value: OLD}}
limits: {{rows: 5}}
"""
SCRIPT = "UPDATE visit SET ward = 'ORT' WHERE ward = :from_ward;\n"


@cache
def _signer(path: Path) -> KeyFileSigner:
    generate_signing_key(path, "verifier")
    return KeyFileSigner.load(path)


class Bench:
    """A copy of a database, and a repair of it."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.site = SqliteSite(place / "copy.db")
        self.site.run(*SCHEMA)
        self.files = {"repair.yml": MANIFEST.encode(), "repair.sql": SCRIPT.encode()}
        self.stages: list[Stage] = []
        (place / "private").mkdir(mode=0o700)

    @property
    def work(self) -> Work:
        text = self.files["repair.yml"].decode()
        work_id = text.partition("id: ")[2].partition("\n")[0]
        return Work(Kind.REPAIR, work_id, f"repairs/{work_id}", self.files)

    @property
    def signer(self) -> KeyFileSigner:
        return _signer(self.place / "key")

    def edit(self, name: str, old: str, new: str) -> None:
        text = self.files[name].decode()
        assert old in text
        self.files[name] = text.replace(old, new).encode()

    def order(self) -> RehearsalOrder:
        return RehearsalOrder(
            work=self.work,
            repair=parse_repair(self.work),
            script=script_of(self.work) if "repair.sql" in self.files else (),
            payload=None,
            host="verifier-1",
            backup="lab@12",
            taken=TAKEN,
            proof="proven",
            readers=(READER.recipient,),
            signer=self.signer,
            directory=self.place / "private",
        )

    def prepare(self, tables: Sequence[TableName]) -> None:
        engine = self.site.engine
        engine.install(engine.prepare_sql(tables))

    def rehearsed(self) -> Rehearsal:
        """What a rehearsal finds; the folder is as it was."""
        order, engine = self.order(), self.site.engine
        return rehearse(order, engine, self.prepare, lambda: NOW, self.stages.append)

    def visits(self) -> list[tuple[object, ...]]:
        return self.site.rows("SELECT * FROM visit ORDER BY id")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_what_is_found(bench: Bench) -> None:
    """Counts by table and column, side effects, the undo; the copy is as it was."""
    before = bench.visits()
    found = bench.rehearsed().evidence
    assert (found.id, found.host, found.database) == (ID, "verifier-1", "lab")
    assert (found.backup, found.taken, found.proof) == ("lab@12", TAKEN, "proven")
    assert found.at == NOW.replace(microsecond=0)
    assert found.counted_by == "sqlite3_preupdate_hook"
    table = found.tables[VISIT]
    assert (table.ops, table.columns) == (Written(updated=2), {"ward": 2})
    assert found.side_effects == {TableName("", "audit"): 2}
    assert found.undo == UndoEvidence(2, "undo-already")
    (transaction,) = found.transactions
    assert transaction.tables == {VISIT: Written(updated=2)}
    assert bench.stages[-1] is Stage.COMMITTED
    assert bench.visits() == before


def test_the_files_fit_each_other(bench: Bench) -> None:
    """The evidence lists every other file, the host signed it, and it reads back."""
    bench.files |= {ROWS: b"of an earlier rehearsal", "evidence.yml": b"old"}
    done = bench.rehearsed()
    assert list(done.files) == [ROWS, "evidence.yml", "evidence.yml.sig"]
    digests = {
        path: hashlib.sha256(data).hexdigest()
        for path, data in (bench.files | {ROWS: done.files[ROWS]}).items()
        if path != "evidence.yml"
    }
    assert done.evidence.files == digests
    bench.files |= done.files
    assert read_evidence(bench.work) == done.evidence
    armor = done.files["evidence.yml.sig"].decode()
    key = check_signature(done.files["evidence.yml"], armor, Namespace.EVIDENCE)
    assert key == bench.signer.public_key


def test_the_rows_are_for_the_readers_only(bench: Bench) -> None:
    """Who may read them sees both images, and finds the key under which the run is compared."""
    done = bench.rehearsed()
    bench.files |= done.files
    rows = rehearsed_rows(bench.work, (READER,))
    assert rows is not None
    assert [(change.before, change.after) for _, change in rows] == [
        ((b"1", b"OLD", b"a"), (b"1", b"ORT", b"a")),
        ((b"2", b"OLD", CANARY.encode()), (b"2", b"ORT", CANARY.encode())),
    ]
    (approved,) = must_come_again(bench.work, (READER,))
    assert approved.key == rows.header.key
    assert approved.digest == done.evidence.transactions[0].difference
    with pytest.raises(NoIdentity):
        rehearsed_rows(bench.work, (Identity.generate(),))


def test_no_value_is_written_in_clear(bench: Bench) -> None:
    """Neither the evidence nor what is left beside it holds what a row holds."""
    done = bench.rehearsed()
    for data in done.files.values():
        assert CANARY.encode() not in data
    for path in (bench.place / "private").rglob("*"):
        assert CANARY.encode() not in path.read_bytes()


def test_work_that_was_not_rehearsed_has_nothing_to_come_to(bench: Bench) -> None:
    """Where the policy asks for the rehearsed rows, their absence is said."""
    assert rehearsed_rows(bench.work, (READER,)) is None
    with pytest.raises(Refused) as caught:
        must_come_again(bench.work, (READER,))
    assert caught.value.code == "evidence-missing"
    assert caught.value.hint == f"rehearse it on the verifying host: dbops repair rehearse {ID}"


def test_a_script_that_does_more_is_refused(bench: Bench) -> None:
    """What would be refused on the database is refused here, and the copy is as it was."""
    bench.edit("repair.sql", "SET ward", "SET note = 'x', ward")
    before = bench.visits()
    with pytest.raises(Refused) as caught:
        bench.rehearsed()
    assert caught.value.code == "column-not-permitted"
    assert bench.visits() == before


def test_a_repair_that_cannot_be_undone_is_refused(bench: Bench) -> None:
    """A trigger that changes the rows again shows at the undo, before anybody has approved."""
    bench.site.run(
        "CREATE TRIGGER again AFTER UPDATE OF ward ON visit WHEN new.ward = 'OLD'"
        " BEGIN UPDATE visit SET note = 'seen' WHERE id = new.id; END"
    )
    with pytest.raises(DbopsError) as caught:
        bench.rehearsed()
    assert caught.value.code.startswith("undo-")


def test_a_copy_that_is_prepared_is_not_prepared_again(bench: Bench) -> None:
    """What the backup knows of repairs is what the database knows."""
    bench.site.prepare("visit")

    def never(_tables: object) -> None:
        raise AssertionError("prepared twice")

    found = rehearse(bench.order(), bench.site.engine, never, lambda: NOW).evidence
    assert found.rows == 2


class Undone:
    """A run on a source, and the undo of it on a copy of that source, as it was later."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        place = bench.place / "source"
        place.mkdir()
        self.source = SqliteSite(place / "lab.db")
        self.source.run(*SCHEMA)
        self.source.prepare("visit")
        self.place = BundlePlace(bench.place / "bundles")
        self.secret = Identity.generate()

    def run(self) -> None:
        """The repair runs on the source; the bench's folder is its undo from now on."""
        bench, engine = self.bench, self.source.engine
        order = RunOrder(
            repair=parse_repair(bench.work),
            script=script_of(bench.work),
            payload=None,
            plan=bench.work.plan,
            run="1" * 32,
            database="lab",
            identity=engine.identity(),
            recipients=(self.secret.recipient,),
            key="2" * 64,
            scratch=bench.place / "private",
        )
        report = run_repair(order, engine, self.place, lambda _: None)
        self.sha256 = report.sha256
        bench.files = {"repair.yml": UNDO.replace("SHA256", report.sha256).encode()}

    def copy(self) -> None:
        """The copy is as the source is now."""
        shutil.copyfile(self.source.path, self.bench.site.path)

    def rehearsed(self) -> Rehearsal:
        bundle = self.place.open(self.place.find(self.sha256), (self.secret,), self.sha256)
        order = self.bench.order()
        return rehearse_undo(order, (bundle,), self.bench.site.engine, lambda: NOW)


UNDO = f"""\
dbops: repair/v1
id: {ID}-undo
title: back
author: wang.fang@site
risk: low
databases: [lab]
limits: {{rows: 5}}
undo_of: {{work: {ID}, bundles: [SHA256]}}
"""


@pytest.fixture
def undone(bench: Bench) -> Undone:
    return Undone(bench)


def test_an_undo_is_rehearsed_on_a_backup_after_the_run(undone: Undone) -> None:
    """What will be taken back is counted and shown, and once is all it can be."""
    undone.run()
    undone.copy()
    done = undone.rehearsed()
    found = done.evidence.tables[VISIT]
    assert (found.ops, found.columns) == (Written(updated=2), {"ward": 2})
    assert done.evidence.undo == UndoEvidence(2, "undo-already")
    undone.bench.files |= done.files
    rows = rehearsed_rows(undone.bench.work, (READER,))
    assert rows is not None
    assert [change.before[1] for _, change in rows if change.before] == [b"ORT", b"ORT"]
    assert undone.source.rows("SELECT DISTINCT ward FROM visit") == [("ORT",)]


def test_an_undo_that_would_be_refused_is_refused_here(undone: Undone) -> None:
    """Somebody edited a row after the run: the rehearsal says so before anybody approves."""
    undone.run()
    undone.source.run("UPDATE visit SET note = 'later' WHERE id = 1")
    undone.copy()
    with pytest.raises(Refused) as caught:
        undone.rehearsed()
    assert caught.value.code == "undo-conflict"


def test_a_backup_from_before_the_run_shows_nothing_of_its_undo(undone: Undone) -> None:
    """It does not know of the run; a newer one is asked for."""
    undone.copy()
    undone.run()
    with pytest.raises(Refused) as caught:
        undone.rehearsed()
    assert (caught.value.code, caught.value.message) == (
        "rehearse-early",
        f"lab@12 was taken before the run that {ID}-undo takes back",
    )


def test_batches(bench: Bench) -> None:
    """Each transaction is written down for itself, the rows together, and all is taken back."""
    bench.edit("repair.yml", "limits:", "batch: {table: visit, rows: 1}\nlimits:")
    bench.edit(
        "repair.yml",
        "where: ward = :from_ward OR ward = 'ORT'",
        "where: id BETWEEN :batch_first AND :batch_last",
    )
    bench.edit(
        "repair.sql",
        "ward = :from_ward",
        "ward = :from_ward AND id BETWEEN :batch_first AND :batch_last",
    )
    before = bench.visits()
    done = bench.rehearsed()
    assert done.evidence.tables[VISIT] == TableEvidence(
        Written(updated=2), {"ward": 2}, done.evidence.tables[VISIT].schema
    )
    ops = [one.tables[VISIT] for one in done.evidence.transactions]
    assert ops == [Written(updated=1), Written(updated=1), Written()]
    bench.files |= done.files
    rows = rehearsed_rows(bench.work, (READER,))
    assert rows is not None
    assert rows.check() == 2
    assert bench.visits() == before
