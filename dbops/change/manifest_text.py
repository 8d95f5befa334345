"""Read a change's folder: `change.yml` in full, and which files stand beside it; pure.

Every key is known, every value is of its form, and what the parts of the manifest say of each other
fits together: that is checked by `manifest_checks`. What only a catalogue knows is asked when the
change meets a database; the scripts are read by `script`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import time, timedelta
from typing import Final, NoReturn
from zoneinfo import ZoneInfo

from dbops.change.manifest import (
    ATTEMPTS,
    DAYS,
    LOCK_WAIT,
    PAUSE,
    STATEMENT,
    Accepted,
    Change,
    DataLoss,
    Limits,
    Ring,
    Window,
)
from dbops.change.manifest_checks import check_change, check_databases
from dbops.change.schema_text import SOURCE
from dbops.change.step import VERIFY
from dbops.change.touch import Touch, parse_touch
from dbops.durations import DURATION_RULE, duration_text, parse_duration
from dbops.errors import Refused
from dbops.review.section import BLANK, NAME, TEXT, Form, Section
from dbops.review.work import (
    DOWN,
    ID_RULE,
    TEXT_RULE,
    UP,
    Kind,
    Manifest,
    Work,
    is_text,
    is_work_id,
    read_manifest,
)
from dbops.review.yaml_text import Fields, parse_yaml

ATTEMPTS_MOST: Final = 20
# Others queue behind who waits for a lock; and every pause doubles.
LOCK_WAIT_MOST: Final = timedelta(minutes=10)
STATEMENT_MOST: Final = timedelta(days=7)
PAUSE_MOST: Final = timedelta(hours=1)
ALL: Final = "all"
"""The ring of a change that names none."""

_HEAD: Final = ("dbops", "id", "title", "why", "author", "ticket", "risk", "databases")
_ORDER: Final = ("rings", "requires", "window")
_EFFECT: Final = ("touches", "data_loss", "limits", "personal", "accepted")
_MARKS: Final = ("prepares", "records")
_KEYS: Final = (*_HEAD, *_ORDER, *_EFFECT, *_MARKS, "tables")

_RULE_NAME: Final = Form.of(
    "[A-Z]{2,4}(-[A-Z0-9]{1,12}){1,3}|SQUAWK(-[a-z0-9]{1,24}){1,12}", "a rule such as PG-IDX"
)
_PLACE: Final = Form.of(
    r"(change\.yml|(up|down|verify)\.sql)( line [1-9][0-9]{0,6})?",
    'a place as the finding names it, such as "up.sql line 3"',
)
_REASON: Final = Form(TEXT_RULE, lambda text: is_text(text) and text != BLANK)
_WORK_ID: Final = Form(ID_RULE, is_work_id)
_DAY: Final = Form(f"days: {', '.join(DAYS)}", lambda text: text in DAYS)
_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_TIME_RULE: Final = 'a time such as "22:00", in quotes'
_ZONE_RULE: Final = "an IANA time zone such as Asia/Shanghai"
_DAY_ENDS: Final = "24:00"
_TOUCH: Final = Form(
    'a verb, a kind and a name such as "create index his.visit_ix"; alter also says what differs, '
    'in the order of the alphabet: "alter column his.visit.ward_code (default, type)"',
    lambda text: text.isprintable() and parse_touch(text) is not None,
)
_SOAK_RULE: Final = f"{DURATION_RULE}, or 0"
_NO_SOAK: Final = re.compile("0[smhdw]?")
_TABLE: Final = Form("the name of a table", bool)
_COUNT: Final = re.compile(r"[1-9][0-9]?")


def parse_change(work: Work) -> Change:
    """Return the change that the folder declares.

    Raises Refused: `change-…` with the line for what this grammar does not allow, `manifest-…` for
    the head that all kinds of work share, `yaml-…` and `text-…` for the text.
    """
    if work.kind is not Kind.CHANGE:
        raise Refused("change-kind", f"{work.folder} is no change", hint="dbops change list")
    head = read_manifest(work)
    source = f"{work.folder}/{work.kind.manifest}"
    tree = parse_yaml(work.files[work.kind.manifest], source)
    assert isinstance(tree, Fields)  # noqa: S101 - read_manifest has refused anything else
    section = Section(Kind.CHANGE, source, tree)
    section.only(*_KEYS)
    for mark, kind, beside in (("prepares", "repairs", ("tables",)), ("records", "schema", ())):
        if section.has(mark):
            return _marked(work, section, head, mark, kind, beside)
    if section.has("tables"):
        hint = "a change of tables names them in touches"
        raise section.refuse("contradiction", "tables", "stands only beside prepares", hint)
    change = _change(section, head)
    _check_files(work, change)
    return change


def _change(section: Section, head: Manifest) -> Change:
    change = replace(
        _head(section, head),
        rings=_rings(section) or (Ring(ALL, head.databases),),
        requires=section.texts("requires", _WORK_ID),
        window=_window(section.section("window")) if section.has("window") else None,
        touches=tuple(_touches(section)),
        data_loss=_data_loss(section),
        limits=_limits(section.section("limits")) if section.has("limits") else Limits(),
        personal=_personal(section.section("personal")) if section.has("personal") else {},
        accepted=tuple(map(_accepted, section.sections("accepted"))),
    )
    check_databases(change, head.databases, section)
    check_change(change, section)
    return change


def _head(section: Section, head: Manifest) -> Change:
    """Return what every change says, one that only marks a database too."""
    return Change(
        id=head.id,
        title=head.title,
        author=head.author,
        risk=head.risk,
        rings=(Ring(ALL, head.databases),),
        why=section.text_or_none("why", _REASON),
        ticket=head.ticket,
    )


def _marked(
    work: Work, section: Section, head: Manifest, mark: str, kind: str, beside: tuple[str, ...]
) -> Change:
    """Return a change that prepares a database, or records its schema: it touches nothing."""
    section.text(mark, Form(kind, kind.__eq__))
    section.texts("tables", _TABLE)
    allowed = (*_HEAD, mark, *beside)
    for key in section.tree.fields:
        if key not in allowed:
            hint = f"allowed: {', '.join(allowed)}"
            raise section.refuse("contradiction", key, f"cannot stand beside {mark}", hint)
    if len(head.databases) != 1:
        what = f"{len(head.databases)} databases"
        hint = f"a change that {mark} is of exactly one database"
        raise section.refuse("contradiction", "databases", what, hint)
    change = _head(section, head)
    if mark == "prepares":
        _need(work, UP)
        return replace(change, prepares=kind)
    _need(work, SOURCE)
    for name in (UP, DOWN, VERIFY):
        if name in work.files:
            _refuse_files(f"{work.folder}/{name} stands beside records", "remove the script")
    return replace(change, records=kind)


def _check_files(work: Work, change: Change) -> None:
    _need(work, UP)
    _need(work, VERIFY)
    if DOWN not in work.files and change.data_loss is not DataLoss.PERMANENT:
        hint = "write the way back there, or declare data_loss: permanent"
        _refuse_files(f"there is no {work.folder}/{DOWN}", hint)


def _need(work: Work, name: str) -> None:
    if name not in work.files:
        hints = {
            UP: "write the statements that change the database there",
            VERIFY: "write queries there whose one value is true once the change is made",
            SOURCE: "draw it up from the database:"
            " dbops change record DB --id ID --author PRINCIPAL",
        }
        _refuse_files(f"there is no {work.folder}/{name}", hints[name])


def _refuse_files(what: str, hint: str) -> NoReturn:
    raise Refused("change-files", what, hint=hint)


def _rings(section: Section) -> tuple[Ring, ...]:
    found: list[Ring] = []
    for given in section.sections("rings"):
        given.only("name", "databases", "soak")
        name = given.text("name", NAME)
        databases = given.texts("databases", NAME)
        if not databases:
            what = "names of dbops.toml"
            raise given.refuse("missing-key", "databases", "missing", f"allowed: {what}")
        soak = given.read("soak", _soak, _SOAK_RULE) if given.has("soak") else timedelta()
        if soak and not found:
            hint = "soak is how long ago the ring before must have been done"
            raise given.refuse("contradiction", "soak", "the first ring waits for none", hint)
        if any(ring.name == name for ring in found):
            raise given.refuse("twice", "name", f"two rings are called {name}", "rename one")
        found.append(Ring(name, databases, soak))
    return tuple(found)


def _soak(text: str) -> timedelta | None:
    return timedelta() if _NO_SOAK.fullmatch(text) else parse_duration(text)


def _window(given: Section) -> Window:
    given.only("days", "from", "to", "zone")
    days = given.texts("days", _DAY)
    if not days:
        raise given.refuse("missing-key", "days", "missing", f"allowed: {_DAY.rule}")
    begin = given.read("from", _clock, _TIME_RULE)
    end = given.read("to", _closing, f"{_TIME_RULE}, up to {_DAY_ENDS}")
    if given.text("from", TEXT) == given.text("to", TEXT):
        hint = f'a whole day is from "00:00" to "{_DAY_ENDS}"'
        raise given.refuse("contradiction", "to", "it ends when it begins", hint)
    zone = given.read("zone", _zone, _ZONE_RULE)
    return Window(frozenset(map(DAYS.index, days)), begin, end, zone)


def _clock(text: str) -> time | None:
    found = _CLOCK.fullmatch(text)
    return None if found is None else time(int(found[1]), int(found[2]))


def _closing(text: str) -> time | None:
    return time() if text == _DAY_ENDS else _clock(text)


def _zone(name: str) -> ZoneInfo | None:
    """Return the zone; `right/…` counts leap seconds, and `localtime` is another on each host."""
    if name.startswith(("right/", "posix/")) or name in {"localtime", "posixrules"}:
        return None
    with suppress(ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        return ZoneInfo(name)
    return None


def _touches(section: Section) -> Iterator[Touch]:
    for number, node in enumerate(section.items("touches"), 1):
        touch = parse_touch(section.plain(node, f"touches[{number}]", _TOUCH))
        assert touch is not None  # noqa: S101 - the form has refused anything else
        yield replace(touch, at=node.line)


def _data_loss(section: Section) -> DataLoss:
    rule = ", ".join(each.value for each in DataLoss)
    form = Form(rule, lambda text: text in set(DataLoss))
    return DataLoss(section.text("data_loss", form)) if section.has("data_loss") else DataLoss.NONE


def _limits(given: Section) -> Limits:
    given.only("lock_wait", "statement", "attempts", "pause")
    rule = f"a whole number from 1 to {ATTEMPTS_MOST}"
    return Limits(
        lock_wait=_read(given, "lock_wait", LOCK_WAIT, LOCK_WAIT_MOST),
        statement=_read(given, "statement", STATEMENT, STATEMENT_MOST),
        attempts=given.read("attempts", _attempts, rule) if given.has("attempts") else ATTEMPTS,
        pause=_read(given, "pause", PAUSE, PAUSE_MOST),
    )


def _attempts(text: str) -> int | None:
    return int(text) if _COUNT.fullmatch(text) and int(text) <= ATTEMPTS_MOST else None


def _read(
    given: Section, key: str, otherwise: timedelta, most: timedelta | None = None
) -> timedelta:
    def bounded(text: str) -> timedelta | None:
        found = parse_duration(text)
        return None if found is None or (most is not None and found > most) else found

    bound = "" if most is None else f", and at most {duration_text(most)}"
    return given.read(key, bounded, DURATION_RULE + bound) if given.has(key) else otherwise


def _personal(given: Section) -> dict[str, str]:
    return {name: given.text(name, NAME) for name in given.tree.fields}


def _accepted(given: Section) -> Accepted:
    given.only("rule", "at", "why")
    return Accepted(
        given.text("rule", _RULE_NAME),
        given.text("why", _REASON),
        given.text_or_none("at", _PLACE),
        given.tree.line,
    )
