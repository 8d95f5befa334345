"""Parameters reach the database as values and as identifiers, never as text of a statement."""

from __future__ import annotations

import pytest

from dbops.errors import DbopsError, NotFound, Refused
from dbops.repair.manifest import Repair
from dbops.repair.parameter import Parameter, ParameterType
from dbops.repair.payload import Payload, RowSet
from tests.repair.bench import Bench, holds, parameters, repair, watch
from tests.repair.hospital import build

ODD = "x'; DELETE FROM bill; --"


@pytest.fixture
def ward(bench: Bench) -> Bench:
    """Twelve visits, five of them booked to the closed ward OLD."""
    return build(bench)


def named(**more: object) -> Repair:
    """A repair whose table, column and values are parameters."""
    given = parameters(
        Parameter("visits", ParameterType.TABLE, "visit"),
        Parameter("ward", ParameterType.COLUMN, "dept", table="visits"),
        Parameter("from", ParameterType.TEXT, "OLD"),
        Parameter("to", ParameterType.TEXT, ODD),
        Parameter("most", ParameterType.INTEGER, "4"),
    )
    watched = watch("visit", ':"ward" = :from AND id <= :most', update=4, may_change=["dept"])
    settings = {
        "parameters": given,
        "before": (holds('SELECT count(*) FROM :"visits" WHERE :"ward" = :from', "5"),),
        **more,
    }
    return repair(watched, **settings)  # type: ignore[arg-type] # checked at run time


MOVE = 'UPDATE :"visits" SET :"ward" = :to WHERE :"ward" = :from AND id <= :most'


def test_values_and_identifiers(ward: Bench) -> None:
    """Text that looks like SQL is a value; the names are those of the catalogue."""
    ward.run(named(), MOVE)
    assert [row[2] for row in ward.rows("visit")[:5]] == [ODD] * 4 + ["OLD"]
    assert len(ward.rows("bill")) == 12


def test_an_identifier_that_the_catalogue_does_not_know(ward: Bench) -> None:
    """Nothing runs for a column that is not there."""
    given = {**named().parameters}
    given["ward"] = Parameter("ward", ParameterType.COLUMN, "nothing", table="visits")
    with pytest.raises(NotFound) as caught:
        ward.run(named(parameters=given), MOVE)
    assert (caught.value.code, ward.files) == ("no-column", [])


@pytest.mark.parametrize("name", ["nobody", "bill; DELETE FROM bill", "visit WHERE 1 = 1"])
def test_a_table_that_the_catalogue_does_not_know(ward: Bench, name: str) -> None:
    """A name is looked up, whatever it looks like, and is never text of a statement."""
    given = {**named().parameters}
    given["visits"] = Parameter("visits", ParameterType.TABLE, name)
    with pytest.raises(NotFound) as caught:
        ward.run(named(parameters=given), MOVE)
    assert caught.value.code == "no-table"
    assert (ward.files, len(ward.rows("bill")), ward.rows("visit")[0][2]) == ([], 12, "OLD")


def test_a_column_that_may_change_and_is_none(ward: Bench) -> None:
    """The names in the manifest are looked up too."""
    watched = watch("visit", "id = 1", update=1, may_change=["nothing"])
    with pytest.raises(DbopsError) as caught:
        ward.run(repair(watched), "UPDATE visit SET dept = 'X' WHERE id = 1")
    assert caught.value.code == "no-column"


def test_a_volatile_column_that_is_none(ward: Bench) -> None:
    """A misspelt volatile column would be found only by the undo."""
    from_manifest = repair(watch("visit", "id = 1", update=1, may_change=["dept"]))
    undo = type(from_manifest.undo)(volatile=("updated",))
    with pytest.raises(NotFound) as caught:
        ward.run(named(undo=undo), MOVE)
    assert (caught.value.code, caught.value.message) == (
        "no-column",
        "no watched table has a column updated",
    )


def test_sealed_rows_run_once_each(ward: Bench) -> None:
    """Rows that were lost come back from a payload, NULL and the empty text included."""
    ward.site.run("DELETE FROM bill WHERE vid IN (1, 2)", "DELETE FROM visit WHERE id IN (1, 2)")
    rows = RowSet(("id", "dept", "note"), [(b"1", b"ORT", "备注".encode()), (b"2", None, b"")])
    manifest = repair(
        watch("visit", "id IN (1, 2)", insert=2),
        parameters=parameters(Parameter("lost", ParameterType.ROWS, None, sealed=True)),
    )
    sql = (
        "INSERT INTO visit (id, dept, note)"
        " SELECT CAST(:lost.id AS integer), :lost.dept, :lost.note"
    )
    run = ward.run(manifest, sql, payload=Payload({}, {"lost": rows}))
    assert ward.rows("visit")[:2] == [(1, None, "ORT", "备注"), (2, None, None, "")]
    ward.undo(run)
    assert len(ward.rows("visit")) == 10


def test_a_payload_that_is_not_open(ward: Bench) -> None:
    """A sealed parameter without its value runs nothing."""
    given = {**named().parameters}
    given["to"] = Parameter("to", ParameterType.TEXT, None, sealed=True)
    with pytest.raises(Refused) as caught:
        ward.run(named(parameters=given), MOVE)
    assert (caught.value.code, ward.files) == ("repair-param", [])
    ward.run(named(parameters=given), MOVE, payload=Payload({"to": "ORT"}))
    assert ward.rows("visit")[0][2] == "ORT"
