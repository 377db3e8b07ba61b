"""How fast an attempt trains, and how long it still takes: its steps, the end of each epoch, and what follows."""

import time
from collections.abc import Callable

from jobs.estimate import Estimate

HALF_LIFE_SECONDS = 30.0
"""Training after which a measurement counts half: long enough that chunks of 0.1 s do not swing the estimate, short
enough that it knows within a minute of work that began beside."""
RECENT_SECONDS = 3.0
"""The same for the speed that is shown as the recent one."""

SETTLING_SECONDS = 0.5
"""Training that has to be measured before anything is said,"""
SETTLING_SHARE = 0.1
"""or of a short job this share of its steps."""
LONG_CHUNK_SECONDS = 3.0
"""A first chunk that takes so long is a measurement: setting up is little beside it."""
MOST_SLOWER = 4.0
"""What a measurement counts at most, in times of those before: a process that was frozen has not become slow. A second
one in a row is believed."""

# Measured with TensorFlow 2.21 on 2 cores of an EPYC (Zen 4), softmax, MLPs and CNNs.
FORWARD_SHARE = 0.35
"""What of an example's time in training its evaluation takes: one of three passes."""
EPOCH_END_SECONDS = 0.002
"""What else an epoch's end takes: its metrics, a copy of the best weights, the order of the next one's examples."""
SHARE_OF_LAST = 0.2
"""Least weight of the newest epoch's end among all."""


class DecayingRate:
    """Seconds per step of the last stretch of training, each second counting the less the longer ago it was."""

    def __init__(self, half_life_seconds: float) -> None:
        self._half_life_seconds = half_life_seconds
        self._steps = self._seconds = 0.0

    def took(self, steps: int, seconds: float) -> None:
        """Learn from so many more steps."""
        kept = 0.5 ** (seconds / self._half_life_seconds)
        self._steps = self._steps * kept + steps
        self._seconds = self._seconds * kept + seconds

    @property
    def seconds_per_step(self) -> float | None:
        """None before the first step."""
        return self._seconds / self._steps if self._steps and self._seconds else None


class Pace:
    """Of one attempt; time before `begin`, and so of attempts before, counts for nothing.

    Each second from there on belongs to the steps or to the end of an epoch that is told next, so whatever is done
    between two of them is in the estimate too.
    """

    def __init__(
        self,
        sizes: Estimate,
        *,
        epochs: int,
        batch_size: int,
        test_examples: int,
        export_seconds: float = 0.0,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """`export_seconds` is what its files take when the model was tested."""
        self._steps_per_epoch, self._epochs, self._batch_size = sizes.steps_per_epoch, epochs, batch_size
        self._validation_examples = sizes.validation_examples or test_examples
        self._test_examples = test_examples
        self._export_seconds = export_seconds
        self._clock = clock
        self._marked_at = clock()
        self._chunks = 0
        self._measured_seconds, self._measured_steps = 0.0, 0
        self._held_up = False
        """Whether the last chunk took far longer than those before."""
        self._lasting, self._recent = DecayingRate(HALF_LIFE_SECONDS), DecayingRate(RECENT_SECONDS)
        self._ends = 0
        self._first_end_seconds = float("inf")
        self._end_seconds: float | None = None

    def begin(self) -> None:
        """Count from now on: the program is traced."""
        self._marked_at = self._clock()

    def stepped(self, steps: int) -> None:
        """So many steps were done since the last mark."""
        seconds = self._mark()
        self._chunks += 1
        # The first chunk also sets up what a program needs at its first run.
        if self._chunks == 1 and seconds < LONG_CHUNK_SECONDS:
            return
        most = MOST_SLOWER * steps * (self._lasting.seconds_per_step or seconds)
        self._held_up = self._settled and seconds > most and not self._held_up
        if self._held_up:
            seconds = most
        self._measured_seconds += seconds
        self._measured_steps += steps
        for rate in (self._lasting, self._recent):
            rate.took(steps, seconds)

    def ended_epoch(self) -> None:
        """An epoch was validated since the last mark."""
        seconds = self._mark()
        self._ends += 1
        if self._ends == 1:
            # It may have traced the evaluation's program: see `_epoch_end_seconds`.
            self._first_end_seconds = seconds
        elif self._end_seconds is None:
            self._end_seconds = seconds
        else:
            least = max(1 / (self._ends - 1), SHARE_OF_LAST)
            self._end_seconds += (min(seconds, MOST_SLOWER * self._end_seconds) - self._end_seconds) * least

    @property
    def steps_per_second(self) -> float | None:
        """The recent speed of steps alone."""
        seconds = self._recent.seconds_per_step
        return 1 / seconds if seconds else None

    def remaining_seconds(self, *, epoch: int, step: int) -> float | None:
        """What is left when `epoch` epochs are done and `step` steps of the next: to the job's success, if it does not
        stop early. None while too little was measured."""
        seconds = self._lasting.seconds_per_step
        if seconds is None or not self._settled:
            return None
        epochs = self._epochs - epoch
        steps = epochs * self._steps_per_epoch - step
        return steps * seconds + epochs * self._epoch_end_seconds(seconds) + self._after_seconds(seconds)

    def after_seconds(self) -> float:
        """What is left when all epochs are done: the test, the evaluation, the export."""
        return self._after_seconds(self._lasting.seconds_per_step or 0.0)

    def _mark(self) -> float:
        before, self._marked_at = self._marked_at, self._clock()
        return self._marked_at - before

    @property
    def _settled(self) -> bool:
        steps = self._epochs * self._steps_per_epoch
        return self._measured_seconds >= SETTLING_SECONDS or self._measured_steps >= SETTLING_SHARE * steps

    def _epoch_end_seconds(self, seconds_per_step: float) -> float:
        if self._end_seconds is not None:
            return self._end_seconds
        expected = EPOCH_END_SECONDS + seconds_per_step * FORWARD_SHARE * self._validation_examples / self._batch_size
        return min(expected, self._first_end_seconds)

    def _after_seconds(self, seconds_per_step: float) -> float:
        test = self._epoch_end_seconds(seconds_per_step) * self._test_examples / max(1, self._validation_examples)
        # Once for the metrics, and once more for what `evaluation.json` tells of each example.
        return 2 * test + self._export_seconds
