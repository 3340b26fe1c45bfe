"""Record what NeuroBench says of a small spiking network, for ``tests/test_metrics_neurobench.py``.

    pip install neurobench tqdm    # torch and snntorch come with it
    python tests/record_neurobench.py > tests/data/neurobench.json

Not run by the tests: its environment is large. The network is snnTorch's, integrate-and-fire
neurons with whole numbers as weights, so that every program has the same spikes.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
from typing import Any

import numpy as np
import snntorch
import torch
from neurobench.metrics.static import ConnectionSparsity, Footprint
from neurobench.metrics.workload import ActivationSparsity, SynapticOperations
from neurobench.models import SNNTorchModel

SIZES, STEPS, BATCH, THRESHOLD = (12, 20, 6), 25, 4, 5


def network(weights: list[np.ndarray]) -> torch.nn.Sequential:
    """Linear layers and integrate-and-fire neurons that fire above the threshold, reset to 0."""
    layers: list[torch.nn.Module] = []
    for i, w in enumerate(weights):
        layer = torch.nn.Linear(w.shape[1], w.shape[0], bias=False)
        layer.weight.data = torch.tensor(w, dtype=torch.float32)
        last = i == len(weights) - 1
        layers += [layer, snntorch.Leaky(beta=1.0, threshold=float(THRESHOLD), init_hidden=True,
                                         reset_mechanism="zero", reset_delay=False,
                                         output=last)]  # fmt: skip
    return torch.nn.Sequential(*layers)


def measured(weights: list[np.ndarray], inputs: np.ndarray) -> dict[str, Any]:
    """Run NeuroBench's metrics on the network."""
    net = network(weights)
    model = SNNTorchModel(net)
    model.register_hooks()
    data = torch.tensor(inputs, dtype=torch.float32)
    operations = SynapticOperations()
    with torch.no_grad():
        out = model(data)
        hidden = torch.stack(list(model.activation_hooks[0].activation_outputs), dim=1)
        sparsity = ActivationSparsity()(model, out, (data, None))
        counted = operations(model, out, (data, None))
    floats = Footprint()(model)
    kept = torch.nn.Module()  # the same numbers as a chip keeps them
    for i, w in enumerate(weights):
        whole = torch.tensor(w, dtype=torch.int8)
        kept.register_parameter(f"w{i}", torch.nn.Parameter(whole, requires_grad=False))
        kept.register_buffer(f"v{i}", torch.zeros(w.shape[0], dtype=torch.int32))
    model.cleanup_hooks()
    return {
        "weights": [w.tolist() for w in weights], "inputs": inputs.tolist(),
        "spikes": [hidden.int().tolist(), out.int().tolist()],
        "connection_sparsity": ConnectionSparsity()(model), "activation_sparsity": sparsity,
        "synaptic_operations": {k: float(v) for k, v in counted.items()},
        "footprint_floats": floats,
        "float_buffers": sum(b.numel() * b.element_size() for b in net.buffers()),
        "footprint_integers": Footprint()(SNNTorchModel(kept)),
    }  # fmt: skip


def main() -> None:
    """Write both cases: spikes as input, and numbers, which NeuroBench counts as MACs."""
    rng = np.random.default_rng(7)
    weights = [rng.integers(-3, 5, (b, a)) for a, b in zip(SIZES[:-1], SIZES[1:], strict=True)]
    spikes = (rng.random((BATCH, STEPS, SIZES[0])) < 0.3).astype(np.int64)
    graded = rng.integers(0, 4, spikes.shape)
    graded[:, :, 0] = 2  # so that no step has spikes alone: each is judged by itself
    found = {
        "versions": {name: importlib.metadata.version(name)
                     for name in ("neurobench", "snntorch", "torch")},
        "python": sys.version.split()[0], "threshold": THRESHOLD,
        "spikes": measured(weights, spikes), "graded": measured(weights, graded),
    }  # fmt: skip
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
