"""`watch`: many jobs at once."""

from collections.abc import Sequence

import typer

from gradientd.cli.exit_codes import ExitCode, of_job
from gradientd.cli.filters import JobFilter
from gradientd.cli.job_reference import find_job
from gradientd.cli.looks import FittingJobs, NamedJobs, looks
from gradientd.cli.options import (
    DEFAULT_URL,
    ApiKeyOption,
    DatasetOption,
    JobsArgument,
    JsonOption,
    LabelOption,
    StatusOption,
    UrlOption,
    complain,
    console,
)
from gradientd.cli.summaries import JobSummary, SummaryClient
from gradientd.cli.train import read_labels
from gradientd.cli.watch_display import display_for


def watch(
    named: JobsArgument = None,
    *,
    status: StatusOption = None,
    dataset: DatasetOption = None,
    metadata: LabelOption = None,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Watch many jobs at once, in a table that moves; piped elsewhere, a line for each change.

    Jobs that are named are watched until all have ended, and the exit code tells whether one failed or was cancelled.
    Without names: those that wait and run, and those that ended lately, until Ctrl-C. A narrow terminal does without
    some columns: dataset, steps/s, loss, epoch, ETA, accuracy, done, in this order. With --json: the job in brief for
    each change, one a line.
    """
    if named and (status or dataset or metadata):
        raise typer.BadParameter("either jobs by name or those that fit a filter", param_hint="JOB")
    wanted = JobFilter(statuses=tuple(status or ()), labels=read_labels(metadata), dataset=dataset)
    jobs: Sequence[JobSummary] = ()
    with SummaryClient(url, api_key=api_key) as client:
        if named:
            watched = NamedJobs(client, list(dict.fromkeys(find_job(client, name) for name in named)))
        else:
            watched = FittingJobs(client, wanted)
        try:
            with display_for(console(), as_json=as_json) as display:
                for look in looks(watched):
                    jobs = look.jobs
                    display.show(look)
        except KeyboardInterrupt:
            if not all(job.is_final for job in jobs):
                complain("the jobs go on")
            raise typer.Exit(ExitCode.INTERRUPTED) from None
    raise typer.Exit(of_jobs(jobs))


def of_jobs(jobs: Sequence[JobSummary]) -> ExitCode:
    """The code for jobs that have all ended: that of the worst."""
    codes = {ExitCode.FAILED if job.is_deleted else of_job(job.status) for job in jobs}
    worst_first = (ExitCode.FAILED, ExitCode.CANCELLED)
    return next((code for code in worst_first if code in codes), ExitCode.SUCCEEDED)
