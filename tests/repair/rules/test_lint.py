"""Lint as a whole: what blocks, what is shown, and what is never said."""

from __future__ import annotations

import logging

import pytest

from dbops.repair.manifest_text import parse_repair, script_of
from dbops.repair.rules.lint import blocking, lint
from dbops.review.finding import Severity
from tests.repair.rules.judging import FACTS, folder, found, judged, repair_of, unchecked

_DIALECTS = ["postgres", "sqlite", "mysql", "tsql", "oracle"]
_ACCEPTED = "accepted:\n  - {rule: REP-WHERE, why: the table has two rows}"


@pytest.mark.parametrize("dialect", _DIALECTS)
def test_a_repair_without_fault_has_no_finding(dialect: str) -> None:
    """With the database at hand there is nothing to show and nothing left to check."""
    report = judged(dialect=dialect)
    assert report.findings == ()
    assert report.unchecked == ()


def test_errors_block_and_warnings_do_not() -> None:
    """Unless the manifest accepts the rule."""
    script = "DELETE FROM his.visit;\nUPDATE his.visit SET ward_code = now() WHERE id = 1;"
    report = judged(script)
    assert {finding.rule for finding in report.findings} == {"REP-WHERE", "REP-NOW"}
    assert [finding.where for finding in blocking(report, ())] == ["repair.sql line 1"]
    assert all(finding.severity is Severity.ERROR for finding in blocking(report, ()))
    accepted = repair_of(script, _ACCEPTED).accepted
    assert blocking(judged(script, _ACCEPTED), accepted) == ()


def test_an_acceptance_is_of_one_rule() -> None:
    """Other errors still block."""
    script = "DELETE FROM his.visit;\nCOMMIT;"
    report = judged(script, _ACCEPTED)
    rules = [finding.rule for finding in blocking(report, repair_of(script, _ACCEPTED).accepted)]
    assert rules == ["REP-TX"]


def test_a_repair_that_takes_another_back_has_no_script() -> None:
    """The bundles say what is written; its ticket is still asked for."""
    manifest = f"watch:\nticket:\nundo_of: {{work: r-0, bundles: [{'a' * 64}]}}"
    work = folder(manifest=manifest)
    files = {name: data for name, data in work.files.items() if name != "repair.sql"}
    work = type(work)(work.kind, work.id, work.folder, files)
    report = lint(parse_repair(work), script_of(work), "postgres", None)
    assert [finding.rule for finding in report.findings] == ["REP-TICKET"]
    assert report.unchecked == ()


@pytest.mark.parametrize("dialect", _DIALECTS)
def test_no_constant_is_ever_repeated(
    dialect: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Not in findings, not in logs: of a statement that is read, is not read, or is half read.

    SQLite and MySQL take a text in double quotes for a constant.
    """
    canary = "canary7313"
    shapes = [
        "UPDATE his.visit SET note = '{}', patient_no = '{}' WHERE note LIKE '{}%';",
        'DELETE FROM his.visit WHERE "{}" = note;',
        "UPDATE his.visit SET note = '{}' WHERE CURRENT OF {};",
        "DO $$ BEGIN PERFORM '{}'; END $$;",
        "CALL his.mend('{}');",
        "ALTER TABLE his.visit DISABLE TRIGGER {};",
        "SET session_replication_role = '{}';",
        "COMMIT -- {}\n;",
        "EXPLAIN SELECT '{}';",
        "INSERT INTO his.visit (name) VALUES ('{}');",
    ]
    manifest = f"params:\n  patient: {{type: text, value: {canary}}}"
    last = "SELECT :patient;"
    script = "\n".join([*(shape.replace("{}", canary) for shape in shapes), last])
    with caplog.at_level(logging.DEBUG):
        report = judged(script, manifest, dialect=dialect)
    assert len(report.findings) > 10
    assert canary not in repr(report).lower()
    assert canary not in caplog.text.lower()
    printed = capfd.readouterr()
    assert canary not in (printed.out + printed.err).lower()


def test_nothing_is_skipped_in_silence_without_a_database() -> None:
    """Each rule that needs one says that it has not looked."""
    script = "DELETE FROM his.visit WHERE note = 'x' ORDER BY id LIMIT 3;"
    report = judged(script, dialect="mysql", facts=None)
    for rule in ("REP-PK", "REP-ENG", "REP-CASE", "REP-TYPE", "REP-LIMIT"):
        assert len(unchecked(report, rule)) == 1
    assert all(each.sentence.startswith("not checked: ") for each in report.unchecked)
    assert judged(script, dialect="mysql", facts=FACTS).unchecked == ()


def test_the_line_is_that_of_the_statement() -> None:
    """Comments before it do not count."""
    script = "SELECT 1;\n\n-- the second\n\nDELETE FROM his.visit;"
    (finding,) = found(judged(script), "REP-WHERE")
    assert finding.where == "repair.sql line 5"
