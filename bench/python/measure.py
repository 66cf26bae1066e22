"""Medians of interleaved rounds: all run in every round, so that a slow moment slows them all."""

import gc
import statistics
import time
from collections.abc import Callable

Times = dict[str, float]


def compare(contenders: dict[str, Callable[[], object]], rounds: int = 25, seconds: float = 0.02) -> Times:
    """Measures contenders against each other.

    Args:
        contenders: name to what is run.
        rounds: how many times each has its turn.
        seconds: how long a turn lasts, about.

    Returns:
        Name to the median time of one run, in microseconds.
    """
    repeats = {name: calibrate(run, seconds) for name, run in contenders.items()}
    turns: dict[str, list[float]] = {name: [] for name in contenders}
    gc.collect()
    gc.disable()
    try:
        for number in range(rounds):
            # Every second round in reverse, so that nobody always runs after the same neighbour.
            order = list(contenders.items())[:: -1 if number % 2 else 1]
            for name, run in order:
                began = time.perf_counter()
                for _ in range(repeats[name]):
                    run()
                turns[name].append((time.perf_counter() - began) / repeats[name])
    finally:
        gc.enable()
    return {name: statistics.median(values) * 1e6 for name, values in turns.items()}


def calibrate(run: Callable[[], object], seconds: float) -> int:
    """How many runs fill a turn."""
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        run()
        count += 1
    return max(1, count)
