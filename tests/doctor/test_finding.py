"""How checks become findings: one failing check never hides the others."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from functools import partial

from dbops.doctor.finding import (
    Check,
    Examined,
    Finding,
    Verdict,
    count_verdicts,
    examine,
    ok,
    problem,
    problem_of,
    warning,
)
from dbops.errors import Unreachable

FAILURE = Unreachable("store-unreachable", "the store is away", hint="mount it")


def test_a_check_that_cannot_go_on_is_a_problem_and_the_next_runs() -> None:
    """What it found before stays; its error's message and hint are the last finding."""

    def failing() -> Iterator[Finding]:
        yield ok("a", "fine")
        raise FAILURE

    found = list(examine([Check("one", failing), Check("two", lambda: [ok("b", "fine too")])]))
    assert found == [
        Examined("one", ok("a", "fine")),
        Examined(
            "one", Finding("store-unreachable", Verdict.PROBLEM, "the store is away", "mount it")
        ),
        Examined("two", ok("b", "fine too")),
    ]


def test_what_the_system_does_not_show_is_a_problem() -> None:
    """A directory of another account ends a check, not the doctor; only the reason is kept."""

    def failing() -> Iterator[Finding]:
        raise PermissionError(errno.EACCES, "canary", "/canary")

    (found,) = examine([Check("one", failing)])
    assert found == Examined(
        "one",
        problem(
            "not-visible",
            "a part of it cannot be looked at (EACCES)",
            "run dbops doctor as root",
        ),
    )


def test_findings_come_as_they_are_found() -> None:
    """The first finding is there before the second check begins."""
    begun: list[str] = []

    def check(name: str) -> Iterator[Finding]:
        begun.append(name)
        yield ok(name, name)

    found = examine(Check(name, partial(check, name)) for name in ("a", "b"))
    next(found)
    assert begun == ["a"]


def test_verdicts_are_counted_even_where_there_are_none() -> None:
    """Every verdict has a number."""
    findings = [ok("a", ""), warning("b", "", "do"), ok("c", "")]
    assert count_verdicts(findings) == {Verdict.OK: 2, Verdict.WARNING: 1, Verdict.PROBLEM: 0}
    assert count_verdicts([]) == dict.fromkeys(Verdict, 0)


def test_an_error_keeps_its_code_words_and_hint() -> None:
    """What a command would fail with is what the doctor says."""
    assert problem_of(FAILURE) == problem("store-unreachable", "the store is away", "mount it")
