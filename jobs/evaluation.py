"""What a trained model told of its test examples: the file `evaluation.json`, from which model cards are made."""

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from jobs.record import Value
from jobs.wire import Dataset

Share = Annotated[float, Field(ge=0, le=1, examples=[0.98])]
Index = Annotated[int, Field(ge=0, description="Place in the test part, from 0.", examples=[247])]


class Interval(Value):
    """What a share may be of all such examples, by those that were tested: 95 % (Wilson 1927)."""

    low: Share
    high: Share


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

    actual: Annotated[str, Field(description="What they are.", examples=["4"])]
    predicted: Annotated[str, Field(description="What they are told as.", examples=["9"])]
    count: Annotated[int, Field(ge=1, description="How many.", examples=[12])]


class CalibrationBin(Value):
    """Examples whose predicted class was given a probability in a range: above `low`, at most `high`."""

    low: Share
    high: Share
    examples: Annotated[int, Field(ge=0, description="How many.", examples=[61])]
    probability: Annotated[float | None, Field(description="Mean of those probabilities; `null` without examples.")]
    accuracy: Annotated[float | None, Field(description="Share that is right; `null` without examples.")]


class Calibration(Value):
    """Whether probabilities are what they say: of what is told with 0.8, 80 % should be right."""

    bins: tuple[CalibrationBin, ...]
    expected_error: Annotated[
        Share,
        Field(description="Mean distance of probability and accuracy over the examples (ECE, Guo et al. 2017)."),
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
    picture: Annotated[str | None, Field(description="A picture as a PNG in base64, 96 pixels a side at most.")] = None
    row: Annotated[
        dict[str, JsonValue] | None,
        Field(description="A table's row as the model was fed it, the first 50 columns; numbers are rounded."),
    ] = None
    values: Annotated[
        tuple[float, ...] | None, Field(description="An array's values in C order, the first 64; rounded.")
    ] = None


class WrongClass(Value):
    """An example that is told as another class than its own."""

    index: Index
    actual: Annotated[str, Field(description="What it is.", examples=["4"])]
    predicted: Annotated[str, Field(description="What it is told as.", examples=["9"])]
    probability: Annotated[Share, Field(description="Probability of what it is told as.")]
    actual_probability: Annotated[Share, Field(description="Probability of what it is.")]
    example: ShownExample = ShownExample()


class ClassEvaluation(Value):
    """How well classes are told."""

    accuracy: Annotated[Share, Field(description="Share that is told right.")]
    accuracy_interval: Interval
    classes: Annotated[tuple[ClassScores, ...], Field(description="Each class, in their order.")]
    confusion_matrix: Annotated[
        tuple[tuple[int, ...], ...] | None,
        Field(
            description="Examples by class (row) and predicted class (column); `null` above 100 classes.",
            examples=[[[31, 2], [0, 27]]],
        ),
    ]
    confusions: Annotated[tuple[Confusion, ...], Field(description="What is confused most often, 50 pairs at most.")]
    calibration: Calibration
    worst: Annotated[
        tuple[WrongClass, ...],
        Field(description="Up to 24 wrong ones, those first whose own class was given the least probability."),
    ]


class Histogram(Value):
    """How often errors are in which range."""

    edges: Annotated[tuple[float, ...], Field(description="Ends of the ranges: one more than there are counts.")]
    counts: tuple[int, ...]


class Points(Value):
    """Some test examples, evenly spaced."""

    actual: tuple[float, ...]
    predicted: tuple[float, ...]


class TargetErrors(Value):
    """How well one target is told, in its own unit. An error, or residual, is predicted minus actual."""

    name: Annotated[str, Field(description="The target.", examples=["price"])]
    mae: Annotated[float, Field(ge=0, description="Mean absolute error.")]
    rmse: Annotated[float, Field(ge=0, description="Root of the mean squared error.")]
    r2: Annotated[float, Field(description="Share of the variance that is explained.")]
    mean_error: Annotated[float, Field(description="Mean error: above 0 where too much is told.")]
    quantiles: Annotated[
        dict[str, float], Field(description="Quantiles of the error.", examples=[{"0.05": -3.1, "0.5": 0.2}])
    ]
    histogram: Histogram
    points: Points


class WrongNumber(Value):
    """An example with a large error."""

    index: Index
    target: Annotated[str, Field(description="The target that it is about.")]
    actual: float
    predicted: float
    example: ShownExample = ShownExample()


class TargetEvaluation(Value):
    """How well numbers are told."""

    targets: tuple[TargetErrors, ...]
    worst: Annotated[
        tuple[WrongNumber, ...],
        Field(description="Up to 24 examples with the largest errors, in deviations of their targets."),
    ]


class Evaluation(Value):
    """What was trained on, with what, and what the model told of the test examples."""

    format: Literal[1] = 1
    dataset: Annotated[Dataset, Field(description="What it was trained on, as it was then, with its check's report.")]
    software: Annotated[
        dict[str, str], Field(description="What trained it, by version.", examples=[{"tensorflow": "2.21.0"}])
    ]
    test_examples: Annotated[int, Field(ge=1, description="Examples that were tested.")]
    classification: Annotated[ClassEvaluation | None, Field(description="`null` for regression.")] = None
    regression: Annotated[TargetEvaluation | None, Field(description="`null` for classification.")] = None
