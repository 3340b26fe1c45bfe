"""Networks of Rockpool: exported by it, and run in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from lab import Case, between, normal, rows
from rockpool.nn.combinators import Sequential
from rockpool.nn.modules.torch import ExpSynTorch, LIFNeuronTorch, LIFTorch, LinearTorch
from rockpool.nn.modules.torch.nir import to_nir

T, DT = 80, 1e-3


def linear(rng: Any, n_in: int, n_out: int, bias: bool = False, scale: float = 0.4) -> Any:
    """Return a layer with random weights."""
    weight = torch.from_numpy(normal(rng, n_in, n_out, scale=scale))
    if not bias:
        return LinearTorch((n_in, n_out), weight=weight, has_bias=False)
    added = torch.from_numpy(normal(rng, n_out, scale=0.1, mean=0.0))
    return LinearTorch((n_in, n_out), weight=weight, bias=added, has_bias=True)


def neurons(rng: Any, kind: str, n: int, most: float | None = None) -> Any:
    """Return a layer of neurons."""
    tau, syn = between(rng, 5e-3, 3e-2, n), between(rng, 2e-3, 1e-2, n)
    how: dict[str, Any] = {"dt": DT, "threshold": torch.from_numpy(between(rng, 0.6, 1.3, n))}
    if most is not None:
        how["max_spikes_per_dt"] = torch.tensor(most)
    mem, zero = torch.from_numpy(tau), torch.zeros(n)
    if kind == "neuron":
        return LIFNeuronTorch(n, tau_mem=mem, bias=zero, **how)
    if kind == "li":
        made = ExpSynTorch(n, tau=torch.from_numpy(syn), dt=DT)
        made.tau = torch.nn.Parameter(made.tau.detach(), requires_grad=False)
        return made
    slow = torch.from_numpy(syn[:, None])
    if kind == "rec":
        w_rec = torch.from_numpy(normal(rng, n, n, scale=0.1, mean=-0.1))
        return LIFTorch(n, "taus", mem, slow, bias=zero, has_rec=True, w_rec=w_rec, **how)
    return LIFTorch(n, "taus", mem, slow, bias=zero, **how)


def ran(net: Any, inputs: Any) -> dict[str, Any]:
    """Run it over all steps at once, as Rockpool does."""
    kept = {}
    with torch.no_grad():
        _, _, record = net(torch.from_numpy(inputs)[None], record=True)
    for name, found in record.items():
        if isinstance(found, torch.Tensor):
            if name.endswith("_ExpSynTorch_output"):
                kept[f"voltage:{name.removesuffix('_output')}"] = found[0].detach().numpy().copy()
        elif "vmem" in found:
            kept[f"spikes:{name}"] = found["spikes"][0].detach().numpy().copy()
            kept[f"voltage:{name}"] = found["vmem"][0].detach().numpy().copy()
            if "isyn" in found:
                kept[f"current:{name}"] = found["isyn"][0, :, :, 0].detach().numpy().copy()
    return kept


def case(name: str, net: Any, inputs: Any, set_: dict[str, Any], note: str,
         extra: dict[str, Any] | None = None) -> Case:  # fmt: skip
    """Run and export."""
    traces = ran(net, inputs) | (extra or {})
    graph = to_nir(net)
    for node in graph.nodes.values():  # nir.write takes no tensor that has a gradient
        for key, value in vars(node).items():
            if isinstance(value, torch.Tensor):
                setattr(node, key, value.detach())
    return Case("rockpool", name, graph, inputs, traces, "rockpool", set_, note=note)


def cases(seed: int) -> Iterator[Case]:
    """Yield the cases of a seed."""
    rng = np.random.default_rng(seed)
    ff = Sequential(linear(rng, 8, 10), neurons(rng, "neuron", 10))
    yield case("neuron", ff, rows(rng, T, 8), {}, "LIFNeuronTorch")
    two = Sequential(
        linear(rng, 8, 10, True), neurons(rng, "neuron", 10), linear(rng, 10, 5, True),
        neurons(rng, "neuron", 5), linear(rng, 5, 3), neurons(rng, "li", 3),
    )  # fmt: skip
    yield case("layers_li", two, rows(rng, T, 8), {}, "LIFNeuronTorch twice, then ExpSynTorch")
    cuba = Sequential(
        linear(rng, 8, 10, scale=0.2), neurons(rng, "cuba", 10),
        linear(rng, 10, 4, scale=0.2), neurons(rng, "cuba", 4),
    )  # fmt: skip
    yield case("cuba", cuba, rows(rng, T, 8), {}, "LIFTorch")
    few = Sequential(linear(rng, 8, 10, scale=0.6), neurons(rng, "cuba", 10, 1.0))
    yield case("cuba_one", few, rows(rng, T, 8), {"most_spikes": 1}, "max_spikes_per_dt = 1")
    rec = Sequential(
        linear(rng, 8, 10, scale=0.2), neurons(rng, "rec", 10),
        linear(rng, 10, 4, scale=0.2), neurons(rng, "cuba", 4),
    )  # fmt: skip
    weights = rec[1].w_rec.detach().numpy().T.copy()
    note = "LIFTorch with w_rec, which Rockpool leaves out of the file"
    yield case("rec", rec, rows(rng, T, 8), {}, note, {"weights:1_LIFTorch": weights})
