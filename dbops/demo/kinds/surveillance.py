"""Systems that watch: infections, notifiable diseases, adverse drug events."""

from __future__ import annotations

from dbops.demo.kinds.people import department, patient, staff
from dbops.demo.tables import (
    Column,
    Kind,
    Table,
    among,
    change_log,
    coded,
    key,
    logs,
    may_refer,
    number,
    refers,
    text,
    when,
)
from dbops.demo.values import decimal, listed, note, numbered, octets, one_of, sometimes, whole


def surveillance(*subjects: str) -> Kind:
    """Rules, the alerts they raise, case reports, and what was sent to the authorities."""
    tables = (
        department(),
        staff(60),
        patient(600),
        _rule(subjects),
        _alert(),
        _case_report(),
        _transmission(),
        change_log(),
    )
    view = (
        "CREATE VIEW open_alert AS\n"
        "SELECT rule.subject, alert.department_code, count(*) AS alerts, max(raised_at) AS latest\n"
        "FROM alert JOIN rule ON rule.code = alert.rule_code\n"
        "WHERE alert.state IN ('新发', '核实中') GROUP BY rule.subject, alert.department_code"
    )
    return Kind(tables, (view, logs("alert", "state"), logs("case_report", "state")))


def _rule(subjects: tuple[str, ...]) -> Table:
    columns = (
        Column("code", "TEXT PRIMARY KEY", numbered("R", 3)),
        text("subject", listed(subjects)),
        Column("threshold", "REAL NOT NULL CHECK (threshold >= 0)", decimal(0, 10, 2)),
    )
    changing = ("threshold",)
    return Table("rule", 40, columns, changing=changing, grows=False, without_rowid=True)


def _alert() -> Table:
    columns = (
        key(),
        coded("rule"),
        refers("patient"),
        coded("department"),
        Column("score", "REAL", sometimes(decimal(0, 10, 3), 0.95)),
        among("state", "新发", "核实中", "已确认", "已排除"),
        when("raised_at"),
    )
    indexes = ("rule_code, raised_at", "patient_id", "raised_at WHERE state = '新发'")
    return Table("alert", 1500, columns, indexes=indexes, changing=("state",), shrinks=True)


def _case_report() -> Table:
    columns = (
        key(),
        number("card_no", "K", 9),
        refers("patient"),
        refers("staff", "reporter_id"),
        text("description", note(2, 7)),
        Column("onset_days", "INTEGER CHECK (onset_days >= 0)", sometimes(whole(0, 30), 0.9)),
        among("state", "草稿", "已上报", "已审核", "退回"),
        when("reported_at"),
    )
    return Table("case_report", 600, columns, indexes=("patient_id",), changing=("state",))


def _transmission() -> Table:
    columns = (
        key(),
        may_refer("case_report", "case_report_id", 0.95),
        Column("receipt", "BLOB", sometimes(octets(128), 0.9)),
        Column("answer", "INTEGER NOT NULL", one_of(200, 200, 200, 202, 500)),
        Column("remark", "TEXT", sometimes(note(1, 2), 0.1)),
        when("sent_at"),
    )
    indexes = ("case_report_id",)
    return Table("transmission", 900, columns, indexes=indexes, changing=("answer",))
