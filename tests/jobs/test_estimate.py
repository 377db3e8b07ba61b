"""What a job will need. That the parameters are those of the engine is tested beside the engine's model."""

from typing import Any

import pytest

from jobs.datasets import DatasetInfo, find
from jobs.errors import InvalidSpec
from jobs.estimate import Estimate, check_split, estimate
from jobs.spec import Constant, Spec


def of(dataset: DatasetInfo | None = None, **body: Any) -> Estimate:
    return estimate(Spec.model_validate(body), dataset or find("mnist"))


def test_the_textbook_on_the_full_set() -> None:
    sizes = of()
    assert sizes == Estimate(
        network=sizes.network,  # in test_architecture
        parameters=235_146,
        non_trainable_parameters=0,
        train_examples=60_000,
        validation_examples=0,
        steps_per_epoch=469,
        steps=4690,
        warmup_steps=0,
        weight_bytes=940_584,
        batches=sizes.batches,
        memory=sizes.memory,  # in test_memory
        flops_per_epoch=60_000 * (6 * (784 * 256 + 256 * 128 + 128 * 10) - 2 * 784 * 256),
    )


def test_the_last_batch_counts_although_it_is_not_full() -> None:
    assert of(batch_size=7).steps_per_epoch == 8572
    assert of(batch_size=60_000).steps_per_epoch == 1
    assert of(batch_size=65_536).steps_per_epoch == 1


def test_images_held_out_are_not_trained_on() -> None:
    sizes = of(validation_split=0.1, epochs=3)
    assert (sizes.train_examples, sizes.validation_examples) == (54_000, 6_000)
    assert sizes.steps == 3 * 422


@pytest.mark.parametrize(
    ("examples", "split", "held_out", "as_of_old"),
    [(9000, 0.69, 6210, 6209), (100, 0.29, 29, 28), (10, 0.26, 3, 2), (10, 0.24, 2, 2), (9000, 0.1, 900, 900)],
)
def test_examples_are_held_out_to_the_nearest_and_by_older_versions_down(
    examples: int, split: float, held_out: int, as_of_old: int
) -> None:
    info = DatasetInfo(name="any", shape=(4, 4, 1), classes=("a", "b"), train_examples=examples, test_examples=10)
    spec = Spec(validation_split=split)
    assert estimate(spec, info).validation_examples == held_out
    old = estimate(spec, info, rounding="down")
    assert (old.validation_examples, old.train_examples, old.rounding) == (as_of_old, examples - as_of_old, "down")


@pytest.mark.parametrize(
    ("steps", "fraction", "warm", "as_of_old"),
    [(100, 0.29, 29, 28), (213, 0.3, 64, 63), (1, 0.9, 0, 0), (2, 0.9, 1, 1)],
)
def test_a_warm_up_takes_its_share_to_the_nearest_and_leaves_a_step(
    steps: int, fraction: float, warm: int, as_of_old: int
) -> None:
    info = DatasetInfo(name="any", shape=(4, 4, 1), classes=("a", "b"), train_examples=steps, test_examples=10)
    spec = Spec(batch_size=1, epochs=1, schedule=Constant(warmup_fraction=fraction))
    assert estimate(spec, info).warmup_steps == warm
    assert estimate(spec, info, rounding="down").warmup_steps == as_of_old


@pytest.mark.parametrize(
    ("examples", "split", "message"),
    [
        (9000, 0.00005, r"5e-05 of 9,000 training examples is none.*at least 0.00011, or 0"),
        (1, 0.4, r"0.4 of 1 training examples is none"),
        (1, 0.9, r"0.9 of 1 training examples is all"),
    ],
)
def test_a_split_that_leaves_one_part_empty_is_refused(examples: int, split: float, message: str) -> None:
    info = DatasetInfo(name="any", shape=(4, 4, 1), classes=("a", "b"), train_examples=examples, test_examples=10)
    spec = Spec(validation_split=split)
    with pytest.raises(InvalidSpec, match=message) as refused:
        check_split(spec, estimate(spec, info))
    assert refused.value.pointer == "/validation_split"


@pytest.mark.parametrize("split", [0.0, 0.00011, 0.9])
def test_a_split_that_leaves_both_parts_something_is_taken(split: float) -> None:
    spec = Spec(validation_split=split)
    check_split(spec, estimate(spec, find("mnist-10k")))


def test_softmax_is_one_layer_without_an_input_gradient() -> None:
    sizes = of(model={"type": "softmax"})
    assert sizes.parameters == 7850
    assert sizes.flops_per_epoch == 60_000 * 4 * 7840


def test_a_cnn_halves_the_image_with_every_block() -> None:
    sizes = of(model={"type": "cnn", "filters": [2, 3], "dense": [5]})
    first, second, dense, output = 9 * 2, 9 * 2 * 3, 7 * 7 * 3 * 5, 5 * 10
    assert sizes.parameters == first + 2 + second + 3 + dense + 5 + output + 10
    work = 28 * 28 * first + 14 * 14 * second + dense + output
    assert sizes.flops_per_epoch == 60_000 * (6 * work - 2 * 28 * 28 * first)


@pytest.mark.parametrize(
    ("height", "width", "blocks", "features"), [(28, 28, 4, 3), (21, 15, 2, 45), (1, 9, 2, 6), (2, 2, 2, 3)]
)
def test_a_cnn_takes_any_image_size(height: int, width: int, blocks: int, features: int) -> None:
    info = DatasetInfo(name="any", shape=(height, width, 1), classes=("a", "b"), train_examples=10, test_examples=10)
    sizes = of(info, model={"type": "cnn", "filters": [3] * blocks})
    assert sizes.parameters == (9 + 1) * 3 + (blocks - 1) * (27 + 1) * 3 + (features + 1) * 2
