"""`dbops keys` as people type it: what it prints, what it leaves, how it ends."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dbops.backup.contents import open_contents
from dbops.cli.root import main
from dbops.crypto.age import load_identities
from dbops.crypto.signing import generate_signing_key
from dbops.errors import NoIdentity
from tests.support.estate import (
    BuiltEstate,
    copy_estate,
    found_test_estate,
    open_test_estate,
    take_backup,
)

PROGRAM = "from dbops.cli import main; main()"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> BuiltEstate:
    """An estate with one backup."""
    estate = found_test_estate(tmp_path_factory.mktemp("keys") / "estate")
    take_backup(estate)
    return estate


@pytest.fixture
def estate(made: BuiltEstate, tmp_path: Path) -> BuiltEstate:
    return copy_estate(made, tmp_path / "estate")


def run(*arguments: object) -> Result:
    """What `dbops ARGUMENTS` does without a terminal."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def at(estate: BuiltEstate, *arguments: object) -> Result:
    return run("--estate", estate.root / "dbops.toml", *arguments)


def test_a_new_key_prints_its_public_half_only(tmp_path: Path) -> None:
    """Standard output is the public key; the next command is on standard error; no secret."""
    path = tmp_path / "recovery"
    result = run("keys", "new", "recovery", "--out", path, "--name", "hospital")
    public = load_identities(path)[0].recipient.text
    assert (result.exit_code, result.stdout) == (0, f"{public}\n")
    assert f"--add recovery:hospital:{public} --key SIGNING_KEY" in result.stderr
    assert "AGE-SECRET-KEY" not in result.output


def test_a_new_signing_key_prints_its_line(tmp_path: Path) -> None:
    """The line is that of the `.pub` file."""
    result = run("keys", "new", "signing", "--out", tmp_path / "key", "--name", "it@hospital")
    assert result.exit_code == 0
    assert result.stdout == (tmp_path / "key.pub").read_text()


def test_a_key_is_never_replaced(tmp_path: Path) -> None:
    """The second time the file is there: 5, and it stays as it is."""
    path = tmp_path / "key"
    run("keys", "new", "drill", "--out", path)
    before = path.read_bytes()
    result = run("keys", "new", "drill", "--out", path)
    assert result.exit_code == 5
    assert result.stderr == (
        f"error: {path} exists already; nothing was changed\nhint: name another file\n"
    )
    assert path.read_bytes() == before


def test_list_shows_recipients_and_host_keys(estate: BuiltEstate) -> None:
    """Recipients with what they open, host keys with whom they speak for; never a secret."""
    result = at(estate, "keys", "list", "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert [(item["role"], item["name"], item["backups"]) for item in found["recipients"]] == [
        ("recovery", "hospital", 1),
        ("drill", "verifier", 1),
        ("runner", "runner", 0),
    ]
    assert found["recipients"][1]["files"] == [str(estate.root / "verifier" / "drill")]
    assert [(item["use"], item["principal"]) for item in found["host"]["signing"]] == [
        ("writer", "writer@backup-1"),
        ("verifier", "verifier@backup-1"),
    ]
    assert found["host"]["signing"][1]["namespaces"] == [
        "dbops-certificate@v1",
        "dbops-evidence@v1",
        "dbops-receipt@v1",
    ]
    table = at(estate, "keys", "list")
    assert "writer@backup-1; signs expiry, hold, manifest" in table.stdout
    assert "1 of 1" in table.stdout
    for text in (result.output, table.output):
        assert "AGE-SECRET-KEY" not in text
        assert "PRIVATE" not in text


def test_list_says_what_a_key_file_is_good_for(estate: BuiltEstate) -> None:
    """A key that is open to others is named as such, and the rest is shown."""
    (estate.root / "keys" / "writer").chmod(0o644)
    result = at(estate, "keys", "list")
    assert result.exit_code == 0
    assert "signing key writer is readable by others (mode 0644)" in result.stdout


def test_report_says_until_when_a_key_is_needed(estate: BuiltEstate) -> None:
    """A recipient who was removed is needed until the newest backup sealed to it expires."""
    key = estate.root / "hospital" / "signing"
    gone = at(estate, "keys", "recipients", "sign", "--remove", "verifier", "--key", key, "--yes")
    assert gone.exit_code == 0
    found = json.loads(at(estate, "keys", "report", "--json").stdout)["keys"]
    assert [
        (item["name"], item["listed"], item["backups"], item["oldest"], item["newest"])
        for item in found
    ] == [
        ("hospital", True, 1, "example@1", "example@1"),
        ("verifier", False, 1, "example@1", "example@1"),
    ]
    table = at(estate, "keys", "report").stdout
    assert "still in use" in table
    assert "example@1 has expired" in table


