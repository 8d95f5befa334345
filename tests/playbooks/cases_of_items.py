"""Playbooks about what was ordered, and what was charged for it."""

from __future__ import annotations

from dbops.repair.payload import RowSet
from tests.playbooks.case import Case

_ORDERS = (
    "CREATE TABLE medical_order (id integer NOT NULL PRIMARY KEY, order_no text)",
    "INSERT INTO medical_order VALUES (1, 'Y1001'), (2, 'Y1002'), (3, NULL)",
)

CHARGE = Case(
    playbook="correct-charged-item",
    schema=(
        "CREATE TABLE price_list (code text NOT NULL PRIMARY KEY, unit_price numeric(10,2))",
        "CREATE TABLE bill (id integer NOT NULL PRIMARY KEY, total numeric(10,2) NOT NULL,"
        " state text NOT NULL)",
        "CREATE TABLE charge_item (id integer NOT NULL PRIMARY KEY,"
        " bill_id integer NOT NULL REFERENCES bill (id), item_code text NOT NULL,"
        " quantity numeric(10,2) NOT NULL, unit_price numeric(10,2) NOT NULL,"
        " amount numeric(10,2) NOT NULL)",
        "INSERT INTO price_list VALUES ('CT-PLAIN', 200), ('CT-CONTRAST', 450), ('BED', 60)",
        "INSERT INTO bill VALUES (1, 570, '未结算'), (2, 450, '已结算')",
        "INSERT INTO charge_item VALUES (10, 1, 'CT-CONTRAST', 1, 450, 450),"
        " (11, 1, 'BED', 2, 60, 120), (20, 2, 'CT-CONTRAST', 1, 450, 450)",
    ),
    settings={
        "from_code": "CT-CONTRAST",
        "to_code": "CT-PLAIN",
        "quantity": "2",
        "unit_price": "200",
    },
    sealed={"item": "10", "bill": "1"},
    writes=("charge_item", "bill"),
    reads=("price_list",),
    look={
        "SELECT id, item_code, CAST(quantity AS integer), CAST(amount AS integer)"
        " FROM charge_item ORDER BY id": (
            [(10, "CT-CONTRAST", 1, 450), (11, "BED", 2, 120), (20, "CT-CONTRAST", 1, 450)],
            [(10, "CT-PLAIN", 2, 400), (11, "BED", 2, 120), (20, "CT-CONTRAST", 1, 450)],
        ),
        "SELECT id, CAST(total AS integer) FROM bill ORDER BY id": (
            [(1, 570), (2, 450)],
            [(1, 520), (2, 450)],
        ),
    },
    wrong=(
        ({"unit_price": "199"}, "condition-failed"),
        ({"item": "20"}, "condition-failed"),  # is on another bill
        ({"item": "20", "bill": "2"}, "condition-failed"),  # is settled
        ({"totals_changed": "0"}, "too-many-rows"),
        (  # the amount stays the same, and so does the total
            {"to_code": "CT-CONTRAST", "quantity": "1", "unit_price": "450"},
            "count-differs",
        ),
    ),
)

RELINK = Case(
    playbook="relink-orphaned-order-items",
    schema=(
        *_ORDERS,
        "CREATE TABLE order_item (id integer NOT NULL PRIMARY KEY, order_id integer,"
        " order_no text)",
        "INSERT INTO order_item VALUES (10, 1, 'Y1001'), (11, NULL, 'Y1002'), (12, 99, 'Y1001'),"
        " (13, NULL, 'Y9999'), (14, NULL, NULL)",
    ),
    settings={"items_linked": "2"},
    writes=("order_item",),
    reads=("medical_order",),
    look={
        "SELECT id, order_id FROM order_item ORDER BY id": (
            [(10, 1), (11, None), (12, 99), (13, None), (14, None)],
            [(10, 1), (11, 2), (12, 1), (13, None), (14, None)],
        )
    },
    wrong=(({"items_linked": "3"}, "expect-differs"), ({"items_linked": "0"}, "too-many-rows")),
)

RESTORE = Case(
    playbook="restore-deleted-rows",
    schema=(
        *_ORDERS,
        "CREATE TABLE order_item (id integer NOT NULL PRIMARY KEY, order_id integer NOT NULL,"
        " item_code text, item_name text, quantity numeric(10,2), ordered_at timestamp)",
        "INSERT INTO order_item VALUES (10, 1, 'A', '阿司匹林', 1, '2026-11-01 08:00:00'),"
        " (12, 1, 'B', NULL, 2, NULL)",
    ),
    settings={"rows_restored": "2", "rows_present": "1"},
    sealed={"first": "11", "last": "13"},
    rows={
        "lost": RowSet(
            ("id", "order_id", "item_code", "item_name", "quantity", "ordered_at"),
            [
                (b"11", b"2", b"C", "头孢'曲松".encode(), b"3", b"2026-11-02 09:00:00"),
                (b"13", b"1", b"", None, None, None),
            ],
        )
    },
    writes=("order_item",),
    reads=("medical_order",),
    look={
        "SELECT id, order_id, item_code, item_name, CAST(quantity AS integer)"
        " FROM order_item ORDER BY id": (
            [(10, 1, "A", "阿司匹林", 1), (12, 1, "B", None, 2)],
            [
                (10, 1, "A", "阿司匹林", 1),
                (11, 2, "C", "头孢'曲松", 3),
                (12, 1, "B", None, 2),
                (13, 1, "", None, None),
            ],
        )
    },
    wrong=(
        ({"rows_present": "0"}, "condition-failed"),
        ({"rows_restored": "1"}, "too-many-rows"),
        ({"last": "12"}, "count-differs"),  # a row lies beyond
    ),
)

CODES = Case(
    playbook="fill-missing-codes",
    schema=(
        "CREATE TABLE item_dictionary (code text, name text)",
        "CREATE TABLE charge_item (id integer NOT NULL PRIMARY KEY, item_code text,"
        " item_name text)",
        "INSERT INTO item_dictionary VALUES ('XF001', '静脉采血'), ('XF002', '血常规'),"
        " ('XF003', NULL)",
        "INSERT INTO charge_item VALUES (1, NULL, '血常规'), (2, '', '静脉采血'),"
        " (3, 'XF009', '血常规'), (4, NULL, '尿常规'), (5, NULL, NULL)",
    ),
    settings={"codes_filled": "2"},
    writes=("charge_item",),
    reads=("item_dictionary",),
    look={
        "SELECT id, item_code FROM charge_item ORDER BY id": (
            [(1, None), (2, ""), (3, "XF009"), (4, None), (5, None)],
            [(1, "XF002"), (2, "XF001"), (3, "XF009"), (4, None), (5, None)],
        )
    },
    wrong=(({"codes_filled": "3"}, "expect-differs"),),
)
