"""What a step of a change is, by its first words; nothing else of it is understood.

A step that the server runs only outside of a transaction has to be found again in the catalogue
after a crash, so its object is read from the text, with its schema: no search path helps there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from dbops.change.step import Step
from dbops.errors import Failed, Refused
from dbops.sql.tokens import tokens_of

_CONTROL: Final = frozenset(
    {
        "BEGIN",
        "START",
        "COMMIT",
        "END",
        "ROLLBACK",
        "ABORT",
        "SAVEPOINT",
        "RELEASE",
        "PREPARE",
        "RESET",
        "DISCARD",
    }
)
_QUERY: Final = frozenset({"SELECT", "WITH", "VALUES", "TABLE"})
_VACUUM_WORDS: Final = frozenset({"FULL", "FREEZE", "VERBOSE", "ANALYZE", "ANALYSE"})
_MANY: Final = frozenset({"SCHEMA", "DATABASE", "SYSTEM"})


class Alone(Enum):
    """A statement that the server runs only outside of a transaction."""

    CREATE_INDEX = auto()
    DROP_INDEX = auto()
    REINDEX = auto()
    DETACH = auto()
    VACUUM = auto()


@dataclass(frozen=True, slots=True)
class Named:
    """A name in a statement as the catalogue spells it; `schema` is empty where none stands."""

    schema: str
    name: str

    @property
    def written(self) -> str:
        """For messages."""
        return f"{self.schema}.{self.name}" if self.schema else self.name


NOBODY: Final = Named("", "")


@dataclass(frozen=True, slots=True)
class Target:
    """What an alone statement is about.

    `table` is the table of an index that is made, or the partitioned one that loses `name`;
    `scope` is what REINDEX goes through: INDEX, TABLE, SCHEMA, DATABASE or SYSTEM; of VACUUM it is
    FULL, or empty.
    """

    kind: Alone
    name: Named
    table: Named = NOBODY
    scope: str = ""


def place(step: Step, position: str | None = None) -> str:
    """Which step it is, for messages; `position` is the character, from 1, that an error is at."""
    named = f"step {step.number} at line {step.line}"
    if position is None or not position.isdecimal():
        return named
    line = step.line + step.sql[: int(position) - 1].count("\n")
    return named if line == step.line else f"{named}, in line {line}"


def refuse_control(step: Step) -> None:
    """Raises Refused `transaction-control` for what ends or nests the transaction, or outlives it.

    SET LOCAL and SET CONSTRAINTS end with the transaction, so they may run.
    """
    words = [word.upper() for word in _words(step)[:2]]
    if not words:
        return
    lasting = words[0] == "SET" and words[1:] not in (["LOCAL"], ["CONSTRAINTS"])
    if words[0] in _CONTROL or lasting:
        raise Refused(
            "transaction-control",
            f"{place(step)}: {words[0]} ends or nests the transaction, or outlives it",
            hint="take transaction control out of the script; settings may be SET LOCAL",
        )
    if words[0] == "COPY":
        raise Failed(
            "change-step",
            f"{place(step)}: a change cannot copy rows from or to a file",
            hint="write INSERT statements, or load the rows by another way",
        )


def is_query(step: Step) -> bool:
    """Whether it is a query, by its first word."""
    words = [word for word in _words(step) if word != "("]
    return bool(words) and words[0].upper() in _QUERY


def alone_kind(step: Step) -> Alone | None:
    """What the server runs only outside of a transaction; None for any other statement."""
    words = [word.upper() for word in _words(step)]
    concurrently = "CONCURRENTLY" in words
    match words:
        case ["CREATE", "INDEX", "CONCURRENTLY", *_]:
            return Alone.CREATE_INDEX
        case ["CREATE", "UNIQUE", "INDEX", "CONCURRENTLY", *_]:
            return Alone.CREATE_INDEX
        case ["DROP", "INDEX", "CONCURRENTLY", *_]:
            return Alone.DROP_INDEX
        case ["REINDEX", *rest] if concurrently or _MANY & set(_behind_options(rest)[:1]):
            return Alone.REINDEX
        case ["ALTER", "TABLE", *rest] if "DETACH" in rest and words[-1] == "CONCURRENTLY":
            return Alone.DETACH
        case ["VACUUM", *_]:
            return Alone.VACUUM
    return None


def target_of(step: Step) -> Target:
    """What an alone statement is about.

    Raises Failed `change-step` where its object could not be found again: an index without a name
    of its own, or what stands without its schema.
    """
    kind = alone_kind(step)
    words = _words(step)
    match kind:
        case Alone.CREATE_INDEX:
            return _created(step, words)
        case Alone.DROP_INDEX:
            names = _behind_exists(words[3:])
            return Target(kind, _in_full(step, _name(step, names)[0]))
        case Alone.REINDEX:
            return _reindexed(step, words[1:])
        case Alone.DETACH:
            return _detached(step, words)
        case Alone.VACUUM:
            return _vacuumed(step, words[1:])
    raise Failed(
        "change-step",
        f"{place(step)}: it need not stand outside of the transaction",
        hint="run it inside: the engine tells which statements stand alone",
    )


def is_concurrent(step: Step) -> bool:
    """Whether it says that others may read and write meanwhile."""
    return "CONCURRENTLY" in [word.upper() for word in _words(step)]


def vacuumed(step: Step) -> tuple[Named, ...]:
    """The tables that VACUUM names; none where it is of all that there are."""
    rest = _behind_vacuum(_words(step)[1:])
    found: list[Named] = []
    while rest:
        name, rest = _name(step, _behind_only(rest))
        found.append(name)
        rest = _behind_options(rest)  # columns
        if rest[:1] != [","]:
            break
        rest = rest[1:]
    return tuple(found)


def _created(step: Step, words: Sequence[str]) -> Target:
    rest = _behind_exists(words[4 if words[1].upper() == "UNIQUE" else 3 :])
    if not rest or rest[0].upper() == "ON":
        raise Failed(
            "change-step",
            f"{place(step)}: an index without a name could not be found again after a crash",
            hint="give the index a name",
        )
    index, rest = _name(step, rest)
    if rest[:1] == [] or rest[0].upper() != "ON":
        raise _unreadable(step)
    rest = _behind_only(rest[1:])
    table = _in_full(step, _name(step, rest)[0])
    return Target(Alone.CREATE_INDEX, Named(table.schema, index.name), table)


def _reindexed(step: Step, words: Sequence[str]) -> Target:
    rest = list(_behind_options(words))
    scope = rest.pop(0).upper() if rest else ""
    if rest and rest[0].upper() == "CONCURRENTLY":
        rest.pop(0)
    if scope in {"DATABASE", "SYSTEM"}:
        return Target(Alone.REINDEX, NOBODY, scope=scope)
    name, _ = _name(step, rest)
    named = name if scope == "SCHEMA" else _in_full(step, name)
    return Target(Alone.REINDEX, named, scope=scope)


def _detached(step: Step, words: Sequence[str]) -> Target:
    rest = _behind_only(_behind_exists(words[2:]))
    table, rest = _name(step, rest)
    if [word.upper() for word in rest[:2]] != ["DETACH", "PARTITION"]:
        raise _unreadable(step)
    part, _ = _name(step, rest[2:])
    return Target(Alone.DETACH, _in_full(step, part), _in_full(step, table))


def _vacuumed(step: Step, words: Sequence[str]) -> Target:
    """Of several tables none is named."""
    rest = _behind_vacuum(words)
    full = "FULL" in [word.upper() for word in words[: len(words) - len(rest)]]
    scope = "FULL" if full else ""
    if not rest or "," in rest:
        return Target(Alone.VACUUM, NOBODY, scope=scope)
    return Target(Alone.VACUUM, _name(step, rest)[0], scope=scope)


def _behind_vacuum(words: Sequence[str]) -> Sequence[str]:
    rest = _behind_options(words)
    while rest and rest[0].upper() in _VACUUM_WORDS:
        rest = rest[1:]
    return rest


def _behind_only(words: Sequence[str]) -> Sequence[str]:
    return words[1:] if words and words[0].upper() == "ONLY" else words


def _behind_exists(words: Sequence[str]) -> Sequence[str]:
    upper = [word.upper() for word in words[:3]]
    if upper == ["IF", "NOT", "EXISTS"]:
        return words[3:]
    return words[2:] if upper[:2] == ["IF", "EXISTS"] else words


def _behind_options(words: Sequence[str]) -> Sequence[str]:
    if words[:1] == ["("] and ")" in words:
        return words[list(words).index(")") + 1 :]
    return words


def _name(step: Step, words: Sequence[str]) -> tuple[Named, Sequence[str]]:
    """The name that stands there, and what follows."""
    parts: list[str] = []
    at = 0
    while at < len(words):
        parts.append(_identifier(step, words[at]))
        at += 1
        if words[at : at + 1] != ["."]:
            break
        at += 1
    if len(parts) not in {1, 2}:
        raise _unreadable(step)
    return Named(parts[0] if len(parts) == 2 else "", parts[-1]), words[at:]


def _identifier(step: Step, word: str) -> str:
    if word.startswith('"') and len(word) > 2:
        return word[1:-1].replace('""', '"')
    if not (word[0].isalnum() or word[0] == "_"):
        raise _unreadable(step)
    # The server folds ASCII letters only, in every encoding of more than one byte.
    return "".join(sign.lower() if sign.isascii() else sign for sign in word)


def _in_full(step: Step, name: Named) -> Named:
    if not name.schema:
        raise Failed(
            "change-step",
            f"{place(step)}: {name.name} stands without its schema",
            hint="write schema.name: steps run with an empty search path",
        )
    return name


def _words(step: Step) -> list[str]:
    """All tokens but blanks and comments."""
    return list(_read(step))


def _read(step: Step) -> Iterator[str]:
    for token in tokens_of(step.sql, f"step {step.number}", step.line, counted=True):
        if not token.blank and isinstance(token.piece, str):
            yield token.piece


def _unreadable(step: Step) -> Failed:
    return Failed(
        "change-step",
        f"{place(step)}: the name of its object cannot be read",
        hint='write it as schema.name, or "schema"."name"',
    )
