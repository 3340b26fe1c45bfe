"""Task files: an ``.npz`` of inputs, of labels, and of how a class is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import FileFormatError
from ..npz import NpzFile
from ..task import Task

SAID = ("output", "readout")
"""What a file may say in an array of one text each."""


def read_task(
    path: Path, *, labels: str = "labels", output: str | None = None, readout: str | None = None,
    n_steps: int | None = None,
) -> Task:  # fmt: skip
    """Read a task: an array per input, ``labels``, maybe ``output`` and ``readout`` beside them.

    Args:
        path: the file.
        labels: the array of labels.
        output, readout: before what the file says; None: as it says, or ``"count"``.
        n_steps: of a run; None: as many as the inputs have.

    Raises:
        FileFormatError: the file is damaged, or has no labels or output.
        RangeError: as of :class:`~neuro_lif.task.Task`.
    """
    try:
        file = NpzFile(path)
        arrays: dict[str, Any] = {name: file.array(name) for name in file.names}
    except FileFormatError as error:
        raise FileFormatError(f"task {error}, allowed: an .npz of arrays") from None
    said = {k: str(arrays.pop(k)) for k in SAID if k in arrays and arrays[k].dtype.kind == "U"}
    said |= {k: v for k, v in (("output", output), ("readout", readout)) if v is not None}
    if labels not in arrays or "output" not in said:
        raise FileFormatError(
            f"task {str(path)!r}: no array {labels if labels not in arrays else 'output'!r} among "
            f"{', '.join((*arrays, *said)) or 'none'}, allowed: an .npz of inputs, labels and "
            "output (the population's name)"
        )
    inputs = {name: a for name, a in arrays.items() if name != labels}
    return Task(inputs, arrays[labels], said["output"], said.get("readout", "count"), n_steps)
