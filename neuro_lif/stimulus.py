"""Input currents as functions of time, in amperes and seconds; no dt in them.

A stimulus is asked for blocks of steps (:meth:`Stimulus.rows`); what it gives in a step does not
depend on the blocks, so no array of a whole run is ever needed. Step ``i`` (0 is the first) begins
at ``i * dt`` and drives V from its value at ``i * dt`` to that at ``(i + 1) * dt``. Stimuli are
added by ``+``.
"""

from .noise import GaussianNoise
from .waveforms import (
    Constant,
    Sampled,
    Sinusoid,
    Stimulus,
    Sum,
    Triangle,
    Window,
    triangle_samples,
)

__all__ = [
    "Constant",
    "GaussianNoise",
    "Sampled",
    "Sinusoid",
    "Stimulus",
    "Sum",
    "Triangle",
    "Window",
    "triangle_samples",
]
