"""Figures: spreads, ratios, targets, the table."""

from bench.figure import Figure, Spread, Target, table


def test_a_ratio_is_taken_round_by_round() -> None:
    figure = Figure("epoch", "s", Spread((1.0, 2.0, 4.0)), "slow", Spread((3.0, 10.0, 8.0)))
    assert figure.ratio == Spread((3.0, 5.0, 2.0))


def test_a_rate_is_better_when_higher() -> None:
    figure = Figure("GET", "1/s", Spread((200.0,)), "bare", Spread((100.0,)), higher_is_better=True)
    assert figure.ratio == Spread((2.0,))


def test_a_percentile_is_a_measured_value() -> None:
    spread = Spread.of([float(value) for value in range(1, 101)])
    assert (spread.percentile(99), spread.percentile(50), spread.percentile(100)) == (99, 50, 100)


def test_a_missed_target_is_said_loudly() -> None:
    met = Figure("epoch", "s", Spread((1.0,)), "slow", Spread((3.0,)), target=Target("ratio at least", 2))
    missed = Figure("cancel", "ms", Spread((300.0,)), target=Target("at most", 250))
    lines = table([met, missed]).splitlines()
    assert lines[1].endswith("≥ 2×    ok")
    assert lines[2].endswith("≤ 250   MISSED")


def test_a_target_beyond_what_the_products_alone_reach_is_missed_and_said_to_be_so() -> None:
    slow, target = Spread((0.75,)), Target("ratio at least", 2.5)
    beyond = Figure("epoch", "s", Spread((0.5,)), "slow", slow, target=target, bound=0.32)
    within = Figure("epoch", "s", Spread((0.5,)), "slow", slow, target=target, bound=0.29)
    assert (beyond.out_of_reach, within.out_of_reach) == (True, False)
    assert "MISSED: needs 0.300, its products alone reach 0.320" in table([beyond])
    assert table([within]).endswith("MISSED")
    met = Figure("epoch", "s", Spread((0.25,)), "slow", slow, target=target, bound=0.32)
    assert table([met]).endswith("ok")


def test_a_share_beyond_what_the_products_alone_reach_is_said_to_be_so() -> None:
    def share(bound: float) -> Figure:
        return Figure("share", "%", Spread((70.0,)), higher_is_better=True, target=Target("at least", 85), bound=bound)

    assert (share(84.0).out_of_reach, share(86.0).out_of_reach) == (True, False)
    assert table([share(84.0)]).endswith("MISSED: needs 85.0, its products alone reach 84.0")
