"""How long chunks become."""

from worker.engine.chunk_sizer import AIM_SECONDS, FIRST_STEPS, ChunkSizer


def chunks(pace: ChunkSizer, seconds_per_step: list[float]) -> list[int]:
    """Lengths of the chunks that follow one another when steps take so long."""
    lengths = []
    for seconds in seconds_per_step:
        lengths.append(pace.steps())
        pace.took(lengths[-1], lengths[-1] * seconds)
    return lengths


def test_chunks_grow_to_the_time_aimed_at() -> None:
    lengths = chunks(ChunkSizer(), [0.001] * 8)
    assert lengths[0] == FIRST_STEPS
    assert lengths[4:] == [round(AIM_SECONDS / 0.001)] * 4


def test_a_slow_step_is_run_alone() -> None:
    assert chunks(ChunkSizer(), [3.0] * 3)[1:] == [1, 1]


def test_one_held_up_chunk_is_forgotten_soon() -> None:
    lengths = chunks(ChunkSizer(), [0.001] * 6 + [1.0] + [0.001] * 5)
    assert lengths[7] == 1
    assert lengths[11] == lengths[6]
