"""squawk beside the rules of dbops: what it says is shown, bounded, and decides nothing."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from dbops.change.rules.lint import blocking, lint
from dbops.change.script import parse_steps
from dbops.change.squawk import ask_squawk, find_squawk
from dbops.change.squawk_report import Heard, heard
from dbops.change.step import Part, Step
from dbops.review.finding import Finding, Report, Severity, Unchecked
from tests.change.rules.judging import FACTS, change_of, found, parts, unchecked
from tests.fix_tools import absent

_SCRIPT = """\
-- step: one
ALTER TABLE his.visit
    ADD COLUMN seen integer,
    ADD COLUMN kind varchar(10);
CREATE TABLE his.note (
    id bigint,
    words text
);
"""
_ENTRY: dict[str, object] = {
    "file": "up.sql",
    "line": 2,
    "column": 19,
    "level": "Warning",
    "message": "Using 32-bit integers is bad.",
    "help": "Use bigint.",
    "rule_name": "prefer-bigint-over-int",
    "column_end": 26,
    "line_end": 2,
}


@pytest.fixture(scope="module")
def program() -> Path:
    """The real squawk."""
    place = find_squawk()
    if place is None:
        absent("squawk", "squawk is missing: pip install 'dbops[squawk]' brings it as a wheel")
    return place


def steps(script: str = _SCRIPT) -> tuple[Step, ...]:
    return parse_steps(f"{script.rstrip()}\n".encode(), "up.sql")


def together(script: str) -> tuple[Part, ...]:
    """All of a script as one transaction."""
    return (Part(steps(script), alone=False),)


def report(*entries: dict[str, object]) -> bytes:
    return json.dumps([{**_ENTRY, **entry} for entry in entries]).encode()


def fake(place: Path, script: str) -> Path:
    """A program that is no squawk."""
    program = place / "squawk"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)
    return program


def judged(squawk: Heard | None, accepted: str = "", script: str = _SCRIPT) -> Report:
    change = change_of(script, f"accepted:\n  - {accepted}" if accepted else "")
    return lint(change, together(script), (), "postgres", FACTS, squawk)


def test_a_finding_stands_where_its_statement_begins() -> None:
    """As a warning with squawk's words, whatever level squawk gives it."""
    said = heard(report({"level": "Error"}, {"help": None}), steps())
    sentence = "squawk: Using 32-bit integers is bad"
    rule, where = "SQUAWK-prefer-bigint-over-int", "up.sql line 2"
    page = "read about it: https://squawkhq.com/docs/prefer-bigint-over-int"
    assert said == (
        Finding(rule, Severity.WARNING, where, sentence, "Use bigint"),
        Finding(rule, Severity.WARNING, where, sentence, page),
    )


def test_what_is_found_twice_in_a_statement_is_said_once() -> None:
    """A place is a statement."""
    assert len(heard(report({}, {"line": 1}, {"line": 5}), steps())) == 2


@pytest.mark.parametrize(
    "rule", ["require-lock-timeout", "require-statement-timeout", "prefer-robust-stmts"]
)
def test_what_dbops_does_itself_is_not_advised(rule: str) -> None:
    """It sets limits of time and keeps a journal."""
    assert heard(report({"rule_name": rule}), steps()) == ()


def test_a_script_that_squawk_cannot_read_is_said_to_be_unchecked() -> None:
    """It reports nothing else of such a script."""
    (said,) = heard(report({"rule_name": "syntax-error", "level": "Error"}), steps())
    why = "not checked: squawk cannot read up.sql at line 3, and has looked at none of it"
    assert said == Unchecked("SQUAWK", why)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[1]",
        report({"extra": 1}),
        report({"line": -1}),
        report({"line": "2"}),
        report({"rule_name": "Not A Rule"}),
        report({"level": "Fatal"}),
        report({"message": "x" * 1_001}),
    ],
)
def test_a_report_of_another_form_is_said_to_be_such(data: bytes) -> None:
    """No part of it is shown."""
    (said,) = heard(data, steps())
    assert said == Unchecked(
        "SQUAWK", "not checked: squawk reports in a form that is not known here"
    )


