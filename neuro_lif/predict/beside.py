"""Predicted errors beside measured ones; the senders' rates are those of the float run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import FloatArray
from ..discretize import SteppedNetwork
from ..emulator import run_fixed
from ..errors import LoweringError, RangeError
from ..feeds import float_feeds
from ..fixed import FixedNetwork
from ..recording import Recording
from ..reference import run_clocked
from ..stimulate import Inputs, check_given, input_sizes, steps_of
from .identity import as_integers, certify_spikes
from .received import Drive
from .report import PopulationErrors, errors_of
from .verdict import SpikeCertificate


@dataclass(frozen=True, eq=False)
class Beside:
    """What was predicted and what was measured; print it for a table.

    Args:
        n_steps, dt: of the run; s.
        errors: population -> :class:`PopulationErrors`, rates predicted where there is a theory.
        notes: population -> why there is no prediction (of its rate, or at all).
        meant, coded: population -> measured rate of each neuron, Hz, in float64 and in integers.
        certificate: how far equal spikes are proved; None where a model is beyond it.
        uncertified: why there is no certificate.
    """

    n_steps: int
    dt: float
    errors: Mapping[str, PopulationErrors]
    notes: Mapping[str, str]
    meant: Mapping[str, FloatArray]
    coded: Mapping[str, FloatArray]
    certificate: SpikeCertificate | None
    uncertified: str = ""

    def __str__(self) -> str:
        parts = []
        for name in self.meant:
            lines = [str(self.errors[name])] if name in self.errors else [f"population {name!r}"]
            if name in self.notes:
                lines.append(f"  not predicted: {self.notes[name]}")
            lines.append(self._measured(name))
            parts.append("\n".join(lines))
        if self.certificate is not None:
            parts.append(str(self.certificate))
        elif self.uncertified:
            parts.append(f"no certificate of equal spikes: {self.uncertified}")
        return "\n\n".join(parts)

    def _measured(self, name: str) -> str:
        a, b = float(self.meant[name].mean()), float(self.coded[name].mean())
        text = f"  measured in {self.n_steps} steps: {a:.4g} | {b:.4g} Hz"
        if a > 0:
            text += f", {100 * (b / a - 1):+.3g} %"
        rate = self.errors[name].rate if name in self.errors else None
        if rate is not None:
            c, d = float(rate.meant.mean()), float(rate.coded.mean())
            text += f"; predicted {c:.4g} | {d:.4g} Hz"
            text += f", {100 * (d / c - 1):+.3g} %" if c > 0 else ""
        return text


def beside_run(
    fixed: FixedNetwork, stepped: SteppedNetwork, n_steps: int | None = None,
    inputs: Inputs | None = None,
) -> Beside:  # fmt: skip
    """Predict the errors of every population, and measure them.

    The senders' rates that a prediction needs are those of the float run.

    Args:
        fixed: the integers.
        stepped: what they were made from.
        n_steps: number of steps; absent means the length of ``inputs``.
        inputs: as of :func:`neuro_lif.run_clocked`, one sample ``(n_steps, n)``.

    Raises:
        RangeError: the two networks do not belong together, or the inputs do not fit.
    """
    given = check_given(inputs, input_sizes(stepped.network))
    if any(a.ndim == 3 for a in given.values()):
        raise RangeError("beside_run: inputs: a batch, allowed: one sample (n_steps, n)")
    steps = steps_of(n_steps, given)
    a = run_clocked(stepped, steps, given)
    b = run_fixed(fixed, steps, as_integers(fixed, given))
    seconds = steps * stepped.dt
    several = {p.name for p in stepped.described if p.limit > 1}
    rates = {name: _counts(a, name, name in several) / seconds for name in a.spikes}
    for name, feed in float_feeds(stepped.network, stepped.dt, steps, 1, given).items():
        if name in {i.name for i in stepped.network.spike_inputs}:
            rows = feed.rows(0, steps)[0]
            rates[name] = rows.sum(axis=0, dtype=np.float64) / seconds
    errors: dict[str, PopulationErrors] = {}
    notes: dict[str, str] = {}
    for name in a.spikes:
        _predict(fixed, stepped, name, rates, given, errors, notes)
    certificate, why = None, ""
    try:
        certificate = certify_spikes(fixed, stepped, steps, given)
    except LoweringError as error:
        why = str(error)
    return Beside(
        steps, stepped.dt, errors, notes, {name: rates[name] for name in a.spikes},
        {name: _counts(b, name, name in several) / seconds for name in a.spikes}, certificate, why,
    )  # fmt: skip


def predictions(fixed: FixedNetwork, stepped: SteppedNetwork) -> str:
    """Return the predicted errors of every population as text; nothing is run, so no rates.

    Raises:
        RangeError: the two networks do not belong together.
    """
    parts = []
    for p in stepped.populations:
        try:
            parts.append(str(errors_of(fixed, stepped, p.name)))
        except LoweringError as error:
            parts.append(f"population {p.name!r}\n  not predicted: {error}")
    return "\n\n".join(parts)


def _counts(run: Recording, name: str, several: bool) -> FloatArray:
    """Return the spikes of each neuron; ``several``: what is sent is how many they are."""
    spikes: Any = np.asarray(run.spikes[name])
    return np.asarray((spikes if several else spikes != 0).sum(axis=0), np.float64)


def _predict(
    fixed: FixedNetwork, stepped: SteppedNetwork, name: str, rates: Mapping[str, FloatArray],
    given: Mapping[str, Any], errors: dict[str, PopulationErrors], notes: dict[str, str],
) -> None:  # fmt: skip
    """Put a population's errors where they belong, or the reason why there are none."""
    try:
        errors[name] = errors_of(fixed, stepped, name)
        varying = [c.name for c in stepped.network.current_inputs
                   if c.population == name and c.name in given]  # fmt: skip
        if varying:
            notes[name] = f"the rate, as the current {varying[0]!r} varies (it was given)"
            return
        senders = {q.pre for q in stepped.projections if q.post == name}
        drive = Drive({pre: rates[pre] for pre in senders if pre in rates})  # a stage has none
        errors[name] = errors_of(fixed, stepped, name, drive)
    except (RangeError, LoweringError) as error:
        notes[name] = str(error)
