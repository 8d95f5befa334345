"""The fifty systems of the made-up hospital, as the list in this package names them."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources


class Product(StrEnum):
    """The database product that such a system runs on in a real hospital."""

    ORACLE = "oracle"
    SQLSERVER = "sqlserver"
    POSTGRESQL = "postgresql"
    MYSQL = "mysql"
    SQLITE = "sqlite"


@dataclass(frozen=True, slots=True)
class DemoSystem:
    """One system: its number in the list, its code, its names, its tier (1 is the most urgent)."""

    no: int
    code: str
    name_zh: str
    name_en: str
    tier: int
    engine: Product


def read_systems() -> tuple[DemoSystem, ...]:
    """Return the systems in the order of the list."""
    text = resources.files("dbops.demo").joinpath("systems.csv").read_text(encoding="utf-8")
    return tuple(_system(row) for row in csv.DictReader(text.splitlines()))


def _system(row: dict[str, str]) -> DemoSystem:
    return DemoSystem(
        no=int(row["no"]),
        code=row["code"],
        name_zh=row["name_zh"],
        name_en=row["name_en"],
        tier=int(row["tier"]),
        engine=Product(row["engine"]),
    )
