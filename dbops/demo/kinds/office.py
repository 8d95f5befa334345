"""Systems of offices: research, training and evaluation, documents and web pages."""

from __future__ import annotations

from dbops.demo.kinds.people import department, staff
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
    picture,
    sometimes,
    whole,
)
from dbops.demo.vocabulary import DOCUMENT_TITLES, SPECIMENS, SUBJECTS


def research() -> Kind:
    """Projects, their subjects, samples and forms, and the filing of documents."""
    tables = (department(), staff(150), _project(), _subject(), _sample(), _form(), change_log())
    view = (
        "CREATE VIEW project_size AS\n"
        "SELECT project.code, count(subject.id) AS subjects, min(enrolled_on) AS first_enrolled\n"
        "FROM project LEFT JOIN subject ON subject.project_code = project.code\n"
        "GROUP BY project.code"
    )
    return Kind(tables, (view, logs("subject", "state"), logs("form", "answers")))


def training(*courses: str) -> Kind:
    """Courses, those who take them, their questions and marks."""
    tables = (
        department(),
        staff(200),
        _course(courses),
        _enrolment(),
        _question(),
        _mark(),
        change_log(),
    )
    view = (
        "CREATE VIEW course_mean AS\n"
        "SELECT enrolment.course_code, round(avg(mark.points), 2) AS mean, count(*) AS marks\n"
        "FROM mark JOIN enrolment ON enrolment.id = mark.enrolment_id\n"
        "GROUP BY enrolment.course_code"
    )
    return Kind(tables, (view, logs("enrolment", "state"), logs("mark", "points")))


def office() -> Kind:
    """Documents with their attachments and approvals; the main table has a Chinese name."""
    tables = (
        department(),
        staff(200),
        _document(),
        _attachment(),
        _approval(),
        _visit_count(),
        change_log(),
    )
    view = (
        "CREATE VIEW 待办 AS\n"
        "SELECT 公文.document_no, 公文.标题, approval.approver_id FROM approval\n"
        "JOIN 公文 ON 公文.id = approval.document_id WHERE approval.opinion IS NULL"
    )
    return Kind(tables, (view, logs("公文", "state")))


def _project() -> Table:
    columns = (
        Column("code", "TEXT PRIMARY KEY", numbered("KY99", 4)),
        text("title", listed(SUBJECTS)),
        refers("staff", "leader_id"),
        Column("budget", "REAL CHECK (budget >= 0)", sometimes(decimal(0, 900_000, 2), 0.9)),
    )
    changing = ("budget",)
    return Table("project", 90, columns, changing=changing, grows=False, without_rowid=True)


def _subject() -> Table:
    columns = (
        key(),
        coded("project"),
        number("screening_no", "SC", 6),
        among("arm", "试验组", "对照组", "未分组"),
        among("state", "筛选", "入组", "完成", "脱落"),
        Column("enrolled_on", "TEXT", sometimes(day, 0.85)),
    )
    return Table("subject", 800, columns, indexes=("project_code, state",), changing=("state",))


def _sample() -> Table:
    columns = (
        key(),
        number("tube", "BK", 9),
        refers("subject"),
        among("kind", *SPECIMENS),
        Column("volume_ml", "REAL CHECK (volume_ml >= 0)", decimal(0.1, 5, 2)),
        Column("freezer", "TEXT", sometimes(one_of("-80℃甲", "-80℃乙", "液氮一", "液氮二"), 0.95)),
        Column("fingerprint", "BLOB", octets(32)),
    )
    indexes = ("subject_id", "freezer")
    changing = ("volume_ml", "freezer")
    return Table("sample", 1300, columns, indexes=indexes, changing=changing, shrinks=True)


def _form() -> Table:
    columns = (
        key(),
        refers("subject"),
        may_refer("staff", "entered_by", 0.95),
        among("page", "人口学", "既往史", "实验室检查", "不良事件", "随访"),
        text("answers", note(2, 6)),
        Column("score", "REAL", sometimes(decimal(0, 100, 1), 0.6)),
        when("entered_at"),
    )
    return Table("form", 900, columns, indexes=("subject_id, page",), changing=("answers",))


def _course(courses: tuple[str, ...]) -> Table:
    columns = (
        Column("code", "TEXT PRIMARY KEY", numbered("E", 3)),
        text("name", listed(courses)),
        Column("hours", "REAL NOT NULL CHECK (hours > 0)", one_of(1.5, 2.0, 4.0, 8.0)),
    )
    changing = ("hours",)
    return Table("course", 40, columns, changing=changing, grows=False, without_rowid=True)


def _enrolment() -> Table:
    columns = (
        key(),
        coded("course"),
        refers("staff"),
        text("contact", person),
        among("state", "已报名", "进行中", "结业", "退出"),
        Column("starts_on", "TEXT NOT NULL", day),
    )
    indexes = ("course_code", "staff_id")
    return Table("enrolment", 800, columns, indexes=indexes, changing=("state",))


def _question() -> Table:
    columns = (
        key(),
        coded("course"),
        text("stem", note(1, 4)),
        among("answer", "A", "B", "C", "D"),
        Column("difficulty", "REAL CHECK (difficulty BETWEEN 0 AND 1)", decimal(0, 1, 3)),
        Column("figure", "BLOB", sometimes(picture(200, 800), 0.2)),
    )
    return Table("question", 700, columns, indexes=("course_code",), changing=("difficulty",))


def _mark() -> Table:
    columns = (
        key(),
        refers("enrolment"),
        refers("question"),
        Column("points", "REAL CHECK (points BETWEEN 0 AND 10)", sometimes(decimal(0, 10, 1), 0.9)),
        when("answered_at"),
    )
    indexes = ("enrolment_id", "question_id")
    return Table("mark", 2400, columns, indexes=indexes, changing=("points",), shrinks=True)


def _document() -> Table:
    columns = (
        key(),
        number("document_no", "WH", 6),
        text("标题", one_of(*DOCUMENT_TITLES)),
        coded("department"),
        text("正文", note(4, 12)),
        among("state", "草稿", "审批中", "已发布", "已归档"),
        when("drafted_at"),
    )
    indexes = ("department_code", "drafted_at DESC")
    return Table("公文", 800, columns, indexes=indexes, changing=("state", "正文"))


def _attachment() -> Table:
    columns = (
        key(),
        refers("公文", "document_id"),
        text("file_name", one_of("附件一.pdf", "附件二.docx", "名单.xlsx", "照片.jpg")),
        Column("content", "BLOB", sometimes(picture(300, 1500), 0.9)),
    )
    return Table("attachment", 400, columns, indexes=("document_id",), shrinks=True)


def _approval() -> Table:
    columns = (
        key(),
        refers("公文", "document_id"),
        refers("staff", "approver_id"),
        Column("opinion", "TEXT", sometimes(one_of("同意", "同意", "请修改", "不同意"), 0.8)),
        Column("comment", "TEXT", sometimes(note(1, 2), 0.3)),
        when("decided_at"),
    )
    indexes = ("document_id", "approver_id WHERE opinion IS NULL")
    return Table("approval", 1500, columns, indexes=indexes, changing=("opinion",))


def _visit_count() -> Table:
    columns = (
        key(),
        Column("counted_on", "TEXT NOT NULL", day),
        among("language", "zh", "en"),
        Column("visits", "INTEGER NOT NULL CHECK (visits >= 0)", whole(0, 20_000)),
        Column("seconds", "REAL", sometimes(decimal(0, 600, 3), 0.9)),
    )
    return Table("visit_count", 900, columns, indexes=("counted_on",), changing=("visits",))
