"""What two runs of a task decide: agreement, accuracies, and how far spike counts are apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import IntArray
from ..checks import expect
from ..errors import RangeError, show
from ..recording import Recording
from ..task import Task
from .trains import counts_of


@dataclass(frozen=True, eq=False)
class Decisions:
    """Two runs of one task.

    Args:
        agreement: share of the samples that both put into the same class, 0..1.
        accuracies: share whose class is the label, of each run.
        count_rmse: of the spikes of an output neuron in a sample.
        changed: indices of the samples on which they disagree.
        mended, broken: how many of these the second run has right and the first wrong, and the
            other way round.
    """

    agreement: float
    accuracies: tuple[float, float]
    count_rmse: float
    changed: IntArray
    mended: int
    broken: int


def decisions(task: Task, first: Recording, second: Recording) -> Decisions:
    """Compare what two runs of a task's inputs decide.

    Args:
        task: its readout says how a class is read from a run.
        first, second: of all samples of the task.

    Raises:
        RangeError: not a task, or recordings that are not runs of its inputs.
    """
    given: object = task
    if not isinstance(given, Task):
        raise RangeError(f"decisions: task = {show(given)}, allowed: a Task")
    one, two = task.decide(first), task.decide(second)
    labels = np.asarray(task.labels)
    right = one == labels, two == labels
    return Decisions(
        float(np.mean(one == two)), (float(right[0].mean()), float(right[1].mean())),
        count_rmse(first, second, task.output), np.flatnonzero(one != two),
        int(np.sum(~right[0] & right[1])), int(np.sum(right[0] & ~right[1])),
    )  # fmt: skip


def count_rmse(first: Recording, second: Recording, population: str) -> float:
    """Return the root of the mean squared difference of spike counts, over neurons and samples.

    Raises:
        RangeError: no such population, or other sizes.
    """
    expect(first, Recording, "count_rmse (first)")
    expect(second, Recording, "count_rmse (second)")
    a, b = counts_of(first, population), counts_of(second, population)
    if a.shape != b.shape:
        raise RangeError(f"population {population!r}: counts of {a.shape} and {b.shape}, allowed: "
                         "alike")  # fmt: skip
    return float(np.sqrt(np.mean((a - b).astype(np.float64) ** 2)))
