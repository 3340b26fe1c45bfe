"""Metrics of spike trains, activity and voltage at the standard of the field.

Trains are arrays of times in s. Not imported by ``import neuro_lif``.
"""

from .baseline import Baseline, Verdict, baseline, baseline_of
from .decisions import Decisions, count_rmse, decisions
from .footprint import Footprint, FootprintPart, footprint
from .operations import (
    SynapticOperations,
    activation_sparsity,
    connection_sparsity,
    synaptic_operations,
)
from .per_neuron import METRICS, PerNeuron, best_lag, distances, per_neuron
from .rhythm import power_spectrum
from .spike_cost import van_rossum, van_rossum_all, victor_purpura, victor_purpura_all
from .spike_times import (
    coincidence_factor,
    isi_distance,
    spike_distance,
    spike_synchronization,
)
from .statistics import (
    Activity,
    Apart,
    Firing,
    activity_of,
    apart,
    binned,
    compare_activity,
    correlations,
    cv,
    cvs,
    isis,
    lv,
    r_of,
    rates,
)
from .trains import counts_of, sampled_trains_of, trains_of
from .voltage import VoltageError, voltage_error

__all__ = [
    "METRICS",
    "Activity",
    "Apart",
    "Baseline",
    "Decisions",
    "Firing",
    "Footprint",
    "FootprintPart",
    "PerNeuron",
    "SynapticOperations",
    "Verdict",
    "VoltageError",
    "activation_sparsity",
    "activity_of",
    "apart",
    "baseline",
    "baseline_of",
    "best_lag",
    "binned",
    "coincidence_factor",
    "compare_activity",
    "connection_sparsity",
    "correlations",
    "count_rmse",
    "counts_of",
    "cv",
    "cvs",
    "decisions",
    "distances",
    "footprint",
    "isi_distance",
    "isis",
    "lv",
    "per_neuron",
    "power_spectrum",
    "r_of",
    "rates",
    "sampled_trains_of",
    "spike_distance",
    "spike_synchronization",
    "synaptic_operations",
    "trains_of",
    "van_rossum",
    "van_rossum_all",
    "victor_purpura",
    "victor_purpura_all",
    "voltage_error",
]