def test_a_manifest_that_does_not_count_is_said(estate: BuiltEstate) -> None:
    """A damaged manifest may need a key that the report does not know of: 4."""
    (manifest,) = (estate.objects / "db" / "example" / "manifest").iterdir()
    manifest.write_bytes(manifest.read_bytes().replace(b'"engine"', b'"enginE"'))
    result = at(estate, "keys", "report")
    assert result.exit_code == 4
    assert result.stderr.startswith("no backups yet: no key is needed\nerror: db/example/manifest/")


def test_show_says_who_signed_the_list(estate: BuiltEstate) -> None:
    """Text and JSON name the principal and the recipients."""
    found = json.loads(at(estate, "keys", "recipients", "show", "--json").stdout)
    assert found["signed_by"] == "hospital"
    assert [item["name"] for item in found["recipients"]] == ["hospital", "verifier", "runner"]
    text = at(estate, "keys", "recipients", "show").stdout
    assert text.startswith(f"{estate.root / 'trust' / 'recipients'}, issued ")
    assert f"signed by hospital ({found['fingerprint']})" in text


def sign(estate: BuiltEstate, *more: object, key: str = "hospital/signing") -> Result:
    return at(estate, "keys", "recipients", "sign", "--key", estate.root / key, *more)


def escrow(estate: BuiltEstate) -> str:
    """A new escrow recipient."""
    path = estate.root / "escrow"
    return run("keys", "new", "escrow", "--out", path, "--name", "notary").stdout.strip()


def test_the_next_backup_is_sealed_to_the_new_list(estate: BuiltEstate) -> None:
    """After signing, backups name the new recipient; the old document is kept."""
    before = estate.wiring.estate.recipients.read_bytes()
    added = f"escrow:notary:{escrow(estate)}"
    result = sign(estate, "--add", added, "--yes")
    assert result.exit_code == 0
    assert (
        result.stdout
        == f"{estate.root / 'trust' / 'recipients'} is signed and in use from now on\n"
    )
    (kept,) = (estate.root / "trust").glob("recipients.*Z")
    assert kept.read_bytes() == before
    assert f"the old one is kept as {kept}" in result.stderr
    backup = at(estate, "backup", "run", "--all")
    assert backup.exit_code == 0
    found = json.loads(at(estate, "keys", "list", "--json").stdout)
    assert [(item["name"], item["backups"]) for item in found["recipients"]] == [
        ("hospital", 2),
        ("verifier", 2),
        ("runner", 0),
        ("notary", 1),
    ]


def test_a_reviewer_opens_no_backup(estate: BuiltEstate, tmp_path: Path) -> None:
    """An SSH key will do; the next backup is sealed to those who open backups, and proven so."""
    key = tmp_path / "li-na"
    generate_signing_key(key, "li-na@hospital")
    line = key.with_suffix(".pub").read_text().strip()
    added = sign(estate, "--add", f"reviewer:li-na:{line}", "--yes")
    assert added.exit_code == 0, added.output
    assert f"+ reviewer li-na {' '.join(line.split()[:2])}" in added.stderr
    assert at(estate, "backup", "run", "--all").exit_code == 0
    newest = open_test_estate(estate.root).newest()
    assert [entry.role for entry in newest.envelope.sealed_to] == ["recovery", "drill"]
    verified = at(estate, "backup", "verify", "example", "--level", "readable")
    assert verified.exit_code == 0, verified.output
    for outsider in (key, estate.root / "keys" / "runner"):
        with pytest.raises(NoIdentity):
            open_contents(estate.repository, newest.envelope, load_identities(outsider))
    found = json.loads(at(estate, "keys", "list", "--json").stdout)["recipients"]
    assert [(item["name"], item["backups"]) for item in found][2:] == [("runner", 0), ("li-na", 0)]


