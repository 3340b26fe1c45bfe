"""Small helpers for the frozen array fields that every level holds."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .lazy import is_sparse as is_sparse
from .lazy import sparse

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def frozen(array: npt.ArrayLike, dtype: Any = None) -> Any:
    """Return a read-only copy as an array of ``dtype``."""
    copy = np.array(array, dtype=dtype)
    copy.setflags(write=False)
    return copy


def frozen_csr(matrix: Any, dtype: Any) -> Any:
    """Return a read-only CSR copy, indices sorted, duplicates summed, explicit zeros kept."""
    csr = sparse.csr_matrix(matrix, dtype=dtype, copy=True)
    csr.sum_duplicates()
    csr.sort_indices()
    for part in (csr.data, csr.indices, csr.indptr):
        part.setflags(write=False)
    return csr


def frozen_matrix(matrix: Any, dtype: Any) -> Any:
    """Return a read-only copy, dense or CSR like ``matrix``."""
    return frozen_csr(matrix, dtype) if is_sparse(matrix) else frozen(matrix, dtype)


def entries(matrix: Any) -> Any:
    """Return the stored values of a dense or CSR matrix, as one flat array."""
    return matrix.data if is_sparse(matrix) else np.asarray(matrix).ravel()


def with_entries(matrix: Any, values: Any) -> Any:
    """Return a read-only matrix of the same structure as ``matrix`` with other stored values."""
    if not is_sparse(matrix):
        return frozen(np.asarray(values).reshape(np.shape(matrix)))
    csr = sparse.csr_matrix((np.array(values), matrix.indices, matrix.indptr), shape=matrix.shape)
    csr.data.setflags(write=False)
    return csr


def post_of_entries(matrix: Any) -> IntArray:
    """Return the row (post neuron) of every stored value."""
    if is_sparse(matrix):
        return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    return np.repeat(np.arange(np.shape(matrix)[0]), np.shape(matrix)[1])


def per_neuron(value: npt.ArrayLike, size: int) -> FloatArray:
    """Return a scalar or ``(size,)`` value as a read-only float64 array of shape ``(size,)``."""
    return frozen(np.broadcast_to(np.asarray(value, np.float64), (size,)))  # type: ignore[no-any-return]


def frozen_synapses(matrix: Any, dtype: Any) -> tuple[Any, IntArray]:
    """Return read-only weights, dense or CSR, and the order in which given entries are stored.

    Every stored entry of a sparse matrix is a synapse: explicit zeros and several entries for the
    same pair of neurons are kept, by row, column, and then as given.
    """
    if not is_sparse(matrix):
        dense = frozen(matrix, dtype)
        return dense, np.arange(dense.size)
    given = matrix.tocoo()
    order = np.lexsort((given.col, given.row))
    indptr = np.concatenate([[0], np.cumsum(np.bincount(given.row, minlength=given.shape[0]))])
    parts = (given.data[order].astype(dtype), given.col[order], indptr)
    csr = sparse.csr_matrix(parts, shape=given.shape)
    for part in (csr.data, csr.indices, csr.indptr):
        part.setflags(write=False)
    return csr, order


def has_duplicates(matrix: Any) -> bool:
    """Tell whether a CSR matrix as :func:`frozen_synapses` returns it has one pair twice."""
    return bool(is_sparse(matrix) and earlier_duplicates(matrix).any())


def earlier_duplicates(matrix: Any) -> Any:
    """Tell which stored entries of a CSR matrix are followed by another for the same pair."""
    rows, columns = post_of_entries(matrix), matrix.indices
    followed = np.zeros(len(columns), np.bool_)
    followed[:-1] = (rows[1:] == rows[:-1]) & (columns[1:] == columns[:-1])
    return followed


def in_stored_order(weights: Any, flat: Any) -> Any:
    """Return one value per stored weight in the order in which frozen weights are stored."""
    if not is_sparse(weights) or np.shape(getattr(weights, "data", ())) != flat.shape:
        return flat
    numbered = weights.copy()
    numbered.data = np.arange(1, flat.size + 1)
    order = entries(frozen_matrix(numbered, np.int64)) - 1
    return flat[order] if order.shape == flat.shape else flat
