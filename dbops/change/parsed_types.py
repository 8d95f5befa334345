"""What sqlglot reads in the name of a type, in words of our own."""

from __future__ import annotations

import re
from typing import Final

from sqlglot import exp

from dbops.change.column_type import Family, SqlType
from dbops.sql.tokenized import FAULTS

_FAMILIES: Final = {
    Family.TEXT: "CHAR NCHAR VARCHAR NVARCHAR BPCHAR TEXT TINYTEXT MEDIUMTEXT LONGTEXT NAME",
    Family.INTEGER: "TINYINT SMALLINT MEDIUMINT INT BIGINT UTINYINT USMALLINT UMEDIUMINT UINT"
    " UBIGINT SMALLSERIAL SERIAL BIGSERIAL",
    Family.DECIMAL: "DECIMAL UDECIMAL MONEY SMALLMONEY",
    Family.FLOAT: "FLOAT DOUBLE",
    Family.DATE: "DATE",
    Family.TIME: "TIME TIMETZ",
    Family.STAMP: "TIMESTAMP TIMESTAMPTZ TIMESTAMPLTZ TIMESTAMPNTZ DATETIME DATETIME2"
    " SMALLDATETIME",
    Family.SPAN: "INTERVAL",
    Family.BOOLEAN: "BOOLEAN BIT",
    Family.BINARY: "BINARY VARBINARY BLOB TINYBLOB MEDIUMBLOB LONGBLOB",
    Family.JSON: "JSON JSONB",
    Family.ENUM: "ENUM SET",
}
_FAMILY_OF: Final = {name: family for family, names in _FAMILIES.items() for name in names.split()}
_RANKS: Final = {
    "TINYINT": 1,
    "SMALLINT": 2,
    "MEDIUMINT": 3,
    "INT": 4,
    "BIGINT": 5,
    "SMALLSERIAL": 2,
    "SERIAL": 4,
    "BIGSERIAL": 5,
    "FLOAT": 3,
    "DOUBLE": 5,
    "SMALLMONEY": 1,
    "MONEY": 2,
    "SMALLDATETIME": 1,
    "DATETIME": 2,
    "DATETIME2": 3,
}
_SIZES: Final = {
    "NAME": 63,
    "TINYTEXT": 255,
    "MEDIUMTEXT": 1 << 24,
    "TINYBLOB": 255,
    "MEDIUMBLOB": 1 << 24,
}
_SIZED: Final = frozenset({Family.TEXT, Family.DECIMAL, Family.BINARY})
_PADDED: Final = frozenset({"CHAR", "NCHAR", "BPCHAR"})


def read_type(text: str, dialect: str) -> SqlType:
    """Return the type that a text names; of the family OTHER where sqlglot does not know it."""
    try:
        found = exp.DataType.build(text, dialect=dialect, udt=True)
    except FAULTS:
        return SqlType(text, "USERDEFINED", Family.OTHER)
    if not isinstance(found.this, exp.DataType.Type):
        return SqlType(text, "USERDEFINED", Family.OTHER)
    name = found.this.name
    if name == "ARRAY":
        return _array(text, found, dialect)
    unsigned = name in {"UTINYINT", "USMALLINT", "UMEDIUMINT", "UINT", "UBIGINT", "UDECIMAL"}
    plain = name[1:] if unsigned else name
    bits = name == "BIT" and dialect == "postgres"  # a string of bits there, no truth value
    family = Family.OTHER if bits else _FAMILY_OF.get(name, Family.OTHER)
    numbers = [int(part.name) for part in found.expressions if part.name.isdecimal()]
    return SqlType(
        text,
        name,
        family,
        size=_bits(text) if bits else _size(name, family, numbers, dialect),
        scale=_scale(family, _digits(text) if family is Family.SPAN else numbers, dialect),
        rank=_RANKS.get(plain, 0),
        zone=name in {"TIMESTAMPTZ", "TIMESTAMPLTZ", "TIMETZ"},
        padded=name in _PADDED,
        unsigned=unsigned,
        wide=dialect != "tsql" or name.startswith("N"),
        values=tuple(part.name for part in found.expressions) if family is Family.ENUM else (),
    )


def _array(text: str, found: exp.DataType, dialect: str) -> SqlType:
    """Return the type of an array: that of its elements, by another name."""
    of = found.expressions[0] if found.expressions else None
    if not isinstance(of, exp.DataType):
        return SqlType(text, "USERDEFINED", Family.OTHER)
    element = read_type(of.sql(dialect=dialect), dialect)
    name = element.text.casefold() if element.name == "USERDEFINED" else element.name
    return SqlType(text, f"{name}[]", Family.OTHER, size=element.size, scale=element.scale)


def _digits(text: str) -> list[int]:
    """Return the number in parentheses, where sqlglot leaves it out: of BIT VARYING, INTERVAL."""
    given = re.search(r"\(\s*(\d+)\s*\)", text)
    return [] if given is None else [int(given[1])]


def _bits(text: str) -> int | None:
    """Return the most bits; None for as many as there may be."""
    unbounded = None if "var" in text.casefold() else 1
    return next(iter(_digits(text)), unbounded)


def _scale(family: Family, numbers: list[int], dialect: str) -> int:
    """Return the digits behind the point: of a number, or in PostgreSQL of a second."""
    if family in {Family.STAMP, Family.TIME, Family.SPAN} and dialect == "postgres":
        return numbers[0] if numbers else 6
    return numbers[1] if len(numbers) > 1 else 0


def _size(name: str, family: Family, numbers: list[int], dialect: str) -> int | None:
    if family not in _SIZED:
        return None
    if numbers:
        return numbers[0]
    if name in {"CHAR", "NCHAR", "BPCHAR", "BINARY"} and dialect != "sqlite":
        return 1
    if name in {"TEXT", "BLOB"} and dialect == "mysql":
        return 65_535
    if name == "DECIMAL" and dialect in {"mysql", "tsql"}:
        return 10 if dialect == "mysql" else 18
    return _SIZES.get(name)
