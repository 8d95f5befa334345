"""REP-LIT: a person's data in clear."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbops.repair.rules.personal import Sign, has_check_digit, sign_of
from tests.repair.rules.judging import found, judged

# Made up: no such region, and a check digit that fits.
_IDENTITY = "99000019900101001"
_IDENTITY += next(digit for digit in "0123456789X" if has_check_digit(f"{_IDENTITY}{digit}"))
_PHONE = "13800000000"


@pytest.mark.parametrize(
    ("script", "sign"),
    [
        (f"DELETE FROM his.visit WHERE note = '{_IDENTITY}';", Sign.IDENTITY),
        (f"DELETE FROM his.visit WHERE note LIKE '%{_PHONE}%';", Sign.PHONE),
        (f"DELETE FROM his.visit WHERE beds = {_PHONE};", Sign.PHONE),
        (f"DELETE FROM his.visit WHERE id = 1 -- asked by {_PHONE}\n;", Sign.PHONE),
        ("DELETE FROM his.visit WHERE note = 'li.na@example.org';", Sign.MAIL),
        ("DELETE FROM his.visit WHERE patient_no = 'P-77';", Sign.NUMBER),
        ("DELETE FROM his.visit WHERE patient_id IN (4711, 4712);", Sign.NUMBER),
        ("UPDATE his.visit SET patient_name = 'Li Na' WHERE id = 1;", Sign.NAME),
        ("INSERT INTO his.visit (id, name) VALUES (1, '李娜');", Sign.NAME),
        ("SELECT f('李娜');", Sign.NAME),
        ("UPDATE his.visit SET beds = 1 WHERE birth_date = DATE '1990-01-01';", Sign.BIRTH),
        ("UPDATE his.visit SET address = '1 Long Road' WHERE id = 1;", Sign.ADDRESS),
    ],
)
def test_what_looks_like_a_person_is_found(script: str, sign: Sign) -> None:
    """By its own form, or by the column beside it; in comments too."""
    (finding,) = found(judged(script), "REP-LIT")
    assert finding.sentence == f"something looks like {sign.value}"


@pytest.mark.parametrize(
    "script",
    [
        "DELETE FROM his.visit WHERE ward_code = 'OLD' AND beds = 12 AND id = 4711;",
        "UPDATE his.visit SET ward_code = '高危' WHERE note = '白班';",
        "UPDATE his.visit SET patient_no = NULL WHERE patient_no = :given AND name = '';",
        f"DELETE FROM his.visit WHERE note = '{_IDENTITY[:-1]}{'12'[_IDENTITY[-1] == '1']}';",
        "DELETE FROM his.visit WHERE updated_at > '2026-01-01';",
    ],
)
def test_codes_and_numbers_are_not(script: str) -> None:
    """What speaks of no person needs no seal."""
    assert found(judged(script), "REP-LIT") == []


@pytest.mark.parametrize(
    ("parameter", "sign"),
    [
        ("patient: {type: text, value: P-77}", Sign.NUMBER),
        ("given: {type: text, value: '" + _PHONE + "'}", Sign.PHONE),
        ("birthday: {type: date, value: 1990-01-01}", Sign.BIRTH),
        ("given: {type: text, sealed: true}", None),
        ("patient: {type: text, sealed: true}", None),
        ("given: {type: text, value: ORT}", None),
    ],
)
def test_parameters_in_clear_are_looked_at(parameter: str, sign: Sign | None) -> None:
    """By value and by name; a sealed one is as it should be."""
    name = parameter.partition(":")[0]
    script = f"DELETE FROM his.visit WHERE note = :{name};"
    findings = found(judged(script, f"params:\n  {parameter}"), "REP-LIT")
    expected = [] if sign is None else [f"the parameter {name} looks like {sign.value}"]
    assert [finding.sentence for finding in findings] == expected


def test_a_comment_after_the_last_statement_is_looked_at() -> None:
    """No statement holds it, and git does."""
    script = f"DELETE FROM his.visit WHERE id = 1;\n-- asked by {_PHONE}"
    (finding,) = found(judged(script), "REP-LIT")
    assert finding.where == "repair.sql line 2"
    assert finding.sentence == "a comment holds something like a phone number"


def test_title_and_cause_are_looked_at() -> None:
    """They stand in git, in the ledger and in mails."""
    (finding,) = found(judged(manifest=f"title: merge {_PHONE}"), "REP-LIT")
    assert finding.sentence == "the title or the cause holds something like a phone number"


def test_conditions_are_looked_at() -> None:
    """A check of the manifest has constants as well."""
    manifest = """
after:
  - check: the patient is one
    sql: SELECT count(*) FROM his.visit WHERE patient_no = 'P-77'
    equals: 1
"""
    assert len(found(judged(manifest=manifest), "REP-LIT")) == 1


@given(st.from_regex(r"[1-9][0-9]{16}", fullmatch=True))
def test_one_check_digit_fits(number: str) -> None:
    """Of the eleven that there are, exactly one: a mistyped number is mostly no number."""
    assert sum(has_check_digit(f"{number}{digit}") for digit in "0123456789X") == 1


@given(st.text(max_size=20), st.none() | st.text(max_size=20))
def test_any_text_has_a_sign_or_none(value: str, about: str | None) -> None:
    """No text is too odd to be looked at."""
    assert sign_of(value, about) in {None, *Sign}