@pytest.mark.parametrize(
    "script",
    [
        "ALTER TABLE his.visit ADD COLUMN a text DEFAULT 'canary7313';",
        "CREATE FUNCTION his.f() RETURNS text LANGUAGE sql AS $$ SELECT 'canary7313' $$;",
        "ALTER TABLE his.visit ADD CHECK (fee <> 7313);",
    ],
)
def test_words_that_hold_a_constant_are_not_repeated(script: str) -> None:
    """It may be a patient's number."""
    entry = {"line": 0, "message": "Do not write canary7313 here", "help": "no canary7313"}
    (said,) = heard(report(entry), steps(script))
    assert isinstance(said, Finding)
    assert said.sentence == "squawk: its words hold a constant of the SQL"
    assert "7313" not in said.hint


def test_words_are_one_line_without_what_a_terminal_obeys() -> None:
    """Whatever the program prints."""
    (said,) = heard(report({"message": "a\n\x1b[2Jb\u202ec"}), steps())
    assert isinstance(said, Finding)
    assert said.sentence == "squawk: a [2Jb c"


def test_nothing_of_squawk_stops_a_change() -> None:
    """Not even what it calls an error."""
    said = heard(report({"level": "Error"}), steps())
    assert blocking(judged(said), ()) == blocking(judged(None), ())
    assert len(judged(said).findings) == len(judged(None).findings) + 1


def test_where_a_rule_of_dbops_says_the_same_squawk_is_not_repeated() -> None:
    """Of that statement alone."""
    script = "CREATE INDEX i ON his.visit (beds);\nCREATE INDEX j ON his.note (id);"
    rule = "require-concurrent-index-creation"
    said = heard(
        report({"rule_name": rule, "line": 0}, {"rule_name": rule, "line": 1}), steps(script)
    )
    both = judged(said, script=f"CREATE TABLE his.note (id bigint); {script}")
    assert [each.where for each in found(both, "PG-IDX")] == ["up.sql line 1"]
    assert [each.where for each in found(both, f"SQUAWK-{rule}")] == ["up.sql line 2"]


_ACCEPTED = "{rule: SQUAWK-prefer-bigint-over-int, why: at most four hundred}"


def test_an_accepted_finding_of_squawk_is_needed_while_squawk_finds_it() -> None:
    """And it is said where nothing needs it."""
    assert found(judged(heard(report({}), steps()), _ACCEPTED), "DDL-ACCEPTED") == []
    (finding,) = found(judged((), _ACCEPTED), "DDL-ACCEPTED")
    sentence = "SQUAWK-prefer-bigint-over-int is accepted, and found nothing there"
    assert finding.sentence == sentence


def test_where_squawk_is_not_an_acceptance_of_it_is_not_judged() -> None:
    """What differs from host to host is a remark, and only where the manifest rests on squawk."""
    without = judged(None, _ACCEPTED)
    assert found(without, "DDL-ACCEPTED") == []
    why = "not checked: squawk, of which a finding is accepted, is not here"
    assert unchecked(without, "SQUAWK") == [why]
    assert unchecked(judged(None), "SQUAWK") == []


def test_a_squawk_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    """And what it could not look at is said."""
    begin = time.monotonic()
    (said,) = ask_squawk(fake(tmp_path, "exec sleep 60"), together(_SCRIPT), limit=0.2)
    assert time.monotonic() - begin < 10
    assert said == Unchecked("SQUAWK", "not checked: squawk takes longer than 0 seconds")


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo '[]'; exit 3", "squawk ends with status 3"),
        ("kill -9 $$", "squawk ends with status -9"),
        ("echo no json", "squawk reports in a form that is not known here"),
        ("exit 0", "squawk reports in a form that is not known here"),
        ("head -c 17000000 /dev/zero", "squawk reports more than 16777216 bytes"),
    ],
)
def test_a_squawk_that_fails_is_said_to_have_looked_at_nothing(
    tmp_path: Path, script: str, why: str
) -> None:
    """It is never taken for one that found nothing."""
    (said,) = ask_squawk(fake(tmp_path, script), together(_SCRIPT))
    assert said == Unchecked("SQUAWK", f"not checked: {why}")


