"""Random small networks of Lava's processes, many of them tuned to an edge."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from .parts import direct, network, population, projection, source, triples, vector
from .schema import Vector

Rng = np.random.Generator
TOP = 2**23
PEER = "lava-nc"
EDGES = (131071, 131072, 131073, -131071, -131072, -131073, 262143, 262144, 393216, 393217, -393217)


def pick(rng: Rng, *values: Any) -> Any:
    """Return one of the values."""
    return values[int(rng.integers(len(values)))]


def spikes(rng: Rng, n_steps: int, n: int, rate: float = 0.4) -> Any:
    """Return a raster of 0 and 1 that is not empty."""
    raster = (rng.random((n_steps, n)) < rate).astype(int)
    raster[int(rng.integers(0, n_steps // 2)), int(rng.integers(n))] = 1
    return raster


def mixed_or_one(rng: Rng, n: int, draw: Callable[[], int]) -> Any:
    """Return one value for all neurons, or one for each."""
    return draw() if n == 1 or rng.random() < 0.6 else np.array([draw() for _ in range(n)])


def decay(rng: Rng) -> int:
    """Return a decay, often at one of its ends."""
    return int(pick(rng, 0, 1, 4095, 4094, 2048, rng.integers(0, 4096), rng.integers(1, 800)))


def lif(rng: Rng, n: int, vth: int | None = None, bias: bool = False) -> dict[str, Any]:
    """Return parameters of a LIF in range."""
    params = {
        "du": mixed_or_one(rng, n, lambda: decay(rng)),
        "dv": mixed_or_one(rng, n, lambda: decay(rng)),
        "vth": mixed_or_one(rng, n, lambda: int(rng.integers(1, 400))) if vth is None else vth,
    }
    if bias:
        params["bias_mant"] = rng.integers(-4096, 4096, n) // int(pick(rng, 1, 16, 256))
        params["bias_exp"] = int(rng.integers(0, 8))
    return params


# ------------------------------------------------------------------------- one population


def plain_lif(rng: Rng) -> Vector:
    n, n_steps = int(rng.integers(1, 5)), int(rng.integers(8, 13))
    given = rng.integers(-300, 400, (n_steps, n)) * (rng.random((n_steps, n)) < 0.6)
    cell = population("n", n, "lif", lif(rng, n, bias=rng.random() < 0.5))
    net = network([cell], directs=[direct("x", "n", given)])
    return vector(PEER, net, n_steps, "LIF: decay toward zero, v > vth << 6, v = 0, u kept")


def u_overflow(rng: Rng) -> Vector:
    n, n_steps = int(rng.integers(1, 4)), int(rng.integers(8, 12))
    edges = np.array([pick(rng, *EDGES) for _ in range(n_steps * n)]).reshape(n_steps, n)
    edges = edges + rng.integers(-1, 2, edges.shape)
    small = rng.integers(-40000, 40000, edges.shape)
    given = np.where(rng.random(edges.shape) < 0.6, edges, small)
    if rng.random() < 0.2:  # a_in << 6 leaves 32 bits
        wide = rng.integers(2**25 - 2, 2**26, given.shape) * pick(rng, 1, -1)
        given = np.where(rng.random(given.shape) < 0.3, wide, given)
    params = lif(rng, n, vth=int(pick(rng, 131071, 131070, 65536)))
    if rng.random() < 0.5:
        params["du"] = 4095
    net = network([population("n", n, "lif", params)], directs=[direct("x", "n", given)])
    rule = "u wraps once into -2^23+1..2^23 (+2^23 stays), a_in << 6 in 32 bits"
    return vector(PEER, net, n_steps, rule)


def v_saturation(rng: Rng) -> Vector:
    n, n_steps = int(rng.integers(1, 4)), int(rng.integers(8, 12))
    params: dict[str, Any] = {
        "du": 4095, "dv": int(pick(rng, 0, 0, 1, 64)),
        "vth": int(pick(rng, 131071, 131070, 130000)),
        "bias_mant": rng.integers(-4096, 4096, n), "bias_exp": 7,
    }  # fmt: skip
    start = np.array([pick(rng, TOP - 1, TOP - 2, -TOP + 1, -TOP + 2, TOP - 65, TOP - 64, 8388544)
                      for _ in range(n)])  # fmt: skip
    given = rng.integers(-60000, 60000, (n_steps, n)) * (rng.random((n_steps, n)) < 0.5)
    cell = population("n", n, "lif", params, v=start)
    net = network([cell], directs=[direct("x", "n", given)])
    return vector(PEER, net, n_steps, "v saturates at -2^23+1 and 2^23-1")


def threshold_edge(rng: Rng) -> Vector:
    """Thresholds that v reaches exactly, exceeds by 1, misses by 1."""
    n, n_steps = int(rng.integers(1, 5)), int(rng.integers(8, 13))
    given = rng.integers(0, 9, (n_steps, n))
    at = int(rng.integers(2, n_steps))
    nudge = rng.integers(-1, 2, n)
    # bias is added in each of the steps: with dv = 0 and du = 4095, v is the sum of both
    params = {"du": 4095, "dv": 0, "vth": np.maximum(given[:at].sum(axis=0), 1),
              "bias_mant": np.zeros(n, int), "bias_exp": 0}  # fmt: skip
    cell = population("n", n, "lif", params, v=nudge)
    net = network([cell], directs=[direct("x", "n", given)])
    return vector(PEER, net, n_steps, "a spike needs v > vth << 6: equal is not enough, +1 is")


def bias_forms(rng: Rng) -> Vector:
    n, n_steps = int(rng.integers(1, 4)), int(rng.integers(8, 11))
    wild = rng.random() < 0.6
    params = lif(rng, n, vth=int(rng.integers(1, 131072)))
    if wild:
        params["bias_mant"] = rng.integers(-70000, 70000, n) // int(pick(rng, 1, 1, 64))
        params["bias_exp"] = rng.integers(pick(rng, -10, -10, 14), 21, n)
    else:
        params["bias_mant"] = rng.integers(-4096, 4096, n)
        params["bias_exp"] = rng.integers(0, 8, n)
    net = network([population("n", n, "lif", params)], enforce_ranges=not wild)
    return vector(PEER, net, n_steps, "bias_mant (16 bits) << bias_exp in 32 bits, floor right")


def out_of_range(rng: Rng) -> Vector:
    n, n_steps = int(rng.integers(1, 4)), int(rng.integers(8, 11))
    params = {
        "du": int(pick(rng, -1, -40, 4096, 4097, 5000, 9000)),
        "dv": int(pick(rng, -1, -17, 4096, 4100, 5000, 0)),
        "vth": int(pick(rng, 131072, 200000, -1, -5, 0, 100)),
    }
    given = rng.integers(-200, 300, (n_steps, n))
    cell = population("n", n, "lif", params)
    net = network([cell], directs=[direct("x", "n", given)], enforce_ranges=False)
    return vector(PEER, net, n_steps, "what is out of range is calculated with as it is")


def started(rng: Rng) -> Vector:
    n, n_steps = int(rng.integers(1, 4)), int(rng.integers(8, 12))
    start = {"u": rng.integers(-TOP + 1, TOP, n), "v": rng.integers(-TOP + 1, TOP, n)}
    cell = population("n", n, "lif", lif(rng, n, vth=int(rng.integers(1, 131072))), **start)
    return vector(PEER, network([cell]), n_steps, "u and v start as given and decay toward zero")


def lif_reset(rng: Rng) -> Vector:
    n, n_steps = int(rng.integers(1, 3)), int(rng.integers(9, 13))
    params = lif(rng, n, bias=True)
    params |= {"reset_interval": int(rng.integers(1, 6)), "reset_offset": int(rng.integers(0, 9))}
    given = rng.integers(0, 200, (n_steps, n))
    net = network([population("n", n, "lif_reset", params)], directs=[direct("x", "n", given)])
    rule = "u = v = 0 before the update of steps t with t % interval == offset % interval"
    return vector(PEER, net, n_steps, rule)


def atrlif(rng: Rng) -> Vector:
    n, n_steps = int(rng.integers(1, 3)), int(rng.integers(9, 13))
    params: dict[str, Any] = {f"delta_{k}": int(rng.integers(0, 4097)) // int(pick(rng, 1, 4))
                              for k in ("i", "v", "theta", "r")}  # fmt: skip
    params |= {"theta_0": int(rng.integers(1, 3000)), "theta_step": int(rng.integers(0, 900))}
    params |= {"bias_mant": rng.integers(-200, 200, n), "bias_exp": int(rng.integers(0, 4))}
    given = rng.integers(-20, 60, (n_steps, n))
    net = network([population("n", n, "atrlif", params)], directs=[direct("x", "n", given)])
    rule = "ATRLIF: v - r >= theta; then r += 2 theta, theta += theta_step; v is kept"
    return vector(PEER, net, n_steps, rule)


# ------------------------------------------------------------------------------- synapses


def matrix(rng: Rng, n_post: int, n_pre: int, mode: str | None, wild: bool) -> Any:
    """Return weights that suit a sign mode, mostly odd; wild ones leave its range."""
    reach = 400 if wild else 256
    w = rng.integers(-reach, reach, (n_post, n_pre)) | (rng.random((n_post, n_pre)) < 0.6)
    if mode in ("excitatory", "null"):
        w = w if wild else np.abs(w)
    elif mode == "inhibitory":
        w = w if wild else -np.abs(w)
    elif mode is None:
        w = np.abs(w) * pick(rng, 1, -1) if rng.random() < 0.5 else w
    if not wild:
        low = {"inhibitory": -255}.get(str(mode), -256)
        w = np.clip(w, low if low == -255 or (w < 0).any() else 0, 255)
    return np.where(rng.random(w.shape) < 0.15, 0, w)


def coded(rng: Rng, delayed: bool = False) -> Vector:
    """An input through one connection: sign modes, bits, exponents, delays, dense and sparse."""
    n_pre, n_post = int(rng.integers(1, 5)), int(rng.integers(1, 4))
    n_steps = int(rng.integers(8, 13))
    wild = rng.random() < 0.25
    mode = pick(rng, "mixed", "mixed", "excitatory", "inhibitory", "null", None, None)
    w = matrix(rng, n_post, n_pre, mode, wild)
    if not wild and mode is None:
        w = np.clip(w, -255 if (w <= 0).all() else -256, 255)
    given: dict[str, Any] = {
        "sign_mode": mode, "weight_bits": int(pick(rng, 8, 8, 8, 7, 6, 5, 4, 3, 2, 1)),
        "exponent": int(pick(rng, 0, 0, *range(-8, 8), -1, -2, -1)),
    }  # fmt: skip
    sparse = rng.random() < 0.4
    if delayed:
        whole = rng.random() < 0.3
        delays = rng.integers(0, 6, w.shape) * (0 if whole else 1) + int(whole) * 3
    else:
        delays = np.zeros(w.shape, int)
    weights: Any = w
    if sparse:
        keep = rng.random(w.shape) < 0.8
        keep[0, 0] = True
        weights, delays = triples(w, keep), delays[keep]
    given["delays"] = int(delays.flat[0]) if np.ptp(delays) == 0 else delays.ravel()
    cell = population("n", n_post, "lif", lif(rng, n_post, vth=int(rng.integers(1, 3000))))
    net = network([cell], [projection("w", "x", "n", weights, **given)],
                  [source("x", spikes(rng, n_steps, n_pre))], enforce_ranges=not wild)  # fmt: skip
    rule = "weights clipped and cut by sign mode and bits; the exponent shifts the sum (floor)"
    if delayed:
        rule = "a spike of step t arrives in t + 1 + delay; the exponent shifts each sum per delay"
    return vector(PEER, net, n_steps, rule)


def delayed(rng: Rng) -> Vector:
    return coded(rng, delayed=True)


def recurrent(rng: Rng) -> Vector:
    """Two or three populations, an input, and projections among them, some to themselves."""
    n_steps = int(rng.integers(9, 14))
    sizes = [int(rng.integers(1, 4)) for _ in range(int(rng.integers(2, 4)))]
    names = ["a", "b", "c"][: len(sizes)]
    cells = [population(name, n, "lif", lif(rng, n, vth=int(rng.integers(1, 200)),
                                            bias=rng.random() < 0.2))
             for name, n in zip(names, sizes, strict=True)]  # fmt: skip
    width = int(rng.integers(1, 4))
    given = [projection("p0", "x", "a", np.abs(matrix(rng, sizes[0], width, "mixed", False)) // 2,
                        sign_mode="mixed")]  # fmt: skip
    for k in range(int(rng.integers(2, 4))):
        pre, post = int(rng.integers(len(sizes))), int(rng.integers(len(sizes)))
        mode = pick(rng, "mixed", "excitatory", "inhibitory")
        w = matrix(rng, sizes[post], sizes[pre], mode, False)
        more: dict[str, Any] = {"sign_mode": mode, "exponent": int(pick(rng, 0, 0, -1, 1, -2))}
        weights: Any = w
        delays = rng.integers(0, 4, w.shape) * int(rng.random() < 0.4)
        if rng.random() < 0.4:
            keep = rng.random(w.shape) < 0.7
            keep[0, 0] = True
            weights, delays = triples(w, keep), delays[keep]
        if delays.any():
            more["delays"] = delays.ravel()
        given.append(projection(f"p{k + 1}", names[pre], names[post], weights, **more))
    net = network(cells, given, [source("x", spikes(rng, n_steps, width, 0.5))])
    return vector(PEER, net, n_steps, "every connection takes one step and its delays")


def graded(rng: Rng) -> Vector:
    """Graded vectors, wired straight or through synapses that multiply by the payload."""
    n, n_steps = int(rng.integers(1, 4)), int(rng.integers(8, 11))
    model = pick(rng, "graded_vec", "graded_relu_vec")
    reach = int(pick(rng, 20, 200, 200000))
    given = rng.integers(-reach, reach, (n_steps, n))
    first = population("a", n, model, {"vth": int(rng.integers(0, max(reach // 2, 1)))})
    last = population("b", n, "lif", lif(rng, n, vth=int(rng.integers(1, 131072))))
    if rng.random() < 0.35:
        between = projection("wire", "a", "b", np.eye(n, dtype=int), graded=True, latency=0)
    else:
        mode = pick(rng, "mixed", "excitatory", "inhibitory")
        w = matrix(rng, n, n, mode, False)
        between = projection("w", "a", "b", w, graded=rng.random() < 0.8, sign_mode=mode,
                             exponent=int(pick(rng, 0, -3, -6, -7)))  # fmt: skip
    net = network([first, last], [between], directs=[direct("x", "a", given)])
    rule = "the value of a spike multiplies the weight, whatever its width; ungraded it counts 1"
    return vector(PEER, net, n_steps, rule)


def graded_input(rng: Rng) -> Vector:
    n_pre, n_post, n_steps = int(rng.integers(1, 4)), int(rng.integers(1, 3)), 9
    payload = rng.integers(-300, 300, (n_steps, n_pre)) * (rng.random((n_steps, n_pre)) < 0.6)
    mode = pick(rng, "mixed", "excitatory", "inhibitory")
    w = matrix(rng, n_post, n_pre, mode, False)
    weights: Any = triples(w, w != 0) if w.any() and rng.random() < 0.4 else w
    delays = int(pick(rng, 0, 0, 2))
    between = projection("w", "x", "n", weights, graded=True, sign_mode=mode, delays=delays,
                         exponent=int(pick(rng, 0, -2, -5, -8)))  # fmt: skip
    cell = population("n", n_post, "lif", lif(rng, n_post, vth=int(rng.integers(1, 131072))))
    net = network([cell], [between], [source("x", payload)])
    return vector(PEER, net, n_steps, "a graded input multiplies the weight, also below zero")


def ternary(rng: Rng) -> Vector:
    n, n_steps = int(rng.integers(1, 4)), int(rng.integers(9, 13))
    params = lif(rng, n, vth=1, bias=rng.random() < 0.3)
    del params["vth"]
    params |= {"vth_hi": int(rng.integers(1, 120)), "vth_lo": -int(rng.integers(1, 120))}
    given = rng.integers(-80, 80, (n_steps, n))
    cells = [population("a", n, "ternary_lif", params)]
    links = []
    if rng.random() < 0.6:
        cells.append(population("b", 1, "lif", lif(rng, 1)))
        w = matrix(rng, 1, n, "mixed", False)
        links = [projection("w", "a", "b", w, sign_mode="mixed", graded=rng.random() < 0.5)]
    net = network(cells, links, directs=[direct("x", "a", given)])
    rule = "+1 above vth_hi, -1 below vth_lo; an ungraded synapse counts -1 as 1"
    return vector(PEER, net, n_steps, rule)


def convolution(rng: Rng) -> Vector:
    groups = int(pick(rng, 1, 1, 2))
    c_in, c_out = groups * int(rng.integers(1, 3)), groups
    kernel_size = [int(rng.integers(1, 3)) for _ in range(2)]
    dilation = [int(pick(rng, 1, 1, 2)) for _ in range(2)]
    least = [d * (k - 1) + 1 for d, k in zip(dilation, kernel_size, strict=True)]
    plane = [int(rng.integers(max(2, m), max(2, m) + 2)) for m in least]
    reach = int(pick(rng, 9, 300, 3000))
    kernel = rng.integers(-reach, reach, (c_out, *kernel_size, c_in // groups))
    form = {"kernel": kernel, "input_shape": [*plane, c_in],
            "stride": [int(pick(rng, 1, 1, 2)) for _ in range(2)],
            "padding": [int(pick(rng, 0, 0, 1)) for _ in range(2)],
            "dilation": dilation, "groups": groups}  # fmt: skip
    out = [(p + 2 * pad - m) // s + 1 for p, pad, m, s in
           zip(plane, form["padding"], least, form["stride"], strict=True)]  # fmt: skip
    n_post, n_steps = int(np.prod(out)) * c_out, 6
    width = int(np.prod(form["input_shape"]))
    values = rng.random() < 0.4
    top = int(pick(rng, 50, 20000))
    raster = spikes(rng, n_steps, width, 0.25) * (rng.integers(1, top) if values else 1)
    between = projection("w", "x", "n", form, graded=values,
                         exponent=int(pick(rng, 0, 0, 2, -1)))  # fmt: skip
    params = {"du": decay(rng), "dv": decay(rng), "vth": int(rng.integers(1, 3000))}
    net = network([population("n", n_post, "lif", params)], [between], [source("x", raster)])
    rule = "a true convolution; kernels are taken as they are, sums wrap to 24 bits"
    return vector(PEER, net, n_steps, rule)


def sigma_delta(rng: Rng, model: str) -> Vector:
    n, n_steps = int(rng.integers(1, 3)), int(rng.integers(8, 12))
    params: dict[str, Any] = {}
    if model != "sigma":
        params = {"vth": int(rng.integers(0, 12)), "spike_exp": int(pick(rng, 0, 0, 2)),
                  "state_exp": int(pick(rng, 0, 0, 1, 3))}  # fmt: skip
    if model.startswith("sigma_delta"):
        params["bias"] = rng.integers(-9, 9, n)
    given = rng.integers(-40, 40, (n_steps, n)) * (rng.random((n_steps, n)) < 0.7)
    cells, links = [population("a", n, model, params)], []
    if rng.random() < 0.4:
        cells.append(population("b", n, "sigma", {}))
        w = rng.integers(-30, 30, (n, n)) * 2
        links = [projection("w", "a", "b", w, graded=True, sign_mode="mixed")]
    net = network(cells, links, directs=[direct("x", "a", given)])
    rule = "sigma-delta: sends the change where |change| >= vth, keeps the rest as residue"
    return vector(PEER, net, n_steps, rule)


TEMPLATES: tuple[tuple[int, Callable[[Rng], Vector]], ...] = (
    (8, plain_lif), (8, u_overflow), (5, v_saturation), (7, threshold_edge), (6, bias_forms),
    (3, out_of_range), (3, started), (4, lif_reset), (4, atrlif), (16, coded), (10, delayed),
    (10, recurrent), (7, graded), (4, graded_input), (5, ternary), (7, convolution),
    *((2, partial(sigma_delta, model=model)) for model in
      ("sigma", "delta", "delta_cum_error", "sigma_delta", "sigma_delta_unit")),
)  # fmt: skip
"""How many of a hundred and some are drawn of each kind."""
