"""A playbook: a repair that is ready but for its parameters; pure.

`playbook.yml` says what the parameters are, and holds the part of `repair.yml` that is the same
each time. The script is copied byte for byte: what was tried is what is reviewed and run. What an
instance says reads back as a repair, or there is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from dbops.errors import Refused, UsageFault
from dbops.repair.head import RepairHead
from dbops.repair.manifest_text import parse_repair
from dbops.repair.manifest_values import refusal
from dbops.repair.manifest_writing import Tree, document_text, fields, located
from dbops.repair.parameter import Parameter, ParameterType
from dbops.repair.playbook_filling import filled, parameters_tree
from dbops.repair.values import is_value, value_rule
from dbops.review.section import FLAG, NAME, TEXT, Form, Section
from dbops.review.work import PAYLOAD, SCRIPT, Kind, Risk, Work, check_work_id
from dbops.review.yaml_text import Fields, Located, parse_yaml
from dbops.sql.script import parse_script
from dbops.wording import listed, suggestion

PLAYBOOK: Final = "playbook.yml"
PAGE: Final = "README.md"
VERSION: Final = "playbook/v1"
REPAIR_KEYS: Final = (
    *("watch", "side_effects", "before", "after", "limits", "undo", "show"),
    *("search_path", "temporary", "accepted"),
)

_KEYS: Final = ("dbops", "name", "title", "engines", "risk", "params", *REPAIR_KEYS)
_VERSION: Final = Form.of(VERSION, VERSION)
_RISK: Final = Form.of("low|high", "low or high")
_TYPE: Final = Form(
    ", ".join(kind.value for kind in ParameterType),
    lambda text: text in {kind.value for kind in ParameterType},
)
_PARAMETER: Final = Form.of("[a-z][a-z0-9_]{0,62}", "the name of a table parameter")
_ANY: Final = Form("a value of the parameter's type", lambda _: True)


@dataclass(frozen=True, slots=True)
class PlaybookParameter:
    """A parameter without its value; one without `default` that is not `sealed` must be set."""

    name: str
    type: ParameterType
    description: str
    default: str | None = None
    sealed: bool = False
    table: str | None = None

    @property
    def required(self) -> bool:
        """Whether a setting must give its value."""
        return self.default is None and not self.sealed


@dataclass(frozen=True, slots=True, kw_only=True)
class Playbook:
    """What a playbook's folder says. `engines` are names of engines as in dbops.toml.

    `repair` are the sections that go into each manifest, `script` the bytes of `repair.sql`.
    """

    name: str
    title: str
    title_zh: str
    engines: tuple[str, ...]
    risk: Risk
    parameters: Mapping[str, PlaybookParameter]
    repair: Mapping[str, Located]
    script: bytes

    @property
    def sealed(self) -> tuple[str, ...]:
        """The parameters whose values go into the payload."""
        return tuple(name for name, each in self.parameters.items() if each.sealed)


def parse_playbook(files: Mapping[str, bytes], folder: str) -> Playbook:
    """Return the playbook that these files of its folder hold.

    Raises Refused `playbook-…`, `repair-…`, `script-…`, `yaml-…` or `text-…` with the line.
    """
    for name in (PLAYBOOK, SCRIPT):
        if name not in files:
            message = f"there is no {folder}/{name}"
            raise Refused("playbook-files", message, hint="dbops playbook list")
    section = _section(files[PLAYBOOK], f"{folder}/{PLAYBOOK}")
    name = section.text("name", NAME)
    if name != folder.rpartition("/")[2]:
        raise section.refuse("value", "name", "not the folder's name", f"write {folder}")
    title = section.section("title")
    title.only("en", "zh")
    parse_script(files[SCRIPT], f"{folder}/{SCRIPT}")
    return Playbook(
        name=name,
        title=title.text("en", TEXT),
        title_zh=title.text("zh", TEXT),
        engines=section.texts("engines", NAME),
        risk=Risk(section.text("risk", _RISK)),
        parameters=_parameters(section),
        repair={key: section.tree.fields[key] for key in REPAIR_KEYS if section.has(key)},
        script=files[SCRIPT],
    )


def instantiate(
    playbook: Playbook, settings: Mapping[str, str], head: RepairHead
) -> dict[str, bytes]:
    """Return `repair.yml` and `repair.sql` of one use; a payload, where one is sealed, is missing.

    Raises UsageFault `playbook-setting` for a setting that is unknown, missing, sealed or not of
    its type, by the parameter's name and never its value, and Refused where no repair comes of it.
    """
    check_work_id(head.id)
    values = _values(playbook, settings)
    tree = {key: located(each) for key, each in _head(playbook, head).items()}
    tree["params"] = parameters_tree(values)
    manifest = document_text(fields(tree | filled(playbook.repair, values)))
    files = {
        Kind.REPAIR.manifest: manifest.encode("utf-8", "surrogatepass"),
        SCRIPT: playbook.script,
    }
    trial = files | ({PAYLOAD: b""} if playbook.sealed else {})
    parse_repair(Work(Kind.REPAIR, head.id, f"{Kind.REPAIR.folder}/{head.id}", trial))
    return files


def _section(data: bytes, source: str) -> Section:
    tree = parse_yaml(data, source)
    if not isinstance(tree, Fields):
        raise refusal("form", source, 1, "not a mapping", "write key: value")
    section = Section(Kind.REPAIR, source, tree)
    section.text("dbops", _VERSION)
    section.only(*_KEYS)
    return section


def _parameters(section: Section) -> dict[str, PlaybookParameter]:
    params = section.section("params")
    return {name: _parameter(params, name) for name in params.tree.fields}


def _parameter(params: Section, name: str) -> PlaybookParameter:
    given = params.section(name)
    given.only("type", "description", "default", "sealed", "table")
    kind = ParameterType(given.text("type", _TYPE))
    sealed = given.has("sealed") and given.text("sealed", FLAG) == "true"
    default = given.text_or_none("default", _ANY)
    if default is not None and (sealed or not is_value(kind, default)):
        hint = "a sealed parameter has none" if sealed else f"allowed: {value_rule(kind)}"
        raise given.refuse("param", "default", "not allowed", hint)
    return PlaybookParameter(
        name=name,
        type=kind,
        description=given.text("description", TEXT),
        default=default,
        sealed=sealed,
        table=given.text_or_none("table", _PARAMETER),
    )


def _values(playbook: Playbook, settings: Mapping[str, str]) -> dict[str, Parameter]:
    """Return every parameter with its value, as the settings and the defaults give it."""
    known = playbook.parameters
    for name, text in settings.items():
        if name not in known:
            hint = suggestion(name, known, label="its parameters")
            raise _fault(f"{playbook.name} has no parameter {name[:60]}", hint)
        _check(known[name], text)
    missing = [name for name, each in known.items() if each.required and name not in settings]
    if missing:
        hint = (
            f"give each: --set {missing[0]}=…; what they mean: dbops playbook show {playbook.name}"
        )
        raise _fault(f"{playbook.name} needs a value for {listed(missing)}", hint)
    return {
        name: Parameter(name, each.type, settings.get(name, each.default), each.sealed, each.table)
        for name, each in known.items()
    }


def check_sealed(playbook: Playbook, texts: Mapping[str, str]) -> None:
    """Return if each of the texts is a value of a sealed parameter; raises UsageFault otherwise.

    What is sealed is not read again before the rehearsal; no error shows a value.
    """
    known = playbook.parameters
    for name, text in texts.items():
        if name in known and known[name].type is ParameterType.ROWS:
            hint = "take them from a backup: --from-backup DB@N --table T --key K"
            raise _fault(f"the parameter {name} is a set of rows", hint)
        if name not in playbook.sealed:
            hint = (
                f"give it by --set {name}=…"
                if name in known
                else f"its parameters: dbops playbook show {playbook.name}"
            )
            raise _fault(f"{playbook.name} has no sealed parameter {name[:60]}", hint)
        _check_type(known[name], text)


def _check(parameter: PlaybookParameter, text: str) -> None:
    if parameter.sealed:
        hint = f"seal it, never --set it: --seal {parameter.name}=FILE"
        raise _fault(f"the parameter {parameter.name} is sealed", hint)
    _check_type(parameter, text)


def _check_type(parameter: PlaybookParameter, text: str) -> None:
    if not is_value(parameter.type, text):
        hint = f"allowed: {value_rule(parameter.type)}"
        raise _fault(f"the value of {parameter.name} is no {parameter.type}", hint)


def _head(playbook: Playbook, head: RepairHead) -> dict[str, Tree]:
    """What the author does not say, the playbook does."""
    title, risk = head.title or playbook.title, head.risk or playbook.risk
    return replace(head, title=title, risk=risk).tree | {"playbook": playbook.name}


def _fault(message: str, hint: str) -> UsageFault:
    return UsageFault("playbook-setting", message, hint=hint)
