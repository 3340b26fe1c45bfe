"""Injected currents of the event-exact run: what is constant, what is a sinusoid, what changes.

A membrane under a constant current settles at ``R I``, under a sinusoid it follows one of the same
period; both are known in closed form, and V is the rest. A sampled current is constant between its
samples: the neurons are told when it changes.

Source: response of a leaky integrator, ``R A / (1 + i omega tau_m)``; without leak
``A / (i omega C)``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import per_neuron
from ..errors import RangeError
from ..network import Network
from ..stimulus import Constant, Sampled, Sinusoid, Stimulus

Array = npt.NDArray[Any]


class Drive:
    """The currents into one population.

    Args:
        network: the description.
        population: whose currents.
        given: current input name -> stimulus, in place of those described.

    Attributes:
        steady: ``(n,)`` A, the part that never changes.
        waves: angular frequency (1/s) and complex amplitude ``(n,)`` (A) of each sinusoid.
    """

    def __init__(self, network: Network, population: str, given: Mapping[str, Stimulus]) -> None:
        self.size = network.population(population).size
        self.steady = np.zeros(self.size)
        self.waves: list[tuple[float, Array]] = []
        self._sampled: list[Sampled] = []
        for current in network.current_inputs:
            if current.population == population:
                self._add(current.name, given.get(current.name, current.stimulus))

    def _add(self, name: str, stimulus: Stimulus | None) -> None:
        if stimulus is None:
            return
        if isinstance(stimulus, Constant):
            self.steady = self.steady + np.asarray(stimulus.amplitude)
        elif isinstance(stimulus, Sinusoid):
            self.steady = self.steady + np.asarray(stimulus.offset)
            phase = np.exp(1j * np.asarray(stimulus.phase))
            omega = float(2 * np.pi / np.asarray(stimulus.period))
            amplitude = np.broadcast_to(np.asarray(stimulus.amplitude) * phase, (self.size,))
            self._add_wave(omega, np.array(amplitude))
        elif isinstance(stimulus, Sampled):
            self._sampled.append(stimulus)
        else:
            raise RangeError(
                f"input {name!r}: stimulus = {type(stimulus).__name__}, allowed in an event-exact "
                "run: Constant, Sinusoid, Sampled (sample any other as a Sampled)"
            )

    def _add_wave(self, omega: float, amplitude: Array) -> None:
        for k, (known, others) in enumerate(self.waves):
            if known == omega:
                self.waves[k] = (omega, others + amplitude)
                return
        self.waves.append((omega, amplitude))

    def changes(self) -> Iterator[tuple[float, Array]]:
        """Yield (time in s, current ``(n,)`` in A) at 0 s and wherever a sampled current changes.

        Sample k of an interval begins at ``k * interval``, rounded once.
        """
        edges = [np.arange(len(np.asarray(s.values)) + 1) * s.interval for s in self._sampled]
        before: Array | None = None
        for time in np.unique(np.concatenate([np.zeros(1), *edges])):
            total = self.steady
            for stimulus, own in zip(self._sampled, edges, strict=True):
                k = int(np.searchsorted(own, time, "right")) - 1
                values = np.asarray(stimulus.values)
                if k < len(values):
                    total = total + values[k]
            if before is None or not np.array_equal(total, before):
                yield float(time), per_neuron(total, self.size)
            before = total
