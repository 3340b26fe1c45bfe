"""Ready-made groups of inputs: what a source text describes in one line."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .checks import check_size, expect_flag, number_array
from .draws import check_seed, normals
from .errors import Faults, NetworkError
from .lazy import sparse
from .network import Delta, PoissonInput, Projection, Synapse


def n_poisson(
    name: str, n: int, rate: npt.ArrayLike, post: str, size: int, *, mean: float, sd: float,
    seed: int, synapse: Synapse | None = None, delay: float = 0.0,
    draw: Literal["counts", "bernoulli"] = "counts", own: bool = False,
) -> tuple[PoissonInput, Projection]:  # fmt: skip
    """Return N independent Poisson sources and their synapses with random weights.

    The weights are normal numbers, drawn once: ``mean + sd * z`` with
    ``z = neuro_lif.draws.normals(seed, 0, 0, size, n)``, the row of each neuron.

    Args:
        name: of the input; the projection is called ``<name>_<post>``.
        n: sources (of each neuron, with ``own``), >= 1.
        rate: Hz, as of :class:`PoissonInput`.
        post, size: name of the population and its number of neurons.
        mean, sd: of the weights, in the synapse's unit; sd >= 0.
        seed: of the weights and the spikes.
        synapse, delay: as of :class:`Projection`; None: :class:`Delta`.
        draw: as of :class:`PoissonInput`.
        own: every neuron has sources of its own (``n * size`` channels), as trials do; else all
            neurons share the n sources.

    Raises:
        NetworkError: naming the field, its value and what is allowed.

    Source: Orhan, "The leaky integrate-and-fire neuron model" (2012), figure 3: 25 sources of 40
    Hz, weights of normal distribution.
    """
    faults = Faults()
    where = f"n_poisson {name!r}"
    for what, number in (("n", n), ("size", size)):
        noted = Faults()
        check_size(where, number, noted)
        if noted.lines:
            faults.add(where, what, number, "a whole number >= 1")
    check_seed(where, seed, faults)
    for what, value in (("mean", mean), ("sd", sd)):
        array = number_array(where, what, value, faults)
        if array is not None and (array.ndim or (what == "sd" and array < 0)):
            faults.add(where, what, value, "one number" + (" >= 0" if what == "sd" else ""))
    faults.raise_if_any(NetworkError)
    expect_flag(own, f"{where}: own")
    weights: Any = mean + sd * normals(int(seed), 0, 0, size, n)
    if own:  # row by row, the channels of each neuron beside each other
        parts = (weights.ravel(), np.arange(n * size), n * np.arange(size + 1))
        weights = sparse.csr_matrix(parts, shape=(size, n * size))
    source = PoissonInput(name, n * size if own else n, rate, seed, draw)
    used = Delta() if synapse is None else synapse
    return source, Projection(f"{name}_{post}", name, post, weights, used, delay)
