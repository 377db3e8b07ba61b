"""`cancel`, `pause`, `resume` and `delete`: of jobs that are named, or of all that fit a filter."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.console import Console

from gradientd.cli.actions import CANCEL, DELETE, PAUSE, RESUME, Action, Outcome, Round
from gradientd.cli.display import print_json
from gradientd.cli.exit_codes import ExitCode
from gradientd.cli.filters import JobFilter, fitting_jobs
from gradientd.cli.job_reference import find_job
from gradientd.cli.options import (
    DEFAULT_URL,
    ActiveJobsArgument,
    ApiKeyOption,
    DatasetOption,
    EndedJobsArgument,
    JsonOption,
    LabelOption,
    PausedJobsArgument,
    StatusOption,
    UrlOption,
    complain,
)
from gradientd.cli.tables import counted, print_jobs
from gradientd.cli.train import read_labels
from gradientd.client import Client
from jobs.errors import GradientdError
from jobs.escapes import escaped
from jobs.record import Job
from jobs.states import Status

MOST_LISTED = 20
"""Jobs that a question names; of the others it tells how many there are."""
AllOption = Annotated[bool, typer.Option("--all", help="All jobs that it can be done to, or all that fit.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before jobs that fit are changed.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only list the jobs.")]


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What the command line says of the jobs to change: their names, or a filter."""

    named: Sequence[str] = ()
    status: Sequence[Status] = ()
    dataset: str | None = None
    metadata: list[str] | None = None
    every: bool = False
    yes: bool = False
    dry_run: bool = False

    def filter(self, action: Action) -> JobFilter | None:
        """Which jobs may fit; None where they are named. Raises typer.BadParameter."""
        is_filtered = bool(self.status or self.dataset or self.metadata or self.every)
        if self.named and is_filtered:
            raise typer.BadParameter("either jobs by name or those that fit a filter", param_hint="JOB")
        if not self.named and not is_filtered:
            raise typer.BadParameter(
                "name a job, or say which by --status, --dataset, --metadata or --all", param_hint="JOB"
            )
        for status in self.status:
            if status not in action.statuses:
                raise typer.BadParameter(f"a job that is {status} {action.instead}", param_hint="--status")
        if self.named:
            return None
        statuses = tuple(status for status in Status if status in (self.status or action.statuses))
        return JobFilter(statuses=statuses, labels=read_labels(self.metadata), dataset=self.dataset)


