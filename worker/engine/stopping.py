"""Early stopping: when an epoch's metric has not improved for long enough."""

from jobs.record import EpochMetrics
from jobs.spec import EarlyStopping
from worker.engine.network import Weights
from worker.engine.snapshot import Best, Learned


class Stopper:
    """Watches one metric over the epochs and remembers the best one."""

    def __init__(self, rule: EarlyStopping | None, best: Best | None = None) -> None:
        self._rule = rule
        self.best = best

    def note(self, metrics: EpochMetrics, weights: Weights, fixed: Weights = ()) -> None:
        """Take note of an epoch, and of what the network has learnt by then."""
        rule = self._rule
        if rule is None:
            return
        value = getattr(metrics, rule.monitor)
        if self.best is None or self._gain(value) > rule.min_delta:
            self.best = None  # its weights make room for the new ones
            kept = [tuple(each.numpy() for each in values) for values in (weights, fixed) if rule.restore_best]
            self.best = Best(value, metrics.epoch, Learned(*kept) if kept else None)

    def says_stop(self, epochs: int) -> bool:
        """Whether to stop after so many epochs."""
        return self._rule is not None and self.best is not None and epochs - self.best.epoch >= self._rule.patience

    def best_learned(self) -> Learned | None:
        """What to end with, where the rule asks for the best epoch's."""
        return self.best.learned if self.best else None

    def _gain(self, value: float) -> float:
        """How much better than the best so far: losses and errors fall, the others rise."""
        assert self._rule
        assert self.best
        rises = self._rule.monitor.removeprefix("val_") in ("accuracy", "r2")
        return value - self.best.value if rises else self.best.value - value
