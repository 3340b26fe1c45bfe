"""NIR files in real Lava: the emulator's integers at every step."""

from __future__ import annotations

import numpy as np
import pytest
from lava_runs import LAVA_TESTS, same
from test_nir_lower import CHIPS, chip_of

pytestmark = LAVA_TESTS


@pytest.mark.parametrize("profile", CHIPS)
@pytest.mark.parametrize("name", ["snntorch/cubalif_rec_zero", "norse/conv_if"])
def test_real_files_in_lava(name: str, profile: str) -> None:
    _, fixed, inputs, _ = chip_of(name, profile, 12)
    recording = same(fixed, None, inputs)
    assert sum(int(np.sum(s)) for s in recording.spikes.values()) > 20
