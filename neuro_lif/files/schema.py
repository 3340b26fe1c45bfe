"""The keys of a network file and the dimension of each."""

from __future__ import annotations

from ..units import (
    ANGLE,
    CAPACITANCE,
    CHARGE,
    CONDUCTANCE,
    CURRENT,
    RATE,
    RESISTANCE,
    TIME,
    VOLTAGE,
    Dimension,
)

TOP = ("format", "arrays", "arrays_sha256", "populations", "projections", "inputs", "probes")
_REST = {"v_threshold": VOLTAGE, "v_reset": VOLTAGE, "t_refractory": TIME}
NEURONS: dict[str, dict[str, Dimension]] = {
    "LIF": {"tau_m": TIME, "resistance": RESISTANCE, "v_rest": VOLTAGE, **_REST,
            "i_bias": CURRENT, "v_init": VOLTAGE},
    "IF": {"capacitance": CAPACITANCE, **_REST, "i_bias": CURRENT, "v_init": VOLTAGE},
    "LI": {"tau_m": TIME, "resistance": RESISTANCE, "v_rest": VOLTAGE, "i_bias": CURRENT,
           "v_init": VOLTAGE},
}  # fmt: skip
MEMBRANE = {"capacitance": CAPACITANCE, "conductance": CONDUCTANCE, "e_leak": VOLTAGE}
"""The other form of a LIF neuron: ``C dV/dt = -g (V - E) + I``."""

STIMULI: dict[str, dict[str, Dimension]] = {
    "constant": {"amplitude": CURRENT},
    "sinusoid": {"offset": CURRENT, "amplitude": CURRENT, "period": TIME, "phase": ANGLE},
    "sampled": {"values": CURRENT, "interval": TIME},
    "triangle": {"peak": CURRENT, "duration": TIME, "start": TIME},
    "gaussian": {"mean": CURRENT, "sd": CURRENT, "interval": TIME},
    "window": {"start": TIME, "stop": TIME},
    "sum": {},
}
STIMULUS_REST = {"gaussian": ("seed", "per", "shared"), "window": ("stimulus",), "sum": ("terms",)}
"""Keys that are no numbers with a dimension."""
OPTIONAL = {"sinusoid": ("phase",), "triangle": ("start",), "window": ("start", "stop"),
            "gaussian": ("interval", "per", "shared")}  # fmt: skip
POISSON: dict[str, Dimension] = {"rate": RATE, "interval": TIME}
WEIGHT_UNITS = {"peak": CURRENT, "area": CHARGE, "psp": VOLTAGE, "nnmt": VOLTAGE}
SYNAPSES = {"delta": (), "exponential": ("tau",), "alpha": ("tau",),
            "biexponential": ("tau_rise", "tau_decay")}  # fmt: skip
"""Kind of synapse -> its time constants."""
WEIGHTS = ('rows [[...], ...] (n_post rows of n_pre), { array = "..." }, '
           "{ value = x, all_to_all = true }, { value = x, one_to_one = true } or "
           "{ convolution = { kernel = ..., input_shape = [...] } }")  # fmt: skip
