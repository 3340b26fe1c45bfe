"""Lava's stock processes for the parts of a conformance vector."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from lava.proc.atrlif.models import PyATRLIFModelFixed
    from lava.proc.atrlif.process import ATRLIF
    from lava.proc.conv.models import PyConvModelFixed
    from lava.proc.conv.process import Conv
    from lava.proc.dense.models import PyDelayDenseModelBitAcc, PyDenseModelBitAcc
    from lava.proc.dense.process import DelayDense, Dense
    from lava.proc.graded.models import PyGradedReluVecModelFixed, PyGradedVecModelFixed
    from lava.proc.graded.process import GradedReluVec, GradedVec
    from lava.proc.lif.models import PyLifModelBitAcc, PyLifResetModelBitAcc, PyTernLifModelFixed
    from lava.proc.lif.process import LIF, LIFReset, TernaryLIF
    from lava.proc.sdn.models import PyDeltaModelFixed, PySigmaDeltaModelFixed, PySigmaModelFixed
    from lava.proc.sdn.process import ActivationMode, Delta, Sigma, SigmaDelta
    from lava.proc.sparse.models import PyDelaySparseModelBitAcc, PySparseModelBitAcc
    from lava.proc.sparse.process import DelaySparse, Sparse
    from lava.utils.weightutils import SignMode

from .schema import KERNEL, Unsupported, check_keys, integers, is_kernel, synapses_of

GRADED_BITS = 24
"""num_message_bits where a spike's value counts; Lava only asks whether it is more than 0."""

LIF_PARAMS = {"du", "dv", "vth", "bias_mant", "bias_exp"}
SDN_PARAMS = {"vth", "spike_exp", "state_exp"}
ATRLIF_PARAMS = {
    "delta_i", "delta_v", "delta_theta", "delta_r", "theta_0", "theta_step", "bias_mant",
    "bias_exp",
}  # fmt: skip

# model -> (parameters, registers that may be given a start, registers that are returned)
MODELS: dict[str, tuple[set[str], set[str], tuple[str, ...]]] = {
    "lif": (LIF_PARAMS, {"u", "v"}, ("u", "v")),
    "lif_reset": (LIF_PARAMS | {"reset_interval", "reset_offset"}, {"u", "v"}, ("u", "v")),
    "ternary_lif": (LIF_PARAMS - {"vth"} | {"vth_hi", "vth_lo"}, {"u", "v"}, ("u", "v")),
    "sigma": (set(), set(), ("sigma",)),
    "delta": (SDN_PARAMS, set(), ("act", "residue")),
    "delta_cum_error": (SDN_PARAMS, set(), ("act", "residue", "error")),
    "sigma_delta": (SDN_PARAMS | {"bias"}, set(), ("sigma", "act", "residue")),
    "sigma_delta_unit": (SDN_PARAMS | {"bias"}, set(), ("sigma", "act", "residue")),
    "graded_vec": ({"vth"}, set(), ("v",)),
    "graded_relu_vec": ({"vth"}, set(), ("v",)),
    "atrlif": (ATRLIF_PARAMS, {"i", "v", "r"}, ("i", "v", "theta", "r")),
}
PY_MODELS: dict[type, type] = {
    LIF: PyLifModelBitAcc, LIFReset: PyLifResetModelBitAcc, TernaryLIF: PyTernLifModelFixed,
    Sigma: PySigmaModelFixed, Delta: PyDeltaModelFixed, SigmaDelta: PySigmaDeltaModelFixed,
    GradedVec: PyGradedVecModelFixed, GradedReluVec: PyGradedReluVecModelFixed,
    ATRLIF: PyATRLIFModelFixed, Dense: PyDenseModelBitAcc, DelayDense: PyDelayDenseModelBitAcc,
    Sparse: PySparseModelBitAcc, DelaySparse: PyDelaySparseModelBitAcc, Conv: PyConvModelFixed,
}  # fmt: skip
"""What Loihi2SimCfg(select_tag="fixed_pt") takes for each process; test_oracles asks it."""


def neurons(population: dict[str, Any]) -> Any:
    """Return Lava's process for a population; every parameter must be stated."""
    model, shape = population["model"], (int(population["size"]),)
    if model not in MODELS:
        raise Unsupported(f"{population['name']}: Lava has no model {model!r}")
    known, starts, _ = MODELS[model]
    given = {k: integers(v) for k, v in population.get("params", {}).items()}
    start = {k: integers(v) for k, v in (population.get("init") or {}).items()}
    check_keys(f"{population['name']}: params", given, known)
    check_keys(f"{population['name']}: init", start, starts)
    given = {"bias_mant": integers(0), "bias_exp": integers(0), "bias": integers(0)} | given
    missing = sorted(known - given.keys())
    if missing:
        raise Unsupported(f"{population['name']}: {missing} must be stated")
    values = {k: v for k, v in given.items() if k in known}
    init = {k: np.broadcast_to(v, shape).astype(np.int64) for k, v in start.items()}
    for name in ("bias_mant", "bias_exp", "bias"):
        if name in values:
            values[name] = np.array(np.broadcast_to(values[name], shape))
    return _process(model, shape, values, init)


