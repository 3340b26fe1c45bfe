"""What :func:`neuro_lif.ladder.ladder` returns: numbers, a table, a file, a picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .picture import waterfall
from .plain import decoded, encoded, read_json, write_json
from .results import Levels
from .table import table

FORMAT = "neuro-lif-ladder/1"


@dataclass(frozen=True)
class Ladder(Levels):
    """Where accuracy goes between a description and a chip's integers; ``print`` it for a table.

    Its fields are those of :class:`Levels`.
    """

    def __str__(self) -> str:
        return table(self)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON: numbers, texts, lists and mappings, None for what is not there."""
        return {"format": FORMAT, **encoded(self)}

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Ladder:
        """Return the ladder that :meth:`to_dict` wrote.

        Raises:
            FileFormatError: it is none; names the field.
        """
        return decoded(Ladder, data, FORMAT)

    def save(self, path: str | Path) -> None:
        """Write JSON; the file appears whole or not at all.

        Raises:
            FileFormatError: the file cannot be written.
        """
        write_json(path, self.to_dict())

    @staticmethod
    def load(path: str | Path) -> Ladder:
        """Read a file written by :meth:`save`.

        Raises:
            FileFormatError: the file is missing, damaged or no ladder.
        """
        return Ladder.from_dict(read_json(path))

    def figure(self, path: str | Path) -> Path:
        """Draw the waterfall into a file (.png, .svg, .pdf) and return its path.

        Raises:
            FileFormatError: the file cannot be written.
        """
        return waterfall(self, path)
