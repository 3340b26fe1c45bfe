"""Scales chosen on inputs that the network is meant for: ``quantize(..., calibrate=inputs)``.

Candidates from the ranges and precision of the profile, clipping included, are rated by the error
laws with the spikes of a float run, and the best of them run by the emulator, one population after
the other. Deterministic. Not imported by ``import neuro_lif``.
"""

from __future__ import annotations

from ..discretize import SteppedNetwork
from ..lower.draft import Draft
from ..stimulate import Inputs
from ..task import Task
from .candidates import Candidate
from .meant import Meant, counts_of, meant_by
from .search import Search, Told, calibrated

__all__ = ["Candidate", "Meant", "Search", "calibrated", "code_calibrated", "counts_of", "meant_by"]


def code_calibrated(
    draft: Draft,
    stepped: SteppedNetwork,
    samples: Inputs | Task,
    bias_correction: bool | None = None,
    progress: Told | None = None,
) -> Draft:
    """Code a network with calibrated scales: the last pass of :func:`neuro_lif.quantize`.

    Args:
        draft: after all passes but the coding.
        stepped: the network as it was handed over.
        samples: the calibration inputs, or a task with them.
        bias_correction: True, False, or None: where it helps.
        progress: called with (runs done, runs in all).

    Raises:
        RangeError: the samples do not fit the network.
        LoweringError: the profile cannot express something.
    """
    meant = meant_by(stepped, samples, draft.n_steps, draft.options.headroom == "samples")
    return calibrated(draft, meant, bias_correction, progress)
