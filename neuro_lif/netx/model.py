"""A network of a netx file, and what was assumed as it was read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import Faults, NetworkError
from .layers import ConcatLayer, InputLayer, Layer


@dataclass(frozen=True, eq=False)
class NetxNetwork:
    """Layers one after another; a :class:`ConcatLayer` joins others.

    Args:
        layers: at least one that is no input; an input layer comes first.
        simulation: ``Ts``, ``tSample`` and the like, which nothing depends on.

    Raises:
        NetworkError: naming layer and field.
    """

    layers: tuple[Layer, ...]
    simulation: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        faults = Faults()
        given: Any = self.layers
        layers = tuple(given) if isinstance(given, Iterable) else (given,)
        object.__setattr__(self, "layers", layers)
        for i, layer in enumerate(layers):
            if not isinstance(layer, Layer) or type(layer) is Layer:
                faults.add(f"layer {i}", "type", layer, "a layer, such as DenseLayer")
            elif isinstance(layer, InputLayer) and i:
                faults.add(f"layer {i}", "type", "input", "an input layer first, or none")
            elif isinstance(layer, ConcatLayer):
                if not i:
                    faults.add("layer 0", "type", "concat", "a layer before it")
                for j in layer.layers:
                    if j >= len(layers):
                        faults.add(f"layer {i}", "layers", j, f"0..{len(layers) - 1}")
        if not any(isinstance(y, Layer) and y.kind in ("dense", "conv", "pool") for y in layers):
            faults.add("network", "layers", f"{len(layers)} layers",
                       "at least one dense, conv or pool layer")  # fmt: skip
        faults.raise_if_any(NetworkError)


def layer_name(index: int, layer: Layer) -> str:
    """Return the name of a layer's population: ``3-dense``."""
    return f"{index}-{layer.kind}"


@dataclass(frozen=True)
class NetxFinding:
    """One line of a report.

    Args:
        kind: ``repair`` (the file is wrong), ``assumption`` (it does not say), ``note``.
        layer: number of the layer, None: the file.
        field: its field; empty: none in particular.
        text: what was found and what was made of it.
    """

    kind: str
    layer: int | None
    field: str
    text: str

    def __str__(self) -> str:
        place = "the file" if self.layer is None else f"layer {self.layer}"
        return f"{self.kind}: {place}{f': {self.field}' if self.field else ''}: {self.text}"


@dataclass(frozen=True)
class NetxReport:
    """All findings of one file, in the order in which they were made."""

    path: str
    findings: tuple[NetxFinding, ...] = ()

    def __str__(self) -> str:
        if not self.findings:
            return f"{self.path}, netx: nothing to mend"
        n = len(self.findings)
        head = f"{self.path}, netx: {n} finding{'s' if n > 1 else ''}"
        return "\n  ".join([head, *map(str, self.findings)])


@dataclass(frozen=True)
class NetxRead:
    """A network that came from a file, and what was mended or assumed on the way."""

    network: NetxNetwork
    report: NetxReport
