"""`dbops trust` as people type it: what it writes, what it finds, what it refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dbops.audit.entry import DigestOf, Event, Phase
from dbops.audit.links import entries
from dbops.audit.segments import Segments
from dbops.cli.root import main
from dbops.crypto.signing import generate_signing_key
from dbops.crypto.trust import load_trust_root
from dbops.founding import Founding, found_estate
from dbops.review.policy import Policy, parse_policy
from dbops.stores.local import LocalStore

LI = "li-na:李娜:li.na@hospital:{root}/li.pub:it-department,break-glass"
WEI = "wei:张伟:wei@contractor:{root}/wei.pub:engineer"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A founded estate, and two persons' keys beside it."""
    place = tmp_path / "estate"
    place.mkdir()
    founding = Founding(place, "示范医院", "Asia/Shanghai", "backup-1", "ab" * 16)
    found_estate(founding, lambda path: LocalStore(path, "repository main"), datetime.now(UTC))
    for name in ("li", "wei"):
        generate_signing_key(place / name, name)
    return place


def trust(root: Path, *words: object) -> Result:
    """What `dbops trust` answers."""
    arguments = ("--estate", root / "dbops.toml", "trust", *words)
    return CliRunner().invoke(main, [str(word) for word in arguments])


def add(root: Path, *persons: str, more: tuple[str, ...] = ("--yes",)) -> Result:
    options = [word for person in persons for word in ("--person", person.format(root=root))]
    return trust(root, "init", *options, *more)


def signers(root: Path) -> str:
    return (root / "trust" / "allowed_signers").read_text("utf-8")


def policy(root: Path) -> Policy:
    path = root / "trust" / "policy.toml"
    return parse_policy(path.read_text("utf-8"), str(path))


def error(result: Result) -> str:
    """Only what was refused, without what was shown before."""
    return result.stderr[result.stderr.index("error: ") :]


def problems(root: Path) -> Iterator[str]:
    """What lint finds, but for who owns this machine's directories."""
    result = trust(root, "lint")
    assert (result.exit_code == 4) == bool(result.stdout)
    for line in result.stdout.splitlines():
        if ", who could change " not in line and "other accounts can write" not in line:
            yield line


def test_init_adds_lines_and_roles(root: Path) -> None:
    """Keys may sign what the roles ask, comments stay, and what was there is there."""
    before, text = signers(root), (root / "trust" / "policy.toml").read_text("utf-8")
    result = add(root, LI, WEI, more=("--countersigns", "li-na", "--yes"))
    assert result.exit_code == 0
    assert result.stdout == (
        f"{root}/trust/allowed_signers has new lines\n{root}/trust/policy.toml has new lines\n"
    )
    assert signers(root).startswith(before)
    may = {line.split()[0]: line.split()[1] for line in signers(root)[len(before) :].splitlines()}
    assert may == {
        "li.na@hospital": 'namespaces="dbops-approval@v1,dbops-breakglass@v1,'
        'dbops-countersign@v1,dbops-request@v1"',
        "wei@contractor": 'namespaces="dbops-request@v1"',
    }
    found = policy(root)
    assert found.persons["wei"].name == "张伟"
    assert found.roles["engineer"] == {"wei"}
    assert found.roles["it-department"] >= {"li-na"}
    comments = [line for line in text.splitlines() if line.startswith("#")]
    after = (root / "trust" / "policy.toml").read_text("utf-8").splitlines()
    assert [line for line in after if line.startswith("#")] == comments


def test_init_shows_what_it_writes_and_asks(root: Path) -> None:
    """Without --yes and a terminal the lines are shown, and nothing is written."""
    before = signers(root)
    result = add(root, WEI, more=())
    assert result.exit_code == 2
    assert '  wei@contractor namespaces="dbops-request@v1" ssh-ed25519 ' in result.stderr
    assert '  + engineer = ["wei"]\n' in result.stderr
    assert error(result) == (
        f"error: nobody is there to be asked: Write this to {root}/trust?\n"
        "hint: add --yes to the command\n"
    )
    assert signers(root) == before


