"""The fifteen things that a NIR file leaves open, and what can be chosen for each."""

from __future__ import annotations

CHOICES: dict[str, tuple[str, ...]] = {
    "integrator": ("euler", "exact", "event", "shift"),
    "synapse_integrator": ("same", "euler", "exact"),
    "input_gain": ("r", "leak", "one"),
    "if_gain": ("r", "one"),
    "cuba_gain": ("r", "leak", "one"),
    "synapse_gain": ("w_in", "leak", "one"),
    "compare": (">", ">="),
    "reset": ("value", "zero", "subtract", "subtract-once", "none"),
    "reset_time": ("same", "next"),
    "recurrent_reset_time": ("same", "next"),
    "spikes": ("one", "many"),
    "current": ("first", "last", "add-decay", "add-use-decay"),
    "synapse_leak": ("zero", "v_leak"),
    "integrators": ("membrane", "current"),
    "emit": ("new", "old"),
    "recurrent_bias": ("always", "after-first", "never"),
    "bias": ("weighted", "direct"),
    "v_init": ("zero", "leak", "reset"),
    "floor": ("none", "zero", "-threshold", "value", "thresholds", "IF -threshold"),
    "amplitude": ("one", "1/dt"),
    "tau_unit": ("s", "ms", "steps", "s*dt"),
    "state": ("fresh", "kept"),
    "weights": ("given", "int8", "lava"),
    "arithmetic": ("float32", "float64"),
    "layer_dt": ("run", "tau/(1+r)"),
    "layout": ("channels-first", "channels-last"),
    "recurrent_input": ("edge", "neuron"),
}

SWITCHES: dict[str, tuple[str, ...]] = {
    "dt": ("dt", "layer_dt"),
    "integrator": ("integrator", "synapse_integrator"),
    "gain": ("input_gain", "if_gain", "cuba_gain", "synapse_gain"),
    "compare": ("compare",),
    "reset": ("reset",),
    "reset time": ("reset_time", "recurrent_reset_time", "late_before"),
    "spikes per step": ("spikes", "most_spikes"),
    "order": ("current", "integrators"),
    "delays": ("emit", "input_delay", "delay", "synapse_delay", "recurrent_delay"),
    "recurrent bias": ("recurrent_bias", "bias"),
    "initial voltage": ("v_init", "synapse_leak"),
    "floor": ("floor", "floor_value"),
    "amplitude": ("amplitude",),
    "unit of tau": ("tau_unit",),
    "state": ("state",),
}
"""The fifteen switches, each with the fields that say it."""
NUMBERS = (
    *("weights", "weight_scale", "arithmetic", "shown_at_spike"),
    *("layout", "recurrent_input"),
)
"""What a platform's numbers and layouts add: no choice of stepping, but they change the result."""