def cancel(
    named: ActiveJobsArgument = None,
    *,
    status: StatusOption = None,
    dataset: DatasetOption = None,
    metadata: LabelOption = None,
    every: AllOption = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    wait: Annotated[bool, typer.Option("--wait", help="Return once the jobs have stopped.")] = False,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask jobs to stop: those named, or after a question all that fit. Does nothing to one that has ended."""
    selection = Selection(
        named=named or (),
        status=status or (),
        dataset=dataset,
        metadata=metadata,
        every=every,
        yes=yes,
        dry_run=dry_run,
    )
    change(CANCEL, selection, url=url, api_key=api_key, as_json=as_json, wait=wait)


def pause(
    named: ActiveJobsArgument = None,
    *,
    status: StatusOption = None,
    dataset: DatasetOption = None,
    metadata: LabelOption = None,
    every: AllOption = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask jobs to stop for the time being: those named, or after a question all that fit. Resumed, a job goes on from
    its step, to the same bits.
    """
    selection = Selection(
        named=named or (),
        status=status or (),
        dataset=dataset,
        metadata=metadata,
        every=every,
        yes=yes,
        dry_run=dry_run,
    )
    change(PAUSE, selection, url=url, api_key=api_key, as_json=as_json)


def resume(
    named: PausedJobsArgument = None,
    *,
    dataset: DatasetOption = None,
    metadata: LabelOption = None,
    every: AllOption = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Queue paused jobs again: those named, or after a question all that fit."""
    selection = Selection(named=named or (), dataset=dataset, metadata=metadata, every=every, yes=yes, dry_run=dry_run)
    change(RESUME, selection, url=url, api_key=api_key, as_json=as_json)


def delete(
    named: EndedJobsArgument = None,
    *,
    status: StatusOption = None,
    dataset: DatasetOption = None,
    metadata: LabelOption = None,
    every: AllOption = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete jobs that have ended, with their histories and files, for good: those named, or after a question all that
    fit. Any other has to be cancelled first.
    """
    selection = Selection(
        named=named or (),
        status=status or (),
        dataset=dataset,
        metadata=metadata,
        every=every,
        yes=yes,
        dry_run=dry_run,
    )
    change(DELETE, selection, url=url, api_key=api_key, as_json=as_json)


# --- what they have in common ---------------------------------------------------------------------------


def change(
    action: Action, selection: Selection, *, url: str, api_key: str | None, as_json: bool, wait: bool = False
) -> None:
    """Do it to the jobs that are selected.

    Raises:
        Refused: the only job that is named is refused. Of several each refusal is told, and the exit code has it.
    """
    wanted = selection.filter(action)
    with Client(url, api_key=api_key) as client:
        if wanted is None:
            ids = list(dict.fromkeys(find_job(client, name) for name in selection.named))
            listed = [client.get(job_id) for job_id in ids] if selection.dry_run else []
        else:
            listed = list(fitting_jobs(client, wanted))
            ids = [job.id for job in listed]
        if selection.dry_run:
            print_json([{"id": job.id, "status": job.status} for job in listed]) if as_json else show(listed)
            return
        if wanted is None and len(ids) == 1:
            change_one(client, action, ids[0], as_json=as_json, wait=wait)
            return
        if wanted is not None and ids and not selection.yes:
            confirm(action, listed)
        carry_out(Round(client, action, ids), as_json=as_json, wait=wait)


def change_one(client: Client, action: Action, job_id: str, *, as_json: bool, wait: bool) -> None:
    """Do it to the only job that is named. Raises Refused."""
    job = action.run(client, job_id)
    if job is not None and wait:
        job = client.wait(job_id)
    if as_json:
        print_json(job.model_dump(mode="json", warnings=False) if job else Outcome(job_id).document)
    else:
        tell(Outcome(job_id, job))


def carry_out(round_: Round, *, as_json: bool, wait: bool) -> None:
    """Do it to all, telling of each and at the end of all; also where it ends early. Raises typer.Exit."""
    is_said = not as_json and not wait
    try:
        for outcome in round_.run():
            if is_said or (outcome.error is not None and not as_json):
                tell(outcome)
        for at, outcome in enumerate(round_.outcomes if wait else ()):
            if outcome.job is not None:
                round_.outcomes[at] = ended = Outcome(outcome.job_id, round_.client.wait(outcome.job_id))
                if not as_json:
                    tell(ended)
    except KeyboardInterrupt:
        complain("", f"interrupted: {round_.summary()}")
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    except GradientdError:
        complain(round_.summary())
        raise
    else:
        if not as_json:
            complain(round_.summary() if round_.ids else "no job fits")
    finally:
        if as_json:
            documents = [outcome.document for outcome in round_.outcomes]
            failed = sum("error" in document for document in documents)
            print_json({"object": "list", "data": documents, "done": len(documents) - failed, "failed": failed})
    if any(outcome.error is not None for outcome in round_.outcomes):
        raise typer.Exit(ExitCode.REFUSED)


def confirm(action: Action, jobs: Sequence[Job]) -> None:
    """Show the jobs and ask, both on standard error. Raises typer.Abort where the answer is not yes, and
    typer.BadParameter where there is nobody to ask."""
    many = counted(len(jobs), "job")
    if not sys.stdin.isatty():
        detail = f"there is no terminal to ask at whether to {action.verb} {many}; --dry-run lists them"
        raise typer.BadParameter(f"is needed: {detail}", param_hint="--yes")
    where = Console(stderr=True, highlight=False)
    print_jobs(where, jobs[:MOST_LISTED])
    if len(jobs) > MOST_LISTED:
        complain(f"and {len(jobs) - MOST_LISTED:,} more")
    typer.confirm(f"{action.verb} {many}?", abort=True, err=True)


def show(jobs: Sequence[Job]) -> None:
    """The jobs that something would be done to."""
    if jobs:
        print_jobs(Console(highlight=False), jobs)
    else:
        complain("no job fits")


def tell(outcome: Outcome) -> None:
    """Say what became of a job."""
    if outcome.error is not None:
        complain(f"{outcome.job_id}: {outcome.error}")
    else:
        typer.echo(escaped(f"{outcome.job_id} {outcome.job.status if outcome.job else 'is deleted'}"))
