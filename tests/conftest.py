"""Options shared by the tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

# The tests repeat themselves from run to run; `make verify` draws new examples.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("new", derandomize=False, print_blob=True, deadline=None)
settings.load_profile("same")

pytest_plugins = ("figures",)

DATA = Path(__file__).parent / "data"
VECTORS = (DATA / "loihi_vectors.json", DATA / "lava_more.json")


def vector_files(config: pytest.Config) -> tuple[Path, ...]:
    """Return the vector files to replay."""
    given = config.getoption("vectors")
    return (Path(given),) if given else VECTORS


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--vectors",
        metavar="FILE",
        help="vector file (schema loihi-vectors/1) to replay instead of the shipped ones",
    )
    parser.addoption(
        "--chips",
        metavar="FOLDER",
        help="folder of recordings of chips to replay instead of the shipped ones",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Keep Nengo's decoder cache out of the tests: two processes would fight for its lock."""
    try:
        import nengo
    except ImportError:
        return
    nengo.rc["decoder_cache"]["enabled"] = "False"
