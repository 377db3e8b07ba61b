"""What a job asks for: every field, its bounds, its default. Parsed once at the edge, frozen after."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from jobs import patterns
from jobs.frozen import Frozen
from jobs.layers.base import LayerName
from jobs.layers.catalogue import AnyLayer
from jobs.webhook import Webhook

LARGEST_SEED = 2**31 - 1
LONGEST_RUNTIME_SECONDS = 30 * 24 * 3600

# --- models ---------------------------------------------------------------------------------------

Width = Annotated[int, Field(ge=1, le=8192)]
Activation = Literal["relu", "tanh", "sigmoid", "gelu"]
Dropout = Annotated[float, Field(ge=0.0, le=0.9, description="Share of the values set to 0 while training.")]


class Softmax(Frozen):
    """One linear layer from the flattened example to the classes (multinomial logistic regression) or targets."""

    type: Literal["softmax"] = "softmax"


class MLP(Frozen):
    """A multi-layer perceptron over the flattened example."""

    type: Literal["mlp"] = "mlp"
    hidden: Annotated[
        tuple[Width, ...],
        Field(min_length=1, max_length=16, strict=False, description="Width of each hidden layer, first to last."),
    ] = (256, 128)
    activation: Annotated[Activation, Field(description="Non-linearity after each hidden layer.")] = "relu"
    dropout: Annotated[Dropout, Field(description="Dropout rate after each hidden layer.")] = 0.0


class CNN(Frozen):
    """Blocks of convolution, activation and 2x2 max-pooling, then dense layers, for images of any size."""

    type: Literal["cnn"] = "cnn"
    filters: Annotated[
        tuple[Annotated[int, Field(ge=1, le=1024)], ...],
        Field(min_length=1, max_length=8, strict=False, description="Channels of each convolution block."),
    ] = (16, 32, 64)
    kernel_size: Annotated[Literal[3, 5], Field(description="Side of the square kernels, in pixels.")] = 3
    dense: Annotated[
        tuple[Width, ...],
        Field(max_length=8, strict=False, description="Width of each dense layer before the output."),
    ] = ()
    activation: Annotated[Activation, Field(description="Non-linearity after each hidden layer.")] = "relu"
    dropout: Annotated[Dropout, Field(description="Dropout rate before each dense layer and the output.")] = 0.0


MOST_LAYERS = 512


class Layers(Frozen):
    """Any network, written as its layers: each takes what the one before it gives, or those that its `inputs` name.

    The last one gives a value for each class or target.
    """

    type: Literal["layers"] = "layers"
    layers: Annotated[
        tuple[AnyLayer, ...],
        Field(
            min_length=1,
            max_length=MOST_LAYERS,
            strict=False,
            description="First to last.",
            examples=[[{"type": "flatten"}, {"type": "dense", "units": 64, "activation": "relu"}, {"type": "dense"}]],
        ),
    ]


Model = Annotated[Softmax | MLP | CNN | Layers, Field(discriminator="type")]

# --- optimizers -----------------------------------------------------------------------------------

LearningRate = Annotated[
    float, Field(gt=0.0, le=1e9, description="Step size; with a schedule, its peak.", examples=[0.1])
]
Decay = Annotated[float, Field(ge=0.0, lt=1.0)]


class SGD(Frozen):
    """θ′ = θ − η·g."""

    type: Literal["sgd"] = "sgd"
    learning_rate: LearningRate = 0.2


class Momentum(Frozen):
    """v′ = μ·v − η·g; θ′ = θ + v′ (Polyak 1964, as Keras writes it)."""

    type: Literal["momentum"] = "momentum"
    learning_rate: LearningRate = 0.05
    momentum: Annotated[Decay, Field(description="μ, the share of the velocity that is kept.")] = 0.9


class Nesterov(Frozen):
    """v′ = μ·v − η·g; θ′ = θ + μ·v′ − η·g (Nesterov 1983, as Keras writes it)."""

    type: Literal["nesterov"] = "nesterov"
    learning_rate: LearningRate = 0.05
    momentum: Annotated[Decay, Field(description="μ, the share of the velocity that is kept.")] = 0.9


class Adam(Frozen):
    """Adam with bias correction (Kingma and Ba 2015)."""

    type: Literal["adam"] = "adam"
    learning_rate: LearningRate = 0.001
    beta_1: Annotated[Decay, Field(description="Decay of the gradient's running mean.")] = 0.9
    beta_2: Annotated[Decay, Field(description="Decay of the squared gradient's running mean.")] = 0.999
    epsilon: Annotated[float, Field(gt=0.0, le=1.0, description="Added to the denominator.")] = 1e-7


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019)."""

    type: Literal["adamw"] = "adamw"  # pyright: ignore[reportIncompatibleVariableOverride]
    weight_decay: Annotated[
        float, Field(ge=0.0, le=1.0, description="Share of each weight matrix removed per step, times the rate.")
    ] = 0.01