def test_a_squawk_that_cannot_be_started_is_said(tmp_path: Path) -> None:
    """One that went away since it was found."""
    (said,) = ask_squawk(tmp_path / "gone", together(_SCRIPT))
    assert said == Unchecked("SQUAWK", "not checked: squawk cannot be started")


def test_it_is_given_statements_and_the_transactions_around_them(tmp_path: Path) -> None:
    """Each at its line; no comment before them, no environment, no other directory."""
    script = f"/usr/bin/cat >{tmp_path}/in; /usr/bin/env >{tmp_path}/env; pwd >{tmp_path}/pwd"
    text = "-- squawk-ignore-file\nDROP TABLE a -- squawk-ignore ban\n, c;\nDROP TABLE b; REINDEX x"
    first, second, third = steps(text)
    ask_squawk(
        fake(tmp_path, script), (Part((first, second), alone=False), Part((third,), alone=True))
    )
    given = "BEGIN; DROP TABLE a -- squawk_ignore ban\n, c;\nDROP TABLE b; COMMIT;REINDEX x;"
    assert (tmp_path / "in").read_text() == f"\n{given}\n"
    names = {line.partition("=")[0] for line in (tmp_path / "env").read_text().splitlines()}
    assert names <= {"LC_ALL", "PWD", "SHLVL", "_", "OLDPWD"}
    assert (tmp_path / "pwd").read_text() == "/\n"


def test_the_real_squawk_is_heard(program: Path) -> None:
    """Its form is the one that is known here, and its lines are those of the statements."""
    said = ask_squawk(program, together(_SCRIPT))
    places = {(each.rule, each.where) for each in said if isinstance(each, Finding)}
    assert ("SQUAWK-prefer-bigint-over-int", "up.sql line 2") in places
    assert ("SQUAWK-prefer-text-field", "up.sql line 2") in places
    assert all(isinstance(each, Finding) for each in said)


def test_a_script_cannot_tell_the_real_squawk_to_be_silent(program: Path) -> None:
    """Neither from inside a statement, nor for a file."""
    script = "-- squawk-ignore-file\nDROP TABLE /* squawk-ignore-file */ his.visit;\n"
    script += (
        "-- squawk-ignore ban-drop-table\nDROP TABLE -- squawk-ignore ban-drop-table\nhis.x;\n"
    )
    said = ask_squawk(program, together(script))
    assert [(each.rule, getattr(each, "where", "")) for each in said] == [
        ("SQUAWK-ban-drop-table", "up.sql line 2"),
        ("SQUAWK-ban-drop-table", "up.sql line 4"),
    ]


def test_the_real_squawk_says_where_it_cannot_read(program: Path) -> None:
    """Nothing of its words about a form that it does not know is repeated."""
    (said,) = ask_squawk(program, together("DROP TABLE his.visit;\nFROB 'canary7313';"))
    why = "not checked: squawk cannot read up.sql at line 2, and has looked at none of it"
    assert said == Unchecked("SQUAWK", why)


def test_the_real_squawk_knows_the_transactions_of_dbops(program: Path) -> None:
    """A validation in the transaction that adds the constraint blocks; in another it does not."""
    script = (
        "ALTER TABLE his.visit ADD CONSTRAINT k FOREIGN KEY (beds) REFERENCES his.ward NOT VALID;\n"
        "-- {}: rows\nALTER TABLE his.visit VALIDATE CONSTRAINT k;"
    )
    assert ask_squawk(program, parts(steps(script.format("part")), "postgres")) == ()
    (said,) = ask_squawk(program, parts(steps(script.format("step")), "postgres"))
    assert said.rule == "SQUAWK-constraint-missing-not-valid"
