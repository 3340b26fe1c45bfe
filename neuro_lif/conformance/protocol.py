"""What an engine must be, to be run by the suite."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

Answer = dict[str, dict[str, Any]]
"""Population -> variable -> ``[step][neuron]``."""


class Refused(ValueError):
    """The engine refuses an invalid network; the text names the field.

    Every word of the field's name must be in it: a parameter's own name, ``init u`` for the start
    of a register, else the field of the part (``weights``, ``exponent``, ``delays``, ``model``,
    ``pre``, ...). A refusal that names something else counts as wrong.
    """


class Unsupported(Exception):
    """The engine cannot run this kind of network at all; the text says why."""


@runtime_checkable
class Engine(Protocol):
    """What an engine must have: a name, and a ``run``."""

    name: str

    def run(self, vector: dict[str, Any]) -> Answer:
        """Run one vector.

        Args:
            vector: see :mod:`neuro_lif.conformance.vectors`; ``profile``, ``config``,
                ``network``, ``n_steps``, and ``wanted``: population -> the variables to return.
                Nothing in it says what is expected, nor whether the network is valid.

        Returns:
            Population -> variable -> ``[step][neuron]``, integers (Python's, or an array of an
            integer type): a float is wrong even where it is whole.

        Raises:
            Refused: the network is not valid.
            Unsupported: this engine has nothing like it.
        """
        ...


@runtime_checkable
class BatchEngine(Engine, Protocol):
    """An engine that is quicker with several vectors at once; optional."""

    at_once: int

    def run_many(self, vectors: list[dict[str, Any]]) -> list[Any]:
        """Run at most ``at_once`` vectors; return an answer, or an error, for each."""
        ...
