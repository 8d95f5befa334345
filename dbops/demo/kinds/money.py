"""Systems that count money: insurance claims, and invoices and payments."""

from __future__ import annotations

from dbops.demo.kinds.people import department, patient
from dbops.demo.tables import (
    Column,
    Kind,
    Table,
    among,
    change_log,
    coded,
    key,
    logs,
    number,
    refers,
    text,
    when,
)
from dbops.demo.values import day, decimal, listed, note, numbered, octets, one_of, sometimes, whole
from dbops.demo.vocabulary import DIAGNOSES, DRUGS, MATERIALS

# Amounts are whole cents (分), as money should be; rates are REAL.
CENTS = "INTEGER NOT NULL CHECK (amount_cents >= 0)"


def insurance() -> Kind:
    """The catalogue, claims with their items, and the findings of audits."""
    tables = (
        department(),
        patient(600),
        _catalogue(),
        _claim(),
        _claim_item(),
        _finding(),
        change_log(),
    )
    view = (
        "CREATE VIEW claim_total AS\n"
        "SELECT claim.claim_no, claim.state, sum(claim_item.amount_cents) AS amount_cents\n"
        "FROM claim JOIN claim_item ON claim_item.claim_id = claim.id GROUP BY claim.id"
    )
    return Kind(tables, (view, logs("claim", "state"), logs("claim_item", "amount_cents")))


def finance() -> Kind:
    """Accounts, invoices, payments by channel, and the daily reconciliation with the bank."""
    tables = (
        department(),
        patient(600),
        _channel(),
        _invoice(),
        _payment(),
        _reconciliation(),
        change_log(),
    )
    view = (
        "CREATE VIEW unpaid_invoice AS\n"
        "SELECT invoice.invoice_no, invoice.amount_cents FROM invoice\n"
        "WHERE NOT EXISTS (SELECT 1 FROM payment WHERE payment.invoice_id = invoice.id)"
    )
    return Kind(tables, (view, logs("invoice", "state"), logs("payment", "amount_cents")))


def _catalogue() -> Table:
    columns = (
        Column("code", "TEXT PRIMARY KEY", numbered("XF99", 5)),
        text("name", listed(DRUGS + MATERIALS)),
        Column("self_pay_rate", "REAL CHECK (self_pay_rate BETWEEN 0 AND 1)", decimal(0, 1, 3)),
    )
    changing = ("self_pay_rate",)
    return Table("catalogue", 220, columns, changing=changing, grows=False, without_rowid=True)


def _claim() -> Table:
    columns = (
        key(),
        number("claim_no", "C", 10),
        refers("patient"),
        coded("department"),
        text("diagnosis", one_of(*DIAGNOSES)),
        among("scheme", "职工医保", "居民医保", "公费医疗", "异地医保"),
        among("state", "待申报", "已申报", "已结算", "拒付"),
        when("filed_at"),
    )
    return Table("claim", 800, columns, indexes=("patient_id", "filed_at"), changing=("state",))


def _claim_item() -> Table:
    columns = (
        key(),
        refers("claim"),
        coded("catalogue"),
        Column("quantity", "REAL NOT NULL CHECK (quantity > 0)", one_of(0.5, 1.0, 2.0, 3.0, 7.0)),
        Column("amount_cents", CENTS, whole(50, 380_000)),
    )
    indexes = ("claim_id", "catalogue_code")
    changing = ("amount_cents",)
    return Table("claim_item", 2600, columns, indexes=indexes, changing=changing, shrinks=True)


def _finding() -> Table:
    columns = (
        key(),
        refers("claim"),
        among("rule", "超限定用药", "重复收费", "分解住院", "超量开药", "性别不符"),
        text("explanation", note(1, 5)),
        Column("evidence", "BLOB", sometimes(octets(256), 0.4)),
        Column("accepted", "INTEGER CHECK (accepted IN (0, 1))", one_of(0, 1, None)),
    )
    return Table("finding", 500, columns, indexes=("claim_id",), changing=("accepted",))


def _channel() -> Table:
    columns = (
        Column("code", "TEXT PRIMARY KEY", numbered("Q", 2)),
        text("name", listed(("窗口", "自助机", "手机支付", "银行转账", "诊间支付"))),
        Column("fee_rate", "REAL NOT NULL", decimal(0, 0.006, 5)),
    )
    changing = ("fee_rate",)
    return Table("channel", 10, columns, changing=changing, grows=False, without_rowid=True)


def _invoice() -> Table:
    columns = (
        key(),
        number("invoice_no", "9900", 8),
        refers("patient"),
        coded("department"),
        Column("amount_cents", CENTS, whole(100, 2_600_000)),
        among("state", "已开具", "已交付", "已冲红"),
        Column("seal", "BLOB", sometimes(octets(128), 0.95)),
        when("issued_at"),
    )
    indexes = ("patient_id", "issued_at")
    return Table("invoice", 1300, columns, indexes=indexes, changing=("state",))


def _payment() -> Table:
    columns = (
        key(),
        refers("invoice"),
        coded("channel"),
        number("trade_no", "TEST", 14),
        Column("amount_cents", CENTS, whole(100, 1_300_000)),
        Column("refund_reason", "TEXT", sometimes(note(1, 1), 0.03)),
        when("paid_at"),
    )
    changing = ("amount_cents",)
    return Table("payment", 1700, columns, indexes=("invoice_id",), changing=changing, shrinks=True)


def _reconciliation() -> Table:
    columns = (
        key(),
        coded("channel"),
        Column("business_day", "TEXT NOT NULL", day),
        Column("ours_cents", "INTEGER NOT NULL", whole(0, 90_000_000)),
        Column("difference_cents", "INTEGER NOT NULL", one_of(0, 0, 0, 0, 0, -100, 2500)),
        Column("remark", "TEXT", sometimes(note(1, 2), 0.2)),
    )
    indexes = ("channel_code, business_day",)
    return Table("reconciliation", 500, columns, indexes=indexes, changing=("remark",))
