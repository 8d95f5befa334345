"""Playbooks about whose something is, and where it is."""

from __future__ import annotations

from tests.playbooks.case import Case

MERGE = Case(
    playbook="merge-duplicate-patients",
    schema=(
        "CREATE TABLE patient (id integer NOT NULL PRIMARY KEY, name text NOT NULL,"
        " id_number text, merged_into integer REFERENCES patient (id))",
        "CREATE TABLE visit (id integer NOT NULL PRIMARY KEY,"
        " patient_id integer NOT NULL REFERENCES patient (id), note text)",
        "CREATE TABLE specimen (id integer NOT NULL PRIMARY KEY,"
        " patient_id integer NOT NULL REFERENCES patient (id))",
        "CREATE TABLE bill (id integer NOT NULL PRIMARY KEY,"
        " patient_id integer NOT NULL REFERENCES patient (id))",
        "INSERT INTO patient VALUES (1, '测试甲', 'TEST-1', NULL), (2, '测试 甲', NULL, NULL),"
        " (3, '测试乙', 'TEST-3', NULL), (4, '测试丙', NULL, 3)",
        "INSERT INTO visit VALUES (10, 1, 'a'), (11, 2, 'b'), (12, 2, NULL), (13, 3, 'c')",
        "INSERT INTO specimen VALUES (20, 2), (21, 3)",
        "INSERT INTO bill VALUES (30, 1)",
    ),
    settings={"visits_moved": "2", "specimens_moved": "1", "bills_moved": "0"},
    sealed={"kept": "1", "doubled": "2"},
    writes=("patient", "visit", "specimen", "bill"),
    look={
        "SELECT id, patient_id FROM visit ORDER BY id": (
            [(10, 1), (11, 2), (12, 2), (13, 3)],
            [(10, 1), (11, 1), (12, 1), (13, 3)],
        ),
        "SELECT id, patient_id FROM specimen ORDER BY id": (
            [(20, 2), (21, 3)],
            [(20, 1), (21, 3)],
        ),
        "SELECT id, merged_into FROM patient ORDER BY id": (
            [(1, None), (2, None), (3, None), (4, 3)],
            [(1, None), (2, 1), (3, None), (4, 3)],
        ),
    },
    wrong=(
        ({"visits_moved": "3"}, "expect-differs"),
        ({"bills_moved": "1"}, "expect-differs"),
        ({"doubled": "4"}, "condition-failed"),  # was merged before
        ({"doubled": "3"}, "condition-failed"),  # another person's identity number
        ({"doubled": "9"}, "condition-failed"),  # there is none
    ),
)

WARD = Case(
    playbook="move-visits-to-ward",
    schema=(
        "CREATE TABLE ward (code text NOT NULL PRIMARY KEY, closed_at timestamp)",
        "CREATE TABLE visit (id integer NOT NULL PRIMARY KEY,"
        " ward_code text NOT NULL REFERENCES ward (code), admitted_at timestamp NOT NULL)",
        "INSERT INTO ward VALUES ('OLD', '2026-11-12 00:00:00'), ('ORT', NULL)",
        "INSERT INTO visit VALUES (1, 'OLD', '2026-11-01 08:00:00'),"
        " (2, 'OLD', '2026-11-12 00:00:00'), (3, 'OLD', '2026-11-19 17:30:00'),"
        " (4, 'ORT', '2026-11-19 09:00:00')",
    ),
    settings={
        "from_ward": "OLD",
        "to_ward": "ORT",
        "since": "2026-11-12 00:00:00",
        "visits_moved": "2",
    },
    writes=("visit",),
    reads=("ward",),
    look={
        "SELECT id, ward_code FROM visit ORDER BY id": (
            [(1, "OLD"), (2, "OLD"), (3, "OLD"), (4, "ORT")],
            [(1, "OLD"), (2, "ORT"), (3, "ORT"), (4, "ORT")],
        )
    },
    wrong=(
        ({"visits_moved": "1"}, "too-many-rows"),
        ({"visits_moved": "3"}, "expect-differs"),
        ({"since": "2026-11-01 00:00:00"}, "too-many-rows"),
        ({"from_ward": "ORT", "to_ward": "OLD"}, "condition-failed"),  # the target is closed
    ),
)

SPECIMEN = Case(
    playbook="correct-specimen-patient",
    schema=(
        "CREATE TABLE patient (id integer NOT NULL PRIMARY KEY, name text NOT NULL)",
        "CREATE TABLE specimen (id integer NOT NULL PRIMARY KEY, barcode text NOT NULL,"
        " patient_id integer NOT NULL REFERENCES patient (id))",
        "CREATE TABLE lab_result (id integer NOT NULL PRIMARY KEY,"
        " specimen_id integer NOT NULL REFERENCES specimen (id),"
        " patient_id integer REFERENCES patient (id), value text)",
        "INSERT INTO patient VALUES (1, '测试甲'), (2, '测试乙'), (3, '测试丙')",
        "INSERT INTO specimen VALUES (7, '2400000007', 1), (8, '2400000008', 1)",
        "INSERT INTO lab_result VALUES (70, 7, 1, '4.1'), (71, 7, 1, NULL), (80, 8, 1, '5.0')",
    ),
    settings={"results_moved": "2"},
    sealed={"specimen": "7", "from_patient": "1", "to_patient": "2"},
    writes=("specimen", "lab_result"),
    reads=("patient",),
    look={
        "SELECT id, patient_id FROM specimen ORDER BY id": ([(7, 1), (8, 1)], [(7, 2), (8, 1)]),
        "SELECT id, patient_id FROM lab_result ORDER BY id": (
            [(70, 1), (71, 1), (80, 1)],
            [(70, 2), (71, 2), (80, 1)],
        ),
    },
    wrong=(
        ({"results_moved": "1"}, "too-many-rows"),
        ({"results_moved": "3"}, "expect-differs"),
        ({"from_patient": "3"}, "condition-failed"),
        ({"to_patient": "9"}, "condition-failed"),
        ({"specimen": "6"}, "condition-failed"),
    ),
)

QUEUE = Case(
    playbook="close-stuck-queue-tickets",
    schema=(
        "CREATE TABLE queue_ticket (id integer NOT NULL PRIMARY KEY, state text NOT NULL,"
        " issued_at timestamp NOT NULL, closed_at timestamp)",
        "INSERT INTO queue_ticket VALUES (1, '等待', '2026-11-19 08:00:00', NULL),"
        " (2, '等待', '2026-11-19 16:00:00', NULL),"
        " (3, '已完成', '2026-11-19 08:05:00', '2026-11-19 08:40:00'),"
        " (4, '等待', '2026-11-20 08:00:00', NULL)",
    ),
    settings={
        "until": "2026-11-20 00:00:00",
        "closed_at": "2026-11-20 07:30:00",
        "tickets_closed": "2",
    },
    writes=("queue_ticket",),
    look={
        "SELECT id, state FROM queue_ticket ORDER BY id": (
            [(1, "等待"), (2, "等待"), (3, "已完成"), (4, "等待")],
            [(1, "已过期"), (2, "已过期"), (3, "已完成"), (4, "等待")],
        ),
        "SELECT count(*) FROM queue_ticket WHERE closed_at = '2026-11-20 07:30:00'": (
            [(0,)],
            [(2,)],
        ),
    },
    wrong=(
        ({"tickets_closed": "3"}, "expect-differs"),
        ({"until": "2026-11-21 00:00:00"}, "too-many-rows"),
    ),
)
