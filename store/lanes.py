"""Which queue a job waits in, and who serves it."""

from collections.abc import Mapping

from jobs.spec import Spec


class Lanes:
    """Which queue a job waits in, and which queues a worker serves."""

    ANY = "any"
    GPU = "gpu"
    WAKE_QUEUES: Mapping[str, str] = {ANY: "bells", GPU: "bells-gpu"}
    """Celery queue for jobs that any worker can train, and for those that need a GPU."""

    @classmethod
    def of(cls, spec: Spec) -> tuple[str, str]:
        """Lane and Celery queue of a job."""
        if spec.device.startswith(cls.GPU):
            return spec.device, cls.WAKE_QUEUES[cls.GPU]
        return cls.ANY, cls.WAKE_QUEUES[cls.ANY]

    @classmethod
    def served_by(cls, *, gpus: int) -> tuple[str, ...]:
        """Lanes of a worker with so many GPUs."""
        if gpus == 0:
            return (cls.ANY,)
        return (cls.ANY, cls.GPU, *(f"{cls.GPU}:{n}" for n in range(gpus)))


MOST_GPUS = 16
"""GPUs of one worker for which `upkeep` counts bells."""
