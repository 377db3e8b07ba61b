"""A Keras layer as a layer of a spec: its kind and parameters, checked as the server checks them."""

import warnings
from collections.abc import Mapping
from typing import Any, cast

from pydantic import ValidationError

from gradientd.conversion.graph import Call, with_constant
from gradientd.conversion.parts import part
from jobs.layers.base import Layer, Unfit, words
from jobs.layers.catalogue import KINDS

Fields = dict[str, Any]

CLASSES = {
    "Activation": "activation",
    "Add": "add",
    "Average": "average",
    "AveragePooling1D": "average_pooling",
    "AveragePooling2D": "average_pooling",
    "BatchNormalization": "batch_normalization",
    "Bidirectional": "bidirectional",
    "Concatenate": "concatenate",
    "Conv1D": "conv1d",
    "Conv2D": "conv2d",
    "Conv2DTranspose": "conv2d_transpose",
    "Cropping1D": "cropping",
    "Cropping2D": "cropping",
    "Dense": "dense",
    "DepthwiseConv2D": "depthwise_conv2d",
    "Dropout": "dropout",
    "ELU": "activation",
    "Embedding": "embedding",
    "Flatten": "flatten",
    "GRU": "gru",
    "GaussianNoise": "gaussian_noise",
    "GlobalAveragePooling1D": "global_average_pooling",
    "GlobalAveragePooling2D": "global_average_pooling",
    "GlobalMaxPooling1D": "global_max_pooling",
    "GlobalMaxPooling2D": "global_max_pooling",
    "GroupNormalization": "group_normalization",
    "LSTM": "lstm",
    "LayerNormalization": "layer_normalization",
    "LeakyReLU": "activation",
    "MaxPooling1D": "max_pooling",
    "MaxPooling2D": "max_pooling",
    "Maximum": "maximum",
    "Minimum": "minimum",
    "MultiHeadAttention": "multi_head_attention",
    "Multiply": "multiply",
    "Permute": "permute",
    "ReLU": "activation",
    "Reshape": "reshape",
    "SeparableConv2D": "separable_conv2d",
    "SimpleRNN": "simple_rnn",
    "Softmax": "activation",
    "SpatialDropout1D": "spatial_dropout",
    "SpatialDropout2D": "spatial_dropout",
    "Subtract": "subtract",
    "UpSampling1D": "up_sampling",
    "UpSampling2D": "up_sampling",
    "ZeroPadding1D": "zero_padding",
    "ZeroPadding2D": "zero_padding",
}
"""Kind of each Keras layer that has one."""
OPERATIONS: dict[str, tuple[str, Fields]] = {
    "Add": ("add", {}),
    "Subtract": ("subtract", {}),
    "Multiply": ("multiply", {}),
    "Maximum": ("maximum", {}),
    "Minimum": ("minimum", {}),
    "Relu": ("activation", {"activation": "relu"}),
    "Relu6": ("activation", {"activation": "relu6"}),
    "Sigmoid": ("activation", {"activation": "sigmoid"}),
    "Silu": ("activation", {"activation": "silu"}),
    "Tanh": ("activation", {"activation": "tanh"}),
}
"""Kind and parameters of each operation of `keras.ops`, or of tensors, that has one."""
INSTEAD = {
    "Lambda": "is a function of your own, and a spec has no code: put layers in its place",
    "Masking": "makes masks, which no layer here takes",
    "Normalization": "standardises what comes in, and the server does that by the training examples: leave it out",
    "Rescaling": "scales what comes in, and the server does that: pixels by 1/255, arrays by their mean and deviation; "
    "leave it out, and send the data as they are",
    "TimeDistributed": "applies a layer to each step: a Dense does that by itself, other layers cannot",
    "PReLU": "learns its slope: LeakyReLU has a fixed one",
}
"""Why a layer has no counterpart, and what to do, where that can be said."""
AUGMENTS = ("Random", "AutoContrast", "CutMix", "MixUp", "RandAugment", "AugMix")
"""Beginnings of the names of layers that change pictures at random."""
NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "data_format": (None, "channels_last"),
    "seed": (),
    "unroll": (),
    "zero_output_for_mask": (),
    "attention_axes": (None, (1,), [1]),
    "renorm_momentum": (),
    "renorm_clipping": (None,),
    "moving_mean_initializer": (),
    "moving_variance_initializer": (),
    "backward_layer": (),
    "negative_slope": (0.0,),
    "threshold": (0.0,),
    "alpha": (1.0,),
}
"""Values of parameters that are none of ours and change nothing; empty: any does. Of others: None, False."""
OWN = frozenset({"name", "trainable", "dtype", "layer", "batch_shape"})
NOISE = frozenset({"Dropout", "SpatialDropout1D", "SpatialDropout2D", "GaussianNoise"})
HARMLESS = frozenset({"use_causal_mask", "query", "value", "key"})
"""Arguments of a call that are inputs or parameters here."""
REASONS = {
    "mask_zero": "no layer here takes masks",
    "stateful": "each batch begins anew here",
    "return_state": "a layer here gives one tensor",
}


