"""Layers: what is refused of a network, in which words, and how fast."""

import json
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from pydantic import ValidationError

from jobs.architecture import Architecture, describe
from jobs.compatibility import check_fit
from jobs.datasets import CATALOGUE, DatasetInfo
from jobs.errors import InvalidSpec
from jobs.layers.base import FORMATS, MODES
from jobs.layers.catalogue import KINDS
from jobs.layers.dense import Dense
from jobs.presets import resolve
from jobs.spec import MOST_LAYERS, Spec
from tests.jobs.random_networks import Json, random_network

MNIST = CATALOGUE["mnist-10k"]
STEPS = DatasetInfo(name="steps", kind="arrays", shape=(6, 4), classes=("a", "b"), train_examples=9, test_examples=9)
IDS = DatasetInfo(
    name="ids", kind="arrays", shape=(5,), classes=("a", "b"), train_examples=9, test_examples=9, array_dtype="uint8"
)
ROWS = DatasetInfo(name="rows", kind="table", shape=(5,), classes=("a", "b"), train_examples=9, test_examples=9)


def network(layers: list[Any], dataset: DatasetInfo = MNIST, **spec: Any) -> Architecture:
    return describe(Spec.model_validate({"model": {"type": "layers", "layers": layers}, **spec}), dataset)


def ended(*layers: Json) -> list[Json]:
    return [*layers, {"type": "flatten"}, {"type": "dense"}]


def lstm(**parameters: Any) -> Json:
    return {"type": "bidirectional", "layer": {"type": "lstm", "units": 2, **parameters}}


