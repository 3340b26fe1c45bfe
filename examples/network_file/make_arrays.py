"""Draws the connections and the input spikes of ``balanced.toml`` again: ``balanced.npz``.

A matrix may be dense (an array ``name``) or sparse (``name.data``, ``name.indices``,
``name.indptr`` and ``name.shape``, as scipy's CSR has them).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy import sparse

N_EXC, N_INH, IN_DEGREE = 80, 20, 0.2
J, G = 0.4e-3, 6.0  # V; an inhibitory synapse is G times as strong
RATE, DURATION = 850.0, 0.3  # Hz of the background that each neuron sees, s


def connect(rng: np.random.Generator, n_post: int, n_pre: int, weight: float) -> sparse.csr_matrix:
    """Return a matrix in which each neuron has the same number of synapses, drawn at random."""
    count = round(IN_DEGREE * n_pre)
    rows = [np.sort(rng.choice(n_pre, count, replace=False)) for _ in range(n_post)]
    indptr = np.arange(n_post + 1) * count
    return sparse.csr_matrix((np.full(n_post * count, weight), np.concatenate(rows), indptr),
                             shape=(n_post, n_pre))  # fmt: skip


def arrays() -> dict[str, np.ndarray]:
    """Return every array of the file."""
    rng = np.random.default_rng(1)
    blocks = {
        "e_to_e.weights": connect(rng, N_EXC, N_EXC, J),
        "e_to_i.weights": connect(rng, N_INH, N_EXC, J),
        "i_to_e.weights": connect(rng, N_EXC, N_INH, -G * J),
        "i_to_i.weights": connect(rng, N_INH, N_INH, -G * J),
    }
    found = {}
    for name, matrix in blocks.items():
        found |= {f"{name}.{part}": getattr(matrix, part) for part in ("data", "indices", "indptr")}
        found[f"{name}.shape"] = np.array(matrix.shape)
    for target, size in (("exc", N_EXC), ("inh", N_INH)):
        count = rng.poisson(RATE * DURATION * size)
        found[f"noise_{target}.times"] = np.sort(np.round(rng.uniform(0, DURATION, count), 4))
        found[f"noise_{target}.indices"] = rng.integers(0, size, count).astype(np.uint8)
    return found


if __name__ == "__main__":
    np.savez_compressed(Path(__file__).with_name("balanced.npz"), **arrays())
