"""Networks of Sinabs: exported by it, and run in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import sinabs.activation as sa
import sinabs.layers as sl
import torch
from from_snntorch import convolution, linear, tensor
from lab import Case, rows
from sinabs.nir import to_nir

T = 80


def spikes_as(spikes: str, reset: str, floor: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what Sinabs is told, and what a user sets in the rule for it."""
    told: dict[str, Any] = {
        "spike_fn": {"many": sa.MultiSpike, "one": sa.SingleSpike, "3": sa.MaxSpike(3)}[spikes],
        "reset_fn": {"subtract": sa.MembraneSubtract(), "zero": sa.MembraneReset()}[reset],
    }
    set_: dict[str, Any] = {} if reset == "subtract" else {"reset": reset}
    set_ |= {"many": {}, "one": {"spikes": "one"}, "3": {"most_spikes": 3}}[spikes]
    set_ |= {} if floor == "none" else {"floor": floor}
    return told, set_


def neurons(rng: Any, kind: str, shape: tuple[int, ...], told: dict[str, Any], floor: str,
            norm: bool) -> Any:  # fmt: skip
    """Return a layer of neurons."""
    threshold = tensor(rng, 0.5, 1.2, *shape)
    low = {"none": None, "-threshold": -threshold, "zero": torch.zeros(shape)}[floor]
    if kind == "li":
        return sl.ExpLeakSqueeze(
            tau_mem=tensor(rng, 3.0, 20.0, *shape), norm_input=norm, batch_size=1
        )
    how = {"spike_threshold": threshold, "min_v_mem": low, **told}
    if kind == "iaf":
        return sl.IAFSqueeze(batch_size=1, **how)
    tau = tensor(rng, 2.0, 20.0, *shape)
    return sl.LIFSqueeze(tau_mem=tau, norm_input=norm, batch_size=1, **how)


def ran(net: Any, inputs: Any) -> dict[str, Any]:
    """Run it over all steps at once, as Sinabs does."""
    kept = {}
    for layer in net:
        if isinstance(layer, sl.StatefulLayer):
            layer.reset_states()
            layer.record_states = True
    with torch.no_grad():
        x = torch.from_numpy(inputs)
        for name, layer in net.named_children():
            x = layer(x)
            if isinstance(layer, sl.StatefulLayer):
                if not isinstance(layer, sl.ExpLeakSqueeze):
                    kept[f"spikes:{name}"] = x.numpy().copy()
                kept[f"voltage:{name}"] = layer.recordings["v_mem"][0].numpy().copy()
    return kept


def case(name: str, net: Any, inputs: Any, set_: dict[str, Any], note: str) -> Case:
    """Export and run."""
    graph = to_nir(net, torch.from_numpy(inputs))
    graph.infer_types()
    return Case("sinabs", name, graph, inputs, ran(net, inputs), "sinabs", set_, note=note)


def cases(seed: int) -> Iterator[Case]:
    """Yield the cases of a seed."""
    rng = np.random.default_rng(seed)
    for spikes in ("many", "one", "3"):
        for reset in ("subtract", "zero"):
            told, set_ = spikes_as(spikes, reset, "none")
            for norm in (False, True):
                net = torch.nn.Sequential(
                    linear(rng, 8, 10, scale=1.5 if norm else 0.6),
                    neurons(rng, "lif", (10,), told, "none", norm),
                    linear(rng, 10, 4, bias=False), neurons(rng, "li", (4,), {}, "none", norm),
                )  # fmt: skip
                extra = {"input_gain": "leak"} if norm else {}
                note = f"{spikes} spikes, {reset}, norm_input={norm}"
                name = f"lif_li_{spikes}_{reset}_norm{int(norm)}"
                yield case(name, net, rows(rng, T, 8), set_ | extra, note)
            net = torch.nn.Sequential(
                linear(rng, 8, 10), neurons(rng, "iaf", (10,), told, "none", False),
                linear(rng, 10, 4), neurons(rng, "iaf", (4,), told, "none", False),
            )  # fmt: skip
            yield case(f"iaf_{spikes}_{reset}", net, rows(rng, T, 8), set_, f"{spikes}, {reset}")
    for floor in ("-threshold", "zero"):
        told, set_ = spikes_as("many", "subtract", floor)
        for kind in ("iaf", "lif"):
            net = torch.nn.Sequential(
                linear(rng, 8, 10), neurons(rng, kind, (10,), told, floor, False)
            )
            name = f"{kind}_floor_{floor.strip('-')}"
            yield case(name, net, rows(rng, T, 8), set_, f"min_v_mem: {floor}")
    for spikes in ("many", "one"):
        told, set_ = spikes_as(spikes, "subtract", "none")
        net = torch.nn.Sequential(
            convolution(rng, 2, 4, (3, 3), padding=1, bias=False),
            neurons(rng, "iaf", (4, 8, 8), told, "none", False), sl.SumPool2d(2),
            convolution(rng, 4, 4, 3, padding=(0, 1), groups=2),
            neurons(rng, "iaf", (4, 2, 4), told, "none", False),
            torch.nn.Flatten(), linear(rng, 32, 5), neurons(rng, "iaf", (5,), told, "none", False),
        )  # fmt: skip
        yield case(f"conv_iaf_sumpool_{spikes}", net, rows(rng, 30, 2, 8, 8), set_, spikes)
