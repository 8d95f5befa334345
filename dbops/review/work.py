"""A piece of work that people sign: a folder of the ops repository, held in memory; pure.

What is signed is the digest of every file, so that nothing in the folder can change, come or go
without every signature losing its ground. The statements themselves (`approvals/`) are not among
the files: they are what speaks about them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from dbops.errors import Refused
from dbops.review.change_limits import with_defaults
from dbops.review.yaml_text import Fields, Items, Located, Scalar, parse_yaml

APPROVALS: Final = "approvals"  # the folder of the statements, inside the work's folder
EVIDENCE: Final = "evidence.yml"
EVIDENCE_SIGNATURE: Final = "evidence.yml.sig"
SCRIPT: Final = "repair.sql"
PREPARES: Final = "prepares"  # keys of changes that another command than `dbops change run`
RECORDS: Final = "records"  # is for, and it alone
UP: Final = "up.sql"  # what a change runs
DOWN: Final = "down.sql"  # what takes it back
PAYLOAD: Final = "payload.age"  # the values that nobody reads in the manifest
ROWS: Final = "rows.age"  # the rows before and after, as they were rehearsed

SEALED: Final = frozenset({PAYLOAD, ROWS})
"""Files that a repair may have, which are sealed with age: people sign them by their digest."""

_AGE: Final = b"age-encryption.org/v1\n"
_ID: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")
_COMPONENT: Final = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"
_PATH: Final = re.compile(rf"{_COMPONENT}(/{_COMPONENT}){{0,7}}")

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_BACKUP: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}@[0-9]{1,12}")
_SOURCE: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}(@[0-9]{1,12})?")
_TARGET: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}|/\S(.{0,250}\S)?")
_TEXT: Final = re.compile(r"\S(.{0,198}\S)?")
TEXT_RULE: Final = "text on one line, at most 200 characters"
_LIMIT: Final = re.compile(r"[a-z][a-z0-9_-]{0,40}")
_TABLE: Final = re.compile(r"[^\s,][^,]{0,198}")
_PRINCIPAL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}")  # as in allowed_signers
_COMMON: Final = ("dbops", "id", "title", "author", "ticket", "risk", "limits")

ID_RULE: Final = "1 to 80 lower-case letters, digits, dots, hyphens and underscores"
PATH_RULE: Final = "ascii letters, digits, dots, hyphens and underscores, no dot first"


class Kind(StrEnum):
    """What a piece of work does."""

    REPAIR = "repair"
    CHANGE = "change"
    RESTORE = "restore"
    RELEASE = "release"
    RECIPIENTS = "recipients"

    @property
    def folder(self) -> str:
        """The folder of the ops repository in which work of this kind lies."""
        return "recipients" if self is Kind.RECIPIENTS else f"{self.value}s"

    @property
    def drawn_up_by(self) -> str:
        """The command of dbops that draws up work of this kind."""
        own = self in {Kind.REPAIR, Kind.CHANGE}
        return f"{self.value} new" if own else f"review new {self.value}"

    @property
    def manifest(self) -> str:
        """The file of the work's folder that says what the work is."""
        return f"{self.value}.yml"


class Risk(StrEnum):
    """How much harm the work can do, as its author says and its approvers confirm."""

    LOW = "low"
    HIGH = "high"

    def reaches(self, other: Risk) -> bool:
        """Return whether this risk is at least the other."""
        return self is other or self is Risk.HIGH


@dataclass(frozen=True, slots=True)
class SignedText:
    """A statement's text and its detached armor, both unverified; `b""` for a file not there."""

    text: bytes
    signature: bytes

    @property
    def sha256(self) -> str:
        """The digest of the text, by which the ledger and an approval name a statement."""
        return hashlib.sha256(self.text).hexdigest()


