"""Systems that examine what was taken from a patient: laboratory, pathology, blood bank."""

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
from dbops.demo.values import (
    day,
    decimal,
    listed,
    note,
    numbered,
    octets,
    one_of,
    picture,
    sometimes,
    whole,
)
from dbops.demo.vocabulary import DIAGNOSES, LAB_ITEMS, SPECIMENS, UNITS


def laboratory() -> Kind:
    """Specimens, the items tested on them, results and the quality controls of instruments."""
    tables = (
        department(),
        staff(50),
        patient(600),
        _test_item(),
        _specimen(),
        _result(),
        _quality_control(),
        change_log(),
    )
    view = (
        "CREATE VIEW abnormal_result AS\n"
        "SELECT specimen.barcode, test_item.name, lab_result.value, test_item.unit\n"
        "FROM lab_result JOIN specimen ON specimen.id = lab_result.specimen_id\n"
        "JOIN test_item ON test_item.code = lab_result.test_item_code\n"
        "WHERE lab_result.value NOT BETWEEN test_item.low AND test_item.high"
    )
    return Kind(tables, (view, logs("lab_result", "value"), logs("specimen", "state")))


def pathology() -> Kind:
    """Cases, their tissue blocks and slides, and the reports."""
    tables = (
        department(),
        staff(40),
        patient(500),
        _case(),
        _block(),
        _slide(),
        _report(),
        change_log(),
    )
    view = (
        "CREATE VIEW case_size AS\n"
        "SELECT tissue_case.case_no,\n"
        "  count(DISTINCT block.id) AS blocks, count(slide.id) AS slides\n"
        "FROM tissue_case LEFT JOIN block ON block.tissue_case_id = tissue_case.id\n"
        "LEFT JOIN slide ON slide.block_id = block.id GROUP BY tissue_case.id"
    )
    return Kind(tables, (view, logs("tissue_case", "state")))


def blood() -> Kind:
    """Blood units, requests, cross-matches, transfusions and the reactions to them."""
    tables = (
        department(),
        staff(40),
        patient(500),
        _unit(),
        _request(),
        _cross_match(),
        _transfusion(),
        change_log(),
    )
    view = (
        "CREATE VIEW blood_stock AS\n"
        "SELECT product, blood_group, count(*) AS units, sum(volume_ml) AS volume_ml\n"
        "FROM blood_unit WHERE state = '在库' GROUP BY product, blood_group"
    )
    return Kind(tables, (view, logs("blood_unit", "state"), logs("blood_request", "state")))


def _test_item() -> Table:
    columns = (
        Column("code", "TEXT PRIMARY KEY", numbered("L", 4)),
        text("name", listed(LAB_ITEMS)),
        text("unit", one_of(*UNITS)),
        Column("low", "REAL", decimal(0, 20, 1)),
        Column("high", "REAL", decimal(20, 140, 1)),
    )
    return Table(
        "test_item",
        66,
        columns,
        clauses=("CHECK (low <= high)",),
        changing=("high",),
        grows=False,
        without_rowid=True,
    )


def _specimen() -> Table:
    columns = (
        key(),
        number("barcode", "24", 10),
        refers("patient"),
        coded("department"),
        among("kind", *SPECIMENS),
        among("state", "已采集", "已接收", "检测中", "已报告", "拒收"),
        when("taken_at"),
        Column("refusal", "TEXT", sometimes(one_of("溶血", "凝块", "量不足", "标识不清"), 0.05)),
    )
    indexes = ("patient_id", "taken_at DESC")
    return Table("specimen", 900, columns, indexes=indexes, changing=("state",))


def _result() -> Table:
    columns = (
        key(),
        refers("specimen"),
        coded("test_item"),
        Column("value", "REAL", sometimes(decimal(0, 150, 2), 0.97)),
        Column("flag", "TEXT CHECK (flag IN ('↑', '↓'))", one_of("↑", "↓", None, None, None)),
        may_refer("staff", "verified_by", 0.9),
        when("reported_at"),
    )
    indexes = ("specimen_id, test_item_code", "flag WHERE flag IS NOT NULL")
    return Table("lab_result", 2600, columns, indexes=indexes, changing=("value",), shrinks=True)


def _quality_control() -> Table:
    columns = (
        key(),
        coded("test_item"),
        Column("run_on", "TEXT NOT NULL", day),
        Column("measured", "REAL NOT NULL", decimal(90, 110, 3)),
        Column("curve", "BLOB", octets(96)),
        Column("remark", "TEXT", sometimes(note(1, 2), 0.3)),
    )
    return Table("quality_control", 500, columns, indexes=("test_item_code, run_on",))


