"""`card`: what is to be known of a job's model before it is used."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from gradientd.cli.display import print_json, print_line
from gradientd.cli.job_reference import find_job
from gradientd.cli.layout import Table, print_table
from gradientd.cli.options import DEFAULT_URL, ApiKeyOption, JobArgument, JsonOption, UrlOption, console
from gradientd.cli.tables import counted, report_words
from gradientd.client import Client
from jobs.escapes import escaped
from jobs.evaluation import ClassEvaluation, ModelCard, ShownExample, TargetEvaluation

FEW_CLASSES = 20
FEW = 5
"""Confusions and mistakes that are named."""


def card(
    named: JobArgument,
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="File for the whole card as a page that needs no network; - for standard output.",
        ),
    ] = None,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how far a job's model can be trusted: its scores by class or target, what it confuses, whether its
    probabilities are what they say, and where it is most wrong.
    """
    with Client(url, api_key=api_key) as client:
        job_id = find_job(client, named)
        if output is None:
            found = client.card(job_id)
            print_json(found.model_dump(mode="json", warnings=False)) if as_json else print_card(console(), found)
            return
        page = client.card_page(job_id)
    if str(output) == "-":
        typer.echo(page, nl=False)
        return
    try:
        output.write_bytes(page)
    except OSError as error:
        raise typer.BadParameter(f"cannot write {output}: {error.strerror or error}", param_hint="--output") from error
    if as_json:
        print_json({"path": str(output), "size_bytes": len(page)})
    else:
        typer.echo(escaped(f"{output}  {len(page):,} bytes"))


def print_card(console: Console, card: ModelCard) -> None:
    """The card in short."""
    evaluation = card.evaluation
    dataset = evaluation.dataset
    print_line(console, f"model     {card.spec.model.type} of {dataset.id}, {card.job_id}")
    examples = counted(evaluation.test_examples, "test example")
    if evaluation.classification:
        scores = evaluation.classification
        low, high = (f"{100 * share:.1f}" for share in (scores.accuracy_interval.low, scores.accuracy_interval.high))
        print_line(console, f"accuracy  {scores.accuracy:.4f} on {examples}; {low} to {high} % with 95 % confidence")
        error = 100 * scores.calibration.expected_error
        print_line(console, f"ECE       {error:.1f} %: so much are its probabilities off, on average")
        lines = _of_classes(console, scores)
    else:
        assert evaluation.regression
        print_line(console, f"R²        {card.metrics.test_r2:.4f} on {examples}")
        lines = _of_targets(console, evaluation.regression)
    for line in (*lines, *(f"note      {words}" for words in report_words(dataset.report, "example"))):
        print_line(console, line)


def _of_classes(console: Console, scores: ClassEvaluation) -> Iterator[str]:
    table = Table("class", "examples", "precision", "recall", "F1")
    worst_first = sorted(scores.classes, key=lambda of: of.f1)
    for of in worst_first[:FEW_CLASSES]:
        table.add_row(of.name, f"{of.examples:,}", *(f"{share:.3f}" for share in (of.precision, of.recall, of.f1)))
    print_table(console, table)
    if len(worst_first) > FEW_CLASSES:
        yield f"… and {len(worst_first) - FEW_CLASSES:,} more, which are told better"
    for pair in scores.confusions[:FEW]:
        yield f"confused  {pair.actual} with {pair.predicted}, {counted(pair.count, 'time')}"
    for it in scores.worst[:FEW]:
        where = _place(it.index, it.example)
        yield f"mistake   {where}: {it.predicted} ({100 * it.probability:.0f} %), and is {it.actual}"


def _of_targets(console: Console, scores: TargetEvaluation) -> Iterator[str]:
    table = Table("target", "MAE", "RMSE", "R²", "mean error", "error, 5 %", "95 %")
    for of in scores.targets:
        ends = (of.quantiles.get(share, float("nan")) for share in ("0.05", "0.95"))
        numbers = (of.mae, of.rmse, of.r2, of.mean_error, *ends)
        table.add_row(of.name, *(f"{number:.5g}" for number in numbers))
    print_table(console, table)
    for it in scores.worst[:FEW]:
        yield f"mistake   {_place(it.index, it.example)}: {it.target} {it.predicted:.6g}, and is {it.actual:.6g}"


def _place(index: int, example: ShownExample) -> str:
    return example.source or f"test example {index}"
