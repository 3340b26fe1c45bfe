"""neuro_lif: spiking networks on neuromorphic chips' integers, without the chip."""

from typing import TYPE_CHECKING

from . import stimulus
from .changes import with_changes
from .compare import Comparison, compare
from .connectivity import Normal, random_pairs
from .convolution import Convolution
from .dequantize import dequantize
from .discretize import RULES, SteppedNetwork, StepRule, discretize
from .emulator import run_fixed, run_variants
from .errors import NeuroLifError
from .fixed import (
    DirectInput,
    FixedNetwork,
    FixedPoisson,
    FixedPopulation,
    FixedProjection,
    FixedSource,
)
from .lazy import later
from .ledger import Ledger
from .network import (
    IF,
    LI,
    LIF,
    Alpha,
    BiExponential,
    CurrentInput,
    Delta,
    Exponential,
    Network,
    PoissonInput,
    Population,
    Probe,
    Projection,
    SpikeInput,
)
from .quantize import quantize
from .recording import Interrupted, OverflowEvent, Recording
from .reference import run_clocked

if TYPE_CHECKING:
    from .codings import CODINGS
    from .files.fixed import load_fixed, save_fixed
    from .files.toml import load_network, save_network
    from .lower.draft import APPROXIMATIONS
    from .lower.encode import encode_current
    from .machine import run_semantics
    from .profile import HardwareProfile, available_profiles, load_profile
    from .reference import run_exact
    from .study import Study
    from .task import Task

__version__ = "0.1.0"

__all__ = [
    "APPROXIMATIONS",
    "CODINGS",
    "IF",
    "LI",
    "LIF",
    "RULES",
    "Alpha",
    "BiExponential",
    "Comparison",
    "Convolution",
    "CurrentInput",
    "Delta",
    "DirectInput",
    "Exponential",
    "FixedNetwork",
    "FixedPoisson",
    "FixedPopulation",
    "FixedProjection",
    "FixedSource",
    "HardwareProfile",
    "Interrupted",
    "Ledger",
    "Network",
    "NeuroLifError",
    "Normal",
    "OverflowEvent",
    "PoissonInput",
    "Population",
    "Probe",
    "Projection",
    "Recording",
    "SpikeInput",
    "StepRule",
    "SteppedNetwork",
    "Study",
    "Task",
    "available_profiles",
    "compare",
    "dequantize",
    "discretize",
    "encode_current",
    "load_fixed",
    "load_network",
    "load_profile",
    "quantize",
    "random_pairs",
    "run_clocked",
    "run_exact",
    "run_fixed",
    "run_semantics",
    "run_variants",
    "save_fixed",
    "save_network",
    "stimulus",
    "with_changes",
]


# What a run of a network does not need is imported when it is first asked for.
__getattr__ = later(
    __name__,
    ("codings", "CODINGS"),
    ("files.fixed", "load_fixed save_fixed"),
    ("files.toml", "load_network save_network"),
    ("lower.draft", "APPROXIMATIONS"),
    ("lower.encode", "encode_current"),
    ("machine", "run_semantics"),
    ("profile", "HardwareProfile available_profiles load_profile"),
    ("reference.event_exact", "run_exact"),
    ("study", "Study"),
    ("task", "Task"),
)


def __dir__() -> list[str]:
    return sorted(__all__)
