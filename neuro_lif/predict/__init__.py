"""What becoming integers costs, predicted: error formulas, rates, and proofs of equal spikes.

Not imported by ``import neuro_lif``.
"""

from ..reference.theory.residual import Residual, residual_of
from .beside import Beside, beside_run, predictions
from .decays import (
    dead_zone,
    most_relative_error,
    period_steps,
    relative_error,
    steady_state_error,
    tau_effective,
)
from .identity import certify_spikes
from .rates import RateError, rate_error
from .received import Drive
from .report import (
    DecayError,
    Periods,
    PopulationErrors,
    RoundingError,
    ThresholdError,
    WeightError,
    errors_of,
)
from .roundings import (
    compensator,
    mean_shift,
    settled_shift,
    state_sd,
    threshold_needed,
)
from .synapses import (
    mean_shift_of_weights,
    rate_change,
    sd_of_weights,
    variance_of_weights,
)
from .thresholds import (
    isi_on_grid,
    lattice_threshold,
    overshoot,
    path_bound,
    period_slope,
    spike_time_error,
)
from .verdict import REASONS, NeuronVerdicts, SpikeCertificate

__all__ = [
    "REASONS",
    "Beside",
    "DecayError",
    "Drive",
    "NeuronVerdicts",
    "Periods",
    "PopulationErrors",
    "RateError",
    "Residual",
    "RoundingError",
    "SpikeCertificate",
    "ThresholdError",
    "WeightError",
    "beside_run",
    "certify_spikes",
    "compensator",
    "dead_zone",
    "errors_of",
    "isi_on_grid",
    "lattice_threshold",
    "mean_shift",
    "mean_shift_of_weights",
    "most_relative_error",
    "overshoot",
    "path_bound",
    "period_slope",
    "period_steps",
    "predictions",
    "rate_change",
    "rate_error",
    "relative_error",
    "residual_of",
    "sd_of_weights",
    "settled_shift",
    "spike_time_error",
    "state_sd",
    "steady_state_error",
    "tau_effective",
    "threshold_needed",
    "variance_of_weights",
]