def test_init_twice_changes_nothing(root: Path) -> None:
    """What stands there already is left as it is, to the byte."""
    add(root, LI)
    files = {path: path.read_bytes() for path in (root / "trust").iterdir()}
    result = add(root, LI)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"{root}/trust says all of that already; nothing was changed\n"
    assert {path: path.read_bytes() for path in (root / "trust").iterdir()} == files


def test_init_writes_the_default_policy(root: Path) -> None:
    """An estate of an earlier version has none; then all of it is shown and written."""
    path = root / "trust" / "policy.toml"
    path.unlink()
    result = add(root, LI, WEI)
    assert result.exit_code == 0
    assert f"{path}: to be written\n" in result.stderr
    assert result.stdout.endswith(f"{path} is written\n")
    assert policy(root).rules


def test_init_begins_a_trust_root(root: Path) -> None:
    """Where there is no allowed_signers either, the persons are its first lines."""
    (root / "trust" / "policy.toml").unlink()
    (root / "trust" / "allowed_signers").unlink()
    assert add(root, LI, WEI).exit_code == 0
    assert [line.split()[0] for line in signers(root).splitlines()] == [
        "li.na@hospital",
        "wei@contractor",
    ]


def test_init_is_recorded(root: Path) -> None:
    """Intent and outcome, with the digests of what was written."""
    add(root, WEI)
    found = list(entries(Segments(root / "audit")))[-2:]
    assert [(e.draft.event, e.draft.phase) for e in found] == [
        (Event.TRUST_INIT, Phase.INTENT),
        (Event.TRUST_INIT, Phase.OUTCOME),
    ]
    assert set(found[0].draft.digests) == {DigestOf.DOCUMENT, DigestOf.POLICY}


@pytest.mark.parametrize(
    ("person", "status", "text", "hint"),
    [
        (
            "li-na:李娜:li.na@hospital:{root}/li.pub",
            2,
            "--person does not say who: it is not ID:NAME:PRINCIPAL:KEYFILE.pub:ROLE[,ROLE]",
            "write: --person li-na:李娜:li.na@hospital:li-na.pub:it-department",
        ),
        (
            "li-na:李娜:li.na@hospital:{root}/li:it-department",
            2,
            "--person does not say who: the key is not a .pub file: a private key stays with its"
            " owner",
            "write: --person li-na:李娜:li.na@hospital:li-na.pub:it-department",
        ),
        (
            "Li:李娜:li.na@hospital:{root}/li.pub:it-department",
            2,
            "--person does not say who: ids and roles are lower-case letters, digits and hyphens",
            "write: --person li-na:李娜:li.na@hospital:li-na.pub:it-department",
        ),
        (
            "li-na:李娜:li.na@hospital:{root}/li.pub:director",
            10,
            "the policy has no role director",
            "there are: break-glass, engineer, it-department; add it to [roles] first",
        ),
        (
            "li-na:李娜:li.na@hospital:{root}/no.pub:it-department",
            10,
            "there is no public key no.pub",
            "look for it: ls -l {root}",
        ),
        (
            "li-na:李娜:*@hospital:{root}/li.pub:it-department",
            2,
            "--person does not say who: a principal has no characters but A-Za-z0-9._@+-",
            "write: --person li-na:李娜:li.na@hospital:li-na.pub:it-department",
        ),
        (
            "li-na:李娜:li.na@hospital:{root}/keys/writer.pub:it-department",
            5,
            "{root}/trust/allowed_signers: the key of li.na@hospital is already that of "
            "writer@backup-1",
            "everybody has a key of their own: dbops keys new signing --help",
        ),
    ],
)
def test_init_refuses(root: Path, person: str, status: int, text: str, hint: str) -> None:
    """Bad input changes nothing and says what to write."""
    before = signers(root)
    result = add(root, person)
    assert result.exit_code == status
    expected = f"error: {text}\nhint: {hint}\n".format(root=root)
    assert result.stderr == expected
    assert signers(root) == before


