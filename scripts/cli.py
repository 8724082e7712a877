"""The command ``slidebridge``."""

from __future__ import annotations

import gc
import sys
import traceback
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from scripts.commands import (
    backups,
    config,
    convert,
    dashboard,
    demo,
    doctor,
    effort,
    export,
    hooks,
    new,
    nightly,
    project,
    report,
    simulate,
    sync,
    validate,
    watch,
)

if TYPE_CHECKING:
    from scripts.naming.hidden import HiddenNames

_GARBAGE = (50_000, 20, 20)
"""How seldom Python looks for cycles. A slide's ten thousand annotations are many small objects that stay: by default
a third of the time that reading them takes goes into looking through all that lives."""

app = typer.Typer(
    name="slidebridge",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Learn from annotations drawn in QuPath or ImageScope, and write predictions and proposals back beside them.",
)
app.command("new")(new.new)
app.add_typer(sync.app, name="sync")
app.command("train")(project.train)
app.command("predict")(project.predict)
app.command("propose")(project.propose)
app.command("validate")(validate.validate)
app.command("simulate")(simulate.simulate)
app.command("effort")(effort.effort)
app.command("watch")(watch.watch)
app.command("nightly")(nightly.nightly)
app.command("status")(project.status)
app.command("report")(report.report)
app.command("dashboard")(dashboard.dashboard)
app.command("confirm")(project.confirm)
app.add_typer(backups.app, name="backups")
app.command("convert")(convert.convert)
app.add_typer(export.app, name="export")
app.add_typer(config.app, name="config")
app.add_typer(hooks.app, name="hooks")
app.command("doctor")(doctor.doctor)
app.command("demo")(demo.demo)


def _tell_version(is_asked: bool) -> None:
    if is_asked:
        from scripts.version import PACKAGE, program_version

        typer.echo(f"{PACKAGE} {program_version() or '(from its sources, not installed)'}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what happens; a traceback on errors.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Errors only.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Say which version this is.", is_eager=True, callback=_tell_version)
    ] = False,
) -> None:
    """Set up logging, before any command."""
    from scripts.logs import set_up_logging
    from scripts.naming.hidden import hidden_names
    from scripts.processes import Launch, refusal

    launch = Launch.read()
    is_first = launch is None or launch.rank == 0
    set_up_logging(is_verbose=verbose, is_quiet=quiet or not is_first, hide=hidden_names().hide)
    refused = refusal(launch, context.invoked_subcommand)
    if refused is not None:
        if is_first:
            typer.echo(f"slidebridge: {refused}", err=True)
        raise typer.Exit(2)


def main() -> None:
    """Run the command line; a ``BridgeError``, or one of the system's, is one line on stderr and exit status 1."""
    from scripts.rooms import stranger

    found = stranger()
    if found is not None:
        sys.exit(f"slidebridge: {found}")
    from scripts.naming.hidden import hiding

    gc.set_threshold(*_GARBAGE)
    with hiding() as hidden:
        _run(hidden)


def _run(hidden: HiddenNames) -> None:
    from bridge.errors import BridgeError
    from scripts.telling import complain, system_said

    is_verbose = bool({"-v", "--verbose"} & set(sys.argv[1:]))
    try:
        app()
    except BridgeError as error:
        if is_verbose:
            _show(error, hidden)
        complain(str(error))
        sys.exit(1)
    except OSError as error:  # a name too long for the disk, a share that went away: of a path that nobody looked at
        if is_verbose or error.strerror is None:
            _show(error, hidden)
        complain(system_said(error))
        sys.exit(1)
    except Exception as error:
        _show(error, hidden)


def _show(error: Exception, hidden: HiddenNames) -> NoReturn:
    """End with a traceback: Python's own, or one without the slides' names where they are hidden."""
    if not hidden.is_any:
        raise error
    sys.stderr.write(hidden.hide("".join(traceback.format_exception(error))))
    sys.exit(1)


if __name__ == "__main__":
    main()
