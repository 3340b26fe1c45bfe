"""Networks of SpikingJelly: exported by it, and run in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from from_snntorch import convolution, linear
from lab import Case, rows
from spikingjelly.activation_based import functional, neuron
from spikingjelly.activation_based.nir_exchange import export_to_nir

T = 80
CELLS = (neuron.IFNode, neuron.LIFNode, neuron.ParametricLIFNode, neuron.CUBALIFNode)


def cell(rng: Any, kind: str, rest: float | None = None) -> Any:
    """Return a layer of neurons; rest: v_reset, None: chosen."""
    rest = float(rng.uniform(-0.3, 0.3)) if rest is None else rest
    how = {"v_threshold": float(rng.uniform(0.6, 1.2)), "v_reset": rest}
    tau = float(rng.uniform(1.5, 8.0))
    if kind == "if":
        return neuron.IFNode(**how)
    if kind in ("lif", "lif_add"):
        return neuron.LIFNode(tau=tau, decay_input=kind == "lif", **how)
    if kind == "plif":
        return neuron.ParametricLIFNode(init_tau=tau, decay_input=True, **how)
    c, v = (float(x) for x in rng.uniform(0.3, 0.9, 2))
    return neuron.CUBALIFNode(c_decay=c, v_decay=v, **how)


def ran(net: Any, inputs: Any) -> dict[str, Any]:
    """Run it step by step."""
    functional.reset_net(net)
    kept: dict[str, list[Any]] = {}
    with torch.no_grad():
        for row in torch.from_numpy(inputs):
            x = row[None]
            for name, child in net.named_children():
                x = child(x)
                if isinstance(child, CELLS):
                    kept.setdefault(f"spikes:_{name}", []).append(x[0].numpy().copy())
                    kept.setdefault(f"voltage:_{name}", []).append(child.v[0].numpy().copy())
    functional.reset_net(net)
    return {key: np.stack(value) for key, value in kept.items()}


def case(name: str, net: Any, inputs: Any, dt: float, note: str) -> Case:
    """Export and run."""
    graph = export_to_nir(net, torch.from_numpy(inputs[:1]), dt=dt)
    traces = ran(net, inputs)
    return Case("spikingjelly", name, graph, inputs, traces, "spikingjelly", {}, dt, note)


def cases(seed: int) -> Iterator[Case]:
    """Yield the cases of a seed."""
    rng = np.random.default_rng(seed)
    for kind in ("if", "lif", "lif_add", "plif", "cuba"):
        scale = {"lif": 2.0, "plif": 2.0, "cuba": 0.2}.get(kind, 0.4)
        dt = float(rng.choice([1e-4, 1e-3, 2.5e-3]))
        net = torch.nn.Sequential(
            linear(rng, 8, 10, scale=scale), cell(rng, kind),
            linear(rng, 10, 4, bias=False, scale=scale), cell(rng, kind),
        )  # fmt: skip
        yield case(kind, net, rows(rng, T, 8), dt, f"{kind}, dt={dt}")
    images = torch.nn.Sequential(
        convolution(rng, 2, 4, 3, padding=1), cell(rng, "if", 0.0), torch.nn.AvgPool2d(2),
        convolution(rng, 4, 4, (2, 2), stride=2, bias=False), cell(rng, "lif_add"),
        torch.nn.Flatten(), linear(rng, 16, 5), cell(rng, "cuba"),
    )  # fmt: skip
    yield case("conv_avgpool", images, rows(rng, 30, 2, 8, 8), 1e-4, "IF, LIF, CUBALIF")
    line = torch.nn.Sequential(
        torch.nn.Conv1d(2, 3, 3, padding=1, stride=2), cell(rng, "lif_add"),
        torch.nn.Flatten(), linear(rng, 15, 4), cell(rng, "if", 0.0),
    )  # fmt: skip
    yield case("conv1d", line, rows(rng, T, 2, 10), 1e-3, "Conv1d, LIF, IF")
