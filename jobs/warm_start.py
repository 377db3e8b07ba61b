"""Beginning with weights that are there: which arrays a network takes, and where they do not fit it."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Literal, NamedTuple, Self

from jobs.architecture import Architecture, Node
from jobs.automatic import Choice
from jobs.errors import InvalidSpec
from jobs.layers.base import Shape, words
from jobs.spec import Spec

WEIGHTS_FILE = "initial_weights.npz"
"""A job's copy of the weights that it begins with, float32, by the names of its own network."""
ENCODING_FILE = "initial_encoding.json"
"""Beside it, where the encoding is taken over: a `jobs.model_encoding.ModelEncoding`."""

_UPLOADED = "weights:"
_TAKEN_OVER = ("dataset", "model", "loss")
"""Fields that are as they were in the job that another one begins with, where neither it nor a preset says."""


class Origin(NamedTuple):
    """What `init_from` names: a job, one of its checkpoints, or uploaded weights."""

    job_id: str = ""
    checkpoint: Literal["", "best", "last"] = ""
    weights: str = ""

    def __str__(self) -> str:
        if self.weights:
            return f"{_UPLOADED}{self.weights}"
        return f"{self.job_id}@{self.checkpoint}" if self.checkpoint else self.job_id

    @classmethod
    def read(cls, text: str) -> Self:
        """From a spec."""
        if text.startswith(_UPLOADED):
            return cls(weights=text.removeprefix(_UPLOADED))
        job_id, _, checkpoint = text.partition("@")
        return cls(job_id, checkpoint)  # pyright: ignore[reportArgumentType] (the spec's pattern allows no other)


def check_asked(spec: Spec) -> None:
    """Raise InvalidSpec where layers are to begin anew that do so anyway."""
    if spec.reinitialize and spec.init_from is None:
        raise InvalidSpec("without init_from all layers begin anew; leave reinitialize out", pointer="/reinitialize")


def taken_over(spec: Spec, parent: Spec, *, source: str) -> tuple[Spec, tuple[Choice, ...]]:
    """A spec as it was written, with what it leaves open and its parent says; and what that is.

    `spec` tells by its `model_fields_set` what was written.
    """
    if spec.preset:
        return spec, ()
    given = spec.model_fields_set
    names = [name for name in _TAKEN_OVER if name not in given]
    if "model" in given and "loss" in names:  # another network may ask for another one
        names.remove("loss")
    values: dict[str, Any] = {name: getattr(parent, name) for name in names}
    choices = tuple(
        Choice(
            field=name,
            value=value if isinstance(value, str) else value.model_dump(mode="json"),
            reason=f"as in {source}, with whose weights it begins",
        )
        for name, value in values.items()
    )
    return spec.model_copy(update=values), choices


def arrays_of_checkpoint(network: Architecture) -> dict[str, str]:
    """Where a checkpoint has each weight: names of arrays by names of weights."""
    places = {weight.name: f"weights/{n:03}" for n, weight in enumerate(network.trained)}
    places |= {weight.name: f"fixed/{n:03}" for n, weight in enumerate(network.fixed)}
    return {weight.name: places[weight.name] for weight in network.weights}


def output_layer(network: Architecture) -> str:
    """The layer whose weights stand for the classes or targets: the last one that has some."""
    return [node.name for node in network.nodes if node.weights][-1]


def taken(network: Architecture, there: Mapping[str, Shape], *, source: str, reinitialize: Sequence[str]) -> list[str]:
    """Names of the weights that a network takes from those that are there.

    Raises InvalidSpec, naming the first layer of which there are others or none, or that the network does not have.
    """
    anew = set(reinitialize)
    _check_names(anew, network, there, source=source)
    names: list[str] = []
    for node in network.nodes:
        if node.name not in anew:
            _check_layer(node, there, source=source)
            names += [weight.name for weight in node.weights]
    for name in there:
        layer = name.partition("/")[0]
        if name not in names and layer not in anew:
            close = get_close_matches(layer, (node.name for node in network.nodes if node.weights), n=1)
            perhaps = f"; perhaps it is {close[0]!r} here" if close and close[0] != layer else ""
            raise InvalidSpec(
                f"{source} has {name!r}, {words(there[name]) or 'a single value'}, which no layer of this network "
                f"takes{perhaps}; leave it out by reinitialize: [{layer!r}], or take the same network",
                pointer="/init_from",
            )
    if not names:
        raise InvalidSpec(
            f"nothing is taken of {source}: all layers with weights begin anew; leave init_from out",
            pointer="/reinitialize",
        )
    return names


def _check_names(anew: set[str], network: Architecture, there: Mapping[str, Shape], *, source: str) -> None:
    known = {node.name for node in network.nodes} | {name.partition("/")[0] for name in there}
    for name in sorted(anew - known):
        close = get_close_matches(name, known, n=1)
        perhaps = f"; perhaps {close[0]!r}?" if close else ""
        raise InvalidSpec(
            f"neither this network nor {source} has a layer {name!r} to begin anew{perhaps}", pointer="/reinitialize"
        )


def _check_layer(node: Node, there: Mapping[str, Shape], *, source: str) -> None:
    for weight in node.weights:
        found, kind = there.get(weight.name), weight.name.partition("/")[2]
        if found is None:
            detail = f"has a {kind} of {words(weight.shape)}, and {source} has no {weight.name!r}"
        elif found != weight.shape:
            detail = f"its {kind} is {words(weight.shape)}, that of {source} is {words(found)}"
        else:
            continue
        separator = ": " if found is not None else " "
        raise InvalidSpec(
            f"{node.title}{separator}{detail}; reinitialize it, or take the same",
            pointer="/init_from",
        )
