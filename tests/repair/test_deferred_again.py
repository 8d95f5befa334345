"""Work that triggers put off again and again is judged, or refused: COMMIT does none of it."""

from __future__ import annotations

import pytest

from dbops.errors import DbopsError, Partly, Refused
from dbops.repair.manifest import Batch, Repair
from dbops.repair.table import Change, TableName
from dbops.repair.transaction import Stage
from tests.repair.bench import Bench, repair, watch

MOVE = "UPDATE visit SET n = 1 WHERE id = 1"
ROUNDS = 3  # of SET CONSTRAINTS, before the rows are read again
UNSEEN = "a trigger wrote or locked rows behind the comparison, or puts that off until COMMIT"
HINT = "take SET CONSTRAINTS ... DEFERRED, and settings, out of the functions of deferred triggers"
LATE = "AFTER INSERT OR UPDATE ON {} DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"


@pytest.fixture
def ward(postgresql_bench: Bench) -> Bench:
    """Three visits, and a table where triggers count the rounds."""
    postgresql_bench.site.run(
        "CREATE TABLE visit (id integer PRIMARY KEY, n integer)",
        "CREATE TABLE hop (n integer)",
        "INSERT INTO visit SELECT g, 0 FROM generate_series(1, 3) g",
    )
    postgresql_bench.site.prepare("visit")
    return postgresql_bench


def put_off(bench: Bench, rounds: int, *, unseen: int = 99, last: str = "NULL") -> None:
    """A visit is written anew in so many rounds, each put off by the one before it.

    From the round `unseen` on, the server does not count that. Then comes the last thing.
    """
    bench.site.run(
        "CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN"
        f" IF NEW.n > {rounds} THEN {last}; RETURN NULL; END IF;"
        f" IF NEW.n >= {unseen} THEN SET LOCAL track_counts = off; END IF;"
        " SET CONSTRAINTS ALL DEFERRED; UPDATE public.visit SET n = NEW.n + 1 WHERE id = NEW.id;"
        " SET LOCAL track_counts = on; RETURN NULL; END $$",
        f"CREATE CONSTRAINT TRIGGER late {LATE.format('visit')} EXECUTE FUNCTION late()",
    )


def put_off_elsewhere(bench: Bench, rounds: int, when: str = "true") -> None:
    """Writing a visit writes as many rows as there are rounds, each late, none counted."""
    bench.site.run(
        "CREATE FUNCTION hop() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN"
        f" IF (SELECT count(*) FROM public.hop) >= {rounds} THEN RETURN NULL; END IF;"
        " SET LOCAL track_counts = off; SET CONSTRAINTS ALL DEFERRED;"
        " INSERT INTO public.hop VALUES (1); SET LOCAL track_counts = on; RETURN NULL; END $$",
        f"CREATE CONSTRAINT TRIGGER t {LATE.format('visit')} WHEN ({when}) EXECUTE FUNCTION hop()",
        f"CREATE CONSTRAINT TRIGGER t {LATE.format('hop')} EXECUTE FUNCTION hop()",
    )


def moving(**more: object) -> Repair:
    watched = watch("visit", update=1, may_change=["n"], rewrites=True)
    return repair(watched, **more)  # type: ignore[arg-type] # checked at run time


def refused(bench: Bench, manifest: Repair) -> DbopsError:
    """The refusal; nothing was written and nothing is left."""
    with pytest.raises(DbopsError) as caught:
        bench.run(manifest, MOVE)
    assert bench.rows("visit") == [(1, 0), (2, 0), (3, 0)]
    assert (bench.files, bench.markers()) == ([], [])
    return caught.value


@pytest.mark.parametrize("more", [1, 2, 5])
def test_what_is_written_unseen_behind_the_comparison_is_refused(ward: Bench, more: int) -> None:
    """Of a watched row, in the rounds beside dbops' own mark, and in those left for COMMIT."""
    put_off(ward, ROUNDS + more, unseen=ROUNDS + 1)
    error = refused(ward, moving())
    assert (type(error), error.code, error.hint) == (Refused, "repair-deferred", HINT)
    assert error.message == f"committing w-1: {UNSEEN}"
    assert ward.stages[-2:] == [Stage.COMMITTING, Stage.ROLLED_BACK]


