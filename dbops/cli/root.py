"""The root command, and the one place where an error becomes text and an exit status.

Commands are loaded when they are called: `dbops --help` and shell completion import click and
nothing that opens a database or a key.
"""

from __future__ import annotations

import importlib
import signal
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import click

from dbops import __version__
from dbops.errors import DbopsError, ExitStatus, Failed, UsageFault


class LazyGroup(click.Group):
    """A group whose commands are `(module, one line of help)` until one of them is needed."""

    def __init__(self, *args: Any, lazy: dict[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in self._lazy:
            return None
        module, _, attribute = self._lazy[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        rows = [(name, text) for name, (_, text) in self._lazy.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


class RootGroup(LazyGroup):
    """The boundary: whatever happens below leaves as an exit status of DESIGN §9."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **extra: Any) -> Any:
        extra["standalone_mode"] = False
        _end_cleanly()
        try:
            outcome = super().main(args, *rest, **extra)
        except Exception as failure:  # noqa: BLE001 - the boundary
            status = _report(failure, args)
            exec("")  # noqa: S102 - an interrupt within exec, as in an import, is forgotten by this
            sys.exit(status)
        sys.exit(outcome if isinstance(outcome, int) else ExitStatus.DONE)


def _end_cleanly() -> None:
    """A stop by systemd and a lost terminal clean up as Ctrl-C does: private copies go."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _interrupt)


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _report(failure: Exception, args: Sequence[str] | None) -> ExitStatus:
    # Rendering needs tabulate; a plain `dbops --help` does not.
    from dbops.cli.render import show_error

    if isinstance(failure, click.exceptions.NoArgsIsHelpError):
        failure.show()
        return ExitStatus.USAGE
    error = _translate(failure)
    as_json = "--json" in (sys.argv[1:] if args is None else args)
    if error is None:
        click.echo(
            "error: interrupted\nhint: run the command again; nothing false was left", err=True
        )
        return ExitStatus.INTERRUPTED
    show_error(error, as_json=as_json)
    return ExitStatus.BUG if error.code == "bug" else error.status


def _translate(failure: Exception) -> DbopsError | None:
    if isinstance(failure, DbopsError):
        return failure
    if isinstance(failure, click.exceptions.Abort):
        return None
    if isinstance(failure, click.UsageError):
        return _usage_fault(failure)
    # A traceback could show row values; the place in the code cannot.
    frame = traceback.extract_tb(failure.__traceback__)[-1]
    place = f"{frame.filename.rpartition('dbops/')[2]}:{frame.lineno}"
    return Failed(
        "bug",
        f"a bug in dbops {__version__}: {type(failure).__name__} at {place}",
        hint="report this line; the command can be run again safely",
    )


def _usage_fault(failure: click.UsageError) -> UsageFault:
    """What click says, as one sentence, with its guess in the hint."""
    path = failure.ctx.command_path if failure.ctx else "dbops"
    near = getattr(failure, "possibilities", None)
    guess = f'did you mean "{near[0]}"? ' if near else ""
    text = (failure.message if near else failure.format_message()).rstrip(".")
    return UsageFault("usage", text[:1].lower() + text[1:], hint=f"{guess}{path} --help")


@click.group(
    cls=RootGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    lazy={
        "init": ("dbops.cli.init:init", "Make a new estate: dbops.toml, keys, a repository."),
        "demo": ("dbops.cli.demo:demo", "Watch fifty databases being backed up and proven."),
        "backup": ("dbops.cli.backup:backup", "Take, list, verify and expire backups."),
        "restore": ("dbops.cli.restore:restore", "Put a backup back."),
        "repair": ("dbops.cli.repair:repair", "Repair wrong rows, reviewed and undoable."),
        "change": ("dbops.cli.change:change", "Change schemas, signed by the IT department."),
        "playbook": ("dbops.cli.playbook:playbook", "Look at ready-made repairs."),
        "repository": ("dbops.cli.repository:repository", "Make a repository."),
        "keys": ("dbops.cli.keys:keys", "Make, list and drill keys."),
        "audit": ("dbops.cli.audit:audit", "Read, verify and anchor the ledger."),
        "review": ("dbops.cli.review:review", "Request, look at and approve work on databases."),
        "trust": ("dbops.cli.trust:trust", "Make, check and show the trust root."),
        "systems": ("dbops.cli.systems:systems", "Show what the estate consists of."),
        "doctor": ("dbops.cli.doctor:doctor", "Check connections, tools, keys and disks."),
    },
)
@click.version_option(__version__, message="dbops %(version)s")
@click.option(
    "--estate",
    "estates",
    multiple=True,
    type=click.Path(),
    metavar="FILE",
    help="The estate file, or its directory; else DBOPS_ESTATE, ./dbops.toml,"
    " /etc/dbops/dbops.toml.",
)
@click.pass_context
def main(context: click.Context, estates: tuple[str, ...]) -> None:
    """Keep a hospital's databases safe: backups that are proven by restoring them.

    \b
    Exit statuses of every command:
      0 done         1 failed        2 usage          3 partly done
      4 a check found something      5 refused        10 not found
      11 locked or unreachable       12 no identity   70 bug   130 interrupted
    """
    if len(estates) > 1:  # a sudo rule names the first; what is typed behind it must not count
        raise UsageFault(
            "estate-twice", "--estate stands there twice", hint="name one: dbops --estate FILE …"
        )
    context.obj = estates[0] if estates else None
