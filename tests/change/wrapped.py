"""Engines whose sessions do something else than the real ones, of which they are made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

from dbops.change.ports import ChangeEngine, ChangeSession, ChangeTraits, SessionOrder
from dbops.change.step import Step


class PassedOn:
    """A session: what a subclass does not do itself, the real one does."""

    def __init__(self, session: ChangeSession) -> None:
        self._session = session

    def __getattr__(self, name: str) -> object:
        return getattr(self._session, name)


@dataclass
class Wrapped:
    """An engine: it is the real one but for its sessions."""

    engine: ChangeEngine

    @property
    def traits(self) -> ChangeTraits:
        return self.engine.traits

    def identity(self) -> str:
        return self.engine.identity()

    def is_alone(self, step: Step) -> bool:
        return self.engine.is_alone(step)

    @contextmanager
    def session(self, order: SessionOrder) -> Iterator[ChangeSession]:
        with self.engine.session(order) as session:
            yield cast("ChangeSession", self.wrap(session))

    def wrap(self, session: ChangeSession) -> object:
        """The session that is given out; where no subclass says another, the real one."""
        return session
