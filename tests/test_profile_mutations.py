"""Profiles with one wrong token: refused by name, or as good as any other profile.

Every number and text of every shipped profile is replaced by each of a fixed list of values. What
loads must lower and run, emulator and living definition alike, or be refused by our own errors.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from neuro_lif import (
    LIF,
    Delta,
    Exponential,
    NeuroLifError,
    SteppedNetwork,
    available_profiles,
    discretize,
    load_profile,
    quantize,
    run_fixed,
)
from neuro_lif.network import Network, Population, Projection, SpikeInput
from neuro_lif.semantics import run_semantics
