"""What one job may ask of a machine. Checked when it is submitted, so that no worker has to find out."""

from dataclasses import dataclass

from jobs.errors import JobTooLarge
from jobs.estimate import Estimate
from jobs.settings import Settings
from jobs.spec import Spec


@dataclass(frozen=True, slots=True)
class Limits:
    """The operator's limits for every job."""

    max_parameters: int
    max_batch_size: int
    max_memory_mb: int
    max_runtime_seconds: int
    worker_gflops: float

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        """Those of the settings."""
        return cls(
            settings.max_parameters,
            settings.max_batch_size,
            settings.max_memory_mb,
            settings.max_runtime_seconds,
            settings.worker_gflops,
        )

    def bounded(self, spec: Spec) -> Spec:
        """The spec with the longest running time there is, where it names none."""
        if spec.max_runtime_seconds is not None:
            return spec
        return spec.model_copy(update={"max_runtime_seconds": self.max_runtime_seconds})

    def check(self, spec: Spec, sizes: Estimate) -> None:
        """Raise JobTooLarge, naming the numbers, for a job that asks for more than is allowed."""
        self._most("/model", "parameters", sizes.parameters, self.max_parameters)
        self._most("/batch_size", "examples in a batch", spec.batch_size, self.max_batch_size)
        self._most("/batch_size", "MiB of memory by estimate", -(-sizes.memory_bytes // 2**20), self.max_memory_mb)
        seconds = spec.max_runtime_seconds or 0
        self._most("/max_runtime_seconds", "seconds of running time", seconds, self.max_runtime_seconds)
        needed = sizes.flops_per_epoch * spec.epochs / (self.worker_gflops * 1e9)
        # Not against the job's own deadline: whoever sets a short one may mean it.
        if needed > self.max_runtime_seconds:
            raise JobTooLarge(
                f"the job's {sizes.flops_per_epoch * spec.epochs:.3g} operations take at least {needed:,.0f} seconds "
                f"({self.worker_gflops:,.0f} GFLOP/s), and a job may run for {self.max_runtime_seconds:,}",
                pointer="/epochs",
            )

    def _most(self, pointer: str, what: str, asked: int, limit: int) -> None:
        if asked > limit:
            raise JobTooLarge(f"{asked:,} {what}; this server allows {limit:,}", pointer=pointer)
