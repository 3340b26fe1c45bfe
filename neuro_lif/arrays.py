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


NARROW = (np.int8, np.uint8, np.int16, np.uint16, np.int32)
"""Types of integers that are kept as they are given; all others become int64."""

AT_ONCE = 2**20
"""Entries of a large array that are looked at together, so that copies of them stay small."""


def narrow(dtype: Any) -> Any:
    """Return the type in which integers given in ``dtype`` are kept: narrow ones as they are."""
    return dtype if dtype in NARROW else np.dtype(np.int64)


def unchanging(array: Any) -> bool:
    """Tell whether nobody can write to an array, not even through the memory it looks into."""
    while isinstance(array, np.ndarray) and not array.flags.writeable:
        if array.base is None or isinstance(array, np.memmap):
            return True
        array = array.base
    return isinstance(array, bytes)


def kept(array: npt.ArrayLike, dtype: Any = None) -> Any:
    """Return a read-only array of ``dtype``: the same memory where nobody can write to it."""
    given = np.asarray(array)
    same = dtype is None or given.dtype == dtype
    return given if same and unchanging(given) else frozen(given, dtype)


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


def plain_matrix(matrix: Any) -> Any:
    """Return a dense or CSR matrix as it is, of a convolution its matrix (CSR, made once)."""
    return getattr(matrix, "csr", matrix)


def entries(matrix: Any) -> Any:
    """Return the stored values of a dense or CSR matrix, or a convolution's, as one flat array."""
    matrix = plain_matrix(matrix)
    return matrix.data if is_sparse(matrix) else np.asarray(matrix).ravel()


def with_entries(matrix: Any, values: Any) -> Any:
    """Return a read-only matrix of the same structure as ``matrix`` with other stored values.

    A convolution becomes CSR: its stored values may be different everywhere.
    """
    matrix = plain_matrix(matrix)
    if not is_sparse(matrix):
        return frozen(np.asarray(values).reshape(np.shape(matrix)))
    csr = sparse.csr_matrix((np.array(values), matrix.indices, matrix.indptr), shape=matrix.shape)
    csr.indices, csr.indptr = matrix.indices, matrix.indptr  # the same arrays, not views of them
    csr.data.setflags(write=False)
    return csr


def post_of_entries(matrix: Any) -> IntArray:
    """Return the row (post neuron) of every stored value."""
    matrix = plain_matrix(matrix)
    if is_sparse(matrix):
        return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    return np.repeat(np.arange(np.shape(matrix)[0]), np.shape(matrix)[1])


def per_neuron(value: npt.ArrayLike, size: int) -> FloatArray:
    """Return a scalar or ``(size,)`` value as a read-only float64 array of shape ``(size,)``."""
    return frozen(np.broadcast_to(np.asarray(value, np.float64), (size,)))  # type: ignore[no-any-return]


def frozen_synapses(matrix: Any, dtype: Any) -> tuple[Any, IntArray | None]:
    """Return read-only weights, dense or CSR, and the order in which given entries are stored.

    Every stored entry of a sparse matrix is a synapse: explicit zeros and several entries for the
    same pair of neurons are kept, by row, column, and then as given. The order is None where they
    come so; what nobody can write to (:func:`unchanging`) is then not copied.
    """
    if not is_sparse(matrix):
        return kept(matrix, dtype), None
    if matrix.format == "csr" and _in_order(matrix):
        same = (kept(matrix.data, dtype), kept(matrix.indices), kept(matrix.indptr))
        csr = sparse.csr_matrix(same, shape=matrix.shape)
        for part in (csr.data, csr.indices, csr.indptr):
            part.setflags(write=False)
        return csr, None
    given = matrix.tocoo()
    order = np.lexsort((given.col, given.row))
    indptr = np.concatenate([[0], np.cumsum(np.bincount(given.row, minlength=given.shape[0]))])
    parts = (given.data[order].astype(dtype), given.col[order], indptr)
    csr = sparse.csr_matrix(parts, shape=given.shape)
    for part in (csr.data, csr.indices, csr.indptr):
        part.setflags(write=False)
    return csr, order


def _in_order(matrix: Any) -> bool:
    """Tell whether the entries of every row of a CSR matrix come by column."""
    indptr, columns = matrix.indptr, matrix.indices
    starts = np.zeros(len(columns) + 1, np.bool_)
    starts[indptr[:-1]] = True  # past the last entry, too, where the last rows are empty
    for first in range(0, len(columns) - 1, AT_ONCE):
        last = min(first + AT_ONCE, len(columns) - 1)
        falls = columns[first + 1 : last + 1] < columns[first:last]
        if (falls & ~starts[first + 1 : last + 1]).any():
            return False
    return True


def row_sums(matrix: Any, values: Any) -> IntArray:
    """Return the sum of the magnitudes of each row's entries ``(n_rows,)``, a part at a time.

    Args:
        matrix: dense or CSR.
        values: one per entry, below 2**31 in magnitude.
    """
    n_rows, indptr = matrix.shape[0], None
    if is_sparse(matrix):
        indptr = np.asarray(matrix.indptr, np.int64)
    else:
        indptr = np.arange(n_rows + 1, dtype=np.int64) * matrix.shape[1]
    out, first = np.zeros(n_rows, np.int64), 0
    while first < n_rows:
        last = int(np.searchsorted(indptr, indptr[first] + AT_ONCE, "right")) - 1
        last = min(max(last, first + 1), n_rows)
        part = values[indptr[first] : indptr[last]].astype(np.int64)
        sums = np.concatenate([[0], np.cumsum(np.abs(part))])
        ends = sums[indptr[first : last + 1] - indptr[first]]
        out[first:last] = ends[1:] - ends[:-1]
        first = last
    return out


def distinct(values: Any) -> IntArray:
    """Return the different integers of an array, ascending; narrow ones without sorting them."""
    flat = np.asarray(values).ravel()
    if flat.dtype.kind not in "iu" or flat.dtype.itemsize > 2 or flat.size < 2**16:
        return np.asarray(np.unique(flat).astype(np.int64))
    low, there = int(flat.min()), np.zeros(int(flat.max()) - int(flat.min()) + 1, np.bool_)
    for first in range(0, flat.size, AT_ONCE):
        there[flat[first : first + AT_ONCE].astype(np.int64) - low] = True
    return np.asarray(np.flatnonzero(there) + low, np.int64)


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
