"""Codes biases (mantissa and exponent) and inputs (spikes as rasters, currents as integers)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray, IntArray
from ..discretize import SteppedNetwork
from ..errors import RangeError
from ..fixed import DirectInput, FixedSource
from ..formats import near_tie, nearest
from ..ledger import Entry, entry
from ..network import Constant, CurrentInput
from ..stimulate import raster_of
from ..stimulus import Sampled
from .form import LifForm

if TYPE_CHECKING:
    from ..profile_model import HardwareProfile

CurrentCodes = dict[str, tuple[FloatArray, FloatArray, int]]
"""Population -> (LSB per A ``(n,)``, factor of u kept per step ``(n,)``, input shift)."""

FARTHEST = 2.0**40
"""Reals are cut to this before they become integers: beyond any parameter, inside an int64."""


def code_bias(
    profile: HardwareProfile,
    form: LifForm,
    bias: FloatArray,
    s: FloatArray,
    where: str,
    most: npt.ArrayLike = np.inf,
) -> tuple[IntArray, IntArray, Entry]:
    """Code a bias (V per step) as mantissa and exponent, the smallest exponent that fits.

    Args:
        profile, form: the chip and its neuron model.
        bias: V per step ``(n,)``.
        s: LSB per V ``(n,)``.
        where: the population, for the ledger.
        most: ``(n,)`` a bias, LSB per step, that may not be passed; one rounded above it is
            rounded down.

    Returns:
        (mantissa ``(n,)``, exponent ``(n,)``, ledger entry).
    """
    lo, hi = profile.params[str(form.bias_mant)].span
    exp_lo, exp_hi = profile.params[form.bias_exp].span if form.bias_exp else (0, 0)
    exp_lo = max(exp_lo, 0)
    real = bias * s
    top = np.maximum(np.where(real >= 0, hi, -lo), 0) + 0.5
    need = np.ceil(np.log2(np.maximum(np.abs(real) / top, 2.0**-40)))
    exponent = np.asarray(np.clip(need, exp_lo, exp_hi), np.int64)
    if form.bias_exp and profile.params[form.bias_exp].per != "neuron":
        exponent = np.full(exponent.shape, exponent.max(initial=exp_lo), np.int64)
    shifted = np.clip(real / 2.0**exponent, -FARTHEST, FARTHEST)
    highest = np.floor(np.minimum(np.asarray(most) / 2.0**exponent, FARTHEST))
    mantissa = np.clip(np.minimum(nearest(shifted), highest.astype(np.int64)), lo, hi)
    clipped = int(np.sum((shifted > hi + 0.5) | (shifted < lo - 0.5)))
    largest = float(np.abs(real).max(initial=0.0))
    room = hi * 2.0**exp_hi
    headroom = float(np.log2(room / largest)) if largest > 0 and room > 0 else float("inf")
    got = mantissa * 2.0**exponent / s
    name, ties = str(form.bias_mant), int(near_tie(shifted).sum())
    noted = entry(where, name, bias, got, "V/step", clipped, headroom, ties, 1e-12 / s)
    return mantissa, exponent, noted


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


HeldCurrents = dict[str, tuple[FloatArray, FloatArray, FloatArray]]
"""Population -> (who is held below the threshold, factor on currents, factor of v kept per step),
``(n,)`` each."""


def code_currents(
    stepped: SteppedNetwork,
    codes: CurrentCodes,
    n_steps: int | None,
    held: HeldCurrents | None = None,
) -> tuple[tuple[DirectInput, ...], tuple[Entry, ...]]:
    """Return the current inputs as integers put into u, and what rounding them did.

    Constant currents are part of the bias already. ``held``: see :mod:`.drives`.
    """
    out, noted = [], []
    for current in stepped.network.current_inputs:
        if isinstance(current.stimulus, Constant):
            continue
        lsb_per_ampere, kept, shift = codes[current.population]
        raster = None
        if current.stimulus is not None:
            amperes = described(stepped, current, n_steps)
            close, share, kept_v = (held or {}).get(current.population, (None, 1.0, None))
            raster = current_to_integers(
                amperes, lsb_per_ampere * share, kept, shift, close, kept_v
            )
            gain = stepped.population(current.population).gain
            volts = np.where(lsb_per_ampere > 0, gain / lsb_per_ampere, 0.0)
            got = _followed(raster, kept, shift) * volts
            where = f"input {current.name!r}"
            noted.append(entry(where, "current", amperes * gain, got, "V/step"))
        ends = raster is None or isinstance(current.stimulus, Sampled)
        covers = None if ends else n_steps
        out.append(
            DirectInput(
                current.name, current.population, raster, lsb_per_ampere, kept, shift, covers
            )
        )
    return tuple(out), tuple(noted)


SETTLE = 2
"""Steps coded after the end of a sampled current."""


def described(stepped: SteppedNetwork, current: CurrentInput, n_steps: int | None) -> FloatArray:
    """Return the samples of a described current, A ``(n_steps, n)``.

    Raises:
        RangeError: the current has no end of its own and ``n_steps`` is None.
    """
    size = stepped.network.population(current.population).size
    if current.stimulus is None:
        return np.zeros((0, size))
    if isinstance(current.stimulus, Sampled):
        # the steps after the last sample bring u, which has a memory, back to 0
        samples = np.asarray(current.stimulus.values).shape[0]
        n_steps = int(np.ceil(samples * current.stimulus.interval / stepped.dt - 1e-9)) + SETTLE
    elif n_steps is None:
        raise RangeError(
            f"input {current.name!r}: n_steps = None, allowed: the number of steps "
            "(this current has no end of its own)"
        )
    return current.stimulus.sample(np.arange(n_steps) * stepped.dt, size)


def current_to_integers(
    amperes: npt.ArrayLike,
    lsb_per_ampere: FloatArray,
    kept: FloatArray,
    shift: int,
    close: FloatArray | None = None,
    kept_v: FloatArray | None = None,
) -> IntArray:
    """Turn a current into integers for the synaptic input.

    The input goes through u, which keeps ``kept`` of itself per step, so each integer is chosen to
    bring u to the wanted value; what rounding leaves over is made good in the next step, so the
    charge is never off by more than half a unit (``2**shift`` LSB).

    Args:
        amperes: ``(..., n_steps, n)`` A.
        lsb_per_ampere: ``(n,)`` LSB of v per step and A.
        kept: ``(n,)``.
        shift: left shift from the input to v.
        close: ``(n,)`` whose v must never be above what it is meant to be: what rounding leaves
            over is then carried as v keeps it, and never positive.
        kept_v: ``(n,)`` factor of v kept per step; with ``close``.
    """
    wanted = np.asarray(amperes, np.float64) * lsb_per_ampere
    unit = 2.0**shift
    out = np.zeros(wanted.shape, np.int64)
    u = np.zeros(wanted.shape[:-2] + wanted.shape[-1:])
    owed, behind = np.zeros(u.shape), np.zeros(u.shape)
    for t in range(wanted.shape[-2]):
        row = wanted[..., t, :]
        real = np.clip((row + owed - kept * u) / unit, -FARTHEST, FARTHEST)
        out[..., t, :] = nearest(real)
        if close is not None and kept_v is not None:
            # a little slack, so that a whole number is not rounded down
            lower = np.floor((row - kept_v * behind - kept * u) / unit + 1e-9)
            lower = np.clip(lower, -FARTHEST, FARTHEST).astype(np.int64)
            out[..., t, :] = np.where(close, lower, out[..., t, :])
        u = kept * u + out[..., t, :] * unit
        if kept_v is not None:
            behind = kept_v * behind + u - row
        owed = row + owed - u
    return out


def _followed(raster: IntArray, kept: FloatArray, shift: int) -> FloatArray:
    """Return what u becomes under the integers of a current alone, LSB of v per step."""
    u = np.zeros(raster.shape)
    for t in range(len(raster)):
        u[t] = (kept * u[t - 1] if t else 0.0) + raster[t] * 2.0**shift
    return u


def encode_current(direct: DirectInput, amperes: npt.ArrayLike) -> IntArray:
    """Turn a current given at run time into the integers of a DirectInput that quantize made.

    Args:
        direct: the :class:`~neuro_lif.fixed.DirectInput`.
        amperes: ``(n_steps, n)`` or ``(batch, n_steps, n)`` A.

    Raises:
        RangeError: the input was not made by quantize, or the current's shape does not fit it.
    """
    if direct.lsb_per_ampere is None:
        raise RangeError(f"input {direct.name!r}: it takes integers; its scale is not known")
    values = np.asarray(amperes)
    n = len(np.atleast_1d(direct.lsb_per_ampere))
    if values.ndim not in (2, 3) or values.shape[-1] != n or values.dtype.kind not in "biuf":
        raise RangeError(
            f"input {direct.name!r}: amperes {values.dtype} {values.shape}, allowed: numbers "
            f"(n_steps, {n}) or (batch, n_steps, {n})"
        )
    if not np.all(np.isfinite(values)):
        raise RangeError(f"input {direct.name!r}: amperes, allowed: finite numbers")
    return current_to_integers(values, direct.lsb_per_ampere, direct.kept, direct.shift)
