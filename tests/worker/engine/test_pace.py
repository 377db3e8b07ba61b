"""What is told of the time that a job still takes, by a clock that goes as the test says."""

import random
from collections.abc import Iterator
from itertools import pairwise

import pytest

from jobs.datasets import CATALOGUE
from jobs.estimate import Estimate, estimate
from jobs.spec import Spec
from worker.engine.pace import DecayingRate, Pace

CHUNK_SECONDS = 0.1
EPOCHS = 10


class Job:
    """A job whose every second is known: steps of `step_seconds`, epochs' ends of `end_seconds`, an export."""

    def __init__(self, *, step_seconds: float = 0.01, end_seconds: float = 0.2, export_seconds: float = 0.5) -> None:
        spec = Spec.model_validate(
            {"dataset": "mnist-10k", "epochs": EPOCHS, "batch_size": 32, "validation_split": 0.1}
        )
        self.sizes: Estimate = estimate(spec, CATALOGUE["mnist-10k"])
        self.step_seconds, self.end_seconds, self.export_seconds = step_seconds, end_seconds, export_seconds
        self.now = 100.0
        self.noise = random.Random(0)
        self.spread = 0.0
        test_examples = CATALOGUE["mnist-10k"].test_examples
        # The test, and the evaluation.
        self.test_seconds = 2 * end_seconds * test_examples / self.sizes.validation_examples
        self.pace = Pace(
            self.sizes,
            epochs=EPOCHS,
            batch_size=spec.batch_size,
            test_examples=test_examples,
            export_seconds=export_seconds,
            clock=lambda: self.now,
        )
        self.epoch = self.step = 0

    def chunk(self, *, extra_seconds: float = 0.0) -> None:
        """Run the steps of about 0.1 s."""
        steps = min(max(1, int(CHUNK_SECONDS / self.step_seconds)), self.sizes.steps_per_epoch - self.step)
        self.now += steps * self.step_seconds * self.noise.uniform(1 - self.spread, 1 + self.spread) + extra_seconds
        self.step += steps
        self.pace.stepped(steps)

    def end_epoch(self, *, extra_seconds: float = 0.0) -> None:
        self.now += self.end_seconds + extra_seconds
        self.epoch, self.step = self.epoch + 1, 0
        self.pace.ended_epoch()

    def run(self, *, until_epoch: int = EPOCHS, until_step: int = 0) -> Iterator[float]:
        """Train so far; what is told after each chunk of the instant at which all should be done."""
        while (self.epoch, self.step) < (until_epoch, until_step):
            if self.step == self.sizes.steps_per_epoch:
                self.end_epoch(extra_seconds=0.4 if self.epoch == 0 else 0.0)  # the first one traces
            else:
                self.chunk()
            if self.remaining is not None:
                yield self.now + self.remaining

    @property
    def remaining(self) -> float | None:
        return self.pace.remaining_seconds(epoch=self.epoch, step=self.step)

    @property
    def truly_remaining(self) -> float:
        steps = (EPOCHS - self.epoch) * self.sizes.steps_per_epoch - self.step
        ends = (EPOCHS - self.epoch) * self.end_seconds
        return steps * self.step_seconds + ends + self.test_seconds + self.export_seconds


def test_what_is_left_counts_steps_epochs_ends_tests_and_export() -> None:
    job = Job()
    list(job.run(until_epoch=3, until_step=5))
    assert job.remaining == pytest.approx(job.truly_remaining, rel=0.01)
    list(job.run())
    assert job.remaining == pytest.approx(job.test_seconds + job.export_seconds, rel=0.01)
    assert job.pace.after_seconds() == pytest.approx(job.remaining)


def test_nothing_is_told_before_enough_was_measured() -> None:
    job = Job()
    assert (job.remaining, job.pace.steps_per_second) == (None, None)
    job.chunk()
    assert (job.remaining, job.pace.steps_per_second) == (None, None)  # the first one sets the program up
    job.chunk()
    assert job.remaining is None
    assert job.pace.steps_per_second == pytest.approx(100)
    for _ in range(5):
        job.chunk()
    assert job.remaining is not None


def test_a_short_job_is_told_after_a_tenth_of_its_steps() -> None:
    job = Job(step_seconds=0.0001, end_seconds=0.001)  # a third of a second
    told = list(job.run(until_epoch=2))
    assert told
    assert job.remaining == pytest.approx(job.truly_remaining, rel=0.05)


def test_a_first_chunk_that_takes_seconds_is_a_measurement() -> None:
    job = Job(step_seconds=5.0, end_seconds=10.0)
    job.chunk()
    steps = EPOCHS * job.sizes.steps_per_epoch - 1
    assert job.remaining is not None
    assert job.remaining > steps * 5.0


def test_the_first_chunk_does_not_count_otherwise() -> None:
    job = Job()
    job.chunk(extra_seconds=2.0)
    list(job.run(until_epoch=2))
    assert job.pace.steps_per_second == pytest.approx(100)


def test_time_before_training_began_counts_for_nothing() -> None:
    job = Job()
    job.now += 3600  # a pause, a queue, a compiler
    job.pace.begin()
    list(job.run(until_epoch=2, until_step=1))
    assert job.remaining == pytest.approx(job.truly_remaining, rel=0.01)


def test_an_attempt_that_goes_on_amid_an_epoch_knows_its_own_speed_only() -> None:
    job = Job()
    job.epoch, job.step = 4, 130
    for _ in range(8):
        job.chunk()
    # The end of an epoch is guessed until one was seen.
    assert job.remaining == pytest.approx(job.truly_remaining, rel=0.1)
    list(job.run(until_epoch=6, until_step=1))
    assert job.remaining == pytest.approx(job.truly_remaining, rel=0.01)


def test_the_estimate_does_not_swing_over_epochs_ends_and_noise() -> None:
    job = Job()
    job.spread = 0.3
    told = list(job.run())
    truth = job.now + job.test_seconds + job.export_seconds
    whole = truth - 100.0
    settled = told[len(told) * 3 // 10 :]
    assert max(abs(at - truth) for at in settled) < 0.05 * whole
    assert max(abs(b - a) for a, b in pairwise(settled)) < 0.02 * whole


def test_a_process_that_was_frozen_has_not_become_slow() -> None:
    job = Job()
    list(job.run(until_epoch=4))
    job.chunk(extra_seconds=60)
    assert job.remaining == pytest.approx(job.truly_remaining, rel=0.1)


def test_work_that_slowed_down_is_believed_within_a_minute() -> None:
    job = Job(step_seconds=0.1)
    list(job.run(until_epoch=5))
    job.step_seconds = 0.2
    began = job.now
    while job.now - began < 60:
        job.chunk() if job.step < job.sizes.steps_per_epoch else job.end_epoch()
    assert job.remaining == pytest.approx(job.truly_remaining, rel=0.25)


def test_an_evaluation_that_was_held_up_once_is_not_expected_again() -> None:
    job = Job()
    list(job.run(until_epoch=4, until_step=1))
    while job.step < job.sizes.steps_per_epoch:
        job.chunk()
    job.end_epoch(extra_seconds=30)
    assert job.remaining == pytest.approx(job.truly_remaining, rel=0.15)


def test_recent_speed_forgets_what_is_long_ago() -> None:
    rate = DecayingRate(3.0)
    assert rate.seconds_per_step is None
    for seconds in (0.1, 0.2):
        for _ in range(100):
            rate.took(10, 10 * seconds)
    assert rate.seconds_per_step == pytest.approx(0.2, rel=0.01)
