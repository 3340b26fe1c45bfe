"""Which rules a vector really exercises: found from what the peer returned, never from intent.

Flags are the rows of section 3 of the Loihi notes (overflow of u, low bit of mixed weights, ...)
and the features beside them. A flag about an overflow is set where one happened, one about a
rounding where another rounding would have given another number.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .schema import Trace, Vector, integers, is_kernel, raster_of, synapses_of

TOP = 2**23
Flags = set[str]


def toward_zero(x: Any, kept: Any) -> Any:
    """Return x * kept / 4096 toward zero."""
    return np.sign(x) * ((np.abs(x) * kept) >> 12)


def fits(x: Any, bits: int) -> Any:
    """Tell which values fit a two's complement number."""
    return (x >= -(2 ** (bits - 1))) & (x < 2 ** (bits - 1))


def wrapped(x: Any, bits: int) -> Any:
    """Return two's complement."""
    return ((x + 2 ** (bits - 1)) % 2**bits) - 2 ** (bits - 1)


def sent_by(vector: Vector, trace: Trace) -> dict[str, Any]:
    """Return what every population and input sends, ``(n_steps, n)``."""
    network, n_steps = vector["network"], vector["n_steps"]
    sent = {s["name"]: raster_of(s, n_steps, s["size"]) for s in network.get("inputs", ())}
    return sent | {name: np.asarray(v["s"], np.int64) for name, v in trace.items()}


def before(rows: Any, start: Any) -> Any:
    """Return each row's predecessor."""
    return np.vstack([np.broadcast_to(start, rows[:1].shape), rows[:-1]])


# -------------------------------------------------------------------------------- network


def network_flags(vector: Vector, trace: Trace) -> Flags:
    """Return the flags of routing and weights, which all peers share."""
    found: Flags = set()
    network = vector["network"]
    sent = sent_by(vector, trace)
    sources = {s["name"] for s in network.get("inputs", ())}
    arriving: dict[str, int] = {}
    for p in network.get("projections", ()):
        active = sent[p["pre"]].any(axis=0)
        if not active.any():
            continue
        arriving[p["post"]] = arriving.get(p["post"], 0) + 1
        if p.get("latency") == 0:
            found.add("direct_wire")
            continue
        # the last step's spikes of a short run arrive nowhere
        heard = sent[p["pre"]][:-1].any()
        if heard:
            found.add("source_latency" if p["pre"] in sources else "recurrent_latency")
        if p.get("graded"):
            found |= _graded_flags(sent[p["pre"]])
        if is_kernel(p):
            found |= _kernel_flags(p)
        else:
            found |= _weight_flags(vector, p, active)
    if any(n > 1 for n in arriving.values()):
        found.add("fan_in")
    for d in network.get("directs", ()):
        if np.any(integers(d["raster"])):
            found.add("direct_input")
    return found


def _graded_flags(sent: Any) -> Flags:
    found = {"graded_spikes"} if np.any(np.abs(sent) > 1) else set()
    if np.any(sent < 0):
        found.add("graded_negative")
    if np.any(np.abs(sent) > 2**16):
        found.add("graded_no_clip")
    return found


def _kernel_flags(p: dict[str, Any]) -> Flags:
    found = {"convolution"}
    for name, plain in (("stride", 1), ("padding", 0), ("dilation", 1), ("groups", 1)):
        if np.any(integers(p["weights"].get(name, plain)) != plain):
            found.add(f"conv_{name}")
    if p.get("exponent", 0) or (p.get("weight_bits") or 8) != 8:
        found.add("conv_raw_weights")
    if np.abs(integers(p["weights"]["kernel"])).max(initial=0) > 256:
        found.add("conv_raw_weights")
    return found


RANGES = {"mixed": (-256, 255), "excitatory": (0, 255), "null": (0, 255), "inhibitory": (-255, 0)}


