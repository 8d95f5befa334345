"""Systems that move things and people: stock, traced batches, appointments."""

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
    person,
    phone,
    sometimes,
    whole,
)
from dbops.demo.vocabulary import FIRMS


def supply(*goods: str) -> Kind:
    """Suppliers, articles, the lots in stock, and every movement of them."""
    tables = (
        department(),
        _supplier(),
        _article(goods),
        _lot(),
        _movement(),
        _stocktake(),
        change_log(),
    )
    view = (
        "CREATE VIEW short_article AS\n"
        "SELECT article.code, article.name, coalesce(sum(lot.quantity), 0) AS quantity\n"
        "FROM article LEFT JOIN lot ON lot.article_code = article.code\n"
        "GROUP BY article.code HAVING coalesce(sum(lot.quantity), 0) < article.minimum"
    )
    return Kind(tables, (view, logs("lot", "quantity"), logs("movement", "quantity")))


def tracing(*goods: str) -> Kind:
    """Batches of things that pass through steps, each scanned by somebody."""
    tables = (department(), staff(80), _machine(), _batch(), _package(goods), _step(), change_log())
    view = (
        "CREATE VIEW package_place AS\n"
        "SELECT package.barcode, step.action, max(step.scanned_at) AS scanned_at\n"
        "FROM package JOIN step ON step.package_id = package.id GROUP BY package.id"
    )
    return Kind(tables, (view, logs("batch", "state"), logs("package", "state")))


def booking(*services: str) -> Kind:
    """Services, the slots they offer, bookings of patients, and calls at the door."""
    tables = (
        department(),
        patient(800),
        _service(services),
        _slot(),
        _booking(),
        _call(),
        change_log(),
    )
    view = (
        "CREATE VIEW free_slot AS\n"
        "SELECT slot.id, slot.starts_at, slot.capacity - count(booking.id) AS free\n"
        "FROM slot LEFT JOIN booking ON booking.slot_id = slot.id AND booking.state <> '已取消'\n"
        "GROUP BY slot.id"
    )
    return Kind(tables, (view, logs("booking", "state")))


def _supplier() -> Table:
    columns = (
        key(),
        text("name", listed(FIRMS)),
        text("contact", person),
        Column("phone", "TEXT", sometimes(phone, 0.9)),
        Column("licence", "BLOB", sometimes(octets(512), 0.8)),
    )
    return Table("supplier", 60, columns, changing=("contact", "phone"), grows=False)


def _article(goods: tuple[str, ...]) -> Table:
    columns = (
        Column("code", "TEXT PRIMARY KEY", numbered("W", 6)),
        text("name", listed(goods)),
        among("unit", "支", "盒", "瓶", "袋", "个"),
        Column("price", "REAL NOT NULL CHECK (price >= 0)", decimal(0.1, 4000, 2)),
        Column("minimum", "INTEGER NOT NULL", whole(0, 300)),
    )
    changing = ("price",)
    return Table("article", 320, columns, changing=changing, grows=False, without_rowid=True)


def _lot() -> Table:
    columns = (
        key(),
        number("lot_no", "LOT"),
        coded("article"),
        refers("supplier"),
        Column("quantity", "INTEGER NOT NULL CHECK (quantity >= 0)", whole(0, 600)),
        Column("expires_on", "TEXT", sometimes(day, 0.85)),
    )
    indexes = ("article_code", "expires_on WHERE expires_on IS NOT NULL")
    return Table("lot", 900, columns, indexes=indexes, changing=("quantity",))


def _movement() -> Table:
    columns = (
        key(),
        refers("lot"),
        coded("department"),
        among("action", "入库", "出库", "出库", "出库", "退库", "报损"),
        Column("quantity", "INTEGER NOT NULL CHECK (quantity > 0)", whole(1, 80)),
        Column("remark", "TEXT", sometimes(note(1, 2), 0.15)),
        when("moved_at"),
    )
    indexes = ("lot_id, moved_at", "department_code")
    changing = ("quantity",)
    return Table("movement", 2600, columns, indexes=indexes, changing=changing, shrinks=True)


