"""NIR: read what any framework wrote, run it as that framework would, say why two runs differ.

>>> from neuro_lif import nir
>>> found = nir.read("net.nir")  # doctest: +SKIP
>>> print(found.report)  # doctest: +SKIP
>>> ran = nir.run(found.graph, inputs, "snntorch", dt=1e-4)  # doctest: +SKIP

Not imported by ``import neuro_lif``; h5py is needed where a file is read or written.
"""

from .causes import Divergence, Explanation
from .chip import explain_chip
from .chip_pictures import chip_picture
from .chip_results import ChipExplanation, Rung
from .data import NirData, Observable, read_data
from .explaining import explain
from .export import Exported, from_network, from_stepped
from .export_fixed import fixed_of, floats_of, from_fixed
from .export_parts import ALLOWED
from .golden import with_rule, write_data
from .lower import to_stepped
from .lowered import Lowered
from .model import NIRGraph
from .nodes import (
    IF,
    LI,
    LIF,
    Affine,
    AvgPool2d,
    Conv1d,
    Conv2d,
    CubaLI,
    CubaLIF,
    Delay,
    Flatten,
    I,
    Input,
    Linear,
    Node,
    Output,
    Scale,
    SumPool2d,
    Threshold,
)
from .pictures import graph_picture, picture
from .reader import Read, read
from .recurrence import with_recurrence
from .report import Finding, Report
from .rules import RULES, NirRule, find_rule
from .runner import NirRun, run
from .switches import SWITCHES
from .writer import write

__all__ = [
    "ALLOWED",
    "IF",
    "LI",
    "LIF",
    "RULES",
    "SWITCHES",
    "Affine",
    "AvgPool2d",
    "ChipExplanation",
    "Conv1d",
    "Conv2d",
    "CubaLI",
    "CubaLIF",
    "Delay",
    "Divergence",
    "Explanation",
    "Exported",
    "Finding",
    "Flatten",
    "I",
    "Input",
    "Linear",
    "Lowered",
    "NIRGraph",
    "NirData",
    "NirRule",
    "NirRun",
    "Node",
    "Observable",
    "Output",
    "Read",
    "Report",
    "Rung",
    "Scale",
    "SumPool2d",
    "Threshold",
    "chip_picture",
    "explain",
    "explain_chip",
    "find_rule",
    "fixed_of",
    "floats_of",
    "from_fixed",
    "from_network",
    "from_stepped",
    "graph_picture",
    "picture",
    "read",
    "read_data",
    "run",
    "to_stepped",
    "with_recurrence",
    "with_rule",
    "write",
    "write_data",
]
