"""What the text of a function says of how it runs: told by name, and nothing is left out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbops.change.function_text import function_words, powers, read_function

HEAD = "CREATE OR REPLACE FUNCTION his.age(born date)\n RETURNS integer\n LANGUAGE sql\n"
BODY = "AS $function$SELECT 1$function$\n"
PLAIN = HEAD + BODY
EVERY = (
    f"{HEAD} WINDOW IMMUTABLE PARALLEL RESTRICTED STRICT SECURITY DEFINER LEAKPROOF COST 5 ROWS 7"
    f" SUPPORT his.help\n SET work_mem TO '1MB'\n SET search_path TO 'his', 'lab'\n{BODY}"
)


@pytest.mark.parametrize(
    ("new", "said"),
    [
        (f"{HEAD} SECURITY DEFINER\n{BODY}", "now security definer"),
        (f"{HEAD} STABLE\n{BODY}", "volatility: volatile → stable"),
        (f"{HEAD} PARALLEL SAFE\n{BODY}", "parallel: unsafe → safe"),
        (f"{HEAD} COST 5\n{BODY}", "cost: usual → 5"),
        (f"{HEAD} SET jit TO 'off'\n{BODY}", "setting jit: none → 'off'"),
        (f"{HEAD} SET jit TO '{'x' * 120}'\n{BODY}", "setting jit differs"),
        (PLAIN.replace("1", "2"), "body differs"),
        (PLAIN.replace("integer", "bigint"), "definition differs"),
        (f"{HEAD} STRICT\n{BODY}".replace("1", "2"), "now strict; body differs"),
        (f"{HEAD} SECURITY INVOKED\n{BODY}", "body differs"),
        ("something else", "definition differs"),
        (EVERY, "now leakproof; now security definer; now strict; now window; cost: usual → 5;"
         " parallel: unsafe → restricted; rows: usual → 7; setting search_path: none → 'his',"
         " 'lab'; setting work_mem: none → '1MB'; support: none → his.help; volatility: volatile →"
         " immutable"),
    ],
)  # fmt: skip
def test_traits_are_told(new: str, said: str) -> None:
    """Each by its name; what is not understood is in the rest, which differs."""
    assert function_words(PLAIN, new) == said


def test_traits_that_are_taken_away() -> None:
    """Back to what holds where nothing is said."""
    assert function_words(f"{HEAD} STABLE SECURITY DEFINER\n{BODY}", PLAIN) == (
        "no longer security definer; volatility: stable → volatile"
    )


def test_powers_are_rights_and_settings() -> None:
    """What lets a function do other than who calls it."""
    assert powers(EVERY) == (
        "security definer",
        "setting work_mem '1MB'",
        "setting search_path 'his', 'lab'",
    )
    assert powers(PLAIN) == ()


def test_a_body_is_not_read() -> None:
    """What stands behind AS is no option, however it looks."""
    body = "AS $function$\n SECURITY DEFINER\n SET jit TO 'off'\n$function$\n"
    assert read_function(HEAD + body).traits == {}


@given(
    st.lists(st.sampled_from([*PLAIN.split("\n"), *EVERY.split("\n")]), max_size=9),
    st.lists(st.sampled_from([*PLAIN.split("\n"), *EVERY.split("\n")]), max_size=9),
)
def test_no_difference_is_silent(old: list[str], new: list[str]) -> None:
    """Whatever the lines are: words are empty only where the texts say the same."""
    was, now = "\n".join(old), "\n".join(new)
    said = function_words(was, now)
    assert said or read_function(was) == read_function(now)
    assert function_words(was, was) == ""
