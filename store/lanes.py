"""Which queue a job waits in, who serves it, and which of Celery's queues wakes those. Lua is told from here."""

from collections.abc import Mapping

from jobs.spec import Spec

MOST_GPUS = 16
"""GPUs of one worker for which `upkeep` counts bells."""


class Lanes:
    """Lanes: the queues in which jobs wait, and the wake queues in which their bells do."""

    ANY = "any"
    GPU = "gpu"
    WAKE_QUEUES: Mapping[str, str] = {ANY: "bells", GPU: "bells-gpu"}
    """Celery queue for jobs that any worker can train, and for those that need a GPU, by a lane's first word."""

    @classmethod
    def wake_queue_of(cls, lane: str) -> str:
        """Celery queue to ring for jobs of a lane."""
        return cls.WAKE_QUEUES[lane.partition(":")[0]]

    @classmethod
    def of(cls, spec: Spec) -> tuple[str, str]:
        """Lane and wake queue of a job."""
        lane = spec.device if spec.device.startswith(cls.GPU) else cls.ANY
        return lane, cls.wake_queue_of(lane)

    @classmethod
    def served_by(cls, *, gpus: int) -> tuple[str, ...]:
        """Lanes of a worker with so many GPUs."""
        if gpus == 0:
            return (cls.ANY,)
        return (cls.ANY, cls.GPU, *(f"{cls.GPU}:{n}" for n in range(gpus)))


def lua_functions() -> str:
    """Lua source of the same: `wake_queues()`, each with its name and the lanes it wakes, and `wake_queue_of(lane)`.

    Functions, for the one script in ten that asks: a table would be made anew at every call of every script.
    """
    lanes = Lanes.served_by(gpus=MOST_GPUS)
    queues: list[str] = []
    for queue in Lanes.WAKE_QUEUES.values():
        served = ", ".join(repr(lane) for lane in lanes if Lanes.wake_queue_of(lane) == queue)
        queues.append(f"{{name = {queue!r}, lanes = {{{served}}}}}")
    by_word = ", ".join(f"[{word!r}] = {queue!r}" for word, queue in Lanes.WAKE_QUEUES.items())
    return (
        f"local function wake_queues() return {{{', '.join(queues)}}} end\n"
        f"local function wake_queue_of(lane) return ({{{by_word}}})[string.match(lane, '^[^:]*')] end"
    )