REFUSED: list[tuple[DatasetInfo, list[Json], str, str]] = [
    (
        MNIST,
        ended({"type": "conv1d", "filters": 2, "kernel_size": 3}),
        "",
        "takes sequences (steps x features), and 28 x 28 x 1 come in",
    ),
    (
        STEPS,
        ended({"type": "conv2d", "filters": 2, "kernel_size": 3}),
        "",
        "takes images (height x width x channels), and 6 x 4 come in",
    ),
    (
        ROWS,
        ended({"type": "max_pooling"}),
        "",
        "takes images (height x width x channels) or sequences (steps x features), and 5 come in",
    ),
    (
        MNIST,
        ended({"type": "conv2d", "filters": 2, "kernel_size": 29}),
        "kernel_size",
        "has a window of 29 x 29, which does not fit into 28 x 28",
    ),
    (
        MNIST,
        ended({"type": "conv2d", "filters": 2, "kernel_size": 15, "dilation_rate": 2}),
        "kernel_size",
        "has a window of 29 x 29, which",
    ),
    (
        MNIST,
        ended({"type": "conv2d", "filters": 2, "kernel_size": 3, "strides": 2, "dilation_rate": 2}),
        "dilation_rate",
        "one of them may be",
    ),
    (
        MNIST,
        ended({"type": "conv2d", "filters": 2, "kernel_size": 3, "groups": 2}),
        "groups",
        "has 2 groups, of which neither 1 channels",
    ),
    (
        MNIST,
        ended({"type": "depthwise_conv2d", "kernel_size": 3, "strides": [1, 2]}),
        "strides",
        "has two different strides",
    ),
    (
        STEPS,
        ended({"type": "average_pooling", "pool_size": [2, 2]}),
        "pool_size",
        "has two sides in pool_size, and sequences have one axis",
    ),
    (
        STEPS,
        ended({"type": "zero_padding", "padding": [[1, 1], [1, 1]]}),
        "padding",
        "has a padding of two axes, and sequences have one",
    ),
    (STEPS, ended({"type": "cropping", "cropping": [3, 3]}), "cropping", "crops 6 of 6, and nothing is left"),
    (
        STEPS,
        ended({"type": "up_sampling", "interpolation": "bilinear"}),
        "interpolation",
        "makes sequences larger by `nearest` alone",
    ),
    (
        STEPS,
        ended({"type": "reshape", "target_shape": [5, -1]}),
        "target_shape",
        "takes 6 x 4 = 24 values, and they do not go into 5 x ?",
    ),
    (STEPS, ended({"type": "reshape", "target_shape": [-1, -1]}), "target_shape", "no axis may be 0 and one may be -1"),
    (STEPS, ended({"type": "reshape", "target_shape": [0, 4]}), "target_shape", "no axis may be 0 and one may be -1"),
    (STEPS, ended({"type": "permute", "dims": [1, 1]}), "dims", "takes 6 x 4, so dims must have each of 1, 2 once"),
    (STEPS, ended({"type": "group_normalization"}), "groups", "has 32 groups, into which 4 channels do not go"),
    (STEPS, ended({"type": "group_normalization", "groups": 0}), "groups", "has 0 groups: there must be 1 or more"),
    (
        STEPS,
        ended({"type": "activation", "activation": "relu", "negative_slope": 0.1}),
        "negative_slope",
        "relu has none",
    ),
    (STEPS, ended({"type": "add"}), "inputs", "takes 2 to 16 inputs, and 1 come in"),
    (STEPS, ended({"type": "subtract", "inputs": ["input"] * 3}), "inputs", "takes 2 inputs, and 3 come in"),
    (
        STEPS,
        [{"type": "permute", "dims": [2, 1]}, *ended({"type": "add", "inputs": ["permute_1", "input"]})],
        "inputs",
        "and 4 x 6 and 6 x 4 come in",
    ),
    (
        STEPS,
        ended({"type": "concatenate", "inputs": ["input", "input"], "axis": 3}),
        "axis",
        "it must be 1 to 2, or -1 to -2",
    ),
    (
        STEPS,
        ended({"type": "concatenate", "inputs": ["input", "input"], "axis": 0}),
        "axis",
        "it must be 1 to 2, or -1 to -2",
    ),
    (
        STEPS,
        [{"type": "permute", "dims": [2, 1]}, *ended({"type": "concatenate", "inputs": ["permute_1", "input"]})],
        "inputs",
        "that differ along its axis -1 alone, and 4 x 6, 6 x 4 come in",
    ),
    (
        STEPS,
        [{"type": "flatten"}, *ended({"type": "concatenate", "inputs": ["flatten_1", "input"]})],
        "inputs",
        "with the same number of axes, and 24, 6 x 4 come in",
    ),
    (ROWS, ended({"type": "lstm", "units": 2}), "", "takes sequences (steps x features), and 5 come in"),
    (STEPS, ended(lstm(go_backwards=True)), "layer/go_backwards", "one goes either way as it is"),
    (
        STEPS,
        ended(lstm(bias_initializer="orthogonal")),
        "layer/bias_initializer",
        "has a bias with one axis, and orthogonal is for two",
    ),
    (
        STEPS,
        ended({"type": "dense", "units": 2, "bias_initializer": "orthogonal"}),
        "bias_initializer",
        "has a bias with one axis",
    ),
    (
        MNIST,
        ended({"type": "multi_head_attention", "num_heads": 1, "key_dim": 2}),
        "",
        "takes sequences (steps x features), and 28 x 28 x 1",
    ),
    (
        STEPS,
        [
            {"type": "cropping", "cropping": 1},
            *ended(
                {
                    "type": "multi_head_attention",
                    "num_heads": 1,
                    "key_dim": 2,
                    "inputs": ["input", "input", "cropping_1"],
                }
            ),
        ],
        "inputs",
        "takes as many keys as values, and 6 x 4 and 4 x 4 come in as value and key",
    ),
    (ROWS, ended({"type": "embedding", "input_dim": 9, "output_dim": 2}), "", "the rows of rows are no whole numbers"),
    (
        STEPS,
        [{"type": "flatten"}, *ended({"type": "embedding", "input_dim": 9, "output_dim": 2})],
        "inputs",
        "its inputs must be 'input' alone",
    ),
    (
        IDS,
        [
            {"type": "embedding", "input_dim": 9, "output_dim": 2},
            {"type": "dense", "units": 2, "inputs": ["input"]},
            {"type": "flatten", "inputs": ["embedding_1"]},
            {"type": "concatenate", "inputs": ["dense_2", "flatten_3"]},
            {"type": "dense"},
        ],
        "inputs",
        "which is whole numbers for 'embedding_1' to look up",
    ),
]


@pytest.mark.parametrize(("dataset", "layers", "field", "words"), REFUSED)
def test_what_does_not_fit_is_refused_with_the_layer_and_what_it_needs(
    dataset: DatasetInfo, layers: list[Json], field: str, words: str
) -> None:
    with pytest.raises(InvalidSpec) as refused:
        network(layers, dataset)
    place = int(refused.value.pointer.split("/")[3])
    kind = layers[place]["type"]
    assert str(refused.value).startswith(f"layer {place + 1}, '{kind}_{place + 1}' ({kind}), ")
    assert words in str(refused.value)
    assert refused.value.pointer == f"/model/layers/{place}" + (f"/{field}" if field else "")