Optimizer = Annotated[SGD | Momentum | Nesterov | Adam | AdamW, Field(discriminator="type")]

# --- schedules ------------------------------------------------------------------------------------

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
WarmUp = Annotated[
    float,
    Field(
        ge=0.0,
        le=0.9,
        description="Share of all steps, to the nearest, over which the rate rises linearly from near 0.",
    ),
]


class Constant(Frozen):
    """The optimizer's learning rate throughout, after an optional linear warm-up."""

    type: Literal["constant"] = "constant"
    warmup_fraction: WarmUp = 0.0


class Linear(Frozen):
    """Linear warm-up, then a straight line down to `final_fraction` of the peak."""

    type: Literal["linear"] = "linear"
    warmup_fraction: WarmUp = 0.1
    final_fraction: Annotated[Fraction, Field(description="Last rate as a share of the peak.")] = 0.0


class Cosine(Frozen):
    """Linear warm-up, then half a cosine down to `final_fraction` of the peak (Loshchilov and Hutter 2017)."""

    type: Literal["cosine"] = "cosine"
    warmup_fraction: WarmUp = 0.0
    final_fraction: Annotated[Fraction, Field(description="Last rate as a share of the peak.")] = 0.0


class OneCycle(Frozen):
    """Cosine up from `initial_fraction` of the peak, then cosine down to `final_fraction` (Smith and Topin 2018)."""

    type: Literal["one_cycle"] = "one_cycle"
    warmup_fraction: WarmUp = 0.3
    initial_fraction: Annotated[Fraction, Field(description="First rate as a share of the peak.")] = 0.04
    final_fraction: Annotated[Fraction, Field(description="Last rate as a share of the peak.")] = 0.0001


Schedule = Annotated[Constant | Linear | Cosine | OneCycle, Field(discriminator="type")]

# --- the rest -------------------------------------------------------------------------------------


class Augmentation(Frozen):
    """Random changes made anew to every training image at every step; evaluation never sees them."""

    shift_pixels: Annotated[int, Field(ge=0, le=16, description="Largest shift along each axis, in pixels.")] = 0
    rotate_degrees: Annotated[float, Field(ge=0.0, le=180.0, description="Largest rotation either way.")] = 0.0
    zoom: Annotated[float, Field(ge=0.0, le=0.5, description="Largest change of scale, as a share.")] = 0.0


class EarlyStopping(Frozen):
    """Stop when the monitored metric has not improved for `patience` epochs."""

    monitor: Annotated[
        Literal["loss", "accuracy", "mae", "rmse", "r2", "val_loss", "val_accuracy", "val_mae", "val_rmse", "val_r2"],
        Field(
            description="Metric to watch; `val_` ones need `validation_split` above 0. `accuracy` is of classes; "
            "`mae`, `rmse` and `r2` are of regression."
        ),
    ] = "val_loss"
    patience: Annotated[int, Field(ge=1, le=10_000, description="Epochs without improvement to wait.")] = 5
    min_delta: Annotated[float, Field(ge=0.0, le=1e6, description="Smallest change that counts.")] = 0.0
    restore_best: Annotated[bool, Field(description="Keep the weights of the best epoch.")] = True