def layer_of(call: Call, *, name: str) -> Layer | None:
    """The layer of a call, without its inputs; None for one that leaves everything as it is. Raises NotConvertible."""
    fields = _operation(call) if not call.is_layer else _layer(call)
    return None if fields is None else _checked(call, {**fields, "name": name})


def _operation(call: Call) -> Fields:
    kind, fields = OPERATIONS.get(call.kind, ("", {}))
    if not kind or not type(call.layer).__module__.startswith("keras."):
        raise call.refuse("is an operation that no layer here does")
    if len(call.inputs) != len(call.args) or call.kwargs:
        raise call.refuse("is an operation with a constant: no layer here does that")
    return {"type": kind, **fields}


def _layer(call: Call) -> Fields | None:
    home = type(call.layer).__module__
    if home.partition(".")[0] != "keras":
        raise call.refuse(f"is a layer of your own ({home}), and a spec has no code: put Keras' layers in its place")
    if call.kind == "Identity" or (call.is_untrained and call.kind in NOISE):
        return None
    if call.kind not in CLASSES:
        why = "changes pictures at random: ask for that in the spec, by its field augmentation, and leave it out here"
        raise call.refuse(
            INSTEAD.get(call.kind)
            or (why if call.kind.startswith(AUGMENTS) else "has no counterpart among the layers of a spec")
        )
    _check_arguments(call)
    config = _config(call)
    fields = _special(call, *_activation_layer(call, config))
    fields = _parameters(call, CLASSES[call.kind], config) if fields is None else fields
    if call.kind == "Bidirectional":
        fields["layer"] = _cells(call, config)
    if call.kind == "MultiHeadAttention":
        fields["use_causal_mask"] = bool(call.kwargs.get("use_causal_mask", False))
    return fields


