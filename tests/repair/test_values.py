"""What a parameter's text may be: one value, that every database reads alike."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbops.repair.parameter import ParameterType
from dbops.repair.values import is_value, value_rule
from tests.fix_postgresql import Connection, PgServer

OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda each: timezone(timedelta(minutes=each)))
OF_SERVER = {
    ParameterType.INTEGER: "int8",
    ParameterType.NUMERIC: "numeric",
    ParameterType.BOOLEAN: "bool",
    ParameterType.DATE: "date",
    ParameterType.TIMESTAMP: "timestamp",
    ParameterType.INSTANT: "timestamptz",
}


@pytest.mark.parametrize(
    ("kind", "allowed", "refused"),
    [
        ("text", ["", " ", "病区", "it's", "a\nb", "NULL", "\U0001f600"], ["a\0b", "\ud800"]),
        (
            "integer",
            ["0", "-1", "38", "9223372036854775807", "-9223372036854775808"],
            ["", "-0", "+1", "01", "1.0", "1e3", " 1", "1\n", "9223372036854775808", "١", "1_0"],
        ),
        (
            "numeric",
            ["0", "-0.50", "12", "0.00", "9" * 100, f"0.{'1' * 100}"],
            ["", ".5", "5.", "1e3", "NaN", "inf", "1,5", "00", "01.5", "9" * 101, "1.0\n", "１"],
        ),
        ("boolean", ["true", "false"], ["", "yes", "no", "True", "t", "1", "true\n"]),
        (
            "date",
            ["2026-11-20", "2024-02-29", "0001-01-01", "9999-12-31"],
            ["", "2026-02-29", "2026-13-01", "0000-01-01", "20261120", "2026-11-20 ", "infinity"],
        ),
        (
            "timestamp",
            ["2026-11-20 08:30", "2026-11-20T08:30:00", "2026-11-20 23:59:59.999999"],
            [
                "2026-11-20",
                "2026-11-20 24:00",
                "2026-11-20 08:60",
                "2026-11-20 08:30:60",
                "2026-02-30 08:30",
                "2026-11-20 08:30Z",
                "2026-11-20 08:30:00.1234567",
                "2026-11-20  08:30",
                "2026-11-20 8:30",
                "now",
            ],
        ),
        (
            "instant",
            ["2026-11-20 08:30Z", "2026-11-20T08:30:00.5+08:00", "2026-11-20 08:30-14:00"],
            [
                "2026-11-20 08:30",
                "2026-11-20 08:30+8",
                "2026-11-20 08:30+0800",
                "2026-11-20 08:30+14:01",
                "2026-11-20 08:30+08:60",
                "2026-11-20 08:30 +08:00",
                "2026-11-20 08:30z",
                "2026-02-30 08:30Z",
            ],
        ),
        ("table", ["visit", "his.visit", '"Odd.name"', "病区"], ["", "a.b.c", 'a"', " a", "."]),
        ("column", ["ward_code", "病 区", '"'], ["", "a\nb", "a" * 129]),
        ("rows", [], ["", "1"]),
    ],
)
def test_values_of_each_type(kind: str, allowed: list[str], refused: list[str]) -> None:
    """What is allowed and what is not; nothing is trimmed or translated."""
    of = ParameterType(kind)
    assert [text for text in allowed if not is_value(of, text)] == []
    assert [text for text in refused if is_value(of, text)] == []


def test_each_type_says_what_it_takes() -> None:
    """The hint of an error is there for all of them, and its examples are values."""
    assert all(value_rule(kind) for kind in ParameterType)
    assert is_value(ParameterType.INSTANT, "2026-11-20T08:30:00+08:00")
    assert "2026-11-20T08:30:00+08:00" in value_rule(ParameterType.INSTANT)


@given(st.integers())
def test_integers_are_those_of_64_bits(number: int) -> None:
    """No more, no less."""
    assert is_value(ParameterType.INTEGER, str(number)) is (-(2**63) <= number < 2**63)


@given(
    st.decimals(allow_nan=False, allow_infinity=False, places=4),
    st.dates(),
    st.datetimes(timezones=st.none()),
    st.datetimes(
        min_value=datetime(1, 1, 2),  # noqa: DTZ001 - hypothesis adds the zone
        max_value=datetime(9999, 12, 30),  # noqa: DTZ001
        timezones=OFFSETS,
    ),
)
def test_what_python_writes_is_taken(
    number: Decimal, day: date, moment: datetime, instant: datetime
) -> None:
    """Any decimal, day, time and instant can be written."""
    assert is_value(ParameterType.NUMERIC, format(number, "f"))
    assert is_value(ParameterType.DATE, day.isoformat())
    for separator in " T":
        assert is_value(ParameterType.TIMESTAMP, moment.isoformat(separator))
        assert is_value(ParameterType.INSTANT, instant.isoformat(separator))


@pytest.fixture(scope="module")
def server(pg15: PgServer) -> Iterator[Connection]:
    """A connection that reads values."""
    with pg15.connect("postgres") as connection:
        yield connection


TEXTS = st.one_of(
    st.text(alphabet="0123456789-+.:TZ eE", max_size=30),
    st.from_regex(r"-?[0-9]{1,20}(\.[0-9]{1,3})?", fullmatch=True),
    st.from_regex(r"[0-9]{4}-[01][0-9]-[0-3][0-9]", fullmatch=True),
    st.from_regex(
        r"[0-9]{4}-[01][0-9]-[0-3][0-9][ T][0-2][0-9]:[0-6][0-9](:[0-6][0-9](\.[0-9]{1,6})?)?"
        r"([+-][01][0-9]:[0-5][0-9]|Z)?",
        fullmatch=True,
    ),
    st.sampled_from(["true", "false"]),
)


@given(TEXTS)
def test_what_is_taken_is_a_value_for_the_server(server: Connection, text: str) -> None:
    """No text that is taken here fails in the middle of a repair for its form."""
    for kind, of_server in OF_SERVER.items():
        if is_value(kind, text):
            server.execute(f"SELECT %s::text::{of_server}", [text])
