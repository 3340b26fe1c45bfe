"""The conformance suite: golden vectors recorded from other simulators and chips, for any engine.

>>> from neuro_lif.conformance import find_engine, load_vectors, run_conformance
>>> print(run_conformance(find_engine("emulator"), load_vectors()))  # doctest: +SKIP
"""

from .engines import find_engine
from .protocol import BatchEngine, Engine, Refused, Unsupported
from .suite import Outcome, Report, run_conformance
from .vectors import Vector, load_vectors, shipped_files

__all__ = [
    "BatchEngine",
    "Engine",
    "Outcome",
    "Refused",
    "Report",
    "Unsupported",
    "Vector",
    "find_engine",
    "load_vectors",
    "run_conformance",
    "shipped_files",
]
