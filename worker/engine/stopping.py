"""Early stopping: when an epoch's metric has not improved for long enough."""

import numpy as np

from jobs.record import EpochMetrics
from jobs.spec import EarlyStopping
from worker.engine.model import Weights
from worker.engine.snapshot import Best


class Stopper:
    """Watches one metric over the epochs and remembers the best one."""

    def __init__(self, rule: EarlyStopping | None, best: Best | None = None) -> None:
        self._rule = rule
        self.best = best

    def should_stop(self, metrics: EpochMetrics, weights: Weights) -> bool:
        """Take note of an epoch; tells whether it was the last."""
        rule = self._rule
        if rule is None:
            return False
        value = getattr(metrics, rule.monitor)
        if self.best is None or self._gain(value) > rule.min_delta:
            kept = tuple(weight.numpy() for weight in weights) if rule.restore_best else None
            self.best = Best(value, metrics.epoch, kept)
        return metrics.epoch - self.best.epoch >= rule.patience

    def best_weights(self) -> tuple[np.ndarray, ...] | None:
        """Weights to end with, where the rule asks for the best epoch's."""
        return self.best.weights if self.best else None

    def _gain(self, value: float) -> float:
        """How much better than the best so far: losses fall, accuracies rise."""
        assert self._rule
        assert self.best
        return self.best.value - value if self._rule.monitor.endswith("loss") else value - self.best.value
