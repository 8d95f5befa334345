"""What a command records is signed once, at its end, and never at the price of its work."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from dbops.audit.entry import Draft, Event, Phase
from dbops.audit.recording import Unwritable
from dbops.cli.ledger import checkpoint_quietly, recording
from dbops.errors import Failed, Unreachable
from tests.support.estate import BuiltEstate, found_test_estate, open_test_estate
from tests.support.ledger import entries_of

INTENT = Draft(event=Event.BACKUP_RUN, phase=Phase.INTENT, target="lab")


@pytest.fixture
def estate(tmp_path: Path) -> BuiltEstate:
    return found_test_estate(tmp_path / "estate")


def _notes(estate: BuiltEstate) -> list[str]:
    return sorted(path.name for path in (estate.root / "audit" / "checkpoints").iterdir())


def _command(estate: BuiltEstate, *, failing: bool = False) -> Result:
    """A command that records two works."""

    @click.group()
    def group() -> None:
        pass

    @group.command()
    def work() -> None:
        with recording(estate.wiring, INTENT):
            pass
        with recording(estate.wiring, INTENT):
            if failing:
                raise Failed("no-luck", "it did not work", hint="try again")
        click.echo("done")

    return CliRunner().invoke(group, ["work"])


def test_a_command_signs_once(estate: BuiltEstate) -> None:
    """However many works it records, one checkpoint covers all of them."""
    result = _command(estate)
    assert (result.exit_code, result.output) == (0, "done\n")
    assert _notes(estate) == ["000000000005.note"]


def test_a_command_that_fails_signs_as_well(estate: BuiltEstate) -> None:
    """The outcome that tells of the failure is under the checkpoint."""
    assert isinstance(_command(estate, failing=True).exception, Failed)
    assert entries_of(estate.root)[-1].draft.code == "no-luck"
    assert _notes(estate) == ["000000000005.note"]


def test_outside_a_command_each_work_is_signed(estate: BuiltEstate) -> None:
    """There is no end to wait for."""
    for _ in range(2):
        with recording(estate.wiring, INTENT):
            pass
    assert _notes(estate) == ["000000000003.note", "000000000005.note"]


def test_a_key_that_is_gone_does_not_undo_the_work(estate: BuiltEstate) -> None:
    """The command has done what it was to do; one line says what is missing."""
    (estate.root / "keys" / "ledger").unlink()
    result = _command(estate)
    assert (result.exit_code, result.stdout) == (0, "done\n")
    assert result.stderr == (
        "remark: the ledger has no new checkpoint: there is no signing key ledger\n"
    )
    assert len(entries_of(estate.root)) == 5


def test_a_host_without_a_key_says_nothing(estate: BuiltEstate) -> None:
    """Signing no checkpoints is a choice of dbops.toml."""
    config = estate.root / "dbops.toml"
    config.write_text(config.read_text("utf-8").replace('signing_key = "keys/ledger"', "#"))
    result = _command(open_test_estate(estate.root))
    assert (result.exit_code, result.output) == (0, "done\n")
    assert not (estate.root / "audit" / "checkpoints").exists()


def test_no_ledger_is_begun_to_sign_it(estate: BuiltEstate) -> None:
    """Where nothing was recorded there is nothing to sign."""
    checkpoint_quietly(estate.wiring)
    assert not (estate.root / "audit").exists()


def test_what_cannot_be_announced_is_not_done(estate: BuiltEstate) -> None:
    """The block does not run where a file stands in the place of the ledger."""
    (estate.root / "audit").write_text("")
    with (
        pytest.raises(Unreachable, match="the ledger cannot be written"),
        recording(estate.wiring, INTENT),
    ):
        pytest.fail("the work was begun")


def test_a_backup_goes_on_without_a_ledger(estate: BuiltEstate) -> None:
    """The block runs, and the account says why nothing was recorded."""
    (estate.root / "audit").write_text("")
    with recording(estate.wiring, INTENT, unwritable=Unwritable.GO_ON) as account:
        pass
    assert account.fault is not None
    assert account.fault.code == "ledger-unwritable"
