"""Read a repair's folder: `repair.yml` in full, and its script; pure.

Every key is known, every value is of its form, and what the manifest and the script say of each
other fits together: that is checked by `manifest_checks`. What only the catalogue knows (whether a
table is there, what its key is) is asked when the repair meets a database.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final

from dbops.durations import DURATION_RULE, parse_duration
from dbops.errors import Refused
from dbops.repair.manifest import (
    KEEP,
    LOCK_WAIT,
    STATEMENT,
    Accepted,
    Batch,
    Cause,
    Condition,
    Limits,
    Repair,
    SideEffect,
    UndoOf,
    UndoRules,
    Watch,
)
from dbops.repair.manifest_checks import check_repair, check_uses
from dbops.repair.manifest_parameters import (
    columns_of,
    count_of,
    mentioned,
    parse_parameters,
    table_of,
)
from dbops.repair.manifest_values import COLUMN, refusal
from dbops.repair.parameter import Parameter
from dbops.review.section import NAME, TEXT, Form, Section
from dbops.review.work import (
    PAYLOAD,
    SCRIPT,
    Kind,
    Manifest,
    Work,
    is_work_id,
    read_manifest,
)
from dbops.review.yaml_text import Fields, parse_yaml
from dbops.sql.script import parse_fragment, parse_script
from dbops.sql.statement import Statement
from dbops.sql.written import Written

_HEAD: Final = ("dbops", "id", "title", "author", "ticket", "risk", "databases")
_CASE: Final = ("opened", "clocks", "cause", "limits", "undo", "show", "accepted")
_WORK: Final = ("params", "watch", "side_effects", "before", "after", "search_path", "temporary")
_KEYS: Final = (*_HEAD, *_CASE, *_WORK, "batch", "playbook", "undo_of")
_UNDO_KEYS: Final = (*_HEAD, *_CASE, "search_path", "undo_of")

_RULE_NAME: Final = Form.of("[A-Z]{2,4}(-[A-Z0-9]{1,12}){1,3}", "a rule such as REP-LIT")
_VALUE: Final = Form("a text, in quotes where it is empty", lambda _: True)
_SQL: Final = Form("sql text", bool)
_DIGEST: Final = Form.of("[0-9a-f]{64}", "the sha256 of a bundle, 64 hexadecimal digits")
_WORK_ID: Final = Form("the id of a repair", is_work_id)
_OPS: Final = ("insert", "update", "delete")  # in the order of the fields of Written


def parse_repair(work: Work) -> Repair:
    """Return the repair that the folder declares.

    Raises Refused: `repair-…` with the line for what this grammar does not allow, `manifest-…` for
    the head that all kinds of work share, `yaml-…`, `text-…` and `script-…` for the texts.
    """
    if work.kind is not Kind.REPAIR:
        raise Refused("repair-kind", f"{work.folder} is no repair", hint="dbops review list")
    head = read_manifest(work)
    tree = parse_yaml(work.files[work.kind.manifest], _source(work))
    assert isinstance(tree, Fields)  # noqa: S101 - read_manifest has refused anything else
    section = Section(Kind.REPAIR, _source(work), tree)
    section.only(*_KEYS)
    if len(head.databases) != 1:
        what = f"{len(head.databases)} databases"
        raise section.refuse("databases", "databases", what, "a repair is of exactly one database")
    if section.has("undo_of"):
        return _undo(work, section, head)
    return _repair(work, section, head)


def script_of(work: Work) -> tuple[Statement, ...]:
    """Return the statements of the folder's script; none where it takes another run back.

    Raises Refused `script-…` or `text-…`.
    """
    if SCRIPT not in work.files:
        return ()
    return parse_script(work.files[SCRIPT], f"{work.folder}/{SCRIPT}")


def _source(work: Work) -> str:
    return f"{work.folder}/{work.kind.manifest}"


def _head(section: Section, head: Manifest) -> Repair:
    """Return what every repair has, one that takes another back too."""
    return Repair(
        id=head.id,
        title=head.title,
        author=head.author,
        ticket=head.ticket,
        risk=head.risk,
        database=head.databases[0],
        opened=section.day("opened"),
        clocks=section.texts("clocks", NAME),
        cause=_cause(section.section("cause")) if section.has("cause") else None,
        limits=_limits(section.section("limits")),
        undo=_undo_rules(section.section("undo")) if section.has("undo") else UndoRules(),
        show=section.texts("show", COLUMN),
        accepted=_accepted(section),
    )


def _repair(work: Work, section: Section, head: Manifest) -> Repair:
    if SCRIPT not in work.files:
        raise _files(
            f"there is no {work.folder}/{SCRIPT}", "write the statements that repair there"
        )
    parameters = parse_parameters(section)
    watches = tuple(_watch(each, parameters) for each in section.sections("watch"))
    if not watches:
        what = "watch is missing"
        hint = "declare the tables that are written, and how many rows of each"
        raise refusal("missing-key", section.source, section.tree.line, what, hint)
    sides = section.sections("side_effects")
    repair = replace(
        _head(section, head),
        parameters=parameters,
        watches=watches,
        side_effects=tuple(_side_effect(each, parameters) for each in sides),
        before=tuple(map(_condition, section.sections("before"))),
        after=tuple(map(_condition, section.sections("after"))),
        search_path=section.texts("search_path", COLUMN),
        temporary=section.texts("temporary", COLUMN),
        batch=_batch(section.section("batch"), parameters) if section.has("batch") else None,
        playbook=section.text_or_none("playbook", NAME),
    )
    script = script_of(work)
    check_uses(repair, script, work.folder, _named(section))
    check_repair(repair, script, section)
    _check_payload(work, needed=any(each.sealed for each in parameters.values()))
    return repair


def _undo(work: Work, section: Section, head: Manifest) -> Repair:
    for key in section.tree.fields:
        if key not in _UNDO_KEYS:
            beside = ", ".join((*_CASE, "search_path"))
            hint = f"the bundles say what is written; allowed beside undo_of: {beside}"
            raise section.refuse("undo", key, "cannot stand beside undo_of", hint)
    if SCRIPT in work.files:
        raise _files(f"{work.folder}/{SCRIPT} stands beside undo_of", "remove the script")
    _check_payload(work, needed=False)
    undo = section.section("undo_of")
    undo.only("work", "bundles")
    bundles = undo.texts("bundles", _DIGEST)
    if not bundles:
        raise undo.refuse("missing-key", "bundles", "missing", f"allowed: {_DIGEST.rule}")
    return replace(
        _head(section, head),
        search_path=section.texts("search_path", COLUMN),
        undo_of=UndoOf(undo.text("work", _WORK_ID), bundles),
    )


def _files(what: str, hint: str) -> Refused:
    return Refused("repair-files", what, hint=hint)


def _check_payload(work: Work, *, needed: bool) -> None:
    if needed and PAYLOAD not in work.files:
        what = f"there is no {work.folder}/{PAYLOAD}, and a parameter is sealed"
        raise _files(what, "seal the values there: dbops repair new --help")
    if not needed and PAYLOAD in work.files:
        what = f"there is {work.folder}/{PAYLOAD}, and no parameter is sealed"
        raise _files(what, "declare the parameters whose values it holds, or remove it")


def _named(section: Section) -> frozenset[str]:
    """Return the parameters that stand for a whole value of the manifest."""
    nodes = (section.tree.fields.get(key) for key in ("watch", "side_effects", "batch"))
    return frozenset(name for node in nodes if node is not None for name in mentioned(node))


def _watch(given: Section, parameters: Mapping[str, Parameter]) -> Watch:
    given.only("table", "where", "expect", "may_change", "rewrites")
    table = table_of(given, "table", parameters)
    expect = given.section("expect")
    expect.only(*_OPS)
    ops = [count_of(expect, key, parameters) if expect.has(key) else 0 for key in _OPS]
    return Watch(
        table=table,
        where=_sql(given, "where"),
        expect=Written(*ops),
        may_change=columns_of(given, "may_change", table, parameters),
        rewrites=given.flag("rewrites"),
        line=given.tree.line,
    )


def _side_effect(given: Section, parameters: Mapping[str, Parameter]) -> SideEffect:
    given.only("table", "insert")
    table = table_of(given, "table", parameters)
    return SideEffect(table, count_of(given, "insert", parameters), given.tree.line)


def _condition(given: Section) -> Condition:
    given.only("check", "sql", "equals")
    title, equals = given.text("check", TEXT), given.text("equals", _VALUE)
    return Condition(title, _sql(given, "sql"), equals, given.tree.line)


def _sql(given: Section, key: str) -> Statement:
    return parse_fragment(given.text(key, _SQL), given.source, given.line(key))


def _batch(given: Section, parameters: Mapping[str, Parameter]) -> Batch:
    given.only("table", "rows")
    return Batch(table_of(given, "table", parameters), given.count("rows", least=1))


def _limits(given: Section) -> Limits:
    given.only("rows", "lock_wait", "statement")
    return Limits(
        rows=given.count("rows", least=1),
        lock_wait=_duration(given, "lock_wait", LOCK_WAIT),
        statement=_duration(given, "statement", STATEMENT),
    )


def _undo_rules(given: Section) -> UndoRules:
    given.only("keep", "volatile")
    return UndoRules(given.texts("volatile", COLUMN), _duration(given, "keep", KEEP))


def _duration(given: Section, key: str, otherwise: timedelta) -> timedelta:
    return given.read(key, parse_duration, DURATION_RULE) if given.has(key) else otherwise


def _cause(given: Section) -> Cause:
    given.only("found", "fix")
    return Cause(given.text("found", TEXT), given.text_or_none("fix", TEXT))


def _accepted(section: Section) -> tuple[Accepted, ...]:
    found = []
    for given in section.sections("accepted"):
        given.only("rule", "why")
        rule = given.text("rule", _RULE_NAME)
        found.append(Accepted(rule, given.text("why", TEXT), given.tree.line))
        if sum(each.rule == rule for each in found) > 1:
            raise given.refuse("twice", "rule", f"{rule} is accepted twice", "write each once")
    return tuple(found)
