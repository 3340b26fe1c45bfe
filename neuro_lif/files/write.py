"""A Network as the text of a network file and the arrays beside it."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np

from ..arrays import is_sparse
from ..convolution import Convolution
from ..network import CurrentInput, Network, PoissonInput, Projection, SpikeInput
from ..synapses import Alpha, BiExponential, Delta, Exponential, Synapse
from .inputs import stimulus_text

INLINE = 16
"""Arrays of up to this many numbers stand in the text."""

HEAD = "# Written by neuro_lif. SI units: s, V, A, ohm, F, S, C.\n"


def text_of(value: str) -> str:
    """Return a TOML string."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def key_of(name: str) -> str:
    """Return a TOML key, quoted where it must be."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else text_of(name)


class Writer:
    """Collects the lines of the text and the arrays that do not stand in it."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.arrays: dict[str, Any] = {}

    def network(self, network: Network) -> str:
        """Return the tables of the text; afterwards ``arrays`` holds the rest."""
        for population in network.populations:
            self._open(f"populations.{key_of(population.name)}")
            neuron = population.neuron
            self._line("size", str(int(population.size)))
            self._line("neuron", text_of(type(neuron).__name__))
            for name, value in vars(neuron).items():
                plain = isinstance(value, str)
                stored = f"{population.name}.{name}"
                self._line(name, text_of(value) if plain else self._value(stored, value))
        for projection in network.projections:
            self._projection(projection)
        for given in network.inputs:
            self._open(f"inputs.{key_of(given.name)}")
            if isinstance(given, SpikeInput):
                self._spikes(given)
            elif isinstance(given, PoissonInput):
                self._poisson(given)
            else:
                self._current(given)
        for probe in network.probes:
            self.lines.append("\n[[probes]]")
            self._line("population", text_of(probe.population))
            self._line("variable", text_of(probe.variable))
        return "\n".join(self.lines) + "\n"

    def _open(self, table: str) -> None:
        self.lines.append(f"\n[{table}]")

    def _line(self, key: str, text: str) -> None:
        self.lines.append(f"{key} = {text}")

    def _value(self, stored: str, value: Any, integer: bool = False) -> str:
        array = np.asarray(value)
        # an empty table of numbers would lose its shape in the text
        if array.ndim == 0 or 0 < array.size <= INLINE or array.shape == (0,):
            return _numbers(array.tolist())
        self.arrays[stored] = array
        return f"{{ array = {text_of(stored)} }}"

    def _projection(self, p: Projection) -> None:
        self._open(f"projections.{key_of(p.name)}")
        self._line("pre", text_of(p.pre))
        self._line("post", text_of(p.post))
        self._line("synapse", _synapse(p.synapse))
        stored = f"{p.name}.weights"
        if isinstance(p.weights, Convolution):
            self._line("weights", self._convolution(f"{stored}.kernel", p.weights))
        elif is_sparse(p.weights):
            for part in ("data", "indices", "indptr"):
                self.arrays[f"{stored}.{part}"] = getattr(p.weights, part)
            self.arrays[f"{stored}.shape"] = np.array(p.weights.shape, np.int64)
            self._line("weights", f"{{ array = {text_of(stored)} }}")
        else:
            self._line("weights", self._value(stored, p.weights))
        self._line("delay", self._value(f"{p.name}.delay", p.delay))

    def _convolution(self, stored: str, given: Convolution) -> str:
        fields = {"kernel": self._value(stored, given.kernel)}
        for name in ("input_shape", "stride", "padding", "dilation", "groups"):
            fields[name] = json.dumps(getattr(given, name))
        fields["layout"] = text_of(given.layout)
        inner = ", ".join(f"{name} = {text}" for name, text in fields.items())
        return f"{{ convolution = {{ {inner} }} }}"

    def _spikes(self, spikes: SpikeInput) -> None:
        self._line("kind", '"spikes"')
        self._line("size", str(int(spikes.size)))
        if spikes.indices is not None and spikes.times is not None:
            self._line("indices", self._value(f"{spikes.name}.indices", spikes.indices))
            self._line("times", self._value(f"{spikes.name}.times", spikes.times))

    def _current(self, current: CurrentInput) -> None:
        self._line("kind", '"current"')
        self._line("population", text_of(current.population))
        if current.stimulus is None:
            return
        text = stimulus_text(current.stimulus, current.name, self._value)
        self._line("stimulus", text)

    def _poisson(self, given: PoissonInput) -> None:
        self._line("kind", '"poisson"')
        self._line("size", str(int(given.size)))
        self._line("rate", self._value(f"{given.name}.rate", given.rate))
        self._line("seed", str(int(given.seed)))
        self._line("draw", text_of(given.draw))
        if given.interval is not None:
            self._line("interval", self._value(f"{given.name}.interval", given.interval))


def _synapse(synapse: Synapse) -> str:
    if isinstance(synapse, Delta):
        return '{ kind = "delta" }'
    kind = {Exponential: "exponential", Alpha: "alpha", BiExponential: "biexponential"}
    fields = [f'kind = "{kind[type(synapse)]}"']
    for name, value in vars(synapse).items():
        text = text_of(value) if isinstance(value, str) else repr(float(value))
        fields.append(f"{name} = {text}")
    return "{ " + ", ".join(fields) + " }"


def _numbers(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_numbers(item) for item in value) + "]"
    return repr(value)
