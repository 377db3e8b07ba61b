"""The command `gradientd`: puts the commands together and turns errors into a line and an exit code."""

from typing import Any

import typer
from typer.core import TyperGroup

from gradientd.cli import jobs, keys, local, server
from gradientd.cli.exit_codes import EXIT_CODES_HELP, explain, of_error
from gradientd.cli.options import complain
from gradientd.cli.streams import written_output
from jobs.errors import GradientdError


class Group(TyperGroup):
    """Commands whose errors end in one clear line and the exit code that belongs to them."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Run the command line as a program."""
        with written_output():
            return super().__call__(*args, **options)

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except GradientdError as error:
            for line in explain(error):
                complain(line)
            raise typer.Exit(of_error(error)) from error


app = typer.Typer(
    name="gradientd",
    cls=Group,
    help="Training as a service: submit a neural network, have it trained, watch it learn.",
    epilog=EXIT_CODES_HELP,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(jobs.train)
app.command("jobs")(jobs.list_jobs)
app.command()(jobs.show)
app.command()(jobs.cancel)
app.command()(jobs.pause)
app.command()(jobs.resume)
app.command()(server.workers)
app.command()(server.presets)
app.command()(local.up)
app.command()(local.demo)
app.add_typer(keys.app, name="keys")
app.command()(server.version)
