"""Modules that are imported late: while another thread imports one, it is there in part only."""

from __future__ import annotations

import sys
from types import ModuleType

import numpy as np
import pytest
from scipy import sparse

import neuro_lif as nl
from neuro_lif.lazy import is_sparse
from neuro_lif.profiles import is_profile


@pytest.mark.parametrize("there", ["", "in part", "whole"])
def test_sparse_matrices_are_told_while_scipy_is_being_imported(
    monkeypatch: pytest.MonkeyPatch, there: str
) -> None:
    if there == "in part":
        monkeypatch.setitem(sys.modules, "scipy.sparse", ModuleType("scipy.sparse"))
    elif not there:
        monkeypatch.delitem(sys.modules, "scipy.sparse")
    assert not is_sparse(np.eye(2))
    assert is_sparse(sparse.csr_matrix(np.eye(2))) == (there == "whole")


def test_profiles_are_told_while_their_library_is_being_imported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    profile, name = nl.load_profile("loihi2"), "neuro_lif.profile_model"
    assert is_profile(profile) and not is_profile("loihi2")
    monkeypatch.setitem(sys.modules, name, ModuleType(name))
    assert not is_profile("loihi2")
