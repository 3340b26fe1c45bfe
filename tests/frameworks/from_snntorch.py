"""Networks of snnTorch: exported by it, and run in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import snntorch as snn
import torch
from lab import Case, between, normal, rows
from snntorch.export_nir import export_to_nir

T = 80
NEURONS = (snn.Leaky, snn.Synaptic, snn.RLeaky, snn.RSynaptic)


class Net(torch.nn.Module):
    """Layers one behind the other; the states of the neurons are passed in and out."""

    def __init__(self, layers: dict[str, torch.nn.Module]) -> None:
        super().__init__()
        self.names = list(layers)
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, x: Any, states: Any = None) -> tuple[Any, Any]:
        states, seen = dict(states or {}), {}
        for name in self.names:
            layer = getattr(self, name)
            if isinstance(layer, NEURONS):
                x, states[name] = stepped(layer, x, states.get(name))
                seen[name] = x
            else:
                x = layer(x)
        return x, (states, seen)


def stepped(layer: Any, x: Any, state: Any) -> tuple[Any, Any]:
    """Take one layer of neurons a step on; returns spikes and its new state."""
    zero = torch.zeros_like(x)
    if state is None:
        parts = {snn.Leaky: 1, snn.Synaptic: 2, snn.RLeaky: 2, snn.RSynaptic: 3}[type(layer)]
        state = (zero,) * parts
    out = layer(x, *state)
    return out[0], (out if isinstance(layer, (snn.RLeaky, snn.RSynaptic)) else out[1:])


def ran(net: Net, inputs: Any) -> dict[str, Any]:
    """Run it step by step."""
    states, kept = None, {}
    with torch.no_grad():
        for row in torch.from_numpy(inputs):
            _, (states, seen) = net(row[None], states)
            for name, spikes in seen.items():
                layer = getattr(net, name)
                recurrent = isinstance(layer, (snn.RLeaky, snn.RSynaptic))
                node = f"{name}.lif" if recurrent else name
                state = states[name][1:] if recurrent else states[name]
                kept.setdefault(f"spikes:{node}", []).append(spikes[0].numpy().copy())
                kept.setdefault(f"voltage:{node}", []).append(state[-1][0].numpy().copy())
                if len(state) == 2:
                    kept.setdefault(f"current:{node}", []).append(state[0][0].numpy().copy())
    return {key: np.stack(value) for key, value in kept.items()}


def linear(rng: Any, n_in: int, n_out: int, bias: bool = True, scale: float = 0.5) -> Any:
    """Return a torch layer with random weights."""
    layer = torch.nn.Linear(n_in, n_out, bias=bias)
    layer.weight.data = torch.from_numpy(normal(rng, n_out, n_in, scale=scale))
    if bias:
        layer.bias.data = torch.from_numpy(normal(rng, n_out, scale=0.1, mean=0.0))
    return layer


def convolution(rng: Any, *args: Any, **kwargs: Any) -> Any:
    """Return a torch convolution with random weights."""
    layer = torch.nn.Conv2d(*args, **kwargs)
    layer.weight.data = torch.from_numpy(normal(rng, *layer.weight.shape, scale=0.4, mean=0.05))
    if layer.bias is not None:
        layer.bias.data = torch.from_numpy(normal(rng, *layer.bias.shape, scale=0.1, mean=0.0))
    return layer


def tensor(rng: Any, low: float, high: float, *shape: int) -> Any:
    """Return a random tensor."""
    return torch.from_numpy(between(rng, low, high, *shape))


def changes(reset: str, late: bool, fields: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return what a user sets for snnTorch's reset_mechanism and reset_delay."""
    if reset == "subtract" and not late:
        return {"reset": "subtract-once"}
    found = {} if reset == "zero" else {"reset": reset}
    if late:
        found |= {"reset_time": "next", "recurrent_reset_time": "next"}
    return found


def cases(seed: int) -> Iterator[Case]:
    """Yield the cases of a seed."""
    rng = np.random.default_rng(seed)
    for reset in ("zero", "subtract", "none"):
        for late in (False, True):
            for kind in ("leaky", "synaptic", "rleaky", "rleaky1", "rsynaptic", "rsynaptic1"):
                if reset == "none" and kind.startswith("r"):
                    continue
                yield dense(rng, kind, reset, late)
    for reset in ("zero", "subtract"):
        yield images(rng, reset)
        yield braille(rng, reset)


