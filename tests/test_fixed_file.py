"""A FixedNetwork written to a file runs as it did before."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from random_fixed import random_fixed

from neuro_lif import FixedNetwork, run_fixed
from neuro_lif.arrays import is_sparse
from neuro_lif.errors import FileFormatError
from neuro_lif.files.fixed import load_fixed, save_fixed

PROFILES = ("lava-0.10", "loihi1", "loihi2", "generic")


def same(a: Any, b: Any) -> bool:
    if is_sparse(a):
        return bool(is_sparse(b) and (a != b).nnz == 0 and a.data.shape == b.data.shape)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b)
    return bool(a == b)


@pytest.mark.parametrize("profile", PROFILES)
def test_round_trip(profile: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    for k in range(5):
        made = random_fixed(rng, profile)
        fixed = made if isinstance(made, FixedNetwork) else made[0]
        save_fixed(fixed, tmp_path / f"{k}.npz")
        loaded = load_fixed(tmp_path / f"{k}.npz")
        assert loaded.profile == fixed.profile
        for table in ("populations", "projections", "sources", "directs"):
            for a, b in zip(getattr(fixed, table), getattr(loaded, table), strict=True):
                for field in dataclasses.fields(a):
                    x, y = getattr(a, field.name), getattr(b, field.name)
                    assert same(x, y), (table, field.name)
        a, b = (run_fixed(f, 15, record="all") for f in (fixed, loaded))
        assert all(np.array_equal(a.spikes[n], b.spikes[n]) for n in a.spikes)
        assert all(np.array_equal(a.traces[n], b.traces[n]) for n in a.traces)


@pytest.mark.parametrize(
    ("content", "says"), [(None, "no such file"), (b"", "not a whole"), (b"PK\x03\x04", "not a")]
)
def test_damaged_files_are_named(content: bytes | None, says: str, tmp_path: Path) -> None:
    path = tmp_path / "net.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FileFormatError, match=says):
        load_fixed(path)


def test_another_npz_is_not_a_fixed_network(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", head=np.array('{"format": "x"}'))
    with pytest.raises(FileFormatError, match="neuro-lif-fixed/1"):
        load_fixed(tmp_path / "other.npz")
