"""Run a netx network on the integer emulator, with inputs and outputs in the file's shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..checks import expect
from ..emulator import run_fixed
from ..errors import RangeError, show
from ..fixed import FixedNetwork
from ..profile_model import HardwareProfile
from ..recording import Recording
from .layers import MOST_DELAY, AverageLayer, InputLayer, Layer, Shape
from .lower import INPUT, to_fixed
from .model import NetxNetwork, layer_name
from .rule import NetxRule

MOST_CURRENT = 2**15
"""An input layer's current is the 16-bit mantissa of a bias."""


@dataclass(frozen=True, eq=False)
class NetxRun:
    """What a run of a netx network leaves behind; row i of an array is step i + 1.

    Args:
        spikes: layer's population -> ``(n_steps, *shape)`` integers.
        u, v: the same of current and voltage, in LSB.
        outputs: what the last layer sends, ``(n_steps, *shape)``; means where it is an average.
        fixed: what was run.
        recording: of the emulator, with overflow events.
    """

    spikes: Mapping[str, Any]
    u: Mapping[str, Any]
    v: Mapping[str, Any]
    outputs: Any
    fixed: FixedNetwork
    recording: Recording

    @property
    def notes(self) -> tuple[str, ...]:
        """What lowering left out or assumed."""
        return self.fixed.ledger.notes if self.fixed.ledger is not None else ()


def run(
    network: NetxNetwork,
    inputs: Any,
    profile: str | HardwareProfile = "loihi2",
    *,
    n_steps: int | None = None,
    rule: NetxRule | None = None,
    input_shape: Sequence[int] | None = None,
    input_message_bits: int = 0,
    reset_interval: int | None = None,
    reset_offset: int = 0,
    transform: bool = True,
    engine: str | None = None,
) -> NetxRun:
    """Run a netx network in the integers of a chip.

    Args:
        network: the layers.
        inputs: ``(n_steps, *shape)`` or ``(n_steps, n)``: spikes sent in step i + 1; or with
            neurons in the input layer numbers x, whose ``weight * x + bias`` acts in step i + 1.
            Planes say the input's shape where the file does not.
        n_steps: absent: as many as there are rows; rows that are missing are 0.
        profile, rule, input_shape, input_message_bits, reset_interval, reset_offset: see
            :func:`to_fixed`.
        transform: False: with neurons in the input layer, the inputs are the currents already.
        engine: of :func:`neuro_lif.run_fixed`.

    Returns:
        Spikes, u and v of every layer with neurons. As in netx, u of the input layer is 0: what
        drives it is a bias.

    Raises:
        LoweringError, RangeError: as :func:`to_fixed`; or the inputs do not fit.
    """
    expect(network, NetxNetwork, "netx.run")
    rule = rule or NetxRule()
    if input_shape is None and np.ndim(inputs) == 4:
        input_shape = np.shape(inputs)[1:]
    fixed = to_fixed(
        network, profile, rule=rule, input_shape=input_shape,
        input_message_bits=input_message_bits, reset_interval=reset_interval,
        reset_offset=reset_offset,
    )  # fmt: skip
    raster = encode(network, inputs, fixed.input_sizes()[INPUT], n_steps, transform)
    done = run_fixed(fixed, inputs={INPUT: raster}, record="all", engine=engine)
    spikes, u, v = {}, {}, {}
    for index, layer in enumerate(network.layers):
        name = layer_name(index, layer)
        if name not in done.spikes:
            continue
        rows = (len(raster), *layer.shape)
        spikes[name] = done.spikes[name].reshape(rows)
        u[name] = done.trace(name, "u").reshape(rows)
        if isinstance(layer, InputLayer) and rule.input == "bias":
            u[name] = np.zeros_like(u[name])
        v[name] = done.trace(name, "v").reshape(rows)
        if rule.shown_at_spike is not None:
            v[name] = np.where(spikes[name] != 0, rule.shown_at_spike, v[name])
    return NetxRun(spikes, u, v, _outputs(network, rule, spikes), fixed, done)


def encode(
    network: NetxNetwork, inputs: Any, size: int, n_steps: int | None = None, transform: bool = True
) -> Any:
    """Return inputs as the integers of the lowered network's input ``(n_steps, size)``.

    Args:
        network: the layers.
        inputs, n_steps, transform: as of :func:`run`.
        size: values in each step.

    Raises:
        RangeError: shape or numbers do not fit.
    """
    x = np.asarray(inputs)
    if x.dtype.kind not in "buif" or x.ndim < 2 or int(np.prod(x.shape[1:])) != size:
        raise RangeError(f"netx: inputs = {x.dtype} {x.shape}, allowed: numbers (n_steps, *shape) "
                         f"with {size} values in each step")  # fmt: skip
    rows = x.reshape(len(x), size)
    whole = isinstance(n_steps, (int, np.integer)) and not isinstance(n_steps, bool)
    if n_steps is not None and (not whole or n_steps < 1):
        raise RangeError(f"netx: n_steps = {show(n_steps)}, allowed: a whole number >= 1")
    if n_steps is not None:
        more = max(0, n_steps - len(rows))
        rows = np.pad(rows, ((0, more), (0, 0)))[:n_steps]
    first = network.layers[0]
    if isinstance(first, InputLayer) and first.neuron is not None:
        weight = 64 if first.weight is None else first.weight
        rows = rows.astype(np.float64)
        if transform:
            rows = rows * weight + (first.bias or 0)
        if rows.size and not np.abs(rows).max() < MOST_CURRENT:
            worst = float(rows.flat[np.abs(rows).argmax()])
            raise RangeError(f"netx: weight * input + bias = {worst:g}, allowed: -32767..32767, "
                             "the 16 bits of a bias")  # fmt: skip
    if rows.dtype.kind == "f":
        cut = np.round(rows)
        if not np.array_equal(cut, rows):
            bad = float(rows[cut != rows][0])
            allowed = "whole numbers (round them, or give currents: transform=False)"
            raise RangeError(f"netx: inputs give {bad:g}, allowed: {allowed}")
        rows = cut
    return rows.astype(np.int64)


def _outputs(network: NetxNetwork, rule: NetxRule, spikes: Mapping[str, Any]) -> Any:
    """Return what the last layer sends."""
    last = network.layers[-1]
    index = len(network.layers) - 1
    while layer_name(index, network.layers[index]) not in spikes and index:
        index -= 1
    layer = network.layers[index]
    sent = _delayed(layer, rule, spikes[layer_name(index, layer)])
    if isinstance(last, AverageLayer):
        groups = sent.reshape(len(sent), last.size, -1)
        return groups.mean(axis=2).reshape(len(sent), *last.shape)
    return _shaped(sent, last.shape)


def _shaped(sent: Any, shape: Shape) -> Any:
    size = int(np.prod(shape))
    return sent.reshape(len(sent), *shape) if sent[0].size == size else sent


def _delayed(layer: Layer, rule: NetxRule, sent: Any) -> Any:
    """Return a layer's spikes as late as slayer sends them on."""
    delay = getattr(layer, "delay", None)
    if delay is None or rule.delay != "axon":
        return sent
    flat, out = sent.reshape(len(sent), -1), np.zeros_like(sent).reshape(len(sent), -1)
    for k, late in enumerate(layer.spread(np.minimum(delay, MOST_DELAY))):
        if late < len(flat):
            out[late:, k] = flat[: len(flat) - late, k]
    return out.reshape(sent.shape)