@dataclass(frozen=True, slots=True)
class Work:
    """The folder of one piece of work, each file read once.

    `folder` is relative to the work tree (`repairs/2026-117-ward`); `files` are all files but
    those of `approvals/`, by their path inside the folder; `statements` are those of `approvals/`
    by the name before `.txt`, which is the principal that the file claims to be of.
    """

    kind: Kind
    id: str
    folder: str
    files: Mapping[str, bytes]
    statements: Mapping[str, SignedText] = field(default_factory=dict)

    @property
    def digests(self) -> Mapping[str, str]:
        """The sha256 of each file by its path, in the order of the paths."""
        return {path: hashlib.sha256(data).hexdigest() for path, data in sorted(self.files.items())}

    @property
    def texts(self) -> Mapping[str, bytes]:
        """The files that people read before they sign, in the order of the paths.

        Only what bears the name of a sealed file, and begins like one, is left out.
        """
        return {
            path: data
            for path, data in sorted(self.files.items())
            if path not in SEALED or not data.startswith(_AGE)
        }

    @property
    def plan(self) -> str:
        """The sha256 of `sha256sum`'s list of the files: one digest that names this revision."""
        lines = "".join(f"{digest}  {path}\n" for path, digest in self.digests.items())
        return hashlib.sha256(lines.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the work's own file says of it.

    `databases` are the aliases that the work writes to, in the file's order; `concerns` also has
    the one that it only reads. `limits` are lines such as `rows: 50`, which a statement repeats;
    for the kinds below they begin with the settings, and of a change that is run they have the
    defaults too. `older_limits` are those that a statement of an older dbops repeats: just what a
    change's manifest says; None for other work. `settings` are, for a restore, `source`,
    `target`, `overwrite` (`yes`, `no`) and maybe `tables` (separated by `, `); for a release
    `backup` and `reason`; for other kinds none.
    """

    kind: Kind
    id: str
    title: str
    author: str
    ticket: str | None
    risk: Risk
    databases: tuple[str, ...]
    limits: tuple[str, ...]
    settings: Mapping[str, str] = field(default_factory=dict)
    older_limits: tuple[str, ...] | None = None

    @property
    def concerns(self) -> tuple[str, ...]:
        """The databases whose rules the policy applies: written to, or read from."""
        source = self.settings.get("source")
        read = () if source is None else (source.partition("@")[0],)
        return tuple(dict.fromkeys((*self.databases, *read)))


def is_work_id(text: str) -> bool:
    """Return whether `text` can name a piece of work, which is also its folder's name."""
    return _ID.fullmatch(text) is not None


def is_plain_path(path: str) -> bool:
    """Return whether `path` can be a file's path inside a work's folder."""
    return _PATH.fullmatch(path) is not None


def is_principal(text: str) -> bool:
    """Return whether `text` can be a principal of `allowed_signers`, and name a statement."""
    return _PRINCIPAL.fullmatch(text) is not None


def check_work_id(text: str) -> str:
    """Return `text`, if it can name a piece of work; raises Refused `work-id`."""
    if not is_work_id(text):
        raise Refused(
            "work-id",
            "the id of the work has characters or a length that it may not have",
            hint=f"allowed: {ID_RULE}",
        )
    return text


def read_manifest(work: Work) -> Manifest:
    """Return what the work's manifest says; raises Refused with a `manifest-…` or `yaml-…` code.

    The keys `dbops`, `id`, `title`, `author` (a principal) and `risk` are there in every kind,
    `ticket` and `limits` (a mapping of texts) may be. A repair and a change have `databases`, and
    whatever else they hold is read by those who run them. A restore has `source` (`lab`, `lab@12`),
    `target` (a name, or the absolute path of a new file), `overwrite` and maybe `tables`; a release
    has `backup` and `reason`; recipients have the file `recipients` beside them. Of these an
    unknown key is refused.
    """
    name = work.kind.manifest
    source = f"{work.folder}/{name}"
    if name not in work.files:
        raise _fault("missing", f"there is no {source}", _write_one(work.kind))
    tree = parse_yaml(work.files[name], source)
    if not isinstance(tree, Fields):
        form = f"{source} is not a mapping of keys to values"
        raise _fault("form", form, _write_one(work.kind))
    reader = _ManifestReader(source, tree)
    reader.check_head(work)
    databases, settings = _read_kind(work, reader)
    written = (*(f"{key}: {value}" for key, value in settings.items()), *reader.limits())
    is_run = work.kind is Kind.CHANGE and not reader.has(PREPARES) and not reader.has(RECORDS)
    return Manifest(
        kind=work.kind,
        id=work.id,
        title=reader.text("title", _TEXT, TEXT_RULE),
        author=reader.text("author", _PRINCIPAL, "a principal of the trust root"),
        ticket=reader.text("ticket", _TEXT, TEXT_RULE) if reader.has("ticket") else None,
        risk=Risk(reader.text("risk", re.compile("low|high"), "low or high")),
        databases=databases,
        limits=with_defaults(written) if is_run else written,
        settings=settings,
        older_limits=written if is_run else None,
    )


def _read_kind(work: Work, reader: _ManifestReader) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the databases that the work writes to, and the settings of its kind."""
    kind = work.kind
    if kind in {Kind.REPAIR, Kind.CHANGE}:
        databases = reader.texts("databases", _NAME, "a list of names of databases")
        return databases, {}
    own = _OWN_KEYS[kind]
    reader.check_known((*_COMMON, *own))
    if kind is Kind.RESTORE:
        settings = {
            "source": reader.text("source", _SOURCE, "a database such as lab, or a backup lab@12"),
            "target": reader.text("target", _TARGET, "the name of a target, or an absolute path"),
            "overwrite": reader.text("overwrite", re.compile("yes|no"), "yes or no"),
        }
        if reader.has("tables"):
            tables = reader.texts("tables", _TABLE, "a list of tables, without commas")
            settings["tables"] = ", ".join(tables)
        target = settings["target"]
        return (() if target.startswith("/") else (target,)), settings
    if kind is Kind.RELEASE:
        backup = reader.text("backup", _BACKUP, "a backup such as lab@12")
        reason = reader.text("reason", _TEXT, TEXT_RULE)
        return (backup.partition("@")[0],), {"backup": backup, "reason": reason}
    if "recipients" not in work.files:
        lacks = f"there is no {work.folder}/recipients, the document to sign"
        raise _fault("recipients", lacks, _write_one(kind))
    return (), {}


_OWN_KEYS: Final = {
    Kind.RESTORE: ("source", "target", "overwrite", "tables"),
    Kind.RELEASE: ("backup", "reason"),
    Kind.RECIPIENTS: (),
}


@dataclass(frozen=True, slots=True)
class _ManifestReader:
    """Reads typed values out of a manifest's tree, and says where one is not allowed."""

    source: str
    tree: Fields

    def has(self, key: str) -> bool:
        return key in self.tree.fields

    def check_head(self, work: Work) -> None:
        expected = f"{work.kind.value}/v1"
        if self._plain("dbops", expected) != expected:
            raise self._bad("dbops", expected, "version")
        if self._plain("id", work.id) != work.id:
            raise self._bad("id", f"{work.id}, as the folder is called", "id")

    def check_known(self, known: tuple[str, ...]) -> None:
        for key, line in self.tree.lines.items():
            if key not in known:
                message = f"{self.source} line {line}: unknown key {key[:60]}"
                raise _fault("unknown-key", message, f"allowed: {', '.join(known)}")

    def text(self, key: str, form: re.Pattern[str], rule: str) -> str:
        found = self._plain(key, rule)
        if not form.fullmatch(found):
            raise self._bad(key, rule)
        return found

    def texts(self, key: str, form: re.Pattern[str], rule: str) -> tuple[str, ...]:
        node = self._node(key, rule)
        if not isinstance(node, Items):
            raise self._bad(key, rule)
        found = [item.text for item in node.items if isinstance(item, Scalar)]
        whole = len(found) == len(node.items) == len(set(found)) > 0
        if not whole or not all(map(form.fullmatch, found)):
            raise self._bad(key, rule)
        return tuple(found)

    def limits(self) -> tuple[str, ...]:
        if not self.has("limits"):
            return ()
        rule = "a mapping of lower-case names to texts on one line"
        node = self._node("limits", rule)
        if not isinstance(node, Fields):
            raise self._bad("limits", rule)
        lines = []
        for key, value in node.fields.items():
            plain = isinstance(value, Scalar) and _TEXT.fullmatch(value.text)
            if not plain or not _LIMIT.fullmatch(key) or key in _OF_SETTINGS:
                raise self._bad("limits", rule)
            lines.append(f"{key}: {value.text}" if isinstance(value, Scalar) else "")
        return tuple(lines)

    def _plain(self, key: str, rule: str) -> str:
        node = self._node(key, rule)
        if not isinstance(node, Scalar):
            raise self._bad(key, rule)
        return node.text

    def _node(self, key: str, rule: str) -> Located:
        if key not in self.tree.fields:
            raise _fault("missing-key", f"{self.source}: {key} is missing", f"allowed: {rule}")
        return self.tree.fields[key]

    def _bad(self, key: str, rule: str, reason: str = "value") -> Refused:
        line = self.tree.lines[key]
        message = f"{self.source} line {line}: {key} is not allowed"
        return _fault(reason, message, f"allowed: {rule}")


def is_text(text: str) -> bool:
    """Whether a title, a ticket or a reason may be that."""
    return _TEXT.fullmatch(text) is not None


_OF_SETTINGS: Final = frozenset(key for keys in _OWN_KEYS.values() for key in keys)


def _write_one(kind: Kind) -> str:
    return f"write one: dbops {kind.drawn_up_by} --help"


def _fault(reason: str, message: str, hint: str) -> Refused:
    return Refused(f"manifest-{reason}", message, hint=hint)