def _weight_flags(vector: Vector, p: dict[str, Any], active: Any) -> Flags:
    """Return the flags of weights that a spike went through."""
    found: Flags = set()
    s = synapses_of(p)
    used = active[s.pre]
    if not s.sparse:
        used = used & (s.values != 0)
    values = s.values[used]
    if not values.size:
        return found
    if np.any(s.delays[used] > 0):
        found.add("delays")
        if len(np.unique(s.delays[used])) > 1:
            found.add("delay_per_synapse")
    if s.sparse:
        found.add("sparse")
        if np.any(values == 0):
            found.add("stored_zero")
        pairs = set(zip(s.post[used].tolist(), s.pre[used].tolist(), strict=True))
        if len(pairs) < values.size:
            found.add("duplicate_synapses")
    if vector["peer"] == "nengo-loihi":
        return found
    return found | _coding_flags(vector, p, s, values)


def _coding_flags(vector: Vector, p: dict[str, Any], s: Any, values: Any) -> Flags:
    found: Flags = set()
    mode = p.get("sign_mode")
    if mode is None:
        found.add("sign_mode_auto")
        low, high = s.values.min(initial=0), s.values.max(initial=0)
        mode = "excitatory" if low >= 0 else "inhibitory" if high <= 0 else "mixed"
    else:
        found.add(f"sign_mode_{mode}")
    lava = vector["peer"] == "lava-nc"  # brian2_loihi refuses what is out of range
    low, high = RANGES[mode] if lava else (-256, 255)
    if np.any((values < low) | (values > high)):
        found.add("weight_range")
    bits = 8 if p.get("weight_bits") is None else p["weight_bits"]
    dropped = 8 - bits + (mode == "mixed")
    clipped = np.clip(values, low, high)
    if mode == "mixed" and np.any(clipped % 2):
        found.add("mixed_low_bit")
    if bits < 8 and np.any(clipped % 2**dropped):
        found.add("weight_bits")
        if mode == "inhibitory":
            found.add("inhibitory_low_bits")
    exponent = int(p.get("exponent", 0))
    if exponent > 0:
        found.add("weight_exponent")
    coded = np.sign(clipped) * ((np.abs(clipped) >> dropped) << dropped)
    if exponent < 0 and np.any(coded % 2**-exponent):
        found.add("negative_weight_exponent")
    if not lava and exponent > 0 and np.any(np.abs(coded << exponent) << 6 > 2**21 - 64):
        found.add("weight_clip_after_exponent")
    return found


# ----------------------------------------------------------------------------------- Lava


def lava_flags(vector: Vector, trace: Trace) -> Flags:
    """Return the flags of a Lava run; ``trace`` is of ``run_direct(..., arriving=True)``."""
    found = network_flags(vector, trace)
    for p in vector["network"]["populations"]:
        rows = {k: np.asarray(v, np.int64) for k, v in trace[p["name"]].items()}
        model = p["model"]
        if model != "lif" and np.any(rows["s"]):
            found.add(model)
        if model in ("lif", "lif_reset", "ternary_lif"):
            found |= _lava_lif(p, rows)
        if model == "ternary_lif" and np.any(rows["s"] < 0):
            found |= {"ternary_negative"} | _sign_lost(vector, p["name"])
        if model in ("delta", "delta_cum_error", "sigma_delta", "sigma_delta_unit"):
            if np.any(rows["residue"] != 0):
                found.add("residue")
            if integers(p["params"]["state_exp"]).any() or integers(p["params"]["spike_exp"]).any():
                found.add("spike_and_state_exp")
    return found


def _sign_lost(vector: Vector, name: str) -> Flags:
    for p in vector["network"].get("projections", ()):
        if p["pre"] == name and not p.get("graded"):
            return {"ternary_sign_lost"}
    return set()


