"""Writes ``data/nengo_codings.json`` anew from nengo-loihi; run it as a program."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from codings_peers import RECORD, nengo_peer, quiet, their_record


def record(peer: Any) -> None:
    """Code blocks by the peer and write them down."""
    rng = np.random.default_rng(0)
    inputs: list[tuple[str, dict[str, Any], list[Any]]] = []

    def add(name: str, bias: Any, matrices: list[Any], **fields: Any) -> None:
        bias = np.asarray(bias, np.float32)
        n = len(bias)
        plain_ = {"decay_u": 0.1, "decay_v": 0.0, "vth": 1.0} | fields
        each = {k: [float(np.float32(plain_.pop(k)))] * n for k in ("decay_u", "decay_v", "vth")}
        inputs.append(
            (name, each | {"bias": bias.tolist()} | plain_, [w.tolist() for w in matrices])
        )

    # numbers that round otherwise where the products are taken in double precision
    many = np.float32(10) ** rng.uniform(-4, -2.2, 400_000).astype(np.float32)
    scale = 524160 / 1.0
    odd = np.rint(many * np.float32(scale)) != np.rint(many.astype(np.float64) * scale)
    add("bias in single precision", [1.0, *many[odd][:30]], [])
    many = rng.uniform(-0.7, 0.7, 4_000_000).astype(np.float32)
    scale = 255 / float(np.float32(0.7))
    half = many * np.float32(scale) / 2, many.astype(np.float64) * scale / 2
    odd = np.rint(half[0]) != np.rint(half[1])
    weights = np.array([np.float32(0.7), *many[odd][:11]], np.float32).reshape(3, 4)
    add("weights in single precision", np.zeros(4), [weights])
    ratios = [np.nextafter(np.float32(2.0**-k), np.float32(1)) for k in range(1, 12)]
    groups = [np.array([[1.0]], np.float32), *[np.array([[r]], np.float32) for r in ratios]]
    add("ratios next to powers of two", [0.0], groups, decay_u=1.0)
    for i in range(40):
        n, noisy = int(rng.integers(1, 4)), bool(rng.integers(2))
        leak, vth = float(rng.choice([0, 10 ** rng.uniform(-3, 0)])), 10 ** rng.uniform(-1, 1)
        groups = [(rng.normal(size=(2, n)) * vth * 10 ** rng.uniform(-3.5, 1)).astype(np.float32)
                  for _ in range(int(rng.integers(0, 3)))]  # fmt: skip
        add(
            f"block {i}", rng.normal(size=n) * vth * rng.choice([0, 0.01, 0.3]), groups, vth=vth,
            decay_u=10 ** rng.uniform(-3, 0), decay_v=leak, scale_u=bool(rng.integers(4)),
            scale_v=leak > 0, vmin=str(rng.choice(["0", "-1.5", "-inf"])),
            vmax=str(rng.choice(["inf", "2.0"])), enable_noise=[noisy] * n,
            noise_exp=float(rng.integers(-5, 2)), noise_offset=float(rng.normal()),
        )  # fmt: skip
    blocks = [
        {"id": name, "fields": f, "weights": w, "expected": their_record(peer, f, w)}
        for name, f, w in inputs
    ]
    biases = []
    for kind in ("float32", "float64"):
        ends = np.float32(4095) * 2.0 ** np.arange(8, dtype=np.float32)
        values = np.stack([np.nextafter(ends, np.float32(0)), ends,
                           np.nextafter(ends, np.float32(np.inf))])[:, :7].astype(kind)  # fmt: skip
        man, exp = peer.bias_to_manexp(values.ravel())
        expected = {"man": man.tolist(), "exp": exp.tolist()}
        biases.append({"dtype": kind, "input": values.ravel().tolist(), "expected": expected})
    about = "nengo-loihi 1.1.0 under numpy 1.26: blocks before and after discretize_block"
    data = {"schema": "nengo-codings/1", "about": about, "blocks": blocks, "biases": biases}
    RECORD.write_text(json.dumps(data, indent=None, separators=(",", ":")) + "\n", "utf-8")


if __name__ == "__main__":
    with quiet():
        record(nengo_peer())
