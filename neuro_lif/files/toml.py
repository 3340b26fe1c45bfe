"""Network files: TOML to be read and written by hand, with one ``.npz`` beside it for matrices.

Numbers are SI; texts with a unit (``"20 ms"``) are numbers too. What :func:`save_network` writes,
:func:`load_network` gives back bit for bit.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

from ..checks import expect, expect_path
from ..errors import FileFormatError
from ..network import Network
from ..npz import NpzFile, npz_bytes, replacing
from .read import read_network
from .source import ABSENT, Source
from .write import HEAD, Writer, text_of

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FORMAT = "neuro-lif-network/1"


def load_network(path: str | Path) -> Network:
    """Read a network file.

    Args:
        path: the ``.toml`` file; the ``.npz`` it names lies beside it.

    Raises:
        FileFormatError: one error listing every fault: file, table.field, value, what is allowed.
    """
    path = expect_path(path, "load_network")
    raw = _read_toml(path)
    source = Source(f"network file {str(path)!r}")
    if raw.get("format") != FORMAT:
        source.refuse("format", raw.get("format", ABSENT), f'"{FORMAT}"')
        source.faults.raise_if_any(FileFormatError)
    if "arrays" in raw and not _open_arrays(path, raw, source):
        # without its arrays each reference would be one more fault
        source.faults.raise_if_any(FileFormatError)
    network = read_network(raw, source)
    source.faults.raise_if_any(FileFormatError)
    if network is None:  # unreachable: no network comes with a fault
        raise FileFormatError(f"{source.file}: nothing could be read")
    return network


def save_network(network: Network, path: str | Path) -> None:
    """Write a network file and, where it has arrays, ``<name>.npz`` beside it.

    Both files appear whole or not at all; an error leaves what was there before.

    Args:
        network: the network.
        path: a ``.toml`` file; an older one and its ``<name>.npz`` are replaced.

    Raises:
        FileFormatError: the file cannot be written.
        NetworkError: that is no Network.
    """
    expect(network, Network, "save_network")
    path = expect_path(path, "save_network")
    if path.suffix != ".toml" or path.is_dir():
        raise FileFormatError(f"network file: path = {str(path)!r}, allowed: a file name.toml")
    writer = Writer()
    tables = writer.network(network)
    head = f"{HEAD}format = {text_of(FORMAT)}\n"
    content = b""
    if writer.arrays:
        content = npz_bytes(writer.arrays)
        head += f"arrays = {text_of(path.with_suffix('.npz').name)}\n"
        head += "# guards against a mixed pair of files; remove it to change the arrays by hand\n"
        head += f'arrays_sha256 = "{hashlib.sha256(content).hexdigest()}"\n'
    try:
        _replace_both(path, (head + tables).encode(), content)
    except (OSError, ValueError) as error:
        raise FileFormatError(f"network file {str(path)!r}: cannot be written: {error}") from None


def _replace_both(path: Path, text: bytes, content: bytes) -> None:
    """Replace the text and (where there is content) the arrays: arrays first, both or neither."""
    beside = path.with_suffix(".npz")
    before = beside.read_bytes() if content and beside.exists() else None
    try:
        with replacing(path) as text_part:
            text_part.write_bytes(text)
            if content:
                with replacing(beside) as arrays_part:
                    arrays_part.write_bytes(content)
    except OSError:
        if before is not None and beside.read_bytes() != before:
            with replacing(beside) as arrays_part:
                arrays_part.write_bytes(before)
        raise


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as stream:
            return tomllib.load(stream)
    except FileNotFoundError:
        raise FileFormatError(f"network file {str(path)!r}: no such file") from None
    except OSError as error:
        raise FileFormatError(f"network file {str(path)!r}: cannot be read: {error}") from None
    except (ValueError, RecursionError) as error:  # also text that is no UTF-8
        raise FileFormatError(f"network file {str(path)!r}: not valid TOML: {error}") from None


def _open_arrays(path: Path, raw: dict[str, Any], source: Source) -> bool:
    name, expected = raw["arrays"], raw.get("arrays_sha256")
    if not isinstance(name, str) or Path(name).name != name or not name.endswith(".npz"):
        source.refuse("arrays", name, "the name of an .npz file beside this file, without a folder")
        return False
    try:
        source.npz = NpzFile(path.parent / name)
    except FileFormatError as error:
        source.refuse("arrays", name, f"a whole .npz file beside this file ({error})")
        return False
    found = hashlib.sha256(source.npz.content).hexdigest()
    if expected is not None and expected != found:
        allowed = f"{found}, the sum of {name} (remove the line if you changed that file)"
        source.refuse("arrays_sha256", expected, allowed)
        return False
    return True
