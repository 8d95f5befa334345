"""Systems that take pictures: radiology, eyes, nuclear medicine, scanned slides."""

from __future__ import annotations

from dataclasses import dataclass

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
from dbops.demo.values import decimal, note, octets, one_of, picture, sometimes, whole


@dataclass(frozen=True, slots=True)
class Thumbnails:
    """How many thumbnails a system begins with, and their smallest and largest size in bytes."""

    rows: int
    low: int
    high: int


FEW = Thumbnails(rows=300, low=600, high=2400)


def imaging(*modalities: str, thumbnails: Thumbnails = FEW) -> Kind:
    """Devices, studies, their series and thumbnails, and the reports."""
    tables = (
        department(),
        staff(60),
        patient(600),
        _device(modalities),
        _study(),
        _series(),
        _thumbnail(thumbnails),
        _imaging_report(),
        change_log(),
    )
    view = (
        "CREATE VIEW unreported_study AS\n"
        "SELECT study.accession, study.body_part, study.taken_at FROM study\n"
        "LEFT JOIN imaging_report ON imaging_report.study_id = study.id\n"
        "WHERE imaging_report.id IS NULL AND study.state <> '已取消'"
    )
    return Kind(tables, (view, logs("study", "state")))


def _device(modalities: tuple[str, ...]) -> Table:
    columns = (
        key(),
        among("modality", *modalities),
        text("room", one_of("一号机房", "二号机房", "三号机房", "急诊机房")),
        Column("dose_factor", "REAL", sometimes(decimal(0.5, 2, 3), 0.7)),
    )
    return Table("device", 12, columns, changing=("dose_factor",), grows=False)


def _study() -> Table:
    columns = (
        key(),
        number("accession", "A", 10),
        refers("patient"),
        refers("device"),
        coded("department"),
        among("body_part", "头颅", "胸部", "腹部", "盆腔", "脊柱", "四肢", "眼底", "甲状腺"),
        among("state", "已预约", "已检查", "已报告", "已报告", "已取消"),
        when("taken_at"),
    )
    indexes = ("patient_id, taken_at DESC", "device_id")
    return Table("study", 800, columns, indexes=indexes, changing=("state",))


def _series() -> Table:
    columns = (
        key(),
        refers("study"),
        Column("instance_count", "INTEGER NOT NULL CHECK (instance_count > 0)", whole(1, 640)),
        Column("slice_mm", "REAL", sometimes(decimal(0.5, 8, 2), 0.7)),
        Column("digest", "BLOB NOT NULL CHECK (length(digest) = 32)", octets(32)),
    )
    changing = ("instance_count",)
    return Table("series", 1400, columns, indexes=("study_id",), changing=changing, shrinks=True)


def _thumbnail(thumbnails: Thumbnails) -> Table:
    columns = (
        key(),
        refers("study"),
        Column("image", "BLOB NOT NULL", picture(thumbnails.low, thumbnails.high)),
        Column("caption", "TEXT", sometimes(one_of("横断位", "冠状位", "矢状位", "定位像"), 0.8)),
    )
    indexes = ("study_id",)
    return Table(
        "thumbnail", thumbnails.rows, columns, indexes=indexes, changing=("caption",), shrinks=True
    )


def _imaging_report() -> Table:
    columns = (
        key(),
        refers("study"),
        refers("staff", "doctor_id"),
        may_refer("staff", "reviewed_by", 0.7),
        text("findings", note(3, 8)),
        text("impression", note(1, 2)),
        Column("critical", "INTEGER NOT NULL CHECK (critical IN (0, 1))", one_of(0, 0, 0, 0, 1)),
        when("reported_at"),
    )
    indexes = ("study_id", "critical WHERE critical = 1")
    return Table("imaging_report", 600, columns, indexes=indexes, changing=("impression",))
