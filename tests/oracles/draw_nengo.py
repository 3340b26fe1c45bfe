"""Random small networks of nengo-loihi blocks, in the emulator's raw integers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .draw_lava import Rng, decay, mixed_or_one, pick, spikes
from .parts import network, population, projection, source, triples, vector
from .schema import Vector

PEER = "nengo-loihi"
TOP = 2**23
Q_TOP = 2**21


def cell(rng: Rng, n: int, **given: Any) -> dict[str, Any]:
    """Return parameters of a block; what is given stays."""
    params: dict[str, Any] = {
        "du": mixed_or_one(rng, n, lambda: decay(rng)),
        "dv": mixed_or_one(rng, n, lambda: decay(rng)),
        "vth": mixed_or_one(rng, n, lambda: int(rng.integers(1, 400)) * 64),
    } | given
    params.setdefault("refract", int(pick(rng, 0, 1, 1, 2, 3, 5)))
    params.setdefault("bias", rng.integers(-9000, 9000, n) * int(rng.random() < 0.3))
    params.setdefault("vmin", int(pick(rng, 0, -TOP + 1, -TOP + 1, -4095, -255)))
    params.setdefault("vmax", int(pick(rng, TOP - 1, TOP - 1, 2**21 - 1)))
    return params


def weights(rng: Rng, n_post: int, n_pre: int, reach: int = 255) -> Any:
    """Return final weights, multiples of 64 as the discretizer makes them, or any integers."""
    w = rng.integers(-reach, reach + 1, (n_post, n_pre))
    w = w * 64 if rng.random() < 0.7 else w * 64 + rng.integers(0, 64, w.shape)
    return np.where(rng.random(w.shape) < 0.15, 0, w)


def one(params: Callable[[Rng, int], dict[str, Any]], reach: int, rule: str) -> Any:
    """Return a template: an input through synapses into one block."""

    def draw(rng: Rng) -> Vector:
        n_pre, n, n_steps = int(rng.integers(1, 4)), int(rng.integers(1, 4)), 12
        w: Any = weights(rng, n, n_pre, reach)
        if rng.random() < 0.25 and w.any():
            w = triples(w, w != 0)
        net = network(
            [population("n", n, "lif", params(rng, n))], [projection("w", "x", "n", w)],
            [source("x", spikes(rng, n_steps, n_pre, 0.5))],
        )  # fmt: skip
        return vector(PEER, net, n_steps, rule)

    return draw


def edge_sums(rng: Rng) -> Vector:
    """Sums at the ends of the 22 bits of the input, and of the 24 bits of u."""
    n_pre, n, n_steps = int(rng.integers(2, 5)), int(rng.integers(1, 3)), 10
    edges = (Q_TOP, Q_TOP - 1, Q_TOP // 2, Q_TOP // 2 - 1, Q_TOP - 64, 64, 1)
    w = np.array([pick(rng, *edges) for _ in range(n * n_pre)]).reshape(n, n_pre)
    w = w * rng.choice([1, 1, -1], w.shape) + rng.integers(-1, 2, w.shape)
    params = cell(rng, n, du=int(pick(rng, 0, 0, 4095, 1)), vth=int(pick(rng, 8388544, 8380416)),
                  vmin=-TOP + 1, vmax=TOP - 1)  # fmt: skip
    if rng.random() < 0.5:
        params["bias"] = rng.integers(-524160, 524161, n)
    net = network([population("n", n, "lif", params)], [projection("w", "x", "n", w)],
                  [source("x", spikes(rng, n_steps, n_pre, 0.8))])  # fmt: skip
    rule = "q0 wraps to 22 bits, u and u + bias to 24 (two's complement); v is clipped"
    return vector(PEER, net, n_steps, rule)


def sums_up(rng: Rng) -> Vector:
    """A steady input that drives u over 2^23."""
    n, n_steps = int(rng.integers(1, 3)), 12
    w = rng.integers(Q_TOP // 2, Q_TOP, (n, 1)) * int(pick(rng, 1, -1))
    params = cell(rng, n, du=int(pick(rng, 0, 1, 60)), dv=int(pick(rng, 0, 512, 4095)),
                  vth=int(pick(rng, 8388544, 4194304)), vmin=int(pick(rng, 0, -TOP + 1)),
                  vmax=int(pick(rng, TOP - 1, TOP - 1, Q_TOP - 1)))  # fmt: skip
    if rng.random() < 0.6:
        params["bias"] = int(pick(rng, 1, -1)) * (int(rng.integers(2048, 4096)) << 7)
    raster = (rng.random((n_steps, 1)) < 0.9).astype(int)
    raster[0] = 1
    net = network([population("n", n, "lif", params)], [projection("w", "x", "n", w)],
                  [source("x", raster)])  # fmt: skip
    return vector(PEER, net, n_steps, "u wraps to 24 bits; v is clipped to vmin..vmax")


def threshold_edge(rng: Rng) -> Vector:
    n, n_steps = int(rng.integers(1, 5)), 10
    raster = spikes(rng, n_steps, 1, 0.7)
    w = rng.integers(1, 200, (n, 1)) * 64
    count = int(rng.integers(1, raster.sum() + 1))
    threshold = w[:, 0] * count + rng.integers(-1, 2, n)
    params = {"du": 4095, "dv": 0, "vth": threshold, "refract": int(rng.integers(0, 3)),
              "vmin": 0, "vmax": TOP - 1}  # fmt: skip
    net = network([population("n", n, "lif", params)], [projection("w", "x", "n", w)],
                  [source("x", raster)])  # fmt: skip
    return vector(PEER, net, n_steps, "a spike needs v > vth: equal is not enough, +1 is")


def refractory(rng: Rng) -> Vector:
    n, n_steps = int(rng.integers(1, 4)), 13
    params = cell(rng, n, vth=int(rng.integers(1, 60)) * 64, refract=rng.integers(0, 7, n),
                  bias=rng.integers(0, 4000, n), vmin=0)  # fmt: skip
    net = network([population("n", n, "lif", params)],
                  [projection("w", "x", "n", np.abs(weights(rng, n, 1, 60)))],
                  [source("x", spikes(rng, n_steps, 1))])  # fmt: skip
    rule = "v is held at 0 for max(refract - 1, 0) steps after a spike; u runs on"
    return vector(PEER, net, n_steps, rule)


def noise(rng: Rng) -> Vector:
    """Noise in one or two blocks: one draw for all compartments in each step."""
    n_steps = 9
    cells = []
    for name in ("a", "b")[: int(rng.integers(1, 3))]:
        n = int(rng.integers(1, 4))
        params = cell(rng, n, vth=int(rng.integers(1, 2000)) * 64)
        params |= {
            "enable_noise": (rng.random(n) < 0.75).astype(int),
            "noise_exp": int(rng.integers(1, 17)),
            "noise_offset": int(pick(rng, 0, 0, 1, 3, -2)),
            "noise_at_membrane": int(rng.integers(0, 2)),
        }  # fmt: skip
        if name == "a":
            params["enable_noise"][0] = 1
        cells.append(population(name, n, "lif", params))
    net = network(cells, seed=int(rng.integers(1, 10**6)))
    rule = "trunc((draw + 64 offset) 2^(exp - 7)), one RandomState draw for all cells in each step"
    return vector(PEER, net, n_steps, rule)


def recurrent(rng: Rng) -> Vector:
    n_steps = int(rng.integers(10, 14))
    sizes = [int(rng.integers(1, 4)) for _ in range(int(rng.integers(1, 4)))]
    names = ["a", "b", "c"][: len(sizes)]
    cells = [population(name, n, "lif", cell(rng, n, vth=int(rng.integers(1, 150)) * 64))
             for name, n in zip(names, sizes, strict=True)]  # fmt: skip
    width = int(rng.integers(1, 3))
    links = [projection("p0", "x", "a", np.abs(weights(rng, sizes[0], width)))]
    for k in range(int(rng.integers(1, 4))):
        pre, post = int(rng.integers(len(sizes))), int(rng.integers(len(sizes)))
        links.append(projection(f"p{k + 1}", names[pre], names[post],
                                weights(rng, sizes[post], sizes[pre])))  # fmt: skip
    net = network(cells, links, [source("x", spikes(rng, n_steps, width, 0.6))])
    return vector(PEER, net, n_steps, "every synapse takes one step, also among blocks")


def duplicates(rng: Rng) -> Vector:
    """Two synapses of one axon that lead to one compartment: the last one counts."""
    n_pre, n, n_steps = int(rng.integers(1, 3)), int(rng.integers(1, 3)), 8
    count = int(rng.integers(3, 7))
    order = np.sort(rng.integers(0, n_pre, count))
    entries = {
        "rows": rng.integers(0, n, count).tolist(), "columns": order.tolist(),
        "values": (rng.integers(-200, 201, count) * 64).tolist(), "shape": [n, n_pre],
    }  # fmt: skip
    net = network([population("n", n, "lif", cell(rng, n))], [projection("w", "x", "n", entries)],
                  [source("x", spikes(rng, n_steps, n_pre, 0.6))])  # fmt: skip
    return vector(PEER, net, n_steps, "of several synapses of one pair in one axon the last counts")


TEMPLATES: tuple[tuple[int, Callable[[Rng], Vector]], ...] = (
    (14, one(lambda rng, n: cell(rng, n), 255, "LIF: decay toward zero, v > vth, v = 0, u kept")),
    (8, one(lambda rng, n: cell(rng, n, vmin=0), 120, "v is never below vmin")),
    (12, edge_sums), (8, sums_up), (10, threshold_edge), (12, refractory), (14, noise),
    (18, recurrent), (6, duplicates),
)  # fmt: skip