def test_init_never_widens_a_line(root: Path) -> None:
    """A key that is there for less is a matter for a person."""
    add(root, "li-na:李娜:li.na@hospital:{root}/li.pub:engineer")
    before = signers(root)
    result = add(root, LI)
    assert result.exit_code == 5
    path = root / "trust" / "allowed_signers"
    assert result.stderr == (
        f"error: {path}: the line of li.na@hospital does not name dbops-approval@v1, "
        f"dbops-breakglass@v1\nhint: add it to that line's namespaces by hand: {path}\n"
    )
    assert signers(root) == before


def test_init_refuses_a_policy_it_cannot_extend(root: Path) -> None:
    """A list over several lines is left to a person, and nothing is half done."""
    path = root / "trust" / "policy.toml"
    text = path.read_text("utf-8")
    path.write_text(text.replace("engineer = []", "engineer = [\n]"), "utf-8")
    before = signers(root)
    result = add(root, WEI)
    assert result.exit_code == 5
    assert result.stderr == (
        f"error: {path} is laid out in a way that no line can be added to safely\n"
        "hint: add the person by hand, then: dbops trust lint\n"
    )
    assert signers(root) == before


def test_lint_is_content_with_enough_persons(root: Path) -> None:
    """The default policy asks two of the IT department at high risk, and an engineer."""
    assert any("nobody has a key for requests" in line for line in problems(root))
    add(root, LI, WEI)
    assert list(problems(root)) == []


def test_lint_names_each_problem_on_its_line(root: Path) -> None:
    """A wildcard, a malformed policy: both are said, and the statuses do not differ."""
    path = root / "trust" / "policy.toml"
    path.write_text(path.read_text("utf-8").replace("[roles]", "[rolls]"), "utf-8")
    (root / "trust" / "allowed_signers").write_text(f"*@hospital {signers(root).split(' ', 1)[1]}")
    found = list(problems(root))
    assert found[0] == f"{root}/trust/allowed_signers line 1: the principal is a pattern"
    assert found[1].startswith(f"{path}: ")
    listed = json.loads(trust(root, "lint", "--json").stdout)["problems"]
    assert set(found) <= set(listed)


def test_lint_says_which_keys_end_soon(root: Path) -> None:
    """Within 30 days, and those that have ended."""
    add(root, WEI)
    day = datetime.now(UTC) + timedelta(days=10)
    text = signers(root).replace(
        'wei@contractor namespaces="dbops-request@v1"',
        f'wei@contractor namespaces="dbops-request@v1",valid-before="{day:%Y%m%d}"',
    )
    (root / "trust" / "allowed_signers").write_text(text, "utf-8")
    signer = load_trust_root(root / "trust", UTC).signers[-1]
    (line,) = (line for line in problems(root) if line.startswith("key "))
    assert line.startswith(f"key {signer.key.fingerprint} of wei@contractor ends ")


def test_lint_says_who_else_can_write(root: Path) -> None:
    """A trust root that others can write is no trust root."""
    (root / "trust").chmod(0o777)
    result = trust(root, "lint")
    assert result.exit_code == 4
    assert "who could change" in result.stdout or "other accounts can write" in result.stdout


def test_lint_says_that_there_is_no_policy(root: Path) -> None:
    """Nothing may run without one."""
    path = root / "trust" / "policy.toml"
    path.unlink()
    assert f"there is no policy: {path} does not exist" in set(problems(root))


def test_show_tells_persons_keys_and_rules(root: Path) -> None:
    """Who signs what until when, and whose agreement work needs."""
    add(root, LI)
    shown = trust(root, "show").stdout
    assert "李娜" in shown
    assert "1 of it-department" in shown
    found = json.loads(trust(root, "show", "--json").stdout)
    (li,) = (each for each in found["signers"] if each["person"] == "li-na")
    assert li["roles"] == ["break-glass", "it-department"]
    assert li["key"].startswith("SHA256:")
    assert found["break_glass"]["role"] == "break-glass"


def test_show_without_a_policy(root: Path) -> None:
    """The hint says how to begin."""
    path = root / "trust" / "policy.toml"
    path.unlink()
    result = trust(root, "show")
    assert (result.exit_code, result.stderr) == (
        10,
        f"error: there is no policy: {path} does not exist\n"
        "hint: say who must agree to what: dbops trust init --help\n",
    )