def _lava_lif(p: dict[str, Any], rows: dict[str, Any]) -> Flags:
    found: Flags = set()
    params = {k: integers(v) for k, v in p["params"].items()}
    shape = rows["u"].shape
    init = p.get("init") or {}
    if any(np.any(integers(x)) for x in init.values()):
        found.add("initial_state")
    if any(params[k].ndim and len(np.unique(params[k])) > 1 for k in ("du", "dv", "vth")
           if k in params):  # fmt: skip
        found.add("per_neuron_params")
    u0 = before(rows["u"], integers(init.get("u", 0)))
    v0 = before(rows["v"], integers(init.get("v", 0)))
    if p["model"] == "lif_reset":
        steps = np.arange(1, shape[0] + 1)
        period = int(params["reset_interval"])
        cleared = steps % period == int(params["reset_offset"]) % period
        u0[cleared], v0[cleared] = 0, 0
    kept_u, kept_v = 4095 - params["du"], 4096 - params["dv"]
    found |= _decay_flags(u0, kept_u, v0, kept_v, True)
    if np.any((params["du"] < 0) | (params["du"] > 4095) | (params["dv"] < 0)
              | (params["dv"] > 4095)):  # fmt: skip
        found.add("decay_out_of_range")
    shifted = rows["a_in"] << 6
    found |= _lava_u(toward_zero(u0, kept_u), shifted, rows["u"])
    bias, of_bias = _lava_bias(params, shape)
    found |= of_bias
    total = toward_zero(v0, kept_v) + rows["u"] + bias
    y = wrapped(total, 32)
    if np.any(y != total):
        found.add("v_int32_wrap")
    if np.any(y > TOP - 1):
        found.add("v_saturates_high")
    if np.any(y < -TOP + 1):
        found.add("v_saturates_low")
    pre = np.clip(y, -TOP + 1, TOP - 1)
    return found | _lava_threshold(params, rows, pre)


def _decay_flags(u0: Any, kept_u: Any, v0: Any, kept_v: Any, offset: bool) -> Flags:
    found: Flags = set()
    for x, kept in ((u0, kept_u), (v0, kept_v)):
        if np.any((x < 0) & ((x * kept) % 4096 != 0)):
            found.add("decay_rounding")
    if offset and np.any(toward_zero(u0, kept_u) != toward_zero(u0, kept_u + 1)):
        found.add("u_decay_offset")
    return found


def _lava_u(decayed: Any, shifted: Any, u: Any) -> Flags:
    found: Flags = set()
    if not fits(shifted, 32).all():
        found.add("input_int32_wrap")
    x = wrapped(decayed + wrapped(shifted, 32), 32)
    if np.any((x > TOP) | (x <= -TOP)):
        found.add("u_overflow")
    if np.any(np.abs(x) == TOP) or np.any(np.abs(x) == TOP - 1):
        found.add("u_edge")
    if np.any((u > TOP) | (u < -TOP)):
        found.add("u_wraps_once")
    return found


def _lava_bias(params: dict[str, Any], shape: Any) -> tuple[Any, Flags]:
    found: Flags = set()
    mant = np.broadcast_to(params.get("bias_mant", integers(0)), shape)
    exp = np.broadcast_to(params.get("bias_exp", integers(0)), shape)
    stored = wrapped(mant, 16)
    if np.any(stored != mant):
        found.add("bias_mant_wraps")
    if np.any(stored):
        found.add("bias_format")
    if np.any((exp < 0) & (stored % 2.0 ** np.maximum(-exp, 0) != 0)):
        found.add("bias_negative_exponent")
    wide = np.where(exp >= 0, stored << np.clip(exp, 0, 31), stored >> np.clip(-exp, 0, 31))
    if not fits(wide, 32).all():
        found.add("bias_int32_wrap")
    return wrapped(wide, 32), found


def _lava_threshold(params: dict[str, Any], rows: dict[str, Any], pre: Any) -> Flags:
    found: Flags = set()
    for name, sign in (("vth", 1), ("vth_hi", 1), ("vth_lo", -1)):
        if name not in params:
            continue
        threshold = np.broadcast_to(params[name] << 6, pre.shape)
        if np.any(pre == threshold):
            found.add("threshold_equal")
        if np.any((pre == threshold + sign) & (rows["s"] != 0)):
            found.add("threshold_plus_1")
        if np.any(threshold > TOP - 1):
            found.add("threshold_beyond_v")
    if np.any((rows["s"] != 0) & (rows["u"] != 0)):
        found.add("reset_keeps_u")
    return found


# ---------------------------------------------------------------------------- nengo-loihi


def nengo_flags(vector: Vector, trace: Trace, warned: list[str]) -> Flags:
    """Return the flags of an emulator run; ``warned`` is what it says has overflowed."""
    found = network_flags(vector, trace)
    names = {"q0": "q_overflow", "current": "u_overflow", "u2": "u2_overflow"}
    found |= {names[w] for w in warned}
    if len(vector["network"]["populations"]) > 1:
        found.add("several_blocks")
    for p in vector["network"]["populations"]:
        rows = {k: np.asarray(v, np.int64) for k, v in trace[p["name"]].items()}
        params = {k: integers(v) for k, v in p["params"].items()}
        found |= _nengo_block(params, rows)
    return found