def _stocktake() -> Table:
    columns = (
        key(),
        refers("lot"),
        Column("counted", "INTEGER NOT NULL", whole(0, 600)),
        text("counted_by", person),
        Column("remark", "TEXT", sometimes(note(1, 3), 0.5)),
        Column("counted_on", "TEXT NOT NULL", day),
    )
    return Table("stocktake", 400, columns, indexes=("lot_id",), changing=("counted",))


def _machine() -> Table:
    columns = (
        Column("code", "TEXT PRIMARY KEY", numbered("M", 2)),
        text("name", listed(("脉动真空灭菌器", "清洗消毒机", "配置柜", "转运车", "低温灭菌器"))),
        Column("temperature", "REAL", sometimes(decimal(4, 135, 1), 0.8)),
    )
    changing = ("temperature",)
    return Table("machine", 20, columns, changing=changing, grows=False, without_rowid=True)


def _batch() -> Table:
    columns = (
        key(),
        number("batch_no", "N"),
        coded("machine"),
        refers("staff", "operator_id"),
        Column("peak", "REAL", decimal(20, 135, 2)),
        Column("curve", "BLOB", sometimes(octets(240), 0.9)),
        among("state", "合格", "合格", "合格", "运行中", "不合格"),
        when("started_at"),
    )
    return Table("batch", 600, columns, indexes=("machine_code",), changing=("state",))


def _package(goods: tuple[str, ...]) -> Table:
    columns = (
        key(),
        number("barcode", "77", 10),
        refers("batch"),
        text("name", one_of(*goods)),
        coded("department"),
        among("state", "待发放", "已发放", "使用中", "已回收"),
        Column("pieces", "INTEGER NOT NULL CHECK (pieces > 0)", whole(1, 40)),
    )
    indexes = ("batch_id", "department_code")
    return Table("package", 1100, columns, indexes=indexes, changing=("state",))


def _step() -> Table:
    columns = (
        key(),
        refers("package"),
        may_refer("staff", "scanned_by", 0.95),
        among("action", "接收", "核对", "处理", "复核", "交接"),
        Column("remark", "TEXT", sometimes(note(1, 2), 0.2)),
        when("scanned_at"),
    )
    indexes = ("package_id, scanned_at",)
    return Table("step", 2600, columns, indexes=indexes, changing=("remark",), shrinks=True)


def _service(services: tuple[str, ...]) -> Table:
    columns = (
        Column("code", "TEXT PRIMARY KEY", numbered("F", 3)),
        text("name", listed(services)),
        Column("minutes", "INTEGER NOT NULL CHECK (minutes > 0)", one_of(5, 10, 15, 30, 60)),
    )
    changing = ("minutes",)
    return Table("service", 30, columns, changing=changing, grows=False, without_rowid=True)


def _slot() -> Table:
    columns = (
        key(),
        coded("service"),
        coded("department"),
        when("starts_at"),
        Column("capacity", "INTEGER NOT NULL CHECK (capacity BETWEEN 1 AND 20)", whole(1, 20)),
    )
    return Table("slot", 900, columns, indexes=("service_code, starts_at",), changing=("capacity",))


def _booking() -> Table:
    columns = (
        key(),
        number("booking_no", "Y", 9),
        refers("slot"),
        refers("patient"),
        among("state", "已预约", "已报到", "已完成", "已取消", "爽约"),
        among("source", "手机", "自助机", "诊间", "电话"),
        Column("remark", "TEXT", sometimes(note(1, 3), 0.3)),
        when("booked_at"),
    )
    indexes = ("slot_id", "patient_id, booked_at DESC")
    return Table("booking", 1700, columns, indexes=indexes, changing=("state",))


def _call() -> Table:
    columns = (
        key(),
        refers("booking"),
        Column("counter", "INTEGER NOT NULL", whole(1, 16)),
        Column("waited_minutes", "REAL CHECK (waited_minutes >= 0)", decimal(0, 120, 1)),
        Column("voice", "BLOB", sometimes(octets(160), 0.3)),
        when("called_at"),
    )
    return Table("call", 1200, columns, indexes=("booking_id",), shrinks=True)
