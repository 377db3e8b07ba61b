"""What a stack may use of its machine."""

import pytest

from gradientd.local import machine


@pytest.mark.parametrize(("listed", "expected"), [(2, ("0",)), (0, ("0", "99", "GPU-abc"))])
def test_chosen_gpus_are_read_as_cuda_reads_them(
    monkeypatch: pytest.MonkeyPatch, listed: int, expected: tuple[str, ...]
) -> None:
    monkeypatch.setattr(machine, "listed_devices", lambda: tuple(f"0000:0{n}:00.0" for n in range(listed)))
    assert machine.gpus({"CUDA_VISIBLE_DEVICES": "0,99,GPU-abc"}) == expected
    assert machine.gpus({"CUDA_VISIBLE_DEVICES": "0,,1"}) == ("0",)
    assert machine.gpus({"CUDA_VISIBLE_DEVICES": "-1"}) == ()
