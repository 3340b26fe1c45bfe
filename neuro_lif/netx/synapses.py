"""The weights of one layer as projections, one for each population that sends to it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..convolution import Convolution
from ..fixed_parts import FixedProjection
from .layers import MOST_DELAY, ConvLayer, DenseLayer, PoolLayer, Shape
from .rule import NetxRule
from .streams import Part, Stream, fault
from .weights import Coded, optimise_bits, plain_code


@dataclass(frozen=True)
class Site:
    """Where projections lead.

    Args:
        index: number of the layer.
        name: of its population.
        rule: what to do where readers differ.
        notes: what was left out or assumed is added here.
    """

    index: int
    name: str
    rule: NetxRule
    notes: list[str]

    def note(self, text: str) -> None:
        """Add a note about the layer."""
        self.notes.append(f"layer {self.index}: {text}")


def dense(site: Site, layer: DenseLayer, stream: Stream) -> list[FixedProjection]:
    """Return the projections of a dense layer.

    Raises:
        LoweringError: the weights do not fit what comes in, or netx's code breaks down on them.
    """
    n_in = layer.weight.shape[1]
    if n_in != stream.size:
        raise fault(site.index, "weight", f"{n_in} inputs", f"{stream.size}, as come in")
    delays = _incoming_delays(site, layer, n_in)
    code = _code(site, layer)
    exponent = code.exponent
    if layer.weight_rec is not None and delays is not None:
        if site.rule.recurrent_exponent == "lost" and exponent:
            site.note(f"weight: the exponent {exponent} is lost, as in netx: all weights count "
                      f"{2**-exponent} times")  # fmt: skip
            exponent = 0
    several = len(stream.parts) > 1
    made = []
    for part, start, end in stream.spans:
        late = np.zeros((layer.size, end - start), np.int64) + np.asarray(part.delay)
        if delays is not None:
            late = late + np.broadcast_to(delays, (layer.size, n_in))[:, start:end]
        made.append(
            FixedProjection(
                f"{part.pre}->{site.name}",
                part.pre,
                site.name,
                code.mantissas[:, start:end],
                exponent,
                _mode(code.mantissas[:, :n_in]) if several else None,
                code.bits,
                _short(late),
                part.graded,
            )  # fmt: skip
        )
    if layer.weight_rec is not None:
        made.append(_recurrent(site, layer, code, exponent, delays, n_in))
    return made


def _recurrent(
    site: Site, layer: DenseLayer, code: Coded, exponent: int, delays: Any, n_in: int
) -> FixedProjection:
    late: Any = 0
    if delays is not None:
        if delays.shape[1] not in (1, layer.size):
            raise fault(site.index, "delay", f"{n_in} steps, one per input",
                        f"one for all, or one for each of the {layer.size} neurons: netx gives the "
                        "recurrent weights the same")  # fmt: skip
        late = _short(np.broadcast_to(delays, (layer.size, layer.size)))
    return FixedProjection(
        f"{site.name}->{site.name}", site.name, site.name, code.mantissas[:, n_in:], exponent,
        None, code.bits, late,
    )  # fmt: skip


def _code(site: Site, layer: DenseLayer) -> Coded:
    """Return the code of the weights, the recurrent ones to the right: they share it."""
    whole = layer.weight
    if layer.weight_rec is not None:
        whole = np.hstack([whole, layer.weight_rec])
    if site.rule.weights == "plain":
        return plain_code(whole)
    try:
        code = optimise_bits(whole)
    except ValueError as error:
        raise fault(site.index, "weight", *str(error).split(", allowed: ")) from None
    if code.clipped:
        site.note(f"weight: {code.clipped} of {whole.size} weights cut to -256..254, as in netx")
    if not whole.any():
        site.note("weight: all are 0, where netx breaks down: no exponent")
    return code


def _mode(mantissas: Any) -> str:
    if mantissas.min() >= 0:
        return "excitatory"
    return "inhibitory" if mantissas.max() <= 0 else "mixed"


def _incoming_delays(site: Site, layer: DenseLayer, n_in: int) -> Any:
    """Return the delays of what a dense layer receives, ``(n or 1, n_in or 1)``; None: none."""
    if layer.delay is None or site.rule.delay == "axon":
        return None
    late = clipped(site, layer.delay)
    if late.size == 1:
        return late.reshape(1, 1)
    return late.reshape(-1, 1) if late.size == layer.size else late.reshape(1, n_in)


def clipped(site: Site, delay: Any) -> Any:
    """Return delays, those above 62 cut to it."""
    late = np.minimum(np.ravel(delay), MOST_DELAY)
    cut = int((late != np.ravel(delay)).sum())
    if cut:
        site.note(f"delay: {cut} of {late.size} cut to {MOST_DELAY} steps, as in netx")
    return late


def sent_delay(site: Site, layer: DenseLayer | ConvLayer | PoolLayer) -> Any:
    """Return the delays of what a layer sends, 0 or one per neuron, under the rule.

    Raises:
        LoweringError: delays that neither netx nor slayer knows, or that netx would leave out.
    """
    if layer.delay is None or (isinstance(layer, DenseLayer) and site.rule.delay == "synapse"):
        return 0
    if site.rule.delay == "synapse":
        if "delay" in site.rule.ignore:
            site.note("delay: left out, as in netx")
            return 0
        if not np.any(layer.delay):
            return 0
        raise fault(site.index, "delay", "steps of a convolution, which netx leaves out",
                    "delay='axon' (as slayer trained it), or ignore=('delay',)")  # fmt: skip
    late = clipped(site, layer.delay)
    if late.size not in (1, layer.shape[0], layer.size):
        raise fault(site.index, "delay", f"{late.size} numbers",
                    f"one, or one for each of the {layer.size} neurons (delay='axon')")  # fmt: skip
    return layer.spread(late)


def _short(late: Any) -> Any:
    """Return delays as one number where they are all the same."""
    first = int(late.flat[0])
    return first if np.all(late == first) else np.ascontiguousarray(late).ravel()


# ------------------------------------------------------------------------------ convolutions


def convolution(site: Site, layer: ConvLayer, stream: Stream) -> list[FixedProjection]:
    """Return the projections of a convolution.

    Raises:
        LoweringError: kernel, plane and shape do not fit each other.
    """
    channels, groups = _channels(site, stream), layer.groups
    if layer.weight.shape[1] * groups != channels:
        raise fault(site.index, "weight", f"{layer.weight.shape[1]} channels in",
                    f"{channels} / {groups} groups, as come in")  # fmt: skip
    if groups > 1 and len(stream.parts) > 1:
        raise fault(site.index, "groups", groups, "1 after a concat layer")
    made, first = [], 0
    for part in stream.parts:
        last = first + part.shape[0]
        kernel = layer.weight if groups > 1 else layer.weight[:, first:last]
        made.append(_convolve(site, layer, part, kernel, groups))
        first = last
    return made


def _channels(site: Site, stream: Stream) -> int:
    if len(stream.shape) != 3:
        raise fault(site.index, "type", "a convolution or pool",
                    f"planes (channels, height, width) coming in, not {stream.shape}")  # fmt: skip
    return stream.shape[0]


def _convolve(
    site: Site, layer: ConvLayer | PoolLayer, part: Part, kernel: Any, groups: int
) -> FixedProjection:
    shape: Any = part.shape
    try:
        conv = Convolution(
            kernel, shape, layer.stride, layer.padding, layer.dilation, groups, "torch"
        )
    except ValueError as error:
        lines = str(error).replace("convolution: ", f"layer {site.index}: ")
        raise fault(
            site.index, "shape", part.shape, f"planes that the kernel fits: {lines}"
        ) from None
    if conv.output_shape != layer.shape:
        raise fault(site.index, "shape", layer.shape, f"{conv.output_shape}, as the kernel makes")
    weights: Any = conv
    late: Any = 0
    if np.any(part.delay):
        matrix = conv.matrix()
        weights, late = conv, part.delay[matrix.indices]
    return FixedProjection(
        f"{part.pre}->{site.name}", part.pre, site.name, weights, delays=late, graded=part.graded
    )


def pool(site: Site, layer: PoolLayer, stream: Stream) -> list[FixedProjection]:
    """Return the projections of a pool: a convolution of each channel by itself.

    Where a side is no multiple of the kernel's, slayer adds ``side % kernel`` rows of zeros at its
    end before it pools; what the kernel reads there is nothing.

    Raises:
        LoweringError: kernel, plane and shape do not fit each other.

    Source: lava-dl 0.6.0, lava/lib/dl/slayer/synapse/layer.py, Pool.forward.
    """
    _channels(site, stream)
    several, made = len(stream.parts) > 1, []
    for part in stream.parts:
        channels, *plane = part.shape
        extra = [n % k for n, k in zip(plane, layer.weight.shape[2:], strict=True)]
        own = replace(layer, shape=(channels, *layer.shape[1:])) if several else layer
        kernel = np.tile(layer.weight, (channels, 1, 1, 1))
        if site.rule.pool == "slayer" and _across(layer, plane[0] + extra[0]):
            if several:
                raise fault(site.index, "kernelSize", layer.weight.shape[2:],
                            "after a concat layer one that divides the height")  # fmt: skip
            site.note("the kernel does not divide the height: windows lie across channels, as in "
                      "slayer (pool='channels' keeps them apart)")  # fmt: skip
            made.append(_padded(site, own, part, layer.weight, extra, stacked=True))
        elif any(extra):
            made.append(_padded(site, own, part, kernel, extra))
        else:
            made.append(_convolve(site, own, part, kernel, channels))
    return made


def _across(layer: PoolLayer, height: int) -> bool:
    """Tell whether windows lie across channels where planes stand one below the other."""
    reach = layer.dilation[0] * (layer.weight.shape[2] - 1) + 1
    return bool(height % layer.stride[0] or layer.padding[0] or reach > layer.stride[0])


def _padded(
    site: Site, layer: PoolLayer, part: Part, kernel: Any, extra: list[int], stacked: bool = False
) -> FixedProjection:
    """Return a pool with rows of zeros at the end: the matrix without what reads them.

    ``stacked``: as one plane, the channels one below the other.
    """
    channels, height, width = part.shape
    wide: Shape = (channels, height + extra[0], width + extra[1])
    kept = np.arange(int(np.prod(wide))).reshape(wide)[:, :height, :width].ravel()
    if stacked:
        wide = (1, channels * wide[1], wide[2])
        layer = replace(layer, shape=(1, channels * layer.shape[1], layer.shape[2]))
    groups = 1 if stacked else channels
    whole = _convolve(site, layer, replace(part, shape=wide, delay=0), kernel, groups)
    matrix = whole.weights[:, kept]
    late = part.delay[matrix.indices] if np.any(part.delay) else 0
    return FixedProjection(whole.name, part.pre, site.name, matrix, delays=late, graded=part.graded)
