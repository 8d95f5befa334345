"""Mistakes of a first day: what is done to a working estate, what is typed, what is answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Mistake:
    """`{root}` in a text is the directory of the estate, `{size}` that of its database file."""

    name: str
    words: str
    status: int
    code: str
    error: str
    hint: str
    prepare: Callable[[Path], object] = lambda _: None
    json: bool = True


def _replace(old: str, new: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        config = root / "dbops.toml"
        text = config.read_text("utf-8")
        assert old in text
        config.write_text(text.replace(old, new), "utf-8")

    return change


def _mode(name: str, mode: int) -> Callable[[Path], None]:
    return lambda root: (root / name).chmod(mode)


def _remove(name: str) -> Callable[[Path], None]:
    return lambda root: (root / name).unlink()


def _change(name: str, old: bytes, new: bytes) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        data = (root / name).read_bytes()
        assert old in data
        (root / name).write_bytes(data.replace(old, new))

    return change


def _write(name: str, data: bytes) -> Callable[[Path], object]:
    return lambda root: (root / name).write_bytes(data)


MISTAKES = (
    Mistake(
        "unknown database",
        "backup run exampel",
        10,
        "no-database",
        'the estate has no database "exampel"',
        'did you mean "example"? there are: example',
    ),
    Mistake(
        "no database named",
        "backup run",
        2,
        "which-databases",
        "name databases, or say --all",
        "dbops systems list shows their names",
    ),
    Mistake(
        "unknown option",
        "backup run --al",
        2,
        "usage",
        "no such option '--al'",
        'did you mean "--all"? dbops backup run --help',
    ),
    Mistake(
        "unknown command",
        "backup take",
        2,
        "usage",
        "no such command 'take'",
        "dbops backup --help",
    ),
    Mistake(
        "value out of range",
        "backup run --all --jobs 0",
        2,
        "usage",
        "invalid value for '--jobs': 0 is not in the range 1<=x<=64",
        "dbops backup run --help",
    ),
    Mistake(
        "no estate",
        "systems list",
        10,
        "no-estate",
        "no dbops.toml found in {root}",
        "dbops init",
        _remove("dbops.toml"),
    ),
    Mistake(
        "typo in a key",
        "backup run --all",
        2,
        "estate-unknown-key",
        "dbops.toml: policies.nightly.kep_last: unknown key",
        'did you mean "keep_last"? allowed: keep_last, keep_daily, keep_weekly, keep_monthly, '
        "keep_yearly, grace, generation, witness",
        _replace("keep_last", "kep_last"),
    ),
    Mistake(
        "not TOML",
        "backup run --all",
        2,
        "estate-not-toml",
        "dbops.toml: line 11: expected ']' at the end of a table declaration",
        "the syntax is TOML: https://toml.io",
        _replace("[host] ", "[host "),
    ),
    Mistake(
        "wrong time zone",
        "backup list",
        2,
        "unknown-time-zone",
        'dbops.toml: estate.timezone: unknown time zone "Asia/Beijing"',
        'did you mean "Asia/Shanghai"?',
        _replace("Asia/Shanghai", "Asia/Beijing"),
    ),
    Mistake(
        "database file missing",
        "backup run example",
        10,
        "database-missing",
        "example: {root}/example.db cannot be opened",
        "check the path in dbops.toml and its owner: ls -l {root}/example.db",
        _remove("example.db"),
    ),
    Mistake(
        "not a database",
        "backup run example",
        1,
        "not-a-database",
        "example is not a SQLite database, or it is encrypted",
        "check the path in dbops.toml; look at its first bytes: head -c 16 {root}/example.db",
        _write("example.db", b"\x8f" * 8192),
    ),
    Mistake(
        "signing key open to others",
        "backup run example",
        5,
        "key-file-open",
        "signing key writer is readable by others (mode 0644)",
        "chmod 600 {root}/keys/writer",
        _mode("keys/writer", 0o644),
    ),
    Mistake(
        "signing key missing",
        "backup run example",
        10,
        "key-file-missing",
        "there is no signing key writer",
        "look for it: ls -l {root}/keys",
        _remove("keys/writer"),
    ),
    Mistake(
        "catalogue key open to others",
        "backup run example",
        5,
        "key-file-open",
        "identity file {root}/keys/catalogue is open to others (mode 0644)",
        "chmod 600 {root}/keys/catalogue",
        _mode("keys/catalogue", 0o644),
    ),
    Mistake(
        "identity missing",
        "backup verify example",
        10,
        "no-identity-file",
        "no identity file {root}/verifier/drill",
        "dbops keys list",
        _remove("verifier/drill"),
    ),
    Mistake(
        "no identity",
        "backup verify example --level readable",
        12,
        "no-identity",
        "no identity at hand opens example@1; it is sealed to drill (verifier), "
        "recovery (hospital)",
        "name one with --identity FILE, or add it to host.identities in dbops.toml",
        _replace('identities = ["verifier/drill"]', "identities = []"),
    ),
    Mistake(
        "recipients changed by hand",
        "backup run example",
        5,
        "signature-wrong",
        "the recipients document {root}/trust/recipients is refused: the signature does not fit: "
        "the text or the signature was altered",
        "fetch the document again, or have it signed again",
        _change("trust/recipients", b"verifier", b"verifiar"),
    ),
    Mistake(
        "target not empty",
        "restore run example --to example",
        5,
        "target-occupied",
        "example is not empty: {root}/example.db ({size} bytes)",
        "restore elsewhere, or replace it: add --overwrite example",
    ),
    Mistake(
        "target named by its path",
        "restore run example --to ./example.db",
        5,
        "target-named",
        "{root}/example.db is a file of example, whose own rules count",
        "name it as the estate does: --to example",
    ),
    Mistake(
        "unknown target",
        "restore run example --to exampel",
        10,
        "no-target",
        'the estate has no target "exampel"',
        'did you mean "example"? there are: example',
    ),
    Mistake(
        "not a time",
        "restore run example --at yesterday-3 --to ./copy.db",
        2,
        "bad-time",
        'not a time: "yesterday-3"',
        'write 2025-11-03T02:00, 2025-11-03, "yesterday 03:00", "26h ago" or now',
    ),
    Mistake(
        "no backup at that time",
        "restore run example --at 2020-01-01 --to ./copy.db",
        10,
        "no-backup",
        "no backup of example was taken by 2020-01-01 00:00",
        "dbops backup list example",
    ),
    Mistake(
        "no such backup",
        "backup show example@7",
        10,
        "no-backup",
        "no backup example@7",
        "dbops backup list example",
    ),
    Mistake(
        "no such repository",
        "backup run example --to tape",
        10,
        "no-repository",
        'the estate has no repository "tape"',
        "there are: main",
    ),
    Mistake(
        "estate exists",
        "init .",
        5,
        "estate-exists",
        "{root} holds dbops.toml, keys, hospital, verifier, trust, secrets, ops, backups, audit"
        " already; nothing was changed",
        "name an empty directory: dbops init DIRECTORY",
        json=False,
    ),
    Mistake(
        "wrong time zone for a new estate",
        "init new --timezone Asia/Shangai",
        2,
        "unknown-time-zone",
        'unknown time zone "Asia/Shangai"',
        'did you mean "Asia/Shanghai"?',
        json=False,
    ),
    Mistake(
        "unknown event of the ledger",
        "audit log --event backups",
        2,
        "audit-event",
        'there is no event "backups"',
        "name one, such as backup.run, or a group: backup, change, estate, keys, ledger, repair, "
        "repository, "
        "restore, review, trust",
    ),
    Mistake(
        "no such entry",
        "audit show 99999",
        10,
        "ledger-entry",
        "the ledger has no entry 99999",
        "see which there are: dbops audit log --last 20",
    ),
    Mistake(
        "no such checkpoint",
        "audit verify --against kept.note",
        10,
        "no-checkpoint",
        "kept.note is neither a file nor an anchor of the estate",
        "anchors there are: none",
    ),
    Mistake(
        "a checkpoint that is none",
        "audit verify --against dbops.toml",
        5,
        "note-form",
        "the text is not a signed note: a signature line is not of the form: em dash, name, base64",
        "fetch the note again from where it was kept",
    ),
    Mistake(
        "key of the ledger missing",
        "audit checkpoint",
        10,
        "key-file-missing",
        "there is no signing key ledger",
        "look for it: ls -l {root}/keys",
        _remove("keys/ledger"),
        json=False,
    ),
    Mistake(
        "no key of the ledger named",
        "audit checkpoint",
        2,
        "no-ledger-key",
        "this host signs no checkpoints: dbops.toml has no audit.signing_key",
        "make one with dbops keys new signing, and name its file there",
        _replace('signing_key = "keys/ledger"', "#"),
        json=False,
    ),
    Mistake(
        "no anchor there",
        "audit anchor",
        2,
        "no-anchors",
        "dbops.toml has no [audit.anchors.NAME]",
        "a clone of a git repository, or a directory on another machine, can be one",
        json=False,
    ),
    Mistake(
        "unknown anchor",
        "audit anchor hospitl",
        10,
        "no-anchor",
        'the estate has no anchor "hospitl"',
        "there are: hospital",
        _replace("[review]", '[audit.anchors.hospital]\nkind = "directory"\npath = "a"\n[review]'),
        json=False,
    ),
    Mistake(
        "number of a patient in a reason",
        "audit close 1 --reason 440106198001011234",
        2,
        "ledger-reason-number",
        "the reason holds a number of nine digits or more, which may belong to a patient",
        "name the ticket instead; the ledger can never be changed",
        json=False,
    ),
    Mistake(
        "no such proof",
        "audit check-proof entry-1.proof",
        10,
        "no-file",
        "there is no file entry-1.proof",
        "check the path",
    ),
)
