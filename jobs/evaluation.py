"""What a trained model told of its test examples: the file `evaluation.json`, and the model card that is made of it."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from jobs.automatic import Choice
from jobs.record import Metrics, Runtime, Value
from jobs.spec import Spec
from jobs.wire import Dataset, Series

Share = Annotated[float, Field(ge=0, le=1, examples=[0.98])]
Index = Annotated[int, Field(ge=0, description="Place in the test part, from 0.", examples=[247])]
Actual = Annotated[str, Field(description="What it is.", examples=["4"])]
Predicted = Annotated[str, Field(description="What it is told as.", examples=["9"])]


class Interval(Value):
    """What a share may be of all such examples, by those that were tested: 95 % (Wilson 1927)."""

    low: Annotated[Share, Field(description="No less than this.", examples=[0.971])]
    high: Annotated[Share, Field(description="No more than this.", examples=[0.987])]


class ClassScores(Value):
    """How well one class is told."""

    name: Annotated[str, Field(description="The class.", examples=["7"])]
    examples: Annotated[int, Field(ge=0, description="Test examples of it.", examples=[1028])]
    predicted: Annotated[int, Field(ge=0, description="Test examples that are told as it.", examples=[1031])]
    right: Annotated[int, Field(ge=0, description="Those that are both.", examples=[1009])]
    precision: Annotated[Share, Field(description="`right` / `predicted`; 0 where none is told as it.")]
    recall: Annotated[Share, Field(description="`right` / `examples`; 0 where there are none.")]
    f1: Annotated[Share, Field(description="Harmonic mean of both.")]


class Confusion(Value):
    """Examples of one class that are told as another."""

    actual: Actual
    predicted: Predicted
    count: Annotated[int, Field(ge=1, description="How many.", examples=[12])]


class CalibrationBin(Value):
    """Examples whose predicted class was given a probability in a range: above `low`, at most `high`."""

    low: Annotated[Share, Field(description="Lower end of the range.", examples=[0.6])]
    high: Annotated[Share, Field(description="Upper end of the range.", examples=[0.667])]
    examples: Annotated[int, Field(ge=0, description="How many.", examples=[61])]
    probability: Annotated[
        float | None, Field(description="Mean of those probabilities; `null` without examples.", examples=[0.634])
    ]
    accuracy: Annotated[
        float | None, Field(description="Share that is right; `null` without examples.", examples=[0.607])
    ]


class Calibration(Value):
    """Whether probabilities are what they say: of what is told with 0.8, 80 % should be right."""

    bins: Annotated[tuple[CalibrationBin, ...], Field(description="Examples by their probability, the lowest first.")]
    expected_error: Annotated[
        Share,
        Field(
            description="Mean distance of probability and accuracy over the examples (ECE, Guo et al. 2017).",
            examples=[0.013],
        ),
    ]


class ShownExample(Value):
    """An example as a person can look at it. What does not apply is `null`."""

    source: Annotated[
        str | None,
        Field(
            description="Where it is in the upload: a picture's file, a table's `row 17`; `null` where not known.",
            examples=["cats/0017.jpg"],
        ),
    ] = None
    picture: Annotated[
        str | None,
        Field(description="A picture as a PNG in base64, 96 pixels a side at most.", examples=["iVBORw0KGgo…"]),
    ] = None
    row: Annotated[
        dict[str, str | int | float | bool | None] | None,
        Field(
            description="A table's row as the model was fed it, the first 50 columns; numbers are rounded.",
            examples=[{"age": 31, "city": "Bern"}],
        ),
    ] = None
    values: Annotated[
        tuple[float, ...] | None,
        Field(description="An array's values in C order, the first 64; rounded.", examples=[[0.5, -1.25]]),
    ] = None


class WrongClass(Value):
    """An example that is told as another class than its own."""

    index: Index
    actual: Actual
    predicted: Predicted
    probability: Annotated[Share, Field(description="Probability of what it is told as.", examples=[0.93])]
    actual_probability: Annotated[Share, Field(description="Probability of what it is.", examples=[0.04])]
    example: Annotated[ShownExample, Field(description="The example itself.")]


class ClassEvaluation(Value):
    """How well classes are told."""

    accuracy: Annotated[Share, Field(description="Share that is told right.")]
    accuracy_interval: Annotated[Interval, Field(description="Where that may lie for other examples of the kind.")]
    classes: Annotated[tuple[ClassScores, ...], Field(description="Each class, in their order.")]
    confusion_matrix: Annotated[
        tuple[tuple[int, ...], ...] | None,
        Field(
            description="Examples by class (row) and predicted class (column); `null` above 100 classes.",
            examples=[[[31, 2], [0, 27]]],
        ),
    ]
    confusions: Annotated[tuple[Confusion, ...], Field(description="What is confused most often, 50 pairs at most.")]
    calibration: Annotated[Calibration, Field(description="Whether probabilities are what they say.")]
    worst: Annotated[
        tuple[WrongClass, ...],
        Field(description="Up to 24 wrong ones, those first whose own class was given the least probability."),
    ]


class Histogram(Value):
    """How often errors are in which range."""

    edges: Annotated[
        tuple[float, ...],
        Field(description="Ends of the ranges: one more than there are counts.", examples=[[-1.0, 0.0, 1.0]]),
    ]
    counts: Annotated[tuple[int, ...], Field(description="Examples in each range.", examples=[[17, 19]])]


class Points(Value):
    """Some test examples, evenly spaced."""

    actual: Annotated[tuple[float, ...], Field(description="What each is.", examples=[[12.5, 9.1]])]
    predicted: Annotated[tuple[float, ...], Field(description="What each is told as.", examples=[[12.1, 9.6]])]


class TargetErrors(Value):
    """How well one target is told, in its own unit. An error, or residual, is predicted minus actual."""

    name: Annotated[str, Field(description="The target.", examples=["price"])]
    mae: Annotated[float, Field(ge=0, description="Mean absolute error.", examples=[1.2])]
    rmse: Annotated[float, Field(ge=0, description="Root of the mean squared error.", examples=[1.7])]
    r2: Annotated[float, Field(description="Share of the variance that is explained.", examples=[0.91])]
    mean_error: Annotated[float, Field(description="Mean error: above 0 where too much is told.", examples=[0.1])]
    quantiles: Annotated[
        dict[str, float], Field(description="Quantiles of the error.", examples=[{"0.05": -3.1, "0.5": 0.2}])
    ]
    histogram: Annotated[Histogram, Field(description="How the errors are spread.")]
    points: Annotated[Points, Field(description="What some examples are, and what they are told as.")]


class WrongNumber(Value):
    """An example with a large error."""

    index: Index
    target: Annotated[str, Field(description="The target that it is about.", examples=["price"])]
    actual: Annotated[float, Field(description="What it is.", examples=[12.5])]
    predicted: Annotated[float, Field(description="What it is told as.", examples=[18.0])]
    example: Annotated[ShownExample, Field(description="The example itself.")]


class TargetEvaluation(Value):
    """How well numbers are told."""

    targets: Annotated[tuple[TargetErrors, ...], Field(description="Each target, in their order.")]
    worst: Annotated[
        tuple[WrongNumber, ...],
        Field(description="Up to 24 examples with the largest errors, in deviations of their targets."),
    ]


class Evaluation(Value):
    """What was trained on, with what, and what the model told of the test examples."""

    format: Annotated[Literal[1], Field(description="Of the file.")] = 1
    dataset: Annotated[Dataset, Field(description="What it was trained on, as it was then, with its check's report.")]
    software: Annotated[
        dict[str, str], Field(description="What trained it, by version.", examples=[{"tensorflow": "2.21.0"}])
    ]
    test_examples: Annotated[int, Field(ge=1, description="Examples that were tested.", examples=[1000])]
    classification: Annotated[ClassEvaluation | None, Field(description="`null` for regression.")] = None
    regression: Annotated[TargetEvaluation | None, Field(description="`null` for classification.")] = None


class ModelCard(Value):
    """What is to be known of a trained model before it is used (Mitchell et al. 2019)."""

    object: Annotated[Literal["model.card"], Field(description="Always `model.card`.")] = "model.card"
    job_id: Annotated[str, Field(description="The job that trained it.", examples=["job_01KAV9M3S1Q4T8Z6X2Y7W5R0NC"])]
    spec: Annotated[Spec, Field(description="What was asked for, with every default filled in.")]
    choices: Annotated[
        tuple[Choice, ...], Field(description="What the spec left open and the preset `auto` or `table` decided.")
    ] = ()
    run: Annotated[Runtime | None, Field(description="How and on what it was trained.")]
    attempt: Annotated[int, Field(ge=0, description="Times a worker claimed the job.", examples=[1])]
    metrics: Annotated[Metrics, Field(description="Its measurements in brief.")]
    curve: Annotated[Series, Field(description="What its epochs measured, thinned out to 500 at most.")]
    evaluation: Annotated[Evaluation, Field(description="Its data, and what it told of the test examples.")]
    created_at: Annotated[datetime, Field(description="When the job was accepted.")]
    started_at: Annotated[datetime | None, Field(description="When it was first claimed.")]
    finished_at: Annotated[datetime | None, Field(description="When it succeeded.")]
