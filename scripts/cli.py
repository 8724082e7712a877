"""The command ``slidebridge``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from scripts.commands import (
    backups,
    config,
    convert,
    demo,
    doctor,
    effort,
    hooks,
    new,
    nightly,
    project,
    simulate,
    sync,
    validate,
    watch,
)

app = typer.Typer(
    name="slidebridge",
    no_args_is_help=True,
    add_completion=False,
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
app.command("confirm")(project.confirm)
app.add_typer(backups.app, name="backups")
app.command("convert")(convert.convert)
app.add_typer(config.app, name="config")
app.add_typer(hooks.app, name="hooks")
app.command("doctor")(doctor.doctor)
app.command("demo")(demo.demo)


@app.callback()
def root(
    context: typer.Context,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what happens; a traceback on errors.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Errors only.")] = False,
) -> None:
    """Set up logging, before any command."""
    from scripts.logs import set_up_logging
    from scripts.processes import Launch, refusal

    launch = Launch.read()
    is_first = launch is None or launch.rank == 0
    set_up_logging(is_verbose=verbose, is_quiet=quiet or not is_first)
    refused = refusal(launch, context.invoked_subcommand)
    if refused is not None:
        if is_first:
            typer.echo(f"slidebridge: {refused}", err=True)
        raise typer.Exit(2)


def main() -> None:
    """Run the command line; a ``BridgeError``, or one of the system's, is one line on stderr and exit status 1."""
    from bridge.errors import BridgeError

    try:
        app()
    except BridgeError as error:
        if {"-v", "--verbose"} & set(sys.argv[1:]):
            raise
        sys.stderr.write(f"slidebridge: {error}\n")
        sys.exit(1)
    except OSError as error:  # a name too long for the disk, a share that went away: of a path that nobody looked at
        if {"-v", "--verbose"} & set(sys.argv[1:]) or error.strerror is None:
            raise
        named = "" if error.filename is None else f"{error.filename}: "
        sys.stderr.write(f"slidebridge: {named}{error.strerror}; check the path\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
