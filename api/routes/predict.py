"""`/v1/jobs/{job_id}/predict`: what a job's model says of new examples."""

import csv
import io
from functools import partial
from typing import Annotated, Any, cast

import numpy as np
from fastapi import APIRouter
from numpy.typing import NDArray
from pydantic_core import to_json
from starlette.responses import Response

from api.http import kinds
from api.http.body import MOST_ON_LOOP_BYTES, parse_object, read_body
from api.http.context import PredictionContextDep, RequestContext
from api.http.negotiation import choose
from api.http.params import Params
from api.http.problems import SCOPE_ONLY_READS, Refused, answer, refused_for, shortened
from api.http.responses import refusals
from api.http.route import DirectRoute
from api.openapi import examples
from api.parameters.models import Prediction
from api.pictures import NotQuick
from api.predict.inputs import (
    MOST_INSTANCES,
    arrays_in,
    encoded_rows,
    images_in,
    picture_in,
    pointed,
    rows_in,
    rows_of_csv,
)
from api.predict.model import Model
from api.schemas import PredictionList
from jobs.escapes import disarmed
from jobs.faults import UnreadableRows
from jobs.model_encoding import ModelEncoding
from jobs.wire import FieldError

MOST_BYTES = 16 << 20
"""Longest body."""
FIELDS = frozenset({"instances", "top"})
PICTURE_TYPES = ("image/png", "image/jpeg", "image/webp", "image/bmp", "image/gif")
TYPES = ("application/json", "text/csv", *PICTURE_TYPES)

router = APIRouter(prefix="/v1/jobs/{job_id}", tags=["predictions"], route_class=DirectRoute)


@router.post(
    "/predict",
    operation_id="predict",
    summary="Predict by a job's model",
    status_code=200,
    response_model=PredictionList,
    openapi_extra={"requestBody": examples.PREDICT_BODY},
    responses={
        200: {
            "description": "A prediction for each instance, in their order. Of a CSV a CSV, unless `Accept` says JSON.",
            "content": {"text/csv": examples.PREDICTED_CSV},
        },
        **refusals(
            kinds.MALFORMED_JSON,
            kinds.BODY_TOO_LARGE,
            kinds.UNSUPPORTED_MEDIA_TYPE,
            kinds.NOT_ACCEPTABLE,
            kinds.INVALID_INPUTS,
            kinds.UNREADABLE_ROWS,
            kinds.JOB_NOT_FOUND,
            kinds.UNREADABLE_RECORD,
            kinds.NOT_EXPORTED,
            kinds.INVALID_PARAMETER,
            kinds.TOO_BUSY,
            kinds.STORAGE_UNAVAILABLE,
            kinds.STORE_UNAVAILABLE,
        ),
    },
)
async def predict(context: PredictionContextDep, params: Annotated[Prediction, Params(Prediction)]) -> Response:
    """Have a succeeded job's model look at new examples, raw as those that it was trained on: rows as objects of
    columns or as lists, or a CSV with a header; images as nested lists of pixels, as `{"b64": "…"}` with a picture's
    file, or one such file as the body; arrays as nested lists of numbers. Missing values are `null`, and
    categories that training did not have are allowed. Several at once cost little more than one; a body has at most
    16 MiB and 100,000 examples.
    """
    context.request.scope[SCOPE_ONLY_READS] = True
    own = context.caller.key.limits.max_body_bytes if context.caller.key else None
    declared = context.request.headers.get("content-length", "")
    with context.services.predictor.turn(is_large=not declared.isdigit() or int(declared) > MOST_ON_LOOP_BYTES):
        return await _predicted(context, params, most_bytes=min(MOST_BYTES, own or MOST_BYTES))


async def _predicted(context: RequestContext, params: Prediction, *, most_bytes: int) -> Response:
    predictor = context.services.predictor
    content, media_type = await read_body(context.request, most_bytes=most_bytes, types=TYPES)
    model = await predictor.model_of(params.job_id, context.caller.visible_owner)
    is_csv = media_type == "text/csv"
    beside = len(content) > MOST_ON_LOOP_BYTES  # of the event loop, which answers others meanwhile
    try:
        read = partial(_READERS[media_type], model, content)
        try:
            inputs, top = await predictor.beside(read) if beside else read(quick=True)
        except NotQuick:
            inputs, top = await predictor.beside(read)
    except UnreadableRows as error:
        errors = [] if is_csv else pointed(error)
        return answer(context.request.scope, kinds.UNREADABLE_ROWS, str(error), errors=errors, faults=error)
    outputs = await predictor.runner.run(model, inputs)
    if not np.isfinite(outputs).all():
        raise Refused(kinds.INVALID_INPUTS, "the model's outputs are not finite for these inputs")
    predictor.instances += len(outputs)
    # Without a preference the answer is of the form of the question.
    accept = ", ".join(context.request.headers.getlist("accept"))
    if (choose(accept, ("text/csv", "application/json")) if is_csv else params.form) == "text/csv":
        write = partial(_as_csv, model.encoding, outputs)
        text = await predictor.beside(write) if beside else write()
        return Response(text, media_type="text/csv; charset=utf-8; header=present")
    write = partial(_as_json, params.job_id, model.encoding, outputs, top=top)
    body = await predictor.beside(write) if beside else write()
    return Response(body, media_type="application/json")