def _case() -> Table:
    columns = (
        key(),
        number("case_no", "B"),
        refers("patient"),
        coded("department"),
        text("clinical_diagnosis", one_of(*DIAGNOSES)),
        among("state", "已登记", "取材", "制片", "诊断", "已签发"),
        when("received_at"),
    )
    return Table("tissue_case", 500, columns, indexes=("patient_id",), changing=("state",))


def _block() -> Table:
    columns = (
        key(),
        refers("tissue_case"),
        among("site", "胃窦", "结肠", "乳腺", "甲状腺", "肺", "皮肤", "子宫内膜"),
        Column("weight_g", "REAL CHECK (weight_g > 0)", sometimes(decimal(0.1, 60, 2), 0.9)),
    )
    return Table("block", 800, columns, indexes=("tissue_case_id",), changing=("weight_g",))


def _slide() -> Table:
    columns = (
        key(),
        refers("block"),
        number("label", "SL"),
        among("stain", "HE", "HE", "HE", "PAS", "免疫组化", "特殊染色"),
        Column("focus", "REAL", sometimes(decimal(0, 1, 4), 0.8)),
        Column("preview", "BLOB", sometimes(picture(300, 900), 0.5)),
    )
    return Table("slide", 1100, columns, indexes=("block_id",), changing=("focus",), shrinks=True)


def _report() -> Table:
    columns = (
        key(),
        refers("tissue_case"),
        refers("staff", "doctor_id"),
        text("microscopy", note(3, 8)),
        text("conclusion", note(1, 2)),
        Column("signature", "BLOB", sometimes(octets(64), 0.8)),
        when("reported_at"),
    )
    indexes = ("tissue_case_id",)
    return Table("report", 480, columns, indexes=indexes, changing=("conclusion",), shrinks=True)


def _unit() -> Table:
    columns = (
        key(),
        number("bag_no", "0990", 9),
        among("product", "悬浮红细胞", "悬浮红细胞", "新鲜冰冻血浆", "单采血小板", "冷沉淀"),
        among("blood_group", "A", "B", "O", "AB"),
        Column("rh_positive", "INTEGER NOT NULL CHECK (rh_positive IN (0, 1))", one_of(1, 1, 1, 0)),
        Column("volume_ml", "INTEGER NOT NULL CHECK (volume_ml > 0)", one_of(100, 200, 200, 400)),
        among("state", "在库", "已预留", "已发出", "已输注", "报废"),
        Column("expires_on", "TEXT NOT NULL", day),
    )
    indexes = ("product, blood_group", "expires_on WHERE state = '在库'")
    return Table("blood_unit", 1200, columns, indexes=indexes, changing=("state",))


def _request() -> Table:
    columns = (
        key(),
        refers("patient"),
        coded("department"),
        text("indication", one_of(*DIAGNOSES)),
        Column("haemoglobin", "REAL", sometimes(decimal(42, 110, 1), 0.9)),
        among("state", "待审核", "已批准", "已配血", "已完成", "退回"),
        when("requested_at"),
    )
    return Table("blood_request", 700, columns, indexes=("patient_id",), changing=("state",))


def _cross_match() -> Table:
    columns = (
        key(),
        refers("blood_request"),
        refers("blood_unit"),
        among("result", "相合", "相合", "相合", "不相合"),
        Column("image", "BLOB", sometimes(picture(200, 600), 0.4)),
        when("tested_at"),
    )
    indexes = ("blood_request_id", "blood_unit_id")
    return Table("cross_match", 900, columns, indexes=indexes, changing=("result",))


def _transfusion() -> Table:
    columns = (
        key(),
        refers("cross_match"),
        refers("staff", "nurse_id"),
        when("started_at"),
        Column("minutes", "INTEGER CHECK (minutes BETWEEN 5 AND 480)", whole(20, 260)),
        Column("reaction", "TEXT", sometimes(one_of("发热", "皮疹", "寒战", "呼吸困难"), 0.04)),
        text("course", note(1, 4)),
    )
    indexes = ("cross_match_id", "reaction WHERE reaction IS NOT NULL")
    changing = ("reaction",)
    return Table("transfusion", 700, columns, indexes=indexes, changing=changing, shrinks=True)