def _process(model: str, shape: tuple[int], values: dict[str, Any], init: dict[str, Any]) -> Any:
    """Create the process: numbers where Lava wants one, arrays where neurons differ."""
    numbers = {k: v if v.ndim else int(v) for k, v in values.items()}
    if model in ("lif", "lif_reset", "ternary_lif"):
        kind = {"lif": LIF, "lif_reset": LIFReset, "ternary_lif": TernaryLIF}[model]
        return kind(shape=shape, **numbers, **init)
    if model == "sigma":
        return Sigma(shape=shape)
    if model in ("graded_vec", "graded_relu_vec"):
        return {"graded_vec": GradedVec, "graded_relu_vec": GradedReluVec}[model](
            shape=shape, vth=numbers["vth"]
        )
    if model in ("delta", "delta_cum_error"):
        return Delta(shape=shape, cum_error=model == "delta_cum_error", **numbers)
    if model in ("sigma_delta", "sigma_delta_unit"):
        mode = ActivationMode.RELU if model == "sigma_delta" else ActivationMode.UNIT
        return SigmaDelta(shape=shape, act_mode=mode, **numbers)
    # Lava multiplies decays by 4096 and thresholds by 64: both are exact from these
    exact = {k: v / 4096 if k.startswith("delta") else v for k, v in numbers.items()}
    exact |= {k: exact[k] / 64 for k in ("theta_0", "theta_step")}
    return ATRLIF(shape=shape, **exact, **init)


def is_wire(projection: dict[str, Any]) -> bool:
    """Tell an output connected straight to an input: what is sent arrives in the same step."""
    return projection.get("latency") == 0


def connection(projection: dict[str, Any]) -> Any:
    """Return Lava's process for a projection."""
    name = projection["name"]
    if projection.get("latency") not in (None, 1):
        raise Unsupported(f"{name}: latency {projection['latency']}")
    coding: dict[str, Any] = {
        "weight_exp": int(projection.get("exponent", 0)),
        "num_weight_bits": 8 if projection.get("weight_bits") is None
        else int(projection["weight_bits"]),
        "num_message_bits": GRADED_BITS if projection.get("graded", False) else 0,
    }  # fmt: skip
    if is_kernel(projection):
        return _convolution(projection, coding)
    if projection.get("sign_mode") is not None:
        coding["sign_mode"] = SignMode[projection["sign_mode"].upper()]
    synapses = synapses_of(projection)
    delayed = bool(np.any(integers(projection.get("delays", 0))))
    matrix, delays = synapses.matrix(), synapses.delay_matrix().astype(int)
    if not synapses.sparse:
        if not delayed:
            return Dense(weights=matrix, **coding)
        return DelayDense(weights=matrix, delays=delays, **coding)
    place = (synapses.post, synapses.pre)
    weights = csr_matrix((synapses.values, place), shape=synapses.shape)
    if not delayed:
        return Sparse(weights=weights, **coding)
    delays = csr_matrix((synapses.delays.astype(int), place), shape=synapses.shape)
    return DelaySparse(weights=weights, delays=delays, **coding)


def _convolution(projection: dict[str, Any], coding: dict[str, Any]) -> Any:
    kernel = projection["weights"]
    check_keys(projection["name"], kernel, KERNEL)
    if np.any(integers(projection.get("delays", 0))) or kernel.get("layout", "lava") != "lava":
        raise Unsupported(f"{projection['name']}: Lava's Conv has no delays, and its own layout")

    def pair(name: str, default: int) -> Any:
        value = kernel.get(name, default)
        return tuple(int(x) for x in value) if isinstance(value, list | tuple) else int(value)

    return Conv(
        weight=integers(kernel["kernel"]), input_shape=tuple(int(n) for n in kernel["input_shape"]),
        stride=pair("stride", 1), padding=pair("padding", 0), dilation=pair("dilation", 1),
        groups=int(kernel.get("groups", 1)), **coding,
    )  # fmt: skip


def check_wire(projection: dict[str, Any]) -> None:
    """A wire passes on what is sent, and can do nothing else."""
    weights = synapses_of(projection).matrix()
    plain = (
        np.array_equal(weights, np.eye(len(weights), dtype=int))
        and projection.get("graded", False)
        and projection.get("exponent", 0) == 0
        and projection.get("delays", 0) == 0
    )
    if not plain:
        raise Unsupported(f"{projection['name']}: latency 0 needs the unit matrix, graded")