# --- what is asked ----------------------------------------------------------------------------------


def _read_json(model: Model, content: bytes, *, quick: bool = False) -> tuple[NDArray[Any], int | None]:
    """The inputs in a body, and of how many classes the probabilities are wanted. Raises Refused, UnreadableRows."""
    fields = parse_object(content or b"{}", otherwise=kinds.INVALID_INPUTS)
    errors = [
        FieldError(pointer=f"/{shortened(name, 100)}", detail="There is no such field")
        for name in fields.keys() - FIELDS
    ]
    instances, top = fields.get("instances"), fields.get("top")
    if not isinstance(instances, list) or not instances:
        errors.append(FieldError(pointer="/instances", detail="wanted a list of at least one example"))
    elif len(instances) > MOST_INSTANCES:  # pyright: ignore[reportUnknownArgumentType]
        errors.append(FieldError(pointer="/instances", detail=f"at most {MOST_INSTANCES:,} examples at once"))
    if "top" in fields and (not isinstance(top, int) or isinstance(top, bool) or top < 1):
        errors.append(FieldError(pointer="/top", detail="wanted a whole number of 1 or more"))
    if errors:
        raise refused_for(kinds.INVALID_INPUTS, errors)
    examples = cast("list[Any]", instances)
    if model.encoder:
        return encoded_rows(model, rows_in(examples, model.encoder.needed)), top
    if model.encoding.kind == "images":
        return images_in(examples, model.encoding.pictures, quick=quick), top
    return arrays_in(model, examples), top


def _read_csv(model: Model, content: bytes, *, quick: bool = False) -> tuple[NDArray[Any], None]:
    del quick
    if model.encoder is None:
        raise Refused(kinds.INVALID_INPUTS, f"the model takes {model.encoding.kind}, and a CSV has none")
    return encoded_rows(model, rows_of_csv(content, model.encoder)), None


def _read_picture(model: Model, content: bytes, *, quick: bool = False) -> tuple[NDArray[Any], None]:
    if model.encoding.kind != "images":
        what = "rows of a table" if model.encoder else "arrays"
        raise Refused(kinds.INVALID_INPUTS, f"the model takes {what}, and this is a picture")
    return picture_in(content, model.encoding.pictures, quick=quick), None


_READERS = {"application/json": _read_json, "text/csv": _read_csv} | dict.fromkeys(PICTURE_TYPES, _read_picture)


# --- what is answered -------------------------------------------------------------------------------


def _as_json(job_id: str, encoding: ModelEncoding, outputs: NDArray[np.float32], *, top: int | None) -> bytes:
    numbers = encoding.task == "regression"
    predictions = _numbers(encoding, outputs) if numbers else _classes(encoding, outputs, top=top)
    return to_json({"object": "prediction.list", "job_id": job_id, "predictions": predictions})


def _numbers(encoding: ModelEncoding, outputs: NDArray[np.float32]) -> list[dict[str, Any]]:
    rows: list[list[float]] = outputs.tolist()
    if len(encoding.targets) == 1:
        return [{"value": row[0]} for row in rows]
    names = [target.name for target in encoding.targets]
    return [{"values": dict(zip(names, row, strict=True))} for row in rows]


def _classes(encoding: ModelEncoding, outputs: NDArray[np.float32], *, top: int | None) -> list[dict[str, Any]]:
    names = encoding.classes
    best: list[int] = outputs.argmax(axis=1).tolist()
    rows: list[list[float]] = outputs.tolist()
    if top is None:
        shown = [dict(zip(names, row, strict=True)) for row in rows]
    else:
        orders: list[list[int]] = np.argsort(-outputs, axis=1, kind="stable")[:, :top].tolist()
        shown = [{names[at]: row[at] for at in order} for row, order in zip(rows, orders, strict=True)]
    return [
        {"label": names[index], "index": index, "probabilities": probabilities}
        for index, probabilities in zip(best, shown, strict=True)
    ]


def _as_csv(encoding: ModelEncoding, outputs: NDArray[np.float32]) -> str:
    """A line for each row: the class and all probabilities, or the numbers."""
    text = io.StringIO()
    writer = csv.writer(text)
    rows: list[list[float]] = outputs.tolist()
    if encoding.task == "regression":
        writer.writerow([disarmed(target.name) for target in encoding.targets])
        writer.writerows(rows)
        return text.getvalue()
    writer.writerow(["label", *(f"probability {name}" for name in encoding.classes)])
    best: list[int] = outputs.argmax(axis=1).tolist()
    labels = [disarmed(name) for name in encoding.classes]
    writer.writerows([labels[index], *row] for index, row in zip(best, rows, strict=True))
    return text.getvalue()
