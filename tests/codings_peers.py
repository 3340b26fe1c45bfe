"""The peers whose integers the codings give, and what the tests of the codings share."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from scipy import sparse

from neuro_lif.errors import LoweringError, RangeError

DATA = Path(__file__).parent / "data"
NENGO = "nengo-loihi-1.1"


def vectors(kind: str) -> list[Any]:
    """Return the entries of one kind of the vector file."""
    found = [
        v
        for v in json.loads((DATA / "loihi_vectors.json").read_text("utf-8"))["vectors"]
        if v["kind"] == kind
    ]
    assert found, kind
    return [pytest.param(v, id=v["id"]) for v in found]


@contextmanager
def quiet() -> Iterator[None]:
    """Let a peer warn and divide by zero as it likes."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def nengo_peer() -> Any:
    """Return the module of nengo-loihi that codes; skip the test where there is none."""
    with quiet():
        reason = "nengo-loihi 1.1.0 is not installed"
        return pytest.importorskip("nengo_loihi.builder.discretize", reason=reason)


def lava_weights() -> Any:
    """Return Lava's weight helpers; skip the test where there are none."""
    reason = "lava-nc 0.10.0 exists for Python 3.10 alone"
    return pytest.importorskip("lava.utils.weightutils", reason=reason)


def outcome(function: Callable[..., Any], *given: Any, **options: Any) -> Any:
    """Return what a function returns; the error where it raises one."""
    try:
        with quiet():
            return function(*given, **options)
    # whatever the peer fails with stands for one named error of ours
    except Exception as error:
        return error


def same_outcome(theirs: Any, ours: Any) -> bool:
    """Tell whether both succeeded; a failure of the peer has to be a named error of ours."""
    if not isinstance(theirs, Exception):
        assert not isinstance(ours, Exception), f"the peer succeeds: {ours!r}"
        return True
    assert isinstance(ours, (LoweringError, RangeError)), f"{theirs!r}, but {ours!r}"
    return False


def dense(weights: Any) -> Any:
    return weights.toarray() if sparse.issparse(weights) else np.asarray(weights)


def logs(lo: float, hi: float) -> st.SearchStrategy[float]:
    """Numbers of every size between 10**lo and 10**hi."""
    return st.floats(lo, hi).map(lambda e: float(10.0**e))


SIGNS = st.sampled_from([-1.0, 1.0])
SIGNED = st.builds(lambda s, x: s * x, SIGNS, logs(-6, 5))
REALS = st.one_of(SIGNED, st.integers(-600, 600).map(lambda i: i / 2), st.just(0.0))
KINDS = st.sampled_from([np.float32, np.float64])


def arrays(values: st.SearchStrategy[float], most: int = 12) -> st.SearchStrategy[Any]:
    lists = st.lists(values, min_size=1, max_size=most)
    return st.builds(lambda x, kind: np.array(x, kind), lists, KINDS)


FIELDS = ("decay_u", "decay_v", "vth", "bias")


def fill(compartment: Any, fields: dict[str, Any]) -> Any:
    """Write fields into a compartment of the peer."""
    for name, value in fields.items():
        if name in (*FIELDS, "enable_noise", "refract_delay"):
            getattr(compartment, name)[:] = value
        else:
            setattr(compartment, name, value)
    return compartment


RECORD = Path(__file__).parent / "data" / "nengo_codings.json"
RESULTS = (*FIELDS, "vmin", "vmax", "noise_exp", "noise_offset", "w_exp", "v_scale", "b_scale",
           "w_scale")  # fmt: skip


def their_record(peer: Any, fields: dict[str, Any], matrices: Any) -> dict[str, Any] | None:
    """What the peer makes of a block, as it is recorded."""
    from nengo_loihi.block import LoihiBlock, Synapse

    block = LoihiBlock(len(fields["vth"]))
    fill(block.compartment, {k: float(v) if isinstance(v, str) else v for k, v in fields.items()})
    for weights in matrices:
        block.add_synapse(Synapse(len(weights)))
        block.synapses[-1].set_weights(np.array(weights, np.float32))
    if isinstance(outcome(peer.discretize_block, block), Exception):
        return None
    c = block.compartment
    values = {n: np.asarray(getattr(c, n, None)).tolist() for n in RESULTS[:8]}
    values |= {n: np.asarray(c.discretize_info[n]).tolist() for n in RESULTS[8:]}
    return values | {
        "weights": [np.concatenate(s.weights).tolist() for s in block.synapses],
        "weight_exp": [s.synapse_cfg.weight_exp for s in block.synapses],
    }
