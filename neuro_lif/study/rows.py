"""What a study hands back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .axes import Configuration

Row = dict[str, Any]
"""One configuration of a table, flat, in this order:

- ``key``: 64 hexadecimal digits, under which the result is stored;
- the varied names, in the order of ``vary``: number, text, truth or None;
- ``error``: None, or why there are no measures (which are None then);
- the measures of :data:`neuro_lif.study.MEASURES` whose groups were asked for, and of ``spikes``,
  ``rate_error`` and ``spike_agreement`` one for each population: ``spike_agreement.hidden``;
- what functions given as measures gave.

With ``times=True`` also ``seconds`` (of the configuration), ``engine_seconds`` (in the engine) and
``worker``; they differ from run to run and are stored apart.
"""


@dataclass(frozen=True)
class Replay:
    """A stored configuration that was run again.

    Args:
        key, configuration: which.
        stored, again: measures, as canonical JSON, or the error.
        same: whether both are the same bytes, kept arrays included.
    """

    key: str
    configuration: Configuration
    stored: str
    again: str
    same: bool


@dataclass(frozen=True)
class Status:
    """How far a study is.

    Args:
        total: configurations of the grid.
        done: of those, how many are stored.
        errors: of the stored, how many could not be run.
        writers: others that work on it right now.
        late: of the errors, how many are a timeout; a run with a longer one tries them again.
    """

    total: int
    done: int
    errors: int
    writers: tuple[str, ...]
    late: int = 0
