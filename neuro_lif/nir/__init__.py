"""NIR: read what any framework wrote, run it as that framework would, say why two runs differ.

>>> from neuro_lif import nir
>>> found = nir.read("net.nir")  # doctest: +SKIP
>>> print(found.report)  # doctest: +SKIP
>>> ran = nir.run(found.graph, inputs, "snntorch", dt=1e-4)  # doctest: +SKIP

Not imported by ``import neuro_lif``; h5py is needed where a file is read or written.
"""

from .causes import Divergence, Explanation, explain
from .golden import with_rule, write_data
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
    "IF",
    "LI",
    "LIF",
    "RULES",
    "SWITCHES",
    "Affine",
    "AvgPool2d",
    "Conv1d",
    "Conv2d",
    "CubaLI",
    "CubaLIF",
    "Delay",
    "Divergence",
    "Explanation",
    "Finding",
    "Flatten",
    "I",
    "Input",
    "Linear",
    "NIRGraph",
    "NirRule",
    "NirRun",
    "Node",
    "Output",
    "Read",
    "Report",
    "Scale",
    "SumPool2d",
    "Threshold",
    "explain",
    "find_rule",
    "graph_picture",
    "picture",
    "read",
    "run",
    "with_recurrence",
    "with_rule",
    "write",
    "write_data",
]
