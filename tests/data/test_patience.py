"""A sample that a disk does not give ends the run by name, with and without loader processes; slow but moving ones do not."""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass
from typing import Any

import pytest
from torch.utils.data import Dataset

from ocr.data.patience import PatientLoader, Reading, TooSlow


@dataclass
class Slow(Dataset[int]):
    """Samples that take their time, as those on a network disk do."""

    reading: Reading
    seconds: dict[int, float]
    pace: float = 0.0

    def __getitem__(self, place: int) -> int:
        self.reading.begin(0, place)
        time.sleep(self.seconds.get(place, self.pace))
        self.reading.end()
        return place

    def __len__(self) -> int:
        return 12


def loader(workers: int, time_limit: float, context: str | None = None, **slow: Any) -> PatientLoader:
    reading = Reading(workers)
    data = Slow(reading, **slow)
    return PatientLoader(
        data,
        reading=reading,
        named=lambda source, place: f"sample {place} of set {source}",
        time_limit=time_limit,
        batch_size=2,
        num_workers=workers,
        multiprocessing_context=context,
    )


@pytest.mark.parametrize("workers", [0, 2])
def test_a_sample_that_does_not_come_is_named(workers: int) -> None:
    began = time.monotonic()
    batches = iter(loader(workers, 1.0, "fork" if workers else None, seconds={7: 600.0}))
    read = [b for _ in range(3) for b in next(batches).tolist()]
    message = r"sample 7 of set 0 has been read for [0-9]+ s, more than loader.time_limit=1: look"
    with pytest.raises(TooSlow, match=message) as caught:
        next(batches)
    assert "\n" not in str(caught.value)
    assert read == [0, 1, 2, 3, 4, 5]
    assert time.monotonic() - began < 60
    assert signal.getitimer(signal.ITIMER_REAL)[0] != 0.01


@pytest.mark.parametrize("workers", [0, 1])
def test_many_samples_none_of_which_is_slow_may_take_any_time(workers: int) -> None:
    given = loader(workers, 1.0, "fork" if workers else None, seconds={}, pace=0.15)
    assert [b for batch in given for b in batch.tolist()] == list(range(12))


def test_without_a_limit_nobody_is_watched() -> None:
    assert [b for batch in loader(0, 0, seconds={}) for b in batch.tolist()] == list(range(12))


def test_the_alarm_of_others_is_given_back() -> None:
    rung = []
    before = signal.signal(signal.SIGALRM, lambda *_: rung.append(1))
    left = signal.setitimer(signal.ITIMER_REAL, 500)
    try:
        assert len(list(loader(0, 5.0, seconds={}))) == 6
        assert 400 < signal.getitimer(signal.ITIMER_REAL)[0] <= 500
        assert signal.getsignal(signal.SIGALRM)(0, None) is None
        assert rung == [1]
    finally:
        signal.setitimer(signal.ITIMER_REAL, *left)
        signal.signal(signal.SIGALRM, before)


def test_a_name_that_the_same_disk_owes_is_not_waited_for() -> None:
    reading = Reading(0)

    def never(source: int, place: int) -> str:
        time.sleep(30)
        return ""

    given = PatientLoader(
        Slow(reading, {3: 30.0}), reading=reading, named=never, time_limit=0.5, batch_size=2, num_workers=0
    )
    with pytest.raises(TooSlow, match="sample 4 of source 1 has been read for"):
        list(given)
