"""What a reader of DDL says of one statement; pure, and no proof of anything.

Lint rests on it, and whether half a change may be taken back (`half_back`): what a change made
differ is what the catalogue says.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from dbops.change.column_type import SqlType
from dbops.change.schema import ObjectKind


class Does(StrEnum):
    """What a statement does."""

    CREATE = "create"
    ALTER = "alter"
    DROP = "drop"
    RENAME = "rename"
    TRUNCATE = "truncate"
    GRANT = "grant"
    REVOKE = "revoke"
    COMMENT = "comment"
    LOCK = "lock"
    SETTING = "setting"
    TRANSACTION = "transaction"
    WRITE = "write"
    QUERY = "query"
    BLOCK = "block"  # runs code: DO, CALL, EXEC, a block of PL/SQL
    UPKEEP = "upkeep"
    OTHER = "other"


class Doubt(StrEnum):
    """Why a reading does not say everything, in words that end "the statement …"."""

    FAULT = "cannot be read"
    UNKNOWN = "could not be read"
    OPAQUE = "is of a kind that is not looked into"
    PART = "is read in part only"


class Flag(StrEnum):
    """What is said of a statement or a clause, beside its names."""

    CASCADE = "cascade"
    CONCURRENTLY = "concurrently"
    DEFINER = "definer"
    IF_EXISTS = "if exists"
    IF_NOT_EXISTS = "if not exists"
    ONLINE = "online"
    PURGE = "purge"
    QUERY = "as query"
    REPLACE = "replace"
    TEMPORARY = "temporary"
    UNIQUE = "unique"
    WHERE = "where"


@dataclass(frozen=True, slots=True)
class Name:
    """A name as the catalogue spells its parts, from the outside in."""

    path: tuple[str, ...]

    @property
    def last(self) -> str:
        """The name without what it is in."""
        return self.path[-1]

    @property
    def written(self) -> str:
        """The name for people."""
        return ".".join(self.path)


class Act(StrEnum):
    """What a clause of ALTER TABLE does, or an element of CREATE TABLE."""

    ADD_COLUMN = "add column"
    DROP_COLUMN = "drop column"
    RENAME_COLUMN = "rename column"
    RETYPE = "retype"  # a definition anew in MySQL and Oracle, which may be the same type
    SET_NOT_NULL = "set not null"
    DROP_NOT_NULL = "drop not null"
    SET_DEFAULT = "set default"
    DROP_DEFAULT = "drop default"
    ALTER_COLUMN = "alter column"  # statistics, storage, identity
    ADD_CONSTRAINT = "add constraint"
    DROP_CONSTRAINT = "drop constraint"
    RENAME_CONSTRAINT = "rename constraint"
    VALIDATE = "validate"
    SWITCH_CONSTRAINT = "switch constraint"  # enabled or disabled
    ADD_INDEX = "add index"
    DROP_INDEX = "drop index"
    RENAME_INDEX = "rename index"
    RENAME_TABLE = "rename table"
    SWITCH_TRIGGER = "switch trigger"
    PARTITION = "partition"
    REBUILD = "rebuild"
    OPTION = "option"
    OTHER = "other"


class ConstraintKind(StrEnum):
    """The sorts of constraints."""

    PRIMARY_KEY = "primary key"
    UNIQUE = "unique"
    FOREIGN_KEY = "foreign key"
    CHECK = "check"
    EXCLUDE = "exclude"


@dataclass(frozen=True, slots=True)
class Default:
    """A default: whether it is NULL, and which functions it calls."""

    null: bool
    calls: tuple[str, ...]
    zero_date: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """A column as a statement defines it.

    `filled` says that rows get a value without a default: identity, serial, generated columns;
    `stored` that it is generated and kept.
    """

    name: str
    type: SqlType
    collation: str | None = None
    not_null: bool = False
    default: Default | None = None
    filled: bool = False
    stored: bool = False
    identity: bool = False
    constraints: tuple[Constraint, ...] = ()


@dataclass(frozen=True, slots=True)
class Constraint:
    """A constraint as a statement defines it."""

    kind: ConstraintKind
    name: str | None
    columns: tuple[str, ...]
    target: Name | None = None
    cascades: bool = False
    not_valid: bool = False
    index: str | None = None  # of which it is made, where that is there already
    nulls: tuple[str, ...] = ()  # columns of which a check says IS NOT NULL


@dataclass(frozen=True, slots=True)
class Using:
    """What a column that gets another type is computed from.

    `casts` are the types to which the column itself is cast, one after the other; None where
    anything else is computed.
    """

    casts: tuple[SqlType, ...] | None


@dataclass(frozen=True, slots=True)
class Clause:
    """One thing that a statement does to a table. `name` is a constraint's, index's or new name.

    `becomes` is the new name of a constraint, `part` the table that is attached or detached.
    """

    act: Act
    column: str | None = None
    name: str | None = None
    definition: Column | None = None
    constraint: Constraint | None = None
    using: Using | None = None
    becomes: str | None = None
    part: Name | None = None
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """One statement. `place` is its file and line, `part` the number of the part that it is in.

    `kind` and `names` say of what it is: more than one name where it drops several. `table` is the
    table of an index, a trigger or a policy, and of an ALTER TABLE, and the partitioned one of a
    partition that is made. `words` are all keywords, names and signs in upper case, without texts;
    `texts` what stands in texts, for comparing only.
    """

    place: str
    line: int
    does: Does
    kind: ObjectKind | None = None
    names: tuple[Name, ...] = ()
    table: Name | None = None
    renamed: Name | None = None
    clauses: tuple[Clause, ...] = ()
    columns: tuple[str, ...] = ()
    flags: frozenset[Flag] = frozenset()
    words: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    doubt: Doubt | None = None
    part: int = 0

    def has(self, *phrase: str) -> bool:
        """Whether the words stand in it, one after the other."""
        return has(self.words, *phrase)

    def acts(self, *acts: Act) -> tuple[Clause, ...]:
        """Return the clauses that do one of these."""
        return tuple(clause for clause in self.clauses if clause.act in acts)


def has(words: tuple[str, ...], *phrase: str) -> bool:
    """Whether a phrase stands among words."""
    size = len(phrase)
    return any(words[at : at + size] == phrase for at in range(len(words) - size + 1))
