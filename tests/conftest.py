"""Options shared by the tests."""

from __future__ import annotations

from pathlib import Path

import pytest

VECTORS = Path(__file__).parent / "data" / "loihi_vectors.json"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--vectors",
        metavar="FILE",
        default=str(VECTORS),
        help="vector file (schema loihi-vectors/1) to replay instead of the shipped one",
    )