def test_pixels_that_are_looked_up_are_not_augmented() -> None:
    layers = ended({"type": "embedding", "input_dim": 256, "output_dim": 2})
    with pytest.raises(InvalidSpec, match=r"layer 1, 'embedding_1' .* cannot be augmented") as refused:
        network(layers, augmentation={"shift_pixels": 1})
    assert refused.value.pointer == "/augmentation"


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        ({"type": "dens"}, "there is no kind of layer 'dens'; perhaps 'dense'?"),
        ({"units": 3}, "needs its type"),
        ({"type": ["dense"]}, "there is no kind of layer"),
        (
            {"type": "dense", "kernel_initializer": {"type": "random_uniform", "minval": 1, "maxval": 0}},
            "minval 1 is above maxval 0",
        ),
        (
            {"type": "bidirectional", "layer": {"type": "bidirectional"}},
            "does not match any of the expected tags: 'lstm', 'gru', 'simple_rnn'",
        ),
        ({"type": "conv2d", "filters": 1, "kernel_size": 3.5}, "Input should be a valid integer"),
        ({"type": "dense", "units": True}, "Input should be a valid integer"),
    ],
)
def test_a_bad_parameter_is_one_complaint(layer: Json, words: str) -> None:
    with pytest.raises(ValidationError) as refused:
        network(ended(layer))
    complaints = [each for each in refused.value.errors() if each["loc"][3:4] == (0,)]
    assert [words in each["msg"] for each in complaints] == [True]


# --- random ones ----------------------------------------------------------------------------------


def _pick(rng: Random, layers: list[Json]) -> Json:
    return rng.choice(layers)


def wrong_parameter(rng: Random, layers: list[Json]) -> None:
    layer = _pick(rng, layers)
    own = [key for key in layer if key not in ("name", "inputs")]
    layer[rng.choice([*own, "unknown"])] = rng.choice([{"x": 1}, "nonsense", [], -7])


def wrong_rank(rng: Random, layers: list[Json]) -> None:
    layers.insert(len(layers) - 1, {"type": "conv2d", "filters": 1, "kernel_size": 1, "inputs": layers[-1]["inputs"]})


def large_window(rng: Random, layers: list[Json]) -> None:
    last = layers[-1]
    layers[-1:] = [
        {"type": "reshape", "name": "again", "target_shape": [-1, 1], "inputs": last["inputs"]},
        {"type": "max_pooling", "pool_size": 64},
        {"type": "max_pooling", "pool_size": 64},
        {"type": "flatten"},
        {"type": "dense"},
    ]


def unknown_input(rng: Random, layers: list[Json]) -> None:
    _pick(rng, layers)["inputs"] = ["nobody"]


def cycle(rng: Random, layers: list[Json]) -> None:
    layer = _pick(rng, layers)
    layer["name"] = "round"
    layer["inputs"] = ["round"]


def later(rng: Random, layers: list[Json]) -> None:
    layers[0]["inputs"] = ["output"]


def doubled_name(rng: Random, layers: list[Json]) -> None:
    layers[0]["name"] = "output"


def name_in_another_case(rng: Random, layers: list[Json]) -> None:
    layers.insert(0, {"type": "activation", "activation": "relu", "name": "OutPut"})


def wrong_units(rng: Random, layers: list[Json]) -> None:
    layers[-1]["units"] = 9


def no_vector_at_the_end(rng: Random, layers: list[Json]) -> None:
    layers.append({"type": "reshape", "target_shape": [1, -1]})


def dangling(rng: Random, layers: list[Json]) -> None:
    layers.insert(len(layers) - 1, {"type": "activation", "activation": "relu", "inputs": layers[-1]["inputs"]})


def too_many(rng: Random, layers: list[Json]) -> None:
    layers[:0] = [{"type": "dropout", "rate": 0.1}] * MOST_LAYERS


def a_number_for_a_layer(rng: Random, layers: list[Json]) -> None:
    layers[rng.randrange(len(layers))] = rng.choice([3, "dense", None, []])  # type: ignore[call-overload]


MUTATIONS: tuple[Callable[[Random, list[Json]], None], ...] = (
    wrong_parameter,
    wrong_rank,
    large_window,
    unknown_input,
    cycle,
    later,
    doubled_name,
    name_in_another_case,
    wrong_units,
    no_vector_at_the_end,
    dangling,
    too_many,
    a_number_for_a_layer,
)


