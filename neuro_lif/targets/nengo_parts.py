"""What both Nengo targets share: the built model, and how inputs are checked."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import nengo
import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray, IntArray
from ..errors import TargetError
from ..stimulate import Inputs, batch_of, check_given


@dataclass(frozen=True, eq=False)
class NengoModel:
    """A network as Nengo objects; add your own Nodes and Connections to :attr:`network` freely.

    Args:
        network: the ``nengo.Network``.
        ensembles: population -> its ensembles (several where one Nengo ensemble cannot hold all
            its neurons).
        members: population -> for each ensemble, which of its neurons it holds, ``(k,)``.
        nodes: input or read-out -> its Node.
        synapses: projection -> its Node; only for a FixedNetwork.
        probes: (population, ``"spikes"`` or ``"v"`` or ``"u"``) -> one probe per ensemble.
        scale: population -> V per unit of Nengo's voltage ``(n,)``; LSB per unit, 1, if integer.
        v_zero: population -> V that v = 0 stands for, ``(n,)``.
        notes: what is approximated, one sentence each.
    """

    network: Any
    ensembles: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    members: Mapping[str, tuple[IntArray, ...]] = field(default_factory=dict)
    nodes: Mapping[str, Any] = field(default_factory=dict)
    synapses: Mapping[str, Any] = field(default_factory=dict)
    probes: Mapping[tuple[str, str], tuple[Any, ...]] = field(default_factory=dict)
    scale: Mapping[str, FloatArray] = field(default_factory=dict)
    v_zero: Mapping[str, FloatArray] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def simulator(self, dt: float, simulator: Any = None, **options: Any) -> Any:
        """Build a simulator of the model.

        Nengo works out a "maximum rate" for every ensemble as it builds. Nothing here uses it, and
        with a bias below threshold it divides by zero; that one warning is silenced.

        Args:
            dt: s.
            simulator: any Nengo back-end's Simulator class; absent means ``nengo.Simulator``.
            **options: handed to the simulator.

        Raises:
            TargetError: the back-end cannot build the model (its own error is the cause).
        """
        build = simulator or nengo.Simulator
        if build is nengo.Simulator:
            options.setdefault("progress_bar", False)
        try:
            with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
                warnings.filterwarnings("ignore", "Non-finite values detected in `max_rates`")
                return build(self.network, dt=dt, **options)
        except nengo.exceptions.NengoException as error:
            name = getattr(build, "__qualname__", repr(build))
            raise TargetError(f"nengo: {name} cannot build this model: {error}") from error

    def data(self, sim: Any, population: str, variable: str) -> npt.NDArray[Any]:
        """Return what a simulator recorded: ``(steps, n)``, spikes as counts, v above v_zero.

        Raises:
            TargetError: there is no such probe.
        """
        key = (population, variable)
        if key not in self.probes:
            known = ", ".join(f"{p}.{v}" for p, v in sorted(self.probes))
            raise TargetError(f"nengo: {population}.{variable} is not probed, allowed: {known}")
        parts = [np.asarray(sim.data[probe]) for probe in self.probes[key]]
        out = np.zeros((len(parts[0]), len(self.v_zero[population])), parts[0].dtype)
        for part, members in zip(parts, self.members[population], strict=True):
            out[:, members] = part
        if variable == "spikes":
            return np.asarray(np.rint(out * sim.dt), np.int64)
        scaled: npt.NDArray[Any] = out if out.dtype.kind == "i" else out * self.scale[population]
        return scaled


def own_identity(cls: Any) -> Any:
    """Make equality mean identity: Nengo merges what it takes for equal, these must stay apart."""
    cls.__eq__, cls.__hash__, cls.__repr__ = object.__eq__, object.__hash__, object.__repr__
    return cls


def step_of(t: float, dt: float) -> int:
    """Return the number of the step (the first is 1) that ends at time ``t``."""
    return round(t / dt)


def rows_given(inputs: Inputs | None, known: Mapping[str, int]) -> dict[str, npt.NDArray[Any]]:
    """Check rows handed to a Nengo model: names and shapes, one sample.

    Raises:
        RangeError: see :func:`neuro_lif.stimulate.check_given`.
        TargetError: a batch was given.
    """
    given = check_given(inputs, known)
    if batch_of(given) is not None:
        name, array = next((n, a) for n, a in given.items() if a.ndim == 3)
        raise TargetError(
            f"inputs[{name!r}]: shape {array.shape}, allowed: one sample (n_steps, {known[name]}); "
            "Nengo runs one sample at a time"
        )
    return given