def test_an_undo_commits_nothing_unseen(ward: Bench) -> None:
    """Its rows stay as the run left them, and its bundle is gone."""
    run = ward.run(moving(), MOVE)
    put_off_elsewhere(ward, ROUNDS + 1)
    with pytest.raises(Refused) as caught:
        ward.undo(run)
    assert (caught.value.code, ward.rows("hop")) == ("repair-deferred", [])
    assert caught.value.message == f"committing w-1-undo: {UNSEEN}"
    assert ward.rows("visit") == [(1, 1), (2, 0), (3, 0)]
    assert ward.files == [run.bundle.name]


def test_each_batch_commits_nothing_unseen(ward: Bench) -> None:
    """The batches before stay, each with its bundle."""
    put_off_elsewhere(ward, ROUNDS + 1, "NEW.id = 2")
    where = "id >= :batch_first AND id <= :batch_last"
    watched = watch("visit", where, update=3, may_change=["n"])
    manifest = repair(watched, batch=Batch(TableName("", "visit"), 1))
    with pytest.raises(Partly) as caught:
        ward.run_batches(ward.order(manifest, f"UPDATE visit SET n = 1 WHERE {where}"))
    assert caught.value.code == "repair-deferred"
    assert caught.value.message == f"committing w-1: {UNSEEN}; 1 batch of this run is committed"
    assert (ward.rows("visit"), ward.rows("hop")) == ([(1, 1), (2, 0), (3, 0)], [])
    assert (len(ward.files), len(ward.markers())) == (1, 1)


def test_what_is_put_off_a_few_times_is_judged(ward: Bench) -> None:
    """The bundle has the row as the last round left it; so has an undo."""
    put_off(ward, ROUNDS)
    run = ward.run(moving(), MOVE)
    assert ward.rows("visit") == [(1, ROUNDS + 1), (2, 0), (3, 0)]
    assert ward.changes(run) == [
        (0, Change((b"1",), (b"1", b"0"), (b"1", str(ROUNDS + 1).encode())))
    ]
    assert ward.markers() == [run.run]


@pytest.mark.parametrize(
    ("rounds", "code"), [(ROUNDS - 1, "forbidden-write"), (ROUNDS, "undeclared-write")]
)
def test_a_cursor_that_is_put_off(ward: Bench, rounds: int, code: str) -> None:
    """Whichever round leaves it open, COMMIT does not run its query."""
    cursor = "EXECUTE 'DECLARE c CURSOR WITH HOLD FOR SELECT 1'"
    put_off(ward, rounds, last=cursor)
    assert refused(ward, moving()).code == code


def test_honest_deferred_work_is_done_once(ward: Bench) -> None:
    """A trigger that writes a child, and its parent behind it: both are there, and the mark."""
    ward.site.run(
        "CREATE TABLE parent (id integer PRIMARY KEY)",
        "CREATE TABLE child (id integer PRIMARY KEY REFERENCES parent DEFERRABLE)",
        "CREATE FUNCTION pair() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " SET CONSTRAINTS public.child_id_fkey DEFERRED; INSERT INTO public.child VALUES (NEW.id);"
        " INSERT INTO public.parent VALUES (NEW.id); RETURN NULL; END $$",
        f"CREATE CONSTRAINT TRIGGER pair {LATE.format('visit')} EXECUTE FUNCTION pair()",
    )
    ward.site.prepare("visit", "parent", "child")
    also = (watch("parent", insert=1), watch("child", insert=1))
    run = ward.run(repair(watch("visit", update=1, may_change=["n"]), *also), MOVE)
    assert (ward.rows("parent"), ward.rows("child")) == ([(1,)], [(1,)])
    assert [index for index, _ in ward.changes(run)] == [0, 1, 2]
    assert ward.site.rows("SELECT run, work FROM dbops.dbops_run") == [(run.run, "w-1")]