class Checkpointing(Frozen):
    """When training's state is kept. A job goes on from its last checkpoint when its worker is lost."""

    every_epochs: Annotated[
        int | None,
        Field(
            ge=1,
            le=10_000,
            examples=[5],
            description="Also after every so many epochs, or the latest of these where they end faster than they are "
            "written. Without it: every ten seconds, unless the server is set otherwise, and when a job is paused or "
            "its worker stops.",
        ),
    ] = None


Execution = Literal["auto", "eager", "graph", "xla"]
Precision = Literal["float32", "mixed_bfloat16", "mixed_float16"]
DeviceChoice = Annotated[str, StringConstraints(pattern=patterns.DEVICE), Field(examples=["auto"])]
MetadataKey = Annotated[str, StringConstraints(min_length=1, max_length=64)]
MetadataValue = Annotated[str, StringConstraints(max_length=512)]
DatasetName = Annotated[str, StringConstraints(pattern=patterns.DATASET)]
ClassName = Annotated[str, StringConstraints(max_length=200)]
ClassWeight = Annotated[float, Field(gt=0.0, le=1e6)]
ClassWeights = Annotated[dict[ClassName, ClassWeight], Field(min_length=1, max_length=1000)]
InitFrom = Annotated[str, StringConstraints(pattern=patterns.INIT_FROM)]
ExportFormat = Literal["keras", "onnx", "tflite", "tflite_int8", "saved_model"]


