"""Systems at the bedside: records of wards, and courses of treatment."""

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
from dbops.demo.values import decimal, note, octets, one_of, sometimes, whole
from dbops.demo.vocabulary import DIAGNOSES, DRUGS


def clinical(*procedures: str) -> Kind:
    """Records of a ward: visits, vital signs, orders, procedures and notes."""
    tables = (
        department(),
        staff(),
        patient(),
        _visit(),
        _vital_sign(),
        _prescription(),
        _procedure(procedures),
        _clinical_note(),
        change_log(),
    )
    view = (
        "CREATE VIEW current_inpatient AS\n"
        "SELECT visit.visit_no, patient.name, visit.diagnosis, department.name AS department\n"
        "FROM visit JOIN patient ON patient.id = visit.patient_id\n"
        "JOIN department ON department.code = visit.department_code\n"
        "WHERE visit.status = '在院'"
    )
    return Kind(tables, (view, logs("visit", "status"), logs("prescription", "status")))


def treatment(*methods: str) -> Kind:
    """Courses of treatment: plans, sessions with their marks, assessments."""
    tables = (
        department(),
        staff(60),
        patient(600),
        _plan(methods),
        _session(),
        _assessment(),
        change_log(),
    )
    view = (
        "CREATE VIEW plan_progress AS\n"
        "SELECT plan_id, count(*) AS sessions, sum(state = '完成') AS finished,\n"
        "  round(avg(minutes), 1) AS mean_minutes\n"
        "FROM session GROUP BY plan_id"
    )
    return Kind(tables, (view, logs("session", "state")))


def _visit() -> Table:
    columns = (
        key(),
        number("visit_no", "V", 10),
        refers("patient"),
        coded("department"),
        refers("staff", "doctor_id"),
        when("admitted_at"),
        Column("bed", "TEXT", sometimes(one_of(*(f"{n:02d}床" for n in range(1, 61))), 0.7)),
        text("diagnosis", one_of(*DIAGNOSES)),
        among("status", "在院", "出院", "出院", "转科"),
    )
    indexes = ("patient_id, admitted_at DESC", "bed WHERE status = '在院'")
    return Table("visit", 800, columns, indexes=indexes, changing=("status", "bed"))


def _vital_sign() -> Table:
    columns = (
        key(),
        refers("visit"),
        when("measured_at"),
        Column("temperature", "REAL CHECK (temperature BETWEEN 30 AND 45)", decimal(35.8, 40, 1)),
        Column("pulse", "INTEGER CHECK (pulse > 0)", whole(48, 142)),
        Column("systolic", "INTEGER", sometimes(whole(86, 188), 0.9)),
        Column("diastolic", "INTEGER", sometimes(whole(48, 112), 0.9)),
        Column("oxygen", "REAL", sometimes(decimal(86, 100, 1), 0.6)),
    )
    indexes = ("visit_id, measured_at",)
    return Table("vital_sign", 1200, columns, indexes=indexes, changing=("pulse",), shrinks=True)


def _prescription() -> Table:
    columns = (
        key(),
        refers("visit"),
        text("drug", one_of(*DRUGS)),
        Column("dose", "REAL NOT NULL CHECK (dose > 0)", one_of(0.5, 1.0, 2.5, 5.0, 10.0, 250.0)),
        among("frequency", "每日一次", "每日两次", "每日三次", "每晚", "立即"),
        among("status", "执行中", "已停止", "待审核"),
        when("ordered_at"),
    )
    indexes = ("visit_id", "drug")
    changing = ("status", "dose")
    return Table("prescription", 900, columns, indexes=indexes, changing=changing, shrinks=True)


def _procedure(procedures: tuple[str, ...]) -> Table:
    columns = (
        key(),
        refers("visit"),
        may_refer("staff", "performed_by", 0.9),
        text("name", one_of(*procedures)),
        Column("minutes", "INTEGER CHECK (minutes BETWEEN 1 AND 1440)", whole(5, 320)),
        Column("outcome", "TEXT", sometimes(note(1, 2), 0.6)),
    )
    return Table("procedure", 300, columns, indexes=("visit_id",), changing=("outcome",))


def _clinical_note() -> Table:
    columns = (
        key(),
        refers("visit"),
        refers("staff", "author_id"),
        among("title", "入院记录", "首次病程记录", "日常病程记录", "查房记录", "出院小结"),
        text("body", note(3, 9)),
        Column("signature", "BLOB", sometimes(octets(64), 0.85)),
        when("written_at"),
    )
    return Table("clinical_note", 500, columns, indexes=("visit_id",), changing=("body",))


def _plan(methods: tuple[str, ...]) -> Table:
    columns = (
        key(),
        number("plan_no", "T"),
        refers("patient"),
        refers("staff", "therapist_id"),
        text("method", one_of(*methods)),
        Column("sessions", "INTEGER NOT NULL CHECK (sessions BETWEEN 1 AND 40)", whole(1, 40)),
        Column("goal", "TEXT", sometimes(note(1, 2), 0.8)),
        when("planned_at"),
    )
    return Table("plan", 500, columns, indexes=("patient_id",), changing=("goal",))


def _session() -> Table:
    columns = (
        key(),
        refers("plan"),
        when("started_at"),
        Column("minutes", "REAL NOT NULL CHECK (minutes > 0)", decimal(5, 90, 1)),
        among("state", "预约", "进行中", "完成", "完成", "取消"),
        Column("remark", "TEXT", sometimes(note(1, 3), 0.4)),
    )
    indexes = ("plan_id, started_at", "date(started_at)")
    return Table("session", 1800, columns, indexes=indexes, changing=("state",), shrinks=True)


def _assessment() -> Table:
    columns = (
        key(),
        refers("plan"),
        Column("score", "INTEGER CHECK (score BETWEEN 0 AND 100)", sometimes(whole(0, 100), 0.95)),
        text("findings", note(2, 6)),
        Column("signature", "BLOB", octets(64)),
    )
    return Table("assessment", 500, columns, indexes=("plan_id",), changing=("score",))
