"""How fast a population beats: the power spectrum of its spikes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import FloatArray
from ..errors import RangeError
from .trains import CLOSE, positive, train_of, window_of


def power_spectrum(
    times: Any, t_start: float, t_stop: float, width: float = 0.5e-3, length: float = 0.25
) -> tuple[FloatArray, FloatArray]:
    """Return the power spectrum of the spikes of a population.

    Spikes of all neurons are counted in bins (as of :func:`.statistics.binned`); the spectrum is
    the mean over windows that overlap by half, each with its mean taken off.

    Args:
        times: of all spikes, s, in rising order; several may be at one time.
        t_start, t_stop: s; spikes outside are left out.
        width: of the bins, s; half of its inverse is the highest frequency.
        length: of the windows, s; its inverse is the step of the frequencies.

    Returns:
        Frequencies, Hz, without 0, and the one-sided density of the population's rate, Hz^2/Hz:
        independent Poisson trains with ``r`` spikes per second in all have ``2 r`` at every one.

    Raises:
        RangeError: not times, no window, or windows longer than what there is.

    Source: P. Welch, IEEE Trans. Audio Electroacoust. 15:70 (1967), with a Hann window.
    """
    from scipy.signal import welch

    start, stop = window_of(t_start, t_stop)
    size, long = positive(width, "width", "s"), positive(length, "length", "s")
    train = train_of(times, "times")
    bins, each = (int(np.floor(t / size * (1 + CLOSE))) for t in (stop - start, long))
    if not 4 <= each <= bins:
        raise RangeError(f"length = {length}, allowed: 4 bins of {size} s up to the window of "
                         f"{stop - start:g} s")  # fmt: skip
    place = np.ceil((train - start) / size - CLOSE * (1 + bins)).astype(np.int64) - 1
    counts = np.bincount(place[(place >= 0) & (place < bins)], minlength=bins)
    frequency, power = welch(counts / size, 1.0 / size, nperseg=each)
    return np.asarray(frequency[1:]), np.asarray(power[1:])
