"""Lava's integers: its helpers, equal to the peer's, tolerance zero."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from codings_peers import (
    REALS,
    arrays,
    dense,
    lava_weights,
    logs,
    outcome,
    quiet,
    same_outcome,
    vectors,
)
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import sparse

from neuro_lif.codings import (
    lava,
)
from neuro_lif.profile import SIGN_MODES


@pytest.fixture(scope="module")
def lava_peer() -> Any:
    return lava_weights()


@st.composite
def matrices(draw: Any) -> Any:
    """Weight matrices about the ends of the sign modes' ranges."""
    lo, hi = draw(st.sampled_from([(-255, 0), (0, 255), (-256, 256), (-300, 300), (-8, 8), (0, 0)]))
    shape = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    values = draw(st.lists(st.integers(lo, hi), min_size=shape[0] * shape[1],
                           max_size=shape[0] * shape[1]))  # fmt: skip
    weights = np.array(values).reshape(shape) * draw(st.sampled_from([1, 1, 2, 4, 16]))
    weights = weights + draw(st.sampled_from([0, 0, 0, 0.3]))
    return weights * draw(st.sampled_from([1, 1, 1, 10**8])) if weights.dtype != float else weights


@settings(max_examples=200, deadline=None)
@given(matrices(), st.sampled_from(SIGN_MODES), st.integers(-40, 13), st.booleans())
@example(np.array([[-256, 0]]), "inhibitory", 8, False)
@example(np.array([[-(2**31)]]), "inhibitory", 8, False)  # the one whose negative is itself
def test_lava_weights_equal_the_peer(
    lava_peer: Any, weights: Any, mode: str, bits: int, is_sparse: bool
) -> None:
    theirs = getattr(lava_peer.SignMode, mode.upper())
    # a new matrix each time, since the peer changes a sparse one
    new = (lambda: sparse.csr_matrix(weights)) if is_sparse else weights.copy
    assert lava_peer.determine_sign_mode(new()).name.lower() == lava.determine_sign_mode(new())
    pairs = [
        (lava_peer.truncate_weights(new(), theirs, bits), lava.truncate_weights(new(), mode, bits)),
        (lava_peer.clip_weights(new(), theirs, 8), lava.clip_weights(new(), mode)),
        (lava_peer.clip_weights(new(), theirs, 6, True),
         lava.clip_weights(new(), mode, 6, learning=True)),
    ]  # fmt: skip
    for wanted, got in pairs:
        assert np.array_equal(dense(wanted), dense(got))
    for loihi2 in (False, True):
        wanted = outcome(lava_peer.optimize_weight_bits, new(), theirs, loihi2)
        got = outcome(lava.optimize_weight_bits, new(), mode, loihi2=loihi2)
        if same_outcome(wanted, got):
            assert (wanted.num_weight_bits, wanted.weight_exp) == (
                got.num_weight_bits,
                got.weight_exp,
            )
            assert np.array_equal(dense(wanted.weights), dense(got.weights))


def test_a_mixed_matrix_with_255_is_lost(lava_peer: Any) -> None:
    """Lava shifts it left by -1, which clears it."""
    weights = np.array([[255, -3]])
    got = lava.optimize_weight_bits(weights, "mixed")
    assert (got.weight_exp, got.num_weight_bits) == (1, 10) and not got.weights.any()
    theirs = lava_peer.optimize_weight_bits(weights, lava_peer.SignMode.MIXED)
    assert not theirs.weights.any()


@settings(max_examples=100, deadline=None)
@given(arrays(st.one_of(REALS, logs(-20, 18), st.just(0.49999999999999994))))
def test_lava_numbers_equal_the_peer(lava_peer: Any, x: Any) -> None:
    from lava.magma.core.learning.utils import float_to_literal
    from lava.proc.graded.process import loihi2round

    assert np.array_equal(loihi2round(x), lava.loihi2round(x))
    assert [float_to_literal(float(v)) for v in x] == [lava.float_to_literal(float(v)) for v in x]


def test_literals() -> None:
    wanted = {0: "0", 0.3: "(1) * 2 ^ -2", 2.7: "(2) * 2 ^ 0", -3: "(-3)", -0.1: "(-1) * 2 ^ -3"}
    assert {x: lava.float_to_literal(x) for x in wanted} == wanted


@pytest.mark.parametrize("real", [[[0.3, -0.2]], [[2.5, -1.0]], [[2.5, 0.004]], [[-2.1, -0.3]]])
def test_graded_weights_equal_the_peer(lava_peer: Any, real: Any) -> None:
    """What ``GradedDense`` hands to its Dense process, and what Dense then works with."""
    from lava.networks.gradedvecnetwork import GradedDense

    process = GradedDense(np.array(real)).main
    got = lava.graded_weights(np.array(real))
    stored = process.weights.init.astype(np.int32)
    assert np.array_equal(stored, got.weights)
    assert process.proc_params["weight_exp"] == got.weight_exp == -7
    assert process.proc_params["num_weight_bits"] == got.num_weight_bits
    assert process.num_message_bits.init == got.num_message_bits
    mode = lava_peer.determine_sign_mode(stored)
    assert mode.name.lower() == got.sign_mode
    used = lava_peer.truncate_weights(lava_peer.clip_weights(stored, mode, 8), mode, 8)
    assert np.array_equal(used, got.effective)


@pytest.mark.lava
def test_graded_weights_at_work(lava_peer: Any) -> None:
    """GradedDense run by Lava: the weights it uses and what it sends."""
    from lava.magma.core.run_conditions import RunSteps
    from lava.magma.core.run_configs import Loihi2SimCfg
    from lava.networks.gradedvecnetwork import GradedDense
    from lava.proc.io.sink import RingBuffer as Sink
    from lava.proc.io.source import RingBuffer

    real = np.array([[0.3, -0.2, 2.5], [0.004, -2.1, 1.999]])
    spikes = np.diag([3, 5, 7])
    process, sink = GradedDense(real).main, Sink(shape=(2,), buffer=5)
    RingBuffer(data=spikes).s_out.connect(process.s_in)
    process.a_out.connect(sink.a_in)
    try:
        with quiet():
            process.run(condition=RunSteps(4), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
            used, sent = process.weights.get(), sink.data.get()
    finally:
        process.stop()
    got = lava.graded_weights(real)
    assert np.array_equal(used, got.effective)
    arriving = (got.effective @ spikes) >> -got.weight_exp
    assert np.array_equal(arriving, sent[:, 1:4])


RECORDED = [v for v in vectors("network") if str(v.id).startswith("lava.weights_")]


@pytest.mark.parametrize("vector", RECORDED)
def test_recorded_effective_weights(vector: Any) -> None:
    """One input spike onto neurons with a weight each: u holds the weight in use, times 64."""
    (connection,) = vector["network"]["connections"]
    mode, given_ = connection.get("sign_mode"), np.array(connection["weights"])
    bits = connection.get("num_weight_bits", 8)
    got = lava.effective_weights(given_, None if mode is None else mode.lower(), bits)
    wanted = [trace[1] for trace in vector["expected"]["n"]["u"]]
    assert (got @ np.array([x[0] for x in vector["network"]["sources"]["x"]["values"]]) * 64 ==
            wanted).all()  # fmt: skip
