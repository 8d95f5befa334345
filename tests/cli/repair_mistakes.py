"""Mistakes with `dbops repair` and `dbops playbook`, and what is answered."""

from __future__ import annotations

from pathlib import Path

from tests.cli.mistakes import Mistake

NEW = "repair new 2026-1 --author wei@contractor"
DRAFT = f"{NEW} --database example --title x"
BACK = f"{DRAFT} --from-backup example@1"
CLOCKS = "there are: data-error; see [clocks.NAME] of dbops.toml"
PLAYBOOKS = (
    "dbops playbook list: close-stuck-queue-tickets, correct-charged-item,"
    " correct-specimen-patient, fill-missing-codes, merge-duplicate-patients, move-visits-to-ward,"
    " relink-orphaned-order-items, restore-deleted-rows"
)


def _repair(root: Path) -> None:
    """Work of another kind, and a repair of a database that the estate does not have."""
    folder = root / "ops" / "releases" / "2026-9"
    folder.mkdir(parents=True)
    (folder / "release.yml").write_text(
        "dbops: release/v1\nid: 2026-9\ntitle: x\nauthor: a@b\nrisk: low\nbackup: example@1\n"
        "reason: x\n"
    )
    folder = root / "ops" / "repairs" / "2026-8"
    folder.mkdir(parents=True)
    (folder / "repair.yml").write_text(
        "dbops: repair/v1\nid: 2026-8\ntitle: x\nauthor: a@b\nrisk: low\ndatabases: [exampel]\n"
        "watch: [{table: ward, where: id = 1, expect: {delete: 1}}]\nlimits: {rows: 1}\n"
    )
    (folder / "repair.sql").write_text("DELETE FROM ward WHERE id = 1;\n")


def _mistake(name: str, words: str, status: int, code: str, error: str, hint: str) -> Mistake:
    """Of a command that says nothing in JSON."""
    return Mistake(name, words, status, code, error, hint, json=False)


REPAIR_MISTAKES = (
    _mistake(
        "no database for a repair",
        NEW,
        2,
        "which-database",
        "no database is named",
        "add --database: dbops systems list",
    ),
    _mistake(
        "no title for a repair",
        f"{NEW} --database example",
        2,
        "no-title",
        "the repair has no title",
        'add --title "what it is"',
    ),
    _mistake(
        "no author",
        "repair new 2026-1",
        2,
        "usage",
        "missing option '--author'",
        "dbops repair new --help",
    ),
    _mistake(
        "no principal",
        "repair new 2026-1 --author wei,li --database example --title x",
        2,
        "bad-author",
        "--author is no principal",
        "name one of the policy's persons as they sign: dbops trust show",
    ),
    _mistake(
        "unknown database to repair",
        f"{NEW} --database exampel --title x",
        10,
        "no-database",
        'the estate has no database "exampel"',
        'did you mean "example"? there are: example',
    ),
    _mistake(
        "unknown clock",
        f"{DRAFT} --clock week",
        10,
        "no-clock",
        'dbops.toml has no clock "week"',
        CLOCKS,
    ),
    _mistake(
        "no day",
        f"{DRAFT} --opened 2026-13-01",
        2,
        "opened-date",
        "--opened is no date",
        "for example: --opened 2026-11-20",
    ),
    _mistake(
        "what prevents it, and no cause",
        f"{DRAFT} --fix T-1",
        2,
        "fix-alone",
        "--fix stands beside a cause",
        'add --cause "why the data were wrong"',
    ),
    _mistake(
        "no such script",
        f"{DRAFT} --from fix.sql",
        10,
        "no-file",
        "there is no file fix.sql",
        "check the path",
    ),
    _mistake(
        "two sources",
        f"{DRAFT} --from fix.sql --undo 2026-2",
        2,
        "which-source",
        "--from, --playbook, --from-backup and --undo exclude each other",
        "give one; --playbook and --from-backup together fill the playbook's rows",
    ),
    _mistake(
        "a setting without a playbook",
        f"{DRAFT} --set a=b",
        2,
        "set-alone",
        "--set is for a playbook",
        "add --playbook NAME: dbops playbook list",
    ),
    _mistake(
        "unknown playbook",
        f"{DRAFT} --playbook move",
        10,
        "playbook-unknown",
        "there is no playbook move",
        PLAYBOOKS,
    ),
    _mistake(
        "a playbook without its values",
        f"{DRAFT} --playbook fill-missing-codes",
        2,
        "playbook-missing",
        "fill-missing-codes needs a value for codes_filled",
        "give each: --set codes_filled=…; what they mean: dbops playbook show fill-missing-codes",
    ),
    _mistake(
        "a setting that is none",
        f"{DRAFT} --playbook fill-missing-codes --set codes_filled",
        2,
        "name-and-value",
        "--set is not NAME=VALUE, or gives a name twice",
        "for example: --set ward=ORT",
    ),
    _mistake(
        "a backup without keys",
        f"{BACK} --table ward",
        2,
        "which-rows",
        "--from-backup, --table and --key belong together",
        "for example: --from-backup his@12 --table visit --key 1001",
    ),
    _mistake(
        "a backup of another database",
        f"{DRAFT} --from-backup lab@1 --table ward --key 1",
        2,
        "backup-of-other",
        "lab@1 is no backup of example",
        "dbops backup list example",
    ),
    _mistake(
        "no such backup to bring rows back",
        f"{DRAFT} --from-backup example@7 --table ward --key 1",
        10,
        "no-backup",
        "no backup example@7",
        "dbops backup list example",
    ),
    _mistake(
        "no such table in the backup",
        f"{BACK} --table wards --key 1",
        10,
        "no-table",
        "the backup of example has no table wards",
        "dbops backup show names every table",
    ),
    _mistake(
        "no such repair to undo",
        f"{NEW} --undo 2026-2",
        10,
        "work-missing",
        "there is no work 2026-2",
        "dbops review list",
    ),
    Mistake(
        "no such repair",
        "repair show 2026-2",
        10,
        "work-missing",
        "there is no work 2026-2",
        "dbops review list",
    ),
    Mistake(
        "no repair named",
        "repair check",
        2,
        "which-work",
        "name a repair, or say --all",
        "dbops repair list shows the ids",
    ),
    Mistake(
        "work of another kind",
        "repair run 2026-9 --yes",
        5,
        "work-kind",
        "2026-9 is a release, not a repair",
        "dbops review show 2026-9",
        _repair,
    ),
    Mistake(
        "a repair of an unknown database",
        "repair run 2026-8 --yes",
        10,
        "no-database",
        'the estate has no database "exampel"',
        'did you mean "example"? there are: example',
        _repair,
    ),
    Mistake(
        "no such bundle",
        "repair bundle show 2026-2",
        10,
        "no-bundle",
        "no bundle of 2026-2 lies on this host",
        "dbops repair bundle list",
    ),
    Mistake(
        "no such playbook",
        "playbook show move",
        10,
        "playbook-unknown",
        "there is no playbook move",
        PLAYBOOKS,
    ),
)