def spoilt(seed: int) -> tuple[str, Json, DatasetInfo]:
    """A random network with one fault, and which."""
    rng = Random(seed)
    model, dataset = random_network(seed)
    mutate = MUTATIONS[seed % len(MUTATIONS)]
    mutate(rng, model["layers"])
    return mutate.__name__, json.loads(json.dumps(model)), dataset


def refusal(model: Json, dataset: DatasetInfo) -> str | None:
    """The pointer of what is refused."""
    try:
        describe(Spec.model_validate({"model": model}), dataset)
    except InvalidSpec as error:
        return error.pointer if f"layer {int(error.pointer.split('/')[3]) + 1}, " in str(error) else "unnamed"
    except ValidationError as error:
        return "/".join(map(str, error.errors()[0]["loc"]))
    return None


@pytest.mark.parametrize("start", range(0, 2000, 500))
def test_2000_random_networks_with_a_fault_are_refused(start: int) -> None:
    passed: dict[int, str] = {}
    for seed in range(start, start + 500):
        fault, model, dataset = spoilt(seed)
        pointer = refusal(model, dataset)
        if pointer is None or not pointer.startswith(("/model/layers/", "model/layers/layers")):
            passed[seed] = f"{fault}: {pointer}"
    assert not passed


def test_a_graph_that_doubles_a_layer_is_refused_with_the_number_that_is_too_large() -> None:
    layers: list[Json] = [{"type": "flatten", "name": "l0"}]
    layers += [{"type": "concatenate", "name": f"l{n}", "inputs": [f"l{n - 1}"] * 2} for n in range(1, 400)]
    with pytest.raises(InvalidSpec, match=r"layer 20, 'l19' \(concatenate\), gives 411,041,792 values"):
        network([*layers, {"type": "dense"}])


# --- what layers can do ---------------------------------------------------------------------------


def test_a_format_that_a_layer_lacks_is_refused_if_it_was_asked_for_and_dropped_if_not() -> None:
    grouped = {"type": "conv2d", "filters": 2, "kernel_size": 3, "groups": 2}
    layers = ended({"type": "conv2d", "name": "first", "filters": 2, "kernel_size": 3}, grouped)
    body = {"model": {"type": "layers", "layers": layers}}
    spec = resolve(Spec.model_validate(body))
    assert spec.export == ("keras",)
    check_fit(spec, MNIST)
    asked = resolve(Spec.model_validate({**body, "export": ["keras", "onnx"]}))
    with pytest.raises(InvalidSpec, match=r"layer 2, 'conv2d_2' \(conv2d\), cannot leave as onnx") as refused:
        check_fit(asked, MNIST)
    assert refused.value.pointer == "/export/1"


def test_other_networks_keep_the_formats_of_a_spec() -> None:
    assert resolve(Spec.model_validate({"model": {"type": "layers", "layers": ended()}})).export == ("keras", "onnx")


def test_a_mode_that_a_layer_lacks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(KINDS["permute"], "modes", frozenset({"graph", "eager"}))
    layers = ended({"type": "permute", "dims": [3, 1, 2]})
    spec = resolve(Spec.model_validate({"model": {"type": "layers", "layers": layers}, "execution": "xla"}))
    with pytest.raises(InvalidSpec, match=r"layer 1, 'permute_1' \(permute\), cannot be trained in xla") as refused:
        check_fit(spec, MNIST)
    assert refused.value.pointer == "/execution"


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_claims_formats_and_modes_that_there_are(kind: str) -> None:
    assert KINDS[kind].modes <= MODES
    model = next(
        model
        for seed in range(200)
        for model, _ in [random_network(seed)]
        if any(e["type"] == kind for e in model["layers"])
    )
    layer = next(each for each in Spec.model_validate({"model": model}).model.layers if each.type == kind)  # type: ignore[union-attr]
    assert {"keras"} <= layer.formats <= FORMATS


def test_an_initializer_may_be_an_object_with_its_name_alone() -> None:
    body = {"type": "dense", "units": 3, "kernel_initializer": {"type": "he_normal"}, "bias_initializer": "ones"}
    layer = Dense.model_validate(body)
    assert (layer.kernel_initializer, layer.bias_initializer) == ("he_normal", "ones")