class Spec(Frozen):
    """A training job, fully resolved. The defaults are the preset `textbook`: what an empty spec means on a built-in
    dataset. On an uploaded one it means the preset `auto`."""

    preset: Annotated[
        str | None,
        Field(max_length=64, description="Named starting point; fields beside it override its values."),
    ] = None
    dataset: Annotated[
        DatasetName,
        Field(
            description="Name of the examples to learn; of an uploaded dataset the newest version, or `name@version`. "
            "The resolved spec names the version.",
            examples=["mnist-10k"],
        ),
    ] = "mnist-10k"
    model: Annotated[Model, Field(description="Network to train.")] = MLP()
    freeze: Annotated[
        tuple[LayerName, ...],
        Field(
            max_length=MOST_LAYERS,
            strict=False,
            description="Names of layers whose weights training leaves as they are. A frozen batch normalization goes "
            "by its moving statistics.",
            examples=[["convolution_1"]],
        ),
    ] = ()
    init_from: Annotated[
        InitFrom | None,
        Field(
            description="Where the weights come from with which training begins: a job (`job_…`: its final weights, "
            "or its last checkpoint while it has none), a job's checkpoint (`job_…@best`, `job_…@last`), or uploaded "
            "weights (`weights:NAME`). They are copied when the job is accepted. Of a job its encoding is taken over, "
            "too, and without them in the spec its dataset, model and loss. `null`: drawn by `seed`.",
            examples=["job_01KAV9M3S1Q4T8Z6X2Y7W5R0NC@best"],
        ),
    ] = None
    reinitialize: Annotated[
        tuple[LayerName, ...],
        Field(
            max_length=MOST_LAYERS,
            strict=False,
            description="Names of layers that begin anew although there is `init_from`, and so need not be as there: "
            "the last one, for other classes. A layer that only `init_from` has is left out by it.",
            examples=[["output"]],
        ),
    ] = ()
    loss: Annotated[
        Literal["mse", "cross_entropy", "mae", "huber"],
        Field(
            description="`mse`: Σ(out − y)² / batch, y being one-hot labels or targets. `cross_entropy`: softmax "
            "cross-entropy, mean over the batch; for classes alone, and the default of a `softmax` model on them. "
            "`mae`: Σ|out − y| / batch, and `huber`: the same with ½d² where the difference d is below 1, else d − ½; "
            "for regression alone."
        ),
    ] = "mse"
    class_weights: Annotated[
        Literal["balanced"] | ClassWeights | None,
        Field(
            description="How much each class's examples count in the training loss: `balanced` for rare ones to count "
            "as much as frequent ones together, or weights by class, 1 where none is given. They are scaled to an "
            "average of 1 over the training examples. `null`: all the same.",
            examples=["balanced"],
        ),
    ] = None
    label_smoothing: Annotated[
        float, Field(ge=0.0, le=0.5, description="Share of the label's weight spread over all classes.")
    ] = 0.0
    optimizer: Annotated[Optimizer, Field(description="Rule that turns gradients into new weights.")] = SGD()
    schedule: Annotated[Schedule, Field(description="Learning rate over the job's steps.")] = Constant()
    augmentation: Annotated[
        Augmentation | None, Field(description="Random changes to the training images; `null` for none.")
    ] = None
    epochs: Annotated[int, Field(ge=1, le=10_000, description="Passes over the training examples.")] = 10
    batch_size: Annotated[
        int, Field(ge=1, le=65_536, description="Examples per step; the last step of an epoch may have fewer.")
    ] = 128
    seed: Annotated[
        int, Field(ge=0, le=LARGEST_SEED, description="Fixes initial weights, order of examples and dropout.")
    ] = 0
    validation_split: Annotated[
        float,
        Field(
            ge=0.0,
            le=0.9,
            description="Share of the training examples, taken from their end, held out to compute `val_loss` and "
            "`val_accuracy`, to the nearest count, which may be neither none nor all of them. With 0 these are "
            "computed on the test examples.",
        ),
    ] = 0.0
    early_stopping: Annotated[
        EarlyStopping | None, Field(description="When to stop before `epochs`; `null` for never.")
    ] = None
    execution: Annotated[
        Execution,
        Field(
            description="How the step runs: `eager` op by op, `graph` under tf.function, `xla` compiled; "
            "`auto` is `xla` on a GPU and, on a CPU, where the steps to come make up for compiling them "
            "(never for convolutions), else `graph`."
        ),
    ] = "auto"
    device: Annotated[DeviceChoice, Field(description="`auto`, `cpu`, `gpu` or `gpu:N`.")] = "auto"
    wait_for_device: Annotated[
        bool, Field(description="Stay queued when no live worker has the device, instead of being refused.")
    ] = False
    precision: Annotated[
        Precision,
        Field(
            description="Number format of the layers' products; weights stay float32. `mixed_float16` scales the loss, "
            "and skips steps whose gradients are too large."
        ),
    ] = "float32"
    checkpoint: Annotated[
        Checkpointing, Field(description="When training's state is kept; the last and the best epoch's are.")
    ] = Checkpointing()
    export: Annotated[
        tuple[ExportFormat, ...],
        Field(
            max_length=5,
            strict=False,
            description="Formats that the model leaves in, beside `weights.npz`. Predictions over HTTP need `onnx`; "
            "`tflite_int8`, all in whole numbers, is for classes of images.",
        ),
    ] = ("keras", "onnx")
    max_runtime_seconds: Annotated[
        int | None,
        Field(
            ge=1, le=LONGEST_RUNTIME_SECONDS, description="Running time after which the job fails, over all attempts."
        ),
    ] = None
    max_attempts: Annotated[
        int, Field(ge=1, le=10, description="Claims after which a job whose worker was lost fails.")
    ] = 3
    priority: Annotated[
        int, Field(ge=-100, le=100, description="Higher runs first; equal ones in order of arrival.")
    ] = 0
    webhook: Annotated[
        Webhook | None, Field(description="Whom to tell what becomes of the job; `null` for nobody.")
    ] = None
    metadata: Annotated[
        dict[MetadataKey, MetadataValue],
        Field(max_length=16, description="Your own labels: up to 16 strings, usable as list filters."),
    ] = {}  # noqa: RUF012 (Pydantic copies it)
