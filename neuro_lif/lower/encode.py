"""Codes biases (mantissa and exponent) and inputs (spikes as rasters, currents as integers)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray, IntArray
from ..discretize import SteppedNetwork
from ..errors import RangeError
from ..fixed import DirectInput, FixedSource
from ..formats import nearest
from ..ledger import Entry, entry
from ..network import Constant, CurrentInput
from ..profile import HardwareProfile
from ..stimulate import raster_of
from ..stimulus import Sampled
from .form import LifForm

CurrentCodes = dict[str, tuple[FloatArray, FloatArray, int]]
"""Population -> (LSB per A ``(n,)``, factor of u kept per step ``(n,)``, input shift)."""


def code_bias(
    profile: HardwareProfile, form: LifForm, bias: FloatArray, s: float, where: str
) -> tuple[IntArray, IntArray, Entry]:
    """Code a bias (V per step) as mantissa and exponent, the smallest exponent that fits.

    Returns:
        (mantissa ``(n,)``, exponent ``(n,)``, ledger entry).
    """
    lo, hi = profile.params[str(form.bias_mant)].span
    exp_lo, exp_hi = profile.params[form.bias_exp].span if form.bias_exp else (0, 0)
    exp_lo = max(exp_lo, 0)
    real = bias * s
    top = np.where(real >= 0, hi + 0.5, -lo + 0.5)
    need = np.ceil(np.log2(np.maximum(np.abs(real) / top, 2.0**-40)))
    exponent = np.asarray(np.clip(need, exp_lo, exp_hi), np.int64)
    mantissa = np.clip(nearest(real / 2.0**exponent), lo, hi)
    clipped = int(np.sum((real / 2.0**exponent > hi + 0.5) | (real / 2.0**exponent < lo - 0.5)))
    largest = float(np.abs(real).max(initial=0.0))
    headroom = float(np.log2(hi * 2.0**exp_hi / largest)) if largest > 0 else float("inf")
    got = mantissa * 2.0**exponent / s
    name = str(form.bias_mant)
    return (
        mantissa,
        exponent,
        entry(where, name, bias, got, "V/step", clipped, headroom, tolerance=1e-12 / s),
    )


def code_sources(stepped: SteppedNetwork) -> tuple[FixedSource, ...]:
    """Return the spike inputs as sources; described spikes become a raster up to the last one."""
    out = []
    for spikes in stepped.network.spike_inputs:
        raster = None
        if spikes.times is not None:
            last = float(np.max(spikes.times, initial=0.0))
            raster = raster_of(spikes, stepped.dt, int(np.floor(last / stepped.dt + 1e-9)) + 1)
        out.append(FixedSource(spikes.name, spikes.size, raster))
    return tuple(out)


def code_currents(
    stepped: SteppedNetwork, codes: CurrentCodes, n_steps: int | None
) -> tuple[tuple[DirectInput, ...], tuple[str, ...]]:
    """Return the current inputs as integers put into u, and notes.

    Constant currents are part of the bias already.
    """
    out, notes = [], []
    for current in stepped.network.current_inputs:
        if isinstance(current.stimulus, Constant):
            continue
        raster = None
        if current.stimulus is not None:
            size = stepped.network.population(current.population).size
            times = np.arange(_length(current, stepped.dt, n_steps)) * stepped.dt
            amperes = current.stimulus.sample(times, size)
            raster = current_to_integers(amperes, *codes[current.population])
            notes.append(
                f"input {current.name!r}: {len(raster)} steps of current coded as integers"
            )
        lsb_per_ampere, kept, shift = codes[current.population]
        out.append(
            DirectInput(current.name, current.population, raster, lsb_per_ampere, kept, shift)
        )
    return tuple(out), tuple(notes)


def _length(current: CurrentInput, dt: float, n_steps: int | None) -> int:
    if n_steps is not None:
        return n_steps
    if isinstance(current.stimulus, Sampled):
        samples = np.asarray(current.stimulus.values).shape[0]
        return int(np.ceil(samples * current.stimulus.interval / dt - 1e-9))
    raise RangeError(
        f"input {current.name!r}: n_steps = None, allowed: the number of steps "
        "(this current has no end of its own)"
    )


def current_to_integers(
    amperes: npt.ArrayLike, lsb_per_ampere: FloatArray, kept: FloatArray, shift: int
) -> IntArray:
    """Turn a current into integers for the synaptic input.

    The input goes through u, which keeps ``kept`` of itself per step, so each integer is chosen to
    bring u to the wanted value; what rounding leaves over is made good in the next step.

    Args:
        amperes: ``(n_steps, n)`` A.
        lsb_per_ampere: ``(n,)`` LSB of v per step and A.
        kept: ``(n,)``.
        shift: left shift from the input to v.
    """
    wanted = np.asarray(amperes, np.float64) * lsb_per_ampere
    u = np.zeros(wanted.shape[1])
    out = np.zeros(wanted.shape, np.int64)
    unit = 2.0**shift
    for t, row in enumerate(wanted):
        out[t] = nearest((row - kept * u) / unit)
        u = kept * u + out[t] * unit
    return out


def encode_current(direct: Any, amperes: npt.ArrayLike) -> IntArray:
    """Turn a current given at run time into the integers of a DirectInput that quantize made.

    Args:
        direct: the :class:`~neuro_lif.fixed.DirectInput`.
        amperes: ``(n_steps, n)`` A.

    Raises:
        RangeError: the input was not made by quantize.
    """
    if direct.lsb_per_ampere is None:
        raise RangeError(f"input {direct.name!r}: it takes integers; its scale is not known")
    return current_to_integers(amperes, direct.lsb_per_ampere, direct.kept, direct.shift)