def _config(call: Call) -> Fields:
    """A layer's parameters, as Keras writes them. Raises NotConvertible for what it cannot write."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of lambdas, which are refused
            return dict(call.layer.get_config())
    except (TypeError, ValueError, AttributeError, NotImplementedError, OSError):
        raise call.refuse("has a part that is code of your own, which no spec can say") from None


def _activation_layer(call: Call, config: Fields) -> tuple[str, Fields]:
    """Kind and parameters of a layer, or of the one that an Activation has in place of a function."""
    given = config.get("activation")
    if call.kind == "Activation" and isinstance(given, Mapping):
        told = cast("Mapping[str, Any]", given)
        if told.get("module") == "keras.layers" and CLASSES.get(str(told.get("class_name"))) == "activation":
            return str(told["class_name"]), dict(told["config"])
    return call.kind, config


def _special(call: Call, kind: str, config: Fields) -> Fields | None:
    """An activation that is a layer of its own in Keras."""
    match kind:
        case "ReLU":
            cap, slope, threshold = config["max_value"], config["negative_slope"], config["threshold"]
            if threshold or (cap is not None and (cap != 6 or slope)):
                raise call.refuse(
                    f"has max_value {cap}, negative_slope {slope}, threshold {threshold}: there is a "
                    "ReLU without them, one with max_value 6, and one with a negative_slope alone"
                )
            if slope:
                return {"type": "activation", "activation": "leaky_relu", "negative_slope": float(slope)}
            return {"type": "activation", "activation": "relu" if cap is None else "relu6"}
        case "LeakyReLU":
            slope = float(config["negative_slope"])
            return {"type": "activation", "activation": "leaky_relu", "negative_slope": slope}
        case "ELU":
            if config["alpha"] != 1:
                raise call.refuse(f"has alpha {config['alpha']}: here it is 1")
            return {"type": "activation", "activation": "elu"}
        case "Softmax":
            if config["axis"] not in (-1, len(call.shapes[0])):
                raise call.refuse(f"has axis {config['axis']}: here it is the last")
            return {"type": "activation", "activation": "softmax"}
        case _:
            return None


def _parameters(call: Call, kind: str, config: Mapping[str, Any]) -> Fields:
    """Of a layer, or of the cells in a bidirectional one: those that we know, the others being what they must be."""
    known = KINDS[kind].model_fields
    fields: Fields = {"type": kind}
    for key, value in config.items():
        if key in OWN or (key == "activation" and key not in known):
            continue
        if key in known:
            try:
                fields[key] = part(key, value)
            except ValueError as error:
                article = "an" if key[0] in "aeiou" else "a"
                raise call.refuse(f"has {article} {key} that no spec can say: {error}") from None
            continue
        if key == "axis":
            _check_axis(call, value)
            continue
        allowed = NEUTRAL.get(key, (None, False))
        if allowed and value not in allowed:
            why = f": {REASONS[key]}" if key in REASONS else "" if key in NEUTRAL else ": no spec can say that"
            raise call.refuse(f"has {key} {value!r}{why}")
    return fields


def _check_axis(call: Call, axis: Any) -> None:
    """Raise NotConvertible for a normalization along anything but the channels."""
    last = len(call.shapes[0])
    axes = list(cast("list[int]", axis)) if isinstance(axis, (list, tuple)) else [axis]
    if axes not in ([-1], [last]):
        raise call.refuse(f"has axis {axis}: here it is the last")


def _cells(call: Call, config: Mapping[str, Any]) -> Fields:
    """The recurrence of a bidirectional layer, which is the same both ways."""
    one, other = (_cell(call, config[way]) for way in ("layer", "backward_layer"))
    if {**one, "go_backwards": False} != {**other, "go_backwards": False} or one["go_backwards"]:
        raise call.refuse("has two different layers: here both ways are the same")
    return one


def _cell(call: Call, serialized: Mapping[str, Any]) -> Fields:
    kind = CLASSES.get(serialized["class_name"], "")
    if kind not in ("lstm", "gru", "simple_rnn"):
        raise call.refuse(f"is around a {serialized['class_name']}: here it is around LSTM, GRU or SimpleRNN")
    return _parameters(call, kind, serialized["config"])


def _check_arguments(call: Call) -> None:
    """Raise NotConvertible for a call with anything beside its inputs that changes what it does."""
    for key, value in call.kwargs.items():
        if value is None or value is False or key in HARMLESS:
            continue
        raise call.refuse(f"is called with {key}: a layer here takes its inputs alone")
    if call.constants:
        raise call.refuse(with_constant(call.constants[0]))
    # Layers that only disturb have training=False as a default: theirs says nothing.
    is_untrained = call.is_untrained or call.kwargs.get("training") is False
    if is_untrained and call.kind == "BatchNormalization" and call.layer.trainable:
        raise call.refuse("is called with training=False and is trained: set its trainable to False, which freezes it")


def _checked(call: Call, fields: Fields) -> Layer:
    """The layer, if a server would take it. Raises NotConvertible."""
    shapes = tuple(cast("tuple[int, ...]", shape) for shape in call.shapes)
    kind = KINDS[fields["type"]]
    fewest, most = kind.takes
    if not fewest <= len(shapes) <= most:
        raise call.refuse(
            f"is called with {len(shapes)} tensors: here it takes {fewest if fewest == most else f'{fewest} to {most}'}"
        )
    try:
        layer = kind.model_validate(fields)
        told = layer.output(shapes)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise call.refuse(f"has {'.'.join(map(str, first['loc']))} {first['input']!r}: {first['msg']}") from None
    except Unfit as unfit:
        raise call.refuse(str(unfit)) from None
    if told != call.output_shape:
        raise call.refuse(f"gives {call.output_shape}, and the layer {kind.__name__} here {words(told)}")
    return layer
