"""What a rule must find, and what it must leave alone."""

from __future__ import annotations

from dataclasses import dataclass

from dbops.change.rules.finding import Facts
from tests.change.rules.judging import DOWN, FACTS, found, judged


@dataclass(frozen=True)
class Found:
    """A script in which a rule finds just these sentences."""

    rule: str
    up: str
    sentences: tuple[str, ...]
    dialect: str = "postgres"
    manifest: str = ""
    down: str = DOWN
    facts: Facts | None = FACTS

    @property
    def id(self) -> str:
        return f"{self.rule}: {self.up[:50]}"

    def check(self) -> None:
        report = judged(
            self.up, self.manifest, down=self.down, dialect=self.dialect, facts=self.facts
        )
        findings = found(report, self.rule)
        assert tuple(finding.sentence for finding in findings) == self.sentences
        assert all(finding.hint for finding in findings)


def silent(
    rule: str,
    *scripts: str,
    dialect: str = "postgres",
    manifest: str = "",
    down: str = DOWN,
) -> list[Found]:
    """Scripts in which a rule finds nothing."""
    return [Found(rule, up, (), dialect, manifest, down) for up in scripts]
