"""What a run of the benches was asked for."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """Handed to every figure."""

    runs: int | None = None
    """Rounds; None for each figure's own number."""
    mnist: Path | None = None
    """Keras' mnist.npz; None to let the service find or fetch the set."""
    torch_python: str | None = None
    """An interpreter that can import torch; None to leave PyTorch out."""
    quick: bool = False
    """Tiny sizes: only shows that all runs. Its numbers mean nothing."""

    def rounds(self, usual: int) -> int:
        """How often to measure."""
        return self.runs or (1 if self.quick else usual)

    @property
    def dataset(self) -> str:
        """The service's name of the dataset to train on."""
        return "mnist-10k" if self.quick else "mnist"
