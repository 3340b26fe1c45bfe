"""Random small networks of brian2_loihi."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .draw_lava import Rng, pick, spikes
from .parts import network, population, projection, source, triples, vector
from .schema import Vector

PEER = "brian2_loihi"


def decay(rng: Rng) -> int:
    """Return a decay, often at one of its ends."""
    return int(pick(rng, 0, 1, 4096, 4095, 2048, rng.integers(0, 4097), rng.integers(1, 800)))


def cell(rng: Rng, **given: Any) -> dict[str, Any]:
    """Return parameters of a group."""
    return {
        "du": decay(rng), "dv": decay(rng), "vth": int(rng.integers(1, 500)),
        "refract": int(pick(rng, 1, 1, 1, 2, 3, 6)),
    } | given  # fmt: skip


def weights(rng: Rng, n_post: int, n_pre: int, mode: str) -> Any:
    """Return mantissas in the range of a sign mode, mostly odd, with its ends among them."""
    w = rng.integers(-255, 255, (n_post, n_pre)) | (rng.random((n_post, n_pre)) < 0.6)
    w = np.where(rng.random(w.shape) < 0.15, rng.choice([-256, 254, -255, 253], w.shape), w)
    w = np.where(rng.random(w.shape) < 0.15, 0, w)
    if mode == "mixed":
        return np.clip(w, -256, 254)
    if mode == "excitatory":
        return np.minimum(np.abs(w), 255)
    return np.maximum(-np.abs(w), -256)


def coding(rng: Rng) -> dict[str, Any]:
    """Return sign mode, bits and exponent of a projection."""
    return {
        "sign_mode": pick(rng, "mixed", "mixed", "excitatory", "inhibitory"),
        "weight_bits": int(pick(rng, 8, 8, 8, 7, 6, 5, 4, 3, 2)),
        "exponent": int(pick(rng, 0, 0, *range(-8, 8), -1, -2, 7)),
    }


def coded(rng: Rng) -> Vector:
    n_pre, n, n_steps = int(rng.integers(1, 4)), int(rng.integers(1, 4)), int(rng.integers(8, 12))
    code = coding(rng)
    w: Any = weights(rng, n, n_pre, code["sign_mode"])
    if rng.random() < 0.3 and w.any():
        w = triples(w, w != 0)
    if rng.random() < 0.3:
        code["delays"] = int(rng.integers(0, 7))
    net = network([population("n", n, "lif", cell(rng))], [projection("w", "x", "n", w, **code)],
                  [source("x", spikes(rng, n_steps, n_pre))])  # fmt: skip
    rule = "low bits cut toward zero, exponent per synapse (floor), then clipped, then << 6"
    return vector(PEER, net, n_steps, rule)


def unbounded(rng: Rng) -> Vector:
    """Big weights and little decay: u and v leave 24 bits, and nothing happens."""
    n, n_steps = int(rng.integers(1, 3)), 12
    mode = pick(rng, "mixed", "excitatory", "inhibitory")
    w = weights(rng, n, 2, mode)
    if mode != "excitatory" and rng.random() < 0.5:
        w[0, int(rng.integers(2))] = -256
    params = cell(rng, du=int(pick(rng, 0, 1, 100)), dv=int(pick(rng, 0, 10)),
                  vth=int(pick(rng, 131071, 131071, 90000)))  # fmt: skip
    net = network([population("n", n, "lif", params)],
                  [projection("w", "x", "n", w, sign_mode=mode, exponent=7)],
                  [source("x", spikes(rng, n_steps, 2, 0.8))])  # fmt: skip
    return vector(PEER, net, n_steps, "no overflow and no bound of u and v")


def threshold_edge(rng: Rng) -> Vector:
    n, n_steps = int(rng.integers(1, 4)), 10
    raster = spikes(rng, n_steps, 1, 0.7)
    w = np.full((n, 1), int(rng.integers(1, 120)))
    w[1:] += rng.integers(-1, 2, w[1:].shape)
    threshold = int(w[0, 0]) * int(rng.integers(1, raster.sum() + 1))
    start = rng.integers(-1, 2, n)
    net = network(
        [population("n", n, "lif", {"du": 4096, "dv": 0, "vth": threshold, "refract": 1}, v=start)],
        [projection("w", "x", "n", np.maximum(w, 0), sign_mode="excitatory")],
        [source("x", raster)],
    )  # fmt: skip
    return vector(PEER, net, n_steps, "a spike needs v > vth << 6: equal is not enough, +1 is")


def refractory(rng: Rng) -> Vector:
    n, n_steps = int(rng.integers(1, 3)), 14
    params = cell(rng, vth=int(rng.integers(1, 60)), refract=int(rng.integers(1, 8)))
    w = np.abs(weights(rng, n, 1, "excitatory")) // 2 + 1
    net = network([population("n", n, "lif", params)],
                  [projection("w", "x", "n", w, sign_mode="excitatory")],
                  [source("x", spikes(rng, n_steps, 1, 0.6))])  # fmt: skip
    return vector(PEER, net, n_steps, "v is held for refract - 1 steps after a spike; u runs on")


def recurrent(rng: Rng) -> Vector:
    n_steps = int(rng.integers(10, 14))
    sizes = [int(rng.integers(1, 4)) for _ in range(int(rng.integers(1, 4)))]
    names = ["a", "b", "c"][: len(sizes)]
    cells = [population(name, n, "lif", cell(rng, vth=int(rng.integers(1, 200))))
             for name, n in zip(names, sizes, strict=True)]  # fmt: skip
    width = int(rng.integers(1, 3))
    links = [projection("p0", "x", "a", weights(rng, sizes[0], width, "excitatory"),
                        sign_mode="excitatory")]  # fmt: skip
    for k in range(int(rng.integers(1, 4))):
        pre, post = int(rng.integers(len(sizes))), int(rng.integers(len(sizes)))
        code = coding(rng) | {"exponent": int(pick(rng, 0, 0, -1, 1))}
        if rng.random() < 0.5:
            code["delays"] = int(rng.integers(0, 5))
        w = weights(rng, sizes[post], sizes[pre], code["sign_mode"])
        links.append(projection(f"p{k + 1}", names[pre], names[post], w, **code))
    net = network(cells, links, [source("x", spikes(rng, n_steps, width, 0.6))])
    return vector(PEER, net, n_steps, "a neuron's spike of step t arrives in t + 1 + delay")


def duplicates(rng: Rng) -> Vector:
    n_pre, n, n_steps = int(rng.integers(1, 3)), int(rng.integers(1, 3)), 8
    count = int(rng.integers(3, 7))
    entries = {
        "rows": rng.integers(0, n, count).tolist(),
        "columns": rng.integers(0, n_pre, count).tolist(),
        "values": rng.integers(-200, 200, count).tolist(), "shape": [n, n_pre],
    }  # fmt: skip
    net = network([population("n", n, "lif", cell(rng))],
                  [projection("w", "x", "n", entries, sign_mode="mixed")],
                  [source("x", spikes(rng, n_steps, n_pre, 0.6))])  # fmt: skip
    return vector(PEER, net, n_steps, "several synapses of one pair add up")


TEMPLATES: tuple[tuple[int, Callable[[Rng], Vector]], ...] = (
    (35, coded), (12, unbounded), (12, threshold_edge), (13, refractory), (22, recurrent),
    (6, duplicates),
)  # fmt: skip
