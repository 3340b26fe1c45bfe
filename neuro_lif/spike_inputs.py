"""Poisson spike trains of the description: drawn as a run goes, from a seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .arrays import FloatArray
from .checks import check_name, check_size, number_array
from .draws import bernoulli_table, by_table, check_seed, count_words, poisson_table
from .errors import Faults, NetworkError, RangeError

DRAWS = ("counts", "bernoulli")

MOST_MEAN = 10_000
"""Events of one channel per step."""


@dataclass(frozen=True, eq=False)
class PoissonInput:
    """Poisson spike trains from outside, drawn as a run goes: no raster, the same in every engine.

    A step of dt has ``rate * dt`` events in the mean, of the rate at its start. ``"counts"`` draws
    how many there are from a Poisson distribution (:func:`neuro_lif.draws.poisson_table`);
    ``"bernoulli"`` draws one spike with the probability ``rate * dt``, else none. Both take the
    same word, a function of the seed, the sample of a batch, the step and the channel
    (:func:`neuro_lif.draws.count_words`): not of blocks, of engines, or of how many channels there
    are. So a channel that has an event by ``"counts"`` has a spike by ``"bernoulli"``.

    Args:
        name: unique among populations and inputs.
        size: number of channels, >= 1.
        rate: Hz, >= 0: a scalar or ``(size,)``; or, held for an ``interval`` each and 0 after the
            last, ``(n_intervals, 1)`` or ``(n_intervals, size)``.
        seed: 0..2**32 - 1; two inputs with the same seed draw by the same numbers, so give each
            its own.
        draw: ``"counts"`` or ``"bernoulli"``.
        interval: s, > 0, where the rate changes in time.

    Raises:
        NetworkError: naming the field, its value and what is allowed.
    """

    name: str
    size: int
    rate: npt.ArrayLike
    seed: int
    draw: Literal["counts", "bernoulli"] = "counts"
    interval: float | None = None

    def __post_init__(self) -> None:
        faults = Faults()
        where = f"input {self.name!r}"
        check_name(where, self.name, faults)
        check_size(where, self.size, faults)
        check_seed(where, self.seed, faults)
        if not isinstance(self.draw, str) or self.draw not in DRAWS:
            faults.add(where, "draw", self.draw, '"counts" or "bernoulli"')
        rate = number_array(where, "rate", self.rate, faults)
        if rate is not None and not faults.lines:
            self._check_rate(where, rate, faults)
        if self.interval is not None:
            interval = number_array(where, "interval", self.interval, faults)
            if interval is not None and (interval.ndim != 0 or not interval > 0):
                faults.add(where, "interval", self.interval, "one time > 0 s")
            elif interval is not None:
                object.__setattr__(self, "interval", float(interval))
        faults.raise_if_any(NetworkError)

    def _check_rate(self, where: str, rate: FloatArray, faults: Faults) -> None:
        changes = rate.ndim == 2
        fits = rate.shape[-1] in (1, self.size) if changes else rate.shape in ((), (self.size,))
        if not fits:
            faults.add(where, "rate", f"shape {rate.shape}", f"a scalar, shape ({self.size},) or "
                       f"(n_intervals, 1 or {self.size})")  # fmt: skip
        elif changes != (self.interval is not None):
            faults.add(where, "interval", self.interval,
                       "a time, s, exactly where the rate has an axis of time")  # fmt: skip
        if rate.size and rate.min() < 0:
            faults.add(where, "rate", float(rate.min()), ">= 0 Hz")
        object.__setattr__(self, "rate", rate)

    def check_step(self, dt: float) -> None:
        """Refuse a step that is too long for these rates.

        Raises:
            RangeError: with ``"bernoulli"``, a probability ``rate * dt`` above 1; with
                ``"counts"``, more than 10000 events in a step.
        """
        rate = float(np.max(np.asarray(self.rate), initial=0.0))
        where, mean = f"input {self.name!r}", rate * dt
        if self.draw == "bernoulli" and mean > 1:
            raise RangeError(
                f"{where}: rate * dt = {rate:g} Hz * {dt:g} s = {mean:g}, allowed with "
                f'draw="bernoulli": a probability, at most 1 (shorten dt to {1 / rate:g} s or '
                'less, lower the rate, or use draw="counts")'
            )
        if mean > MOST_MEAN:
            raise RangeError(f"{where}: rate * dt = {mean:g}, allowed: at most {MOST_MEAN} events "
                             "per channel and step (shorten dt or lower the rate)")  # fmt: skip

    def most(self, dt: float) -> int:
        """Return the most spikes that a channel can have in one step of ``dt`` (s)."""
        if not np.size(self.rate):
            return 0
        table = self._table(dt)(float(np.max(np.asarray(self.rate))) * dt)
        return len(table)

    def rows(
        self, first: int, last: int, dt: float, samples: Sequence[int] = (0,)
    ) -> npt.NDArray[Any]:
        """Return the spikes of steps ``first .. last - 1``.

        Args:
            first, last: steps, 0 being the first of a run.
            dt: s.
            samples: which samples of a batch; each has spikes of its own.

        Returns:
            ``(len(samples), last - first, size)`` counts, in bytes where they fit.

        Raises:
            RangeError: as of :meth:`check_step`.
        """
        self.check_step(dt)
        dtype = np.uint8 if self.most(dt) <= 255 else np.int64
        out = np.empty((len(samples), last - first, self.size), dtype)
        for k, sample in enumerate(samples):
            # step t of a drawn input is 1 for row 0, as of FixedPoisson
            words = count_words((int(self.seed), 0, sample, 0), first + 1, last + 1, self.size)
            for here, means in self._means(first, last, dt):
                out[k, here] = self._drawn(words[here], means, dt, dtype)
        return out

    def _means(self, first: int, last: int, dt: float) -> Iterator[tuple[slice, FloatArray]]:
        """Yield (rows, their means per step) of all stretches with one rate."""
        rate = np.asarray(self.rate)
        if rate.ndim < 2:
            yield slice(0, last - first), rate * dt
            return
        # the small offset keeps a step on the grid from falling into the interval before it
        index = np.floor(np.arange(first, last) * dt / float(self.interval or 1) + 1e-9)
        index = np.minimum(index.astype(np.int64), len(rate))
        starts = np.flatnonzero(np.diff(index, prepend=-1))
        for a, b in zip(starts, [*starts[1:], last - first], strict=True):
            where = int(index[a])
            means = rate[where] * dt if where < len(rate) else np.zeros(1)
            yield slice(int(a), int(b)), means[0] if means.size == 1 else means

    def _drawn(self, words: Any, means: FloatArray, dt: float, dtype: Any) -> npt.NDArray[Any]:
        table = self._table(dt)
        if np.ndim(means) == 0:
            return by_table(table(float(means)), words, dtype)
        out = np.empty(words.shape, dtype)
        found, which = np.unique(means, return_inverse=True)
        for number, mean in enumerate(found):
            mine = which.reshape(-1) == number
            out[:, mine] = by_table(table(float(mean)), words[:, mine], dtype)
        return out

    def _table(self, dt: float) -> Callable[[float], tuple[int, ...]]:
        return poisson_table if self.draw == "counts" else bernoulli_table