@pytest.mark.parametrize("role", ["reviewer", "runner"])
def test_a_new_key_for_rows_of_repairs(tmp_path: Path, role: str) -> None:
    """What is to be done with it is said: the hospital lists it, and a host names the runner's."""
    path = tmp_path / role
    made = run("keys", "new", role, "--out", path)
    assert made.exit_code == 0
    public = load_identities(path)[0].recipient.text
    assert f"--add {role}:{role}:{public} --key SIGNING_KEY" in made.stderr
    assert (f'runner_identity = "{path}"' in made.stderr) is (role == "runner")


def test_without_a_terminal_it_says_yes_is_needed(estate: BuiltEstate) -> None:
    """No prompt in cron: 2, the hint names the option, and nothing has changed."""
    before = estate.wiring.estate.recipients.read_bytes()
    result = sign(estate, "--remove", "verifier")
    assert result.exit_code == 2
    assert result.stderr.endswith(
        f"error: nobody is there to be asked: Replace {estate.wiring.estate.recipients}?\n"
        "hint: add --yes to the command\n"
    )
    assert estate.wiring.estate.recipients.read_bytes() == before


@pytest.mark.parametrize(("answer", "status"), [(b"n\n", 5), (b"y\n", 0)])
def test_at_a_terminal_it_asks(estate: BuiltEstate, answer: bytes, status: int) -> None:
    """The change is shown, the answer decides; no is 5 and changes nothing."""
    before = estate.wiring.estate.recipients.read_bytes()
    terminal, child = pty.openpty()
    try:
        program = [sys.executable, "-W", "ignore", "-c", PROGRAM]
        place = ["--estate", str(estate.root / "dbops.toml"), "keys", "recipients", "sign"]
        key = str(estate.root / "hospital" / "signing")
        process = subprocess.Popen(
            [*program, *place, "--remove", "verifier", "--key", key],
            stdin=child,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        os.write(terminal, answer)
        _, complaint = process.communicate(timeout=60)
    finally:
        os.close(child)
        os.close(terminal)
    assert process.returncode == status
    assert complaint.startswith(b"- drill verifier age1")
    assert f"Replace {estate.root / 'trust' / 'recipients'}? [y/N]" in complaint.decode()
    if status:
        assert complaint.endswith(
            b"error: nothing was changed\nhint: run it again when you are sure\n"
        )
    assert (estate.wiring.estate.recipients.read_bytes() == before) is bool(status)


def test_out_leaves_the_estate_as_it_is(estate: BuiltEstate) -> None:
    """`--out` writes a new file and asks nothing."""
    before = estate.wiring.estate.recipients.read_bytes()
    out = estate.root / "new-list"
    assert sign(estate, "--remove", "verifier", "--out", out).exit_code == 0
    assert b"verifier" not in out.read_bytes()
    assert estate.wiring.estate.recipients.read_bytes() == before


@pytest.mark.parametrize(
    ("more", "key", "status", "message"),
    [
        (
            ["--remove", "hospital"],
            "hospital/signing",
            5,
            "the recipients document is refused: it names no recovery recipient",
        ),
        (["--remove", "nobody"], "hospital/signing", 10, "the recipients document has no nobody"),
        (
            ["--add", "x"],
            "hospital/signing",
            2,
            "--add does not say who: it is not ROLE:NAME:RECIPIENT",
        ),
        ([], "hospital/nothing", 10, "there is no signing key nothing"),
    ],
)
def test_what_may_not_be_is_not_signed(
    estate: BuiltEstate, more: list[str], key: str, status: int, message: str
) -> None:
    """Each rule has its exit status and sentence, and the document stays."""
    before = estate.wiring.estate.recipients.read_bytes()
    result = sign(estate, *more, "--yes", key=key)
    assert result.exit_code == status
    assert result.stderr.splitlines()[-2] == f"error: {message}"
    assert estate.wiring.estate.recipients.read_bytes() == before


def test_another_key_than_the_hospitals_is_refused(estate: BuiltEstate) -> None:
    """The writer of a backup host cannot choose who opens its backups."""
    before = estate.wiring.estate.recipients.read_bytes()
    result = sign(estate, "--remove", "verifier", "--yes", key="keys/writer")
    assert result.exit_code == 5
    assert "of writer@backup-1 may not sign for dbops-recipients@v1" in result.stderr
    assert estate.wiring.estate.recipients.read_bytes() == before


def test_a_forged_list_is_no_base_for_a_new_one(estate: BuiltEstate) -> None:
    """What the hospital did not sign is not carried on; moved away, a new list can begin."""
    path = estate.wiring.estate.recipients
    path.write_bytes(path.read_bytes().replace(b'"verifier"', b'"intruder"'))
    result = sign(estate, "--yes")
    assert result.exit_code == 5
    assert result.stderr == (
        "error: the present recipients document does not count: the signature does not fit:"
        " the text or the signature was altered\n"
        f"hint: move {path} away, then name every recipient with --add\n"
    )
    path.unlink()
    key = load_identities(estate.root / "hospital" / "recovery")[0].recipient.text
    assert sign(estate, "--add", f"recovery:hospital:{key}", "--yes").exit_code == 0
    assert at(estate, "keys", "recipients", "show").exit_code == 0


def drilled(estate: BuiltEstate, identity: str, *, role: str, name: str) -> Result:
    """Headers out and the answer, as the holder gives it in another directory."""
    headers, receipt = estate.root / "headers.json", estate.root / "receipt"
    assert at(estate, "keys", "drill", "headers", "--all", "--out", headers).exit_code == 0
    arguments = ["--identity", estate.root / identity, "--role", role, "--name", name]
    key = estate.root / "hospital" / "signing"
    return run("keys", "drill", "answer", headers, *arguments, "--key", key, "--out", receipt)


def test_a_drill_goes_out_and_comes_back(estate: BuiltEstate) -> None:
    """Headers, answer without an estate, record: and the receipt stands in the repository."""
    receipt = estate.root / "receipt"
    answer = drilled(estate, "hospital/recovery", role="recovery", name="hospital")
    assert (answer.exit_code, answer.stdout) == (
        0,
        f"all 2 headers open; backups: 1; the receipt is {receipt}\n",
    )
    result = at(estate, "keys", "drill", "record", receipt)
    assert (result.exit_code, result.stdout) == (
        0,
        "recorded: recovery (hospital) opened 2 headers, signed by hospital; it covers example@1\n",
    )
    ((stored, _),) = estate.repository.receipts()
    assert (stored.role, stored.opened) == ("recovery", 2)
    again = at(estate, "keys", "drill", "record", receipt)
    assert again.exit_code == 0
    assert again.stdout.startswith("was recorded before: recovery (hospital)")


def test_a_key_that_opens_nothing_gets_no_receipt(estate: BuiltEstate) -> None:
    """4, the backups are named, and no receipt file is written."""
    escrow(estate)
    result = drilled(estate, "escrow", role="escrow", name="notary")
    assert result.exit_code == 4
    assert result.stderr == (
        "error: 2 of 2 packs and catalogues cannot be opened by this identity:"
        " those of example@1\n"
        "hint: find out what they are sealed to: dbops backup show example@1;"
        " no receipt was written\n"
    )
    assert not (estate.root / "receipt").exists()


def test_headers_replace_no_file(estate: BuiltEstate) -> None:
    """A file that is there is refused."""
    path = estate.root / "headers.json"
    path.write_text("mine")
    result = at(estate, "keys", "drill", "headers", "--all", "--out", path)
    assert result.exit_code == 5
    assert path.read_text() == "mine"


@pytest.mark.parametrize(
    ("content", "status", "message"),
    [
        (None, 10, "there is no file {path}"),
        (b"nothing\n", 5, "the document carries no signature"),
    ],
)
def test_what_is_no_receipt_is_not_recorded(
    estate: BuiltEstate, content: bytes | None, status: int, message: str
) -> None:
    """A missing or unsigned file has its own sentence."""
    path = estate.root / "receipt"
    if content is not None:
        path.write_bytes(content)
    result = at(estate, "keys", "drill", "record", path)
    assert result.exit_code == status
    assert result.stderr.splitlines()[0] == f"error: {message.format(path=path)}"


COMMANDS = [
    ("new",),
    ("list",),
    ("report",),
    ("recipients", "show"),
    ("recipients", "sign"),
    ("drill", "headers"),
    ("drill", "answer"),
    ("drill", "record"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_has_an_example_and_exit_statuses(command: tuple[str, ...]) -> None:
    """Each command's help shows how it is typed and how it may end."""
    result = run("keys", *command, "--help")
    assert result.exit_code == 0
    assert "Example:" in result.stdout
    assert "Exit statuses: 0 " in result.stdout
