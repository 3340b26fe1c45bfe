"""Arrays in ``.npz`` files: read without pickles, any damage one kind of error; written whole."""

from __future__ import annotations

import contextlib
import io
import os
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import FileFormatError

# what numpy and zipfile raise on damaged bytes (RuntimeError: an encrypted member)
_DAMAGE = (
    OSError, ValueError, KeyError, EOFError, RuntimeError, OverflowError, MemoryError, SyntaxError,
    zipfile.BadZipFile, zlib.error, tokenize.TokenError,
)  # fmt: skip


class NpzFile:
    """The arrays of one ``.npz`` file, each read when asked for.

    Args:
        path: the file.

    Raises:
        FileFormatError: the file is missing or is no ``.npz`` file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._content = path.read_bytes()
            with zipfile.ZipFile(io.BytesIO(self._content)) as archive:
                names = archive.namelist()
        except FileNotFoundError:
            raise FileFormatError(f"{str(path)!r}: no such file") from None
        except _DAMAGE as error:
            raise FileFormatError(f"{str(path)!r}: not a whole .npz file: {error}") from None
        self.names = tuple(n[: -len(".npy")] for n in names if n.endswith(".npy"))

    @property
    def content(self) -> bytes:
        """The bytes of the file."""
        return self._content

    def array(self, name: str) -> npt.NDArray[Any]:
        """Return one array.

        Raises:
            FileFormatError: there is none of that name, it is damaged, or it holds objects.
        """
        if name not in self.names:
            raise FileFormatError(f"array {name!r}: not in {self.path.name}")
        try:
            with zipfile.ZipFile(io.BytesIO(self._content)) as archive:
                member = archive.read(name + ".npy")  # checks the sum before numpy sees a byte
            array: object = np.load(io.BytesIO(member), allow_pickle=False)
        except _DAMAGE as error:
            raise FileFormatError(f"array {name!r} of {self.path.name}: {error}") from None
        if not isinstance(array, np.ndarray):
            raise FileFormatError(f"array {name!r} of {self.path.name}: not an array")
        return array


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name beside ``path``; it takes the place of ``path`` unless an error comes.

    Raises:
        OSError: the file cannot be written.
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def npz_bytes(arrays: Mapping[str, npt.ArrayLike]) -> bytes:
    """Return the content of an ``.npz`` file; the same arrays give the same bytes."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            info = zipfile.ZipInfo(name + ".npy")
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            with archive.open(info, "w", force_zip64=True) as member:
                np.save(member, np.asarray(array), allow_pickle=False)
    return stream.getvalue()
