"""A network as a summary tells it: a row for each layer."""

from typing import Annotated

from pydantic import Field

from jobs.architecture import EXAMPLE, Architecture, Node
from jobs.record import Value


class LayerSummary(Value):
    """A layer of a network, as it was built for a dataset. Shapes are those of one example."""

    name: Annotated[str, Field(description="Its name in the network.", examples=["conv2d_1"])]
    type: Annotated[str, Field(description="Its kind.", examples=["conv2d"])]
    inputs: Annotated[
        tuple[str, ...],
        Field(description="The layers whose outputs it takes; `input` is the example.", examples=[["input"]]),
    ]
    output_shape: Annotated[
        tuple[int, ...], Field(description="What it gives, without the batch.", examples=[[28, 28, 16]])
    ]
    parameters: Annotated[int, Field(ge=0, description="Number of its trained values.", examples=[160])]
    non_trainable_parameters: Annotated[
        int,
        Field(ge=0, description="Number of its values that are not: frozen ones, moving statistics.", examples=[0]),
    ]

    @classmethod
    def of(cls, node: Node, network: Architecture) -> "LayerSummary":
        """Tell of a layer of a network."""
        trained = sum(weight.size for weight in node.weights if weight.is_trained)
        return cls(
            name=node.name,
            type=node.layer.type,
            inputs=tuple(EXAMPLE if place < 0 else network.nodes[place].name for place in node.takes),
            output_shape=node.output,
            parameters=trained,
            non_trainable_parameters=node.parameters - trained,
        )


def layers(network: Architecture) -> tuple[LayerSummary, ...]:
    """Each layer of a network, first to last."""
    return tuple(LayerSummary.of(node, network) for node in network.nodes)
