"""Copies of a FixedNetwork with some numbers changed: the variants of a study."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .arrays import frozen_synapses, is_sparse, narrow, with_entries
from .checks import expect
from .errors import Faults, RangeError, show
from .fixed import FixedNetwork, FixedPopulation, FixedProjection
from .fixed_parts import WIDE, too_wide

if TYPE_CHECKING:
    from .profile_model import HardwareProfile

Numbers = Mapping[str, Mapping[str, npt.ArrayLike]]
"""Population -> name -> integer or ``(size,)`` integers."""

CHANGEABLE = ("exponent", "sign_mode", "weight_bits", "delays", "graded", "latency")
"""Fields of a projection that :func:`with_changes` sets, besides its weights."""


def with_changes(
    fixed: FixedNetwork, *, params: Numbers | None = None, init: Numbers | None = None,
    weights: Mapping[str, Any] | None = None,
    projections: Mapping[str, Mapping[str, Any]] | None = None,
    profile: HardwareProfile | None = None, seed: int | None = None,
) -> FixedNetwork:  # fmt: skip
    """Return a copy of a network with other numbers; what does not change is shared with it.

    Only what changes is looked at anew, and the network as a whole (sums of 64 bits); connectivity
    is never copied.

    Args:
        fixed: the network; it stays as it is.
        params, init: population -> parameter, or register at the start, -> integers; those not
            named stay.
        weights: projection -> mantissas: a matrix ``(n_post, n_pre)``, dense or sparse; for sparse
            weights also one value per stored entry ``(n_entries,)`` in stored order, which keeps
            the connectivity; for a convolution a :class:`~neuro_lif.Convolution`. The sign mode
            and the delays stay.
        projections: projection -> field of ``CHANGEABLE`` -> value.
        profile: another profile, or the same with another configuration.
        seed: of the noise and the Poisson inputs.

    Returns:
        A checked network. Its ledger is the given network's: it tells of the lowering.

    Raises:
        RangeError: a name that there is not, or numbers the profile does not allow.
    """
    expect(fixed, FixedNetwork, "with_changes")
    changes: dict[str, Any] = {}
    if params or init:
        changes["populations"] = _populations(fixed, _table(params, "params"),
                                              _table(init, "init"))  # fmt: skip
    if weights or projections:
        changes["projections"] = _projections(fixed, _table(weights, "weights"),
                                              _table(projections, "projections"))  # fmt: skip
    if profile is not None:
        changes["profile"] = profile
    if seed is not None:
        changes["seed"] = seed
    return replace(fixed, **changes)


def _table(given: Any, name: str) -> Mapping[str, Any]:
    if given is not None and not isinstance(given, Mapping):
        raise RangeError(f"with_changes: {name} = {show(given)}, allowed: a mapping by name")
    return given or {}


def _known(given: Iterable[object], known: Iterable[str], what: str) -> None:
    """Refuse names that there are not."""
    allowed = list(known)
    for name in given:
        if name not in allowed:
            raise RangeError(f"with_changes: {what} = {show(name)}, allowed: {', '.join(allowed)}")


def _populations(
    fixed: FixedNetwork, params: Mapping[str, Any], init: Mapping[str, Any]
) -> tuple[FixedPopulation, ...]:
    _known([*params, *init], [p.name for p in fixed.populations], "population")
    return tuple(
        replace(
            p, params={**p.params, **_table(params.get(p.name), f"params[{p.name!r}]")},
            init={**p.init, **_table(init.get(p.name), f"init[{p.name!r}]")},
        ) if p.name in params or p.name in init else p
        for p in fixed.populations
    )  # fmt: skip


def _projections(
    fixed: FixedNetwork, weights: Mapping[str, Any], others: Mapping[str, Any]
) -> tuple[FixedProjection, ...]:
    _known([*weights, *others], [p.name for p in fixed.projections], "projection")
    return tuple(_projection(p, weights, others) for p in fixed.projections)


def _projection(
    p: FixedProjection, weights: Mapping[str, Any], others: Mapping[str, Any]
) -> FixedProjection:
    changes = dict(_table(others.get(p.name), f"projections[{p.name!r}]"))
    _known(changes, CHANGEABLE, f"field of projection {p.name!r}")
    if p.name in weights:
        given = weights[p.name]
        if not is_sparse(given) and np.ndim(given) == 1 and not p.is_folded:
            p = _revalued(p, np.asarray(given))
        elif is_sparse(given) and "delays" not in changes and np.ndim(p.delays) == 1:
            p = _revalued(p, _same_synapses(p, given))
        else:
            changes["weights"] = given
            changes["convolution"] = None
    elif changes and p.is_folded:
        changes["weights"], changes["convolution"] = p.convolution, None
    return replace(p, **changes) if changes else p


def _same_synapses(p: FixedProjection, given: Any) -> npt.NDArray[Any]:
    """Return the values of a sparse matrix whose synapses keep the delays that each has.

    Raises:
        RangeError: it has other synapses.
    """
    stored, _ = frozen_synapses(given, given.dtype)
    same = is_sparse(p.weights) and stored.shape == p.weights.shape
    for part in ("indptr", "indices"):
        same = same and np.array_equal(getattr(stored, part), getattr(p.weights, part))
    if not same:
        raise RangeError(
            f"with_changes: weights[{p.name!r}] has other synapses than the projection, each of "
            f"which has a delay of its own, allowed: the same synapses, or projections="
            f"{{{p.name!r}: {{'delays': ...}}}} beside them"
        )
    return np.asarray(stored.data)


def _revalued(p: FixedProjection, values: npt.NDArray[Any]) -> FixedProjection:
    """Return the same synapses with other weights, one per stored entry of a sparse matrix."""
    faults, where = Faults(), f"projection {p.name!r}"
    if not is_sparse(p.weights) or p.convolution is not None:
        faults.add(where, "weights", f"shape {values.shape}", f"shape {p.shape}")
    elif values.dtype.kind not in "iu" or values.shape != (p.n_entries,):
        faults.add(where, "weights", f"{values.dtype} {values.shape}",
                   f"integers {p.shape}, or one per stored entry ({p.n_entries},)")  # fmt: skip
    elif (wide := too_wide(values)) is not None:
        faults.add(where, "weights", wide, WIDE)
    faults.raise_if_any(RangeError)
    stored = with_entries(p.weights, values.astype(narrow(values.dtype)))
    copy = object.__new__(FixedProjection)
    for field in fields(p):  # the others were looked at when p was built
        object.__setattr__(copy, field.name, getattr(p, field.name))
    object.__setattr__(copy, "weights", stored)
    return copy
