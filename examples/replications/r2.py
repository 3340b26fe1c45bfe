"""R2: Brunel's network A at full size in float64: its rates, and how fast its population beats.

    python examples/replications/r2.py            five seeds, 2 to 3 minutes
    python examples/replications/r2.py --quick    two seeds

12,500 neurons with delta synapses (``examples/brunel.py``) at three points of Brunel's diagram: g
is the inhibitory over the excitatory weight, eta the external rate over that which reaches the
threshold.

    g = 5,   eta = 2      asynchronous irregular: no rhythm stands out
    g = 6,   eta = 4      fast oscillation, neurons fire in some of its periods
    g = 4.5, eta = 0.9    slow oscillation

The rhythm is the highest peak of the power spectrum of the population's spikes
(``neuro_lif.metrics.power_spectrum``), beside the median of the spectrum.

What is allowed: another program had other random connections, start and noise, so that a rate may
differ by 2 % and 4 times the spread between seeds; the published rates (Brunel's figure 8) are of
another program, too, and read from a paper: 7 %. Peaks within 15 Hz of
180 to 190 Hz, where it is some 20 Hz wide, and within 3 Hz of 22 Hz.

Source: N. Brunel, J. Comput. Neurosci. 8:183 (2000), figure 8.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

sys.path.append(str(Path(__file__).resolve().parents[1]))  # examples/brunel.py

import brunel  # noqa: E402
from table import Row, near, note, run, say  # noqa: E402

import neuro_lif as nl  # noqa: E402
from neuro_lif.metrics import power_spectrum  # noqa: E402

TITLE = "R2  Brunel's network A, 12,500 neurons in float64"
Array = npt.NDArray[Any]


class Point(NamedTuple):
    """A point of the diagram.

    Args:
        g, eta: see above.
        rate, published: Hz, of another program and as published.
        rhythm: of both, Hz; None where there is none.
        within: how far off a rhythm may be, Hz.
        length: of the spectrum's windows, s.
    """

    g: float
    eta: float
    rate: float
    published: float
    rhythm: tuple[float, float] | None
    within: float
    length: float


POINTS = (
    Point(5, 2, 38.10, 37.7, None, 0, 0.25),
    Point(6, 4, 58.1, 60.7, (190, 180), 15, 0.25),
    Point(4.5, 0.9, 5.74, 5.5, (22, 22), 3, 0.5),
)
WARM_UP, SECONDS = 0.3, 1.5


class Found(NamedTuple):
    """Rate, the peak of the spectrum (Hz), and the peak over the median from 5 to 500 Hz."""

    rate: float
    peak: float
    height: float


def found(point: Point, seed: int, seconds: float = SECONDS) -> Found:
    """Run a point."""
    steps = round((WARM_UP + seconds) / brunel.DT)
    run_ = nl.run_clocked(brunel.float_network(seed, point.g, point.eta), steps)
    _, times = run_.spike_times("n")
    late = times[times > WARM_UP]
    n = brunel.N_EXC + brunel.N_INH
    stop = WARM_UP + seconds
    frequency, power = power_spectrum(late, WARM_UP, stop, 5 * brunel.DT, point.length)
    inside = (frequency >= 5) & (frequency <= 500)
    top = int(np.argmax(np.where(inside, power, 0)))
    height = float(power[top] / np.median(power[inside]))
    return Found(len(late) / (n * seconds), float(frequency[top]), height)


def rows(quick: bool = False) -> Iterator[Row]:
    """Yield the rows of each point."""
    quiet = 0.0
    for point in POINTS:
        name = f"g = {point.g:g}, eta = {point.eta:g}"
        each = []
        for seed in (1, 2) if quick else range(1, 6):
            say(f"{name}, seed {seed}")
            each.append(found(point, seed))
        rate, peak, height = np.array(each).mean(axis=0)
        spread = float(np.std([f.rate for f in each], ddof=1))
        allowed = 0.02 * point.rate + 4 * spread
        yield near(f"{name}: rate", rate, point.rate, allowed, "Hz", 2,
                   "another program; 2 % + 4 sd of seeds", spread)  # fmt: skip
        allowed = 0.07 * point.published
        yield near("    as published", rate, point.published, allowed, "Hz", 2, "7 %")
        if point.rhythm is None:
            quiet = height
            yield note("    highest peak over the median", height, None, "", 1)
            yield note("    at", peak, None, "Hz", 0)
        else:
            wander = float(np.std([f.peak for f in each], ddof=1))
            other, published = point.rhythm
            yield near("    rhythm", peak, other, point.within, "Hz", 0, "another program", wander)
            yield near("    as published", peak, published, point.within, "Hz", 0)
            yield Row("    its peak over the median", height, None, 3 * quiet, None, "", 1,
                      "3 times that of g = 5")  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(run(__doc__, TITLE, rows))
