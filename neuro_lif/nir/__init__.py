"""NIR: read what any framework wrote, run it as that framework would, write it again.

>>> from neuro_lif import nir
>>> graph, report = nir.read("net.nir").graph, ...  # doctest: +SKIP

Not imported by ``import neuro_lif``; h5py is imported when a file is read or written.
"""

from .model import (
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
    NIRGraph,
    Node,
    Output,
    Scale,
    SumPool2d,
    Threshold,
)
from .reader import Read, read
from .report import Finding, Report
from .rules import RULES, SWITCHES, NirRule, find_rule
from .explain import Divergence, Explanation, explain
from .run import NirRun, run
from .writer import write
