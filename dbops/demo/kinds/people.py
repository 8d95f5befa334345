"""Tables that most systems of a hospital have: departments, staff, patients."""

from __future__ import annotations

from dbops.demo.tables import Column, Table, among, coded, key, number, text, when
from dbops.demo.values import (
    address,
    id_number,
    listed,
    numbered,
    one_of,
    person,
    phone,
    sometimes,
)
from dbops.demo.vocabulary import DEPARTMENTS, TITLES


def department() -> Table:
    """Departments, keyed by their code."""
    columns = (
        Column("code", "TEXT PRIMARY KEY", numbered("D", 3)),
        text("name", listed(DEPARTMENTS)),
        Column("floor", "INTEGER CHECK (floor BETWEEN -2 AND 30)", one_of(-1, 1, 2, 3, 5, 8, 12)),
        Column("closed_at", "TEXT", one_of(None)),
    )
    return Table("department", len(DEPARTMENTS), columns, grows=False, without_rowid=True)


def staff(rows: int = 120) -> Table:
    """Those who work there."""
    columns = (
        key(),
        number("staff_no", "S", 5),
        text("name", person),
        coded("department"),
        Column("title", "TEXT", sometimes(one_of(*TITLES), 0.9)),
        Column("phone", "TEXT", sometimes(phone, 0.8)),
    )
    return Table("staff", rows, columns, indexes=("department_code",), changing=("title", "phone"))


def patient(rows: int = 700) -> Table:
    """Those who are treated; the birth date is computed from the identity number."""
    columns = (
        key(),
        number("record_no", "P"),
        text("name", person),
        among("sex", "男", "女", "未知"),
        Column("id_number", "TEXT CHECK (length(id_number) = 18)", sometimes(id_number, 0.95)),
        Column("phone", "TEXT", sometimes(phone, 0.85)),
        Column("address", "TEXT", sometimes(address, 0.9)),
        when("registered_at"),
    )
    birth = "substr(id_number, 7, 4) || '-' || substr(id_number, 11, 2) || '-' || "
    birth += "substr(id_number, 13, 2)"
    return Table(
        "patient",
        rows,
        columns,
        clauses=(f"birth_date TEXT GENERATED ALWAYS AS ({birth}) VIRTUAL",),
        indexes=("name", "phone WHERE phone IS NOT NULL"),
        changing=("phone", "address"),
    )
