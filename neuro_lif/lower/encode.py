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
from ..network import Constant, CurrentInput, PoissonInput, SpikeInput
from ..stimulus import Sampled
from ..streams import (
    FARTHEST,
    CodedCurrent,
    DrawnSpikes,
    ListedSpikes,
    current_to_integers,
    raster_of,
)
from .form import LifForm

if TYPE_CHECKING:
    from ..profile_model import HardwareProfile

CurrentCodes = dict[str, tuple[FloatArray, FloatArray, int]]
"""Population -> (LSB per A ``(n,)``, factor of u kept per step ``(n,)``, input shift)."""


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
    """Return the spike inputs as sources.

    Described spikes become a raster up to the last one, or where that would be large are made as a
    run goes, as those of a Poisson input are.
    """
    return tuple(_source(spikes, stepped.dt) for spikes in stepped.network.spike_inputs)


def _source(spikes: SpikeInput | PoissonInput, dt: float) -> FixedSource:
    if isinstance(spikes, PoissonInput):
        return FixedSource(spikes.name, spikes.size, None, DrawnSpikes(spikes, dt))
    if spikes.times is None:
        return FixedSource(spikes.name, spikes.size)
    n_steps = int(np.floor(float(np.max(spikes.times, initial=0.0)) / dt + 1e-9)) + 1
    if n_steps * spikes.size > MOST_CODED:
        return FixedSource(spikes.name, spikes.size, None, ListedSpikes(spikes, dt))
    return FixedSource(spikes.name, spikes.size, raster_of(spikes, dt, n_steps))


MOST_CODED = 2**21
"""Numbers of a described input that are coded ahead, into a raster."""

LOOKED_AT = 4096
"""Steps of a current coded as a run goes that the ledger tells of."""


def is_streamed(stepped: SteppedNetwork, current: CurrentInput, n_steps: int | None) -> bool:
    """Tell whether a described current is coded as a run goes: see :func:`code_currents`."""
    stimulus, size = current.stimulus, stepped.network.population(current.population).size
    if stimulus is None or isinstance(stimulus, Constant):
        return False
    if isinstance(stimulus, Sampled):
        n_steps = _steps_of(stimulus, stepped.dt)
    return stimulus.is_random or n_steps is None or n_steps * size > MOST_CODED


def largest_current(
    stepped: SteppedNetwork, current: CurrentInput, n_steps: int | None
) -> FloatArray:
    """Return the magnitude that a described current reaches, A ``(n,)``.

    Where it is coded ahead, in those steps; else what it never passes.
    """
    if current.stimulus is not None and is_streamed(stepped, current, n_steps):
        size = stepped.network.population(current.population).size
        return current.stimulus.largest(size, stepped.dt)
    amperes = np.abs(described(stepped, current, n_steps))
    return np.asarray(amperes.max(axis=0, initial=0.0))


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

    A short one is coded ahead, into a raster of ``n_steps`` (or as long as it is). What is random,
    long, or has no end and no ``n_steps`` is coded as a run goes; of that the ledger tells what
    rounding does to its first steps. Constant currents are part of the bias already. ``held``: see
    :mod:`.drives`.
    """
    out, noted = [], []
    for current in stepped.network.current_inputs:
        if isinstance(current.stimulus, Constant):
            continue
        lsb_per_ampere, kept, shift = codes[current.population]
        streamed = is_streamed(stepped, current, n_steps)
        raster = stream = None
        if current.stimulus is not None:
            size = stepped.network.population(current.population).size
            first = described(stepped, current, n_steps, LOOKED_AT if streamed else None)
            close, share, kept_v = (held or {}).get(current.population, (None, 1.0, None))
            coded = current_to_integers(
                first, lsb_per_ampere * share, kept, shift, close, kept_v
            )
            gain = stepped.population(current.population).gain
            volts = np.where(lsb_per_ampere > 0, gain / lsb_per_ampere, 0.0)
            got = _followed(coded, kept, shift) * volts
            where = f"input {current.name!r}"
            noted.append(entry(where, "current", first * gain, got, "V/step"))
            if streamed:
                stream = CodedCurrent(current.stimulus, stepped.dt, size,
                                      lsb_per_ampere * share, kept, shift)  # fmt: skip
            else:
                raster = coded
        ends = raster is None or isinstance(current.stimulus, Sampled)
        covers = None if ends else n_steps
        out.append(
            DirectInput(
                current.name, current.population, raster, lsb_per_ampere, kept, shift, covers,
                stream=stream,
            )
        )  # fmt: skip
    return tuple(out), tuple(noted)


SETTLE = 2
"""Steps coded after the end of a sampled current."""


def _steps_of(sampled: Sampled, dt: float) -> int:
    # the steps after the last sample bring u, which has a memory, back to 0
    samples = np.asarray(sampled.values).shape[0]
    return int(np.ceil(samples * sampled.interval / dt - 1e-9)) + SETTLE


def described(
    stepped: SteppedNetwork, current: CurrentInput, n_steps: int | None, most: int | None = None
) -> FloatArray:
    """Return the steps of a described current, A ``(n_steps, n)``.

    Args:
        stepped, current: whose.
        n_steps: of a current that has no end of its own; None: the first ``most``.
        most: no more than so many.
    """
    size = stepped.network.population(current.population).size
    if current.stimulus is None:
        return np.zeros((0, size))
    if isinstance(current.stimulus, Sampled):
        n_steps = _steps_of(current.stimulus, stepped.dt)
    steps = min(x for x in (n_steps, most) if x is not None)
    return np.asarray(current.stimulus.rows(0, steps, stepped.dt, size)[0])


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
