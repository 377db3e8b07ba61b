"""`predict` and `download`: what a job's model says, and the model itself."""

import csv
import io
import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from gradientd.cli.display import print_json
from gradientd.cli.job_reference import find_job
from gradientd.cli.options import DEFAULT_URL, ApiKeyOption, JobArgument, JsonOption, UrlOption
from gradientd.client import Client
from gradientd.client.packing import visible_files
from jobs.escapes import disarmed, escaped
from jobs.model_files import ARTIFACT, FILES

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif"})
MAGICS = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM")
"""How those begin, but for WebP."""


class Form(StrEnum):
    """A form of a model."""

    KERAS = "keras"
    ONNX = "onnx"
    TFLITE = "tflite"
    TFLITE_INT8 = "tflite_int8"
    SAVED_MODEL = "saved_model"
    WEIGHTS = "weights"


def predict(
    named: JobArgument,
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="A CSV of rows to tell (- reads standard input), or pictures, or folders of them.",
            show_default=False,
        ),
    ],
    *,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write, and not standard output.")
    ] = None,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have a job's model tell the target of each row of a CSV, or the class of each picture; the answers are a CSV, or
    with --json JSON.

    The columns are those of the training table, in any order; the target's may be there, and is not looked at.
    """
    try:
        pictures = _pictures_in(files)
        content = b"" if pictures else sys.stdin.buffer.read() if str(files[0]) == "-" else files[0].read_bytes()
    except OSError as error:
        detail = f"cannot read {error.filename or files[0]}: {error.strerror or error}"
        raise typer.BadParameter(detail, param_hint="FILE") from error
    with Client(url, api_key=api_key) as client:
        job_id = find_job(client, named)
        if pictures:
            text = _told_of(pictures, client.predict_pictures(job_id, pictures), as_json=as_json)
        else:
            text = _json(client.predict_rows(job_id, content)) if as_json else client.predict_csv(job_id, content)
    if output is None:
        for line in text.splitlines():
            typer.echo(escaped(line))
        return
    try:
        output.write_text(text, "utf-8", newline="")
    except OSError as error:
        raise typer.BadParameter(f"cannot write {output}: {error.strerror or error}", param_hint="--output") from error


def _pictures_in(files: list[Path]) -> list[Path]:
    """The pictures among these files and folders, in their order; none where it is a single table. Raises OSError."""
    if len(files) == 1 and not files[0].is_dir() and files[0].suffix.lower() not in PICTURES:
        return []
    found: list[Path] = []
    for file in files:
        if file.is_dir():
            found += filter(_is_picture, sorted(visible_files(file)))
        else:
            with file.open("rb"):
                found.append(file)
    if not found:
        raise typer.BadParameter(f"no pictures in {files[0]}", param_hint="FILE")
    return found


def _is_picture(path: Path) -> bool:
    """Whether a file begins as the pictures do that an upload takes, whatever its name. Raises OSError."""
    with path.open("rb") as file:
        head = file.read(12)
    return head.startswith(MAGICS) or (head[:4] == b"RIFF" and head[8:] == b"WEBP")


def _told_of(pictures: list[Path], told: list[dict[str, Any]], *, as_json: bool) -> str:
    """What is told of pictures, each beside its name: as JSON, or a CSV of those that have classes or numbers."""
    if as_json:
        return _json([{"file": str(path), **one} for path, one in zip(pictures, told, strict=True)])
    text = io.StringIO()
    writer = csv.writer(text)
    first = told[0]
    if "label" in first:
        names = list(first["probabilities"])
        writer.writerow(["file", "label", *(f"probability {name}" for name in names)])
        rows = ([disarmed(one["label"]), *(one["probabilities"][name] for name in names)] for one in told)
    else:
        numbers = [one.get("values", {"value": one.get("value")}) for one in told]
        writer.writerow(["file", *map(disarmed, numbers[0])])
        rows = (list(each.values()) for each in numbers)
    writer.writerows([disarmed(str(path)), *row] for path, row in zip(pictures, rows, strict=True))
    return text.getvalue()


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False) + "\n"


def download(
    named: JobArgument,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE]...", help="Files that the job has left; by default all.", show_default=False),
    ] = None,
    *,
    forms: Annotated[
        list[Form] | None, typer.Option("--format", help="The model in this format; may be repeated.")
    ] = None,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="Folder to put them into, made where it is missing; or name of a single file."
        ),
    ] = Path(),
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Download a job's model and what belongs to it. Each file is checked against its hash."""
    with Client(url, api_key=api_key) as client:
        job_id = find_job(client, named)
        wanted = [*(names or ()), *(FILES[form.value] for form in forms or ())]
        wanted = wanted or [artifact.name for artifact in client.artifacts(job_id).data]
        if not wanted:
            raise typer.BadParameter(f"{job_id} has left no files: it has not succeeded", param_hint="JOB")
        for name in wanted:
            if not ARTIFACT.fullmatch(name):
                raise typer.BadParameter(f"{job_id} has left no file {escaped(name)!r}", param_hint="FILE")
        try:
            if len(wanted) > 1:
                output.mkdir(parents=True, exist_ok=True)
            paths = [client.download(job_id, name, output) for name in wanted]
        except OSError as error:
            raise typer.BadParameter(
                f"cannot write to {output}: {error.strerror or error}", param_hint="--output"
            ) from error
    if as_json:
        print_json([{"name": path.name, "path": str(path), "size_bytes": path.stat().st_size} for path in paths])
    else:
        for path in paths:
            typer.echo(escaped(f"{path}  {path.stat().st_size:,} bytes"))