def _nengo_block(params: dict[str, Any], rows: dict[str, Any]) -> Flags:
    found: Flags = set()
    u, v, s = rows["u"], rows["v"], rows["s"]
    if any(params[k].ndim and len(np.unique(params[k])) > 1 for k in ("du", "dv", "vth", "bias")
           if k in params):  # fmt: skip
        found.add("per_neuron_params")
    kept_v = 4096 - params["dv"]
    u0, v0 = before(u, 0), before(v, 0)
    found |= _decay_flags(u0, 4095 - params["du"], v0, kept_v, True)
    bias = params.get("bias", integers(0))
    if np.any(bias):
        found.add("bias")
    noisy = bool(np.any(params.get("enable_noise", integers(0))))
    membrane = noisy and bool(params.get("noise_at_membrane", integers(0)))
    if noisy:
        found.add("noise_membrane" if membrane else "noise_dendrite")
        if np.any(params.get("noise_offset", integers(0))):
            found.add("noise_offset")
    held = _held(s, np.broadcast_to(params.get("refract", integers(0)), u.shape[1:]))
    if held.any():
        found.add("refractory")
        if np.any(u[held]):
            found.add("u_during_refractory")
        if np.any(np.broadcast_to(bias, u.shape)[held]):
            found.add("bias_during_refractory")
    if not membrane:
        y = toward_zero(v0, kept_v) + wrapped(u + bias, 24)
        low, high = params.get("vmin", -TOP + 1), params.get("vmax", TOP - 1)
        found |= _clip_flags(np.where(held, 0, y), low, high)
        pre = np.where(held, 0, np.clip(y, low, high))
        found |= _threshold_flags(pre, params["vth"], s)
    if np.any((s != 0) & (u != 0)):
        found.add("reset_keeps_u")
    return found


def _held(spikes: Any, refract: Any) -> Any:
    """Return where v is held at 0: refract - 1 steps after each spike."""
    held = np.zeros(spikes.shape, bool)
    for t, neuron in np.argwhere(spikes != 0).tolist():
        held[t + 1 : t + int(refract[neuron]), neuron] = True
    return held


def _clip_flags(y: Any, low: Any, high: Any) -> Flags:
    found: Flags = set()
    if np.any(y > high):
        found.add("v_clip_high" if int(high) >= TOP - 1 else "vmax")
    if np.any(y < low):
        found.add("v_clip_low" if int(low) <= -TOP + 1 else "vmin")
    return found


def _threshold_flags(pre: Any, threshold: Any, s: Any) -> Flags:
    found: Flags = set()
    if np.any(pre == threshold):
        found.add("threshold_equal")
    if np.any((pre == threshold + 1) & (s != 0)):
        found.add("threshold_plus_1")
    return found


# --------------------------------------------------------------------------- brian2_loihi


def brian2_flags(vector: Vector, trace: Trace) -> Flags:
    """Return the flags of a brian2_loihi run."""
    found = network_flags(vector, trace)
    for p in vector["network"]["populations"]:
        rows = {k: np.asarray(v, np.int64) for k, v in trace[p["name"]].items()}
        params = {k: int(integers(v)) for k, v in p["params"].items()}
        u, v, s = rows["u"], rows["v"], rows["s"]
        start = integers((p.get("init") or {}).get("v", 0))
        if np.any(start):
            found.add("initial_state")
        v0 = before(v, start)
        found |= _decay_flags(before(u, 0), 4096 - params["du"], v0, 4096 - params["dv"], False)
        if params["du"] in (0, 4096) and np.any(before(u, 0)):
            found.add("u_decay_exact")
        held = _held(s, np.full(u.shape[1], params.get("refract", 1)))
        if held.any():
            found.add("refractory")
            if np.any(u[held]):
                found.add("u_during_refractory")
        y = toward_zero(v0, 4096 - params["dv"]) + u
        found |= _threshold_flags(np.where(held, 0, y), params["vth"] << 6, s)
        if np.any(np.abs(u) >= TOP):
            found.add("u_unbounded")
        if np.any(np.abs(v) >= TOP):
            found.add("v_unbounded")
        if np.any((s != 0) & (u != 0)):
            found.add("reset_keeps_u")
    return found