def neurons(rng: Any, kind: str, n: int, reset: str, late: bool, width: Any = None) -> Any:
    """Return a layer of neurons."""
    shape = width or (n,)
    how = {
        "reset_mechanism": reset,
        "reset_delay": late,
        "threshold": tensor(rng, 0.6, 1.4, *shape),
    }
    beta, alpha = tensor(rng, 0.5, 0.98, *shape), tensor(rng, 0.3, 0.9, *shape)
    one = kind.endswith("1")
    if one:
        how |= {"all_to_all": False, "V": tensor(rng, -0.5, 0.5, n)}
    elif kind.startswith("r"):
        how |= {"linear_features": n}
    made = {
        "leaky": lambda: snn.Leaky(beta=beta, **how),
        "synaptic": lambda: snn.Synaptic(alpha=alpha, beta=beta, **how),
        "rleaky": lambda: snn.RLeaky(beta=beta, **how),
        "rsynaptic": lambda: snn.RSynaptic(alpha=alpha, beta=beta, **how),
    }[kind.rstrip("1")]()
    if kind.startswith("r") and not one:
        made.recurrent.weight.data = torch.from_numpy(normal(rng, n, n, scale=0.3, mean=0.0))
        made.recurrent.bias.data = torch.from_numpy(normal(rng, n, scale=0.1, mean=0.0))
    return made


def case(name: str, net: Net, inputs: Any, set_: dict[str, Any], note: str) -> Case:
    """Export and run."""
    sample = torch.from_numpy(inputs[:1])
    graph = export_to_nir(net, sample, ignore_dims=[0])
    return Case("snntorch", name, graph, inputs, ran(net, inputs), "snntorch", set_, note=note)


def dense(rng: Any, kind: str, reset: str, late: bool) -> Case:
    """Two layers, the first one of the kind."""
    second = "synaptic" if "synaptic" in kind else "leaky"
    scale = 0.2 if "synaptic" in kind else 0.5
    net = Net(
        {
            "fc1": linear(rng, 8, 10, scale=scale),
            "lif1": neurons(rng, kind, 10, reset, late),
            "fc2": linear(rng, 10, 4, bias=False, scale=scale),
            "lif2": neurons(rng, second, 4, reset, late),
        }
    )
    name = f"{kind}_{reset}_{'late' if late else 'same'}"
    note = f"reset_mechanism={reset!r}, reset_delay={late}"
    return case(name, net, rows(rng, T, 8), changes(reset, late), note)


def images(rng: Any, reset: str) -> Case:
    """Convolution, average pool, flatten."""
    net = Net(
        {
            "conv1": convolution(rng, 2, 3, (3, 3), stride=1, padding=1),
            "lif1": neurons(rng, "leaky", 0, reset, False, (3, 8, 8)),
            "pool": torch.nn.AvgPool2d(2),
            "conv2": convolution(rng, 3, 4, (2, 2), stride=(2, 1), bias=False),
            "lif2": neurons(rng, "leaky", 0, reset, False, (4, 2, 3)),
            "flat": torch.nn.Flatten(),
            "fc": linear(rng, 24, 5),
            "lif3": neurons(rng, "leaky", 5, reset, False),
        }
    )
    inputs = rows(rng, 40, 2, 8, 8)
    note = f"reset_mechanism={reset!r}, reset_delay=False"
    return case(f"conv_avgpool_{reset}", net, inputs, changes(reset, False), note)


def braille(rng: Any, reset: str) -> Case:
    """The shape of the NIR paper's Braille network."""
    first = neurons(rng, "rsynaptic", 20, reset, False)
    net = Net(
        {
            "fc1": linear(rng, 12, 20, scale=0.2),
            "lif1": first,
            "fc2": linear(rng, 20, 7, scale=0.2),
            "lif2": neurons(rng, "synaptic", 7, reset, False),
        }
    )
    note = f"reset_mechanism={reset!r}, reset_delay=False"
    return case(f"braille_{reset}", net, rows(rng, 120, 12), changes(reset, False), note)
