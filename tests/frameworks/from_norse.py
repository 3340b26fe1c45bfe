"""Networks of Norse: exported by it, and run in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import norse.torch as norse
import numpy as np
import torch
from from_snntorch import convolution, linear, tensor
from lab import Case, rows
from norse.torch.functional.iaf import IAFParameters
from norse.torch.functional.leaky_integrator_box import LIBoxParameters
from norse.torch.functional.lif import LIFParameters
from norse.torch.functional.lif_box import LIFBoxParameters
from norse.torch.functional.reset import reset_subtract, reset_value
from norse.torch.module.iaf import IAFCell
from norse.torch.module.leaky_integrator_box import LIBoxCell
from norse.torch.module.lif import LIFCell
from norse.torch.module.lif_box import LIFBoxCell

T, DT = 80, 1e-3
CELLS = (LIFCell, LIFBoxCell, LIBoxCell, IAFCell)


def cell(rng: Any, kind: str, *shape: int, subtract: bool = False, leak: float = 0.3) -> Any:
    """Return a layer of neurons; LIFCell can only reset to v_reset, here 0."""
    tau = tensor(rng, 4e-3, 2e-2, *shape)
    v_leak = tensor(rng, -leak, leak, *shape)
    threshold = tensor(rng, 0.4, 1.0, *shape)
    if kind == "lif":
        syn = tensor(rng, 3e-3, 1e-2, *shape)
        zero = torch.zeros(shape)
        return LIFCell(LIFParameters(1 / syn, 1 / tau, v_leak, threshold, zero), dt=DT)
    if kind == "box":
        how = reset_subtract if subtract else reset_value
        p = LIFBoxParameters(1 / tau, v_leak, threshold, torch.zeros(shape), reset_method=how)
        return LIFBoxCell(p, dt=DT)
    if kind == "li":
        return LIBoxCell(LIBoxParameters(1 / tau, v_leak), dt=DT)
    return IAFCell(IAFParameters(threshold, torch.zeros(shape)), dt=DT)


def ran(net: Any, inputs: Any) -> dict[str, Any]:
    """Run a SequentialState step by step, its children one by one."""
    states: dict[str, Any] = {}
    kept: dict[str, list[Any]] = {}
    with torch.no_grad():
        for row in torch.from_numpy(inputs):
            x = row
            for name, child in net.named_children():
                if isinstance(child, CELLS):
                    x, states[name] = child(x, states.get(name))
                    if not isinstance(child, LIBoxCell):
                        kept.setdefault(f"spikes:{name}", []).append(x.numpy().copy())
                    v = states[name].v.numpy().copy()
                    kept.setdefault(f"voltage:{name}", []).append(v)
                    if hasattr(states[name], "i"):
                        i = states[name].i.numpy().copy()
                        kept.setdefault(f"current:{name}", []).append(i)
                else:
                    x = child(x)
    return {key: np.stack(value) for key, value in kept.items()}


def case(name: str, net: Any, inputs: Any, set_: dict[str, Any], note: str) -> Case:
    """Export and run."""
    graph = norse.to_nir(net, torch.from_numpy(inputs[0]), dt=DT)
    graph.infer_types()
    return Case("norse", name, graph, inputs, ran(net, inputs), "norse", set_, note=note)


def cases(seed: int) -> Iterator[Case]:
    """Yield the cases of a seed."""
    rng = np.random.default_rng(seed)
    box = norse.SequentialState(
        linear(rng, 8, 10, scale=3.0), cell(rng, "box", 10),
        linear(rng, 10, 4, bias=False, scale=4.0), cell(rng, "box", 4),
    )  # fmt: skip
    yield case("box", box, rows(rng, T, 8), {}, "LIFBoxCell, reset_value")
    subtract = norse.SequentialState(
        linear(rng, 8, 10, scale=3.0), cell(rng, "box", 10, subtract=True)
    )
    yield case("box_subtract", subtract, rows(rng, T, 8), {"reset": "subtract"}, "reset_subtract")
    readout = norse.SequentialState(
        linear(rng, 8, 10, scale=3.0), cell(rng, "box", 10),
        linear(rng, 10, 3), cell(rng, "li", 3),
    )  # fmt: skip
    yield case("box_li", readout, rows(rng, T, 8), {}, "LIFBoxCell, then LIBoxCell")
    lif = norse.SequentialState(
        linear(rng, 8, 10), cell(rng, "lif", 10), linear(rng, 10, 4), cell(rng, "lif", 4),
        linear(rng, 4, 2), cell(rng, "li", 2),
    )  # fmt: skip
    yield case("lif", lif, rows(rng, T, 8), {}, "LIFCell twice, then LIBoxCell")
    images = norse.SequentialState(
        convolution(rng, 2, 3, (3, 3), stride=(2, 1), padding=1), cell(rng, "iaf", 3, 4, 8),
        convolution(rng, 3, 4, (2, 2)), cell(rng, "iaf", 4, 3, 7),
    )  # fmt: skip
    yield case("conv_iaf", images, rows(rng, 30, 2, 8, 8), {}, "IAFCell after convolutions")
    boxes = norse.SequentialState(
        convolution(rng, 2, 3, 3, groups=1, dilation=2), cell(rng, "box", 3, 4, 4),
        convolution(rng, 3, 2, 2), cell(rng, "box", 2, 3, 3),
    )  # fmt: skip
    yield case("conv_box", boxes, 4 * rows(rng, 40, 2, 8, 8), {}, "LIFBoxCell after convolutions")
    mixed = norse.SequentialState(
        linear(rng, 8, 10), cell(rng, "lif", 10), linear(rng, 10, 6, scale=3.0),
        cell(rng, "box", 6), linear(rng, 6, 6, scale=0.6), cell(rng, "iaf", 6),
    )  # fmt: skip
    yield case("mixed", mixed, rows(rng, T, 8), {}, "LIFCell, LIFBoxCell, IAFCell")
    iaf = norse.SequentialState(linear(rng, 8, 10), cell(rng, "iaf", 10))
    yield case("iaf", iaf, rows(rng, T, 8), {}, "IAFCell alone: no time constant in the file")
