"""The command `gradientd`: puts the commands together and turns errors into a line and an exit code."""

import sys
from typing import Annotated, Any

from gradientd.cli.interrupts import silent_interrupts

with silent_interrupts():
    import typer
    from typer.core import TyperGroup

    from gradientd.cli import (
        card,
        changes,
        datasets,
        history,
        jobs,
        keys,
        local,
        logs,
        models,
        network,
        server,
        weights,
    )
    from gradientd.cli.bash_words import whole_words
    from gradientd.cli.compare import compare
    from gradientd.cli.completion import unbroken_descriptions
    from gradientd.cli.exit_codes import EXIT_CODES_HELP, ExitCode, explain, of_error
    from gradientd.cli.options import complain
    from gradientd.cli.plot import plot
    from gradientd.cli.program import check_completion
    from gradientd.cli.streams import written_output
    from gradientd.cli.train import train
    from gradientd.cli.usage import is_help, usage_lines
    from gradientd.cli.watch import watch
    from gradientd.cli.webhooks import webhooks
    from jobs.errors import GradientdError


class Group(TyperGroup):
    """Commands whose errors end in clear lines and the exit code that belongs to them."""

    def main(self, *args: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        """Run the command line and end the process; without `standalone_mode`, return the exit code or raise."""
        if not standalone_mode:
            return super().main(*args, standalone_mode=False, **extra)
        try:
            check_completion(sys.argv[1:])
            with whole_words(), unbroken_descriptions():
                code = super().main(*args, standalone_mode=False, **extra)
        except typer.TyperException as error:
            for line in () if is_help(error) else usage_lines(error):
                complain(line)
            sys.exit(error.exit_code)
        except typer.Abort as error:
            if isinstance(error.__context__, KeyboardInterrupt):  # at a question
                sys.exit(ExitCode.INTERRUPTED)
            complain("nothing was done")
            sys.exit(ExitCode.CANCELLED)
        sys.exit(code or 0)

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Run the command line as a program."""
        with written_output():
            return super().__call__(*args, **options)

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except UnicodeEncodeError as error:  # of bytes among the arguments that are no UTF-8, on their way to a server
            if not any("\udc80" <= letter <= "\udcff" for letter in str(error.object)):
                raise
            raise typer.BadParameter(f"not text in UTF-8: {error.object!r}") from error
        except GradientdError as error:
            for line in explain(error):
                complain(line)
            raise typer.Exit(of_error(error)) from error


app = typer.Typer(
    name="gradientd",
    cls=Group,
    epilog=EXIT_CODES_HELP,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def gradientd(
    *,
    _version: Annotated[
        bool,
        typer.Option("--version", help="Print this program's version.", callback=server.tell_version, is_eager=True),
    ] = False,
) -> None:
    """Training as a service: submit a neural network, have it trained, watch it learn."""


app.command()(train)
app.command("jobs")(jobs.list_jobs)
app.command()(jobs.show)
app.command()(watch)
app.command()(history.metrics)
app.command()(plot)
app.command()(compare)
app.command()(history.events)
app.command()(logs.logs)
app.command()(history.checkpoints)
app.command()(webhooks)
app.command()(models.predict)
app.command()(models.download)
app.command()(card.card)
app.command()(changes.cancel)
app.command()(changes.pause)
app.command()(changes.resume)
app.command()(changes.delete)
app.command()(server.workers)
app.command()(server.presets)
app.add_typer(datasets.app, name="datasets")
app.add_typer(weights.app, name="weights")
app.command()(local.up)
app.command()(local.demo)
app.add_typer(network.app, name="model")
app.add_typer(keys.app, name="keys")
app.command()(server.version)
