"""Domains of PostgreSQL: which tables have columns of one, and what it asks of their rows; pure.

A check or NOT NULL of a domain is asked of each value in every table that has a column of it, of a
domain over it too. https://www.postgresql.org/docs/current/sql-alterdomain.html
"""

from __future__ import annotations

from collections.abc import Iterator

from dbops.change.reading import Act, Clause, Does, Name, Reading
from dbops.change.rules.finding import Case, is_same
from dbops.change.rules.spelling import path_of
from dbops.change.schema import ObjectKind, SchemaObject


def asked(case: Case) -> Iterator[tuple[Reading, Name, Clause]]:
    """Yield the clauses of ALTER DOMAIN by which all values are looked at while writes wait.

    Up to PostgreSQL 17 a validation holds off writes like an addition does.
    """
    for reading in case.up:
        if is_asked(reading) and not case.is_own(ObjectKind.DOMAIN, reading.names[0], reading):
            for clause in reading.clauses:
                if _asks(clause):
                    yield reading, reading.names[0], clause


def is_asked(reading: Reading) -> bool:
    """Whether a statement has the values of a domain looked at."""
    domain = reading.kind is ObjectKind.DOMAIN and reading.does is Does.ALTER
    return domain and bool(reading.names) and any(map(_asks, reading.clauses))


def tables_of(case: Case, domain: Name) -> tuple[Name, ...]:
    """Return the tables of the database that have a column of a domain, or of one over it."""
    domains = [domain, *_over(case, domain)]
    found = (
        Name(each.of.path)
        for each in case.objects
        if each.name.kind is ObjectKind.COLUMN and each.of is not None
        for one in domains
        if is_same(path_of(each.properties.get("type", "")), one.path)
    )
    return tuple(dict.fromkeys(found))


def is_constrained(case: Case, domain: Name) -> bool:
    """Whether a type is a domain that has a check or NOT NULL, itself or below it."""
    for each in case.up:
        if each.kind is ObjectKind.DOMAIN and any(is_same(n.path, domain.path) for n in each.names):
            new = each.does is Does.CREATE
            if new and ("CHECK" in each.words or each.has("NOT", "NULL")):
                return True
            if each.acts(Act.ADD_CONSTRAINT, Act.SET_NOT_NULL):
                return True
    known = case.find(ObjectKind.DOMAIN, domain)
    if known is None:
        return False
    return "not null" in known.properties or _has_checks(case, known) or _below(case, known)


def base_of(case: Case, written: str) -> str:
    """Return the type that a domain is made of at last; any other type as it is."""
    known = case.find(ObjectKind.DOMAIN, Name(path_of(written)))
    if known is None or "type" not in known.properties:
        return written
    return base_of(case, known.properties["type"])


def _asks(clause: Clause) -> bool:
    if clause.act is Act.ADD_CONSTRAINT:
        return clause.constraint is not None and not clause.constraint.not_valid
    return clause.act in {Act.SET_NOT_NULL, Act.VALIDATE}


def _over(case: Case, domain: Name) -> Iterator[Name]:
    for each in case.objects:
        of = path_of(each.properties.get("type", ""))
        if each.name.kind is ObjectKind.DOMAIN and is_same(of, domain.path):
            yield Name(each.name.path)
            yield from _over(case, Name(each.name.path))


def _has_checks(case: Case, domain: SchemaObject) -> bool:
    return any(
        each.name.kind is ObjectKind.CONSTRAINT and each.of == domain.name for each in case.objects
    )


def _below(case: Case, domain: SchemaObject) -> bool:
    """Whether the domain that one is made of asks something."""
    return is_constrained(case, Name(path_of(domain.properties.get("type", "?"))))
