"""Arrays in ``.npz`` files: read without pickles, any damage one kind of error; written whole."""

from __future__ import annotations

import contextlib
import errno
import io
import math
import os
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from .errors import FileFormatError

# what numpy and zipfile raise on damaged bytes (RuntimeError: an encrypted member)
_DAMAGE = (
    OSError, ValueError, KeyError, EOFError, RuntimeError, OverflowError, MemoryError, SyntaxError,
    zipfile.BadZipFile, zlib.error, tokenize.TokenError,
)  # fmt: skip


PART = 2**20
"""Bytes that are looked at together."""
MAPPED = 2**28
"""Bytes of an array from which on it is not read into memory, where it is not compressed."""
LARGE = 2**20
"""Bytes of an array from which on :func:`write_npz` does not compress, where it is asked not to."""


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
            with zipfile.ZipFile(path) as archive:
                names = archive.namelist()
        except FileNotFoundError:
            raise FileFormatError(f"{str(path)!r}: no such file") from None
        except _DAMAGE as error:
            raise FileFormatError(f"{str(path)!r}: not a whole .npz file: {error}") from None
        self.names = tuple(n[: -len(".npy")] for n in names if n.endswith(".npy"))

    @property
    def content(self) -> bytes:
        """The bytes of the file."""
        return self.path.read_bytes()

    def array(self, name: str) -> npt.NDArray[Any]:
        """Return one array, which nobody can write to; only it is in memory, once.

        A very large one that is not compressed stays in the file, to be read where looked at.

        Raises:
            FileFormatError: there is none of that name, it is damaged, or it holds objects.
        """
        if name not in self.names:
            raise FileFormatError(f"array {name!r}: not in {self.path.name}")
        try:
            with zipfile.ZipFile(self.path) as archive:
                with archive.open(name + ".npy") as member:
                    while member.read(PART):  # checks the sum before numpy sees a byte
                        pass
                info = archive.getinfo(name + ".npy")
                place = _in_file(self.path, info)
                if place is not None:
                    return _mapped(self.path, place, info.file_size)
                with archive.open(name + ".npy") as member:
                    array: object = np.lib.format.read_array(  # type: ignore[no-untyped-call]
                        member, allow_pickle=False)  # fmt: skip
        except _DAMAGE as error:
            raise FileFormatError(f"array {name!r} of {self.path.name}: {error}") from None
        if not isinstance(array, np.ndarray):
            raise FileFormatError(f"array {name!r} of {self.path.name}: not an array")
        array.setflags(write=False)
        return array


def _in_file(path: Path, info: zipfile.ZipInfo) -> int | None:
    """Return where a very large member that is not compressed begins; None: read it."""
    if info.compress_type != zipfile.ZIP_STORED or info.file_size < MAPPED:
        return None
    with path.open("rb") as file:
        file.seek(info.header_offset)
        header = file.read(30)  # of the member; what it ends with are two lengths
        name, extra = struct.unpack("<HH", header[26:])
        return file.tell() + int(name) + int(extra)


def _mapped(path: Path, start: int, size: int) -> npt.NDArray[Any]:
    with path.open("rb") as file:
        file.seek(start)
        version = np.lib.format.read_magic(file)  # type: ignore[no-untyped-call]
        read = {(1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0}[version]  # fmt: skip
        shape, by_column, dtype = read(file)  # type: ignore[no-untyped-call]
        if dtype.hasobject:
            raise ValueError("objects")
        if file.tell() - start + math.prod(shape) * dtype.itemsize != size:
            raise ValueError(f"shape {shape} does not fit its {size} bytes")
        order: Any = "F" if by_column else "C"
        return np.memmap(path, dtype, "r", file.tell(), shape, order)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name beside ``path``; it takes the place of ``path`` unless an error comes.

    Raises:
        OSError: the file cannot be written, or is a folder or device, which nothing shall replace.
    """
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "there is something that is no file", str(path))
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
    write_npz(stream, arrays, large=None)
    return stream.getvalue()


def write_npz(
    to: Path | IO[bytes], arrays: Mapping[str, npt.ArrayLike], large: int | None = LARGE
) -> None:
    """Write an ``.npz`` file array by array, without a copy of them in memory.

    The same arrays give the same bytes.

    Args:
        to: where.
        arrays: name -> array.
        large: arrays of more bytes are not compressed, which takes far longer than to write
            them (random synapses hardly become smaller); None: all are.

    Raises:
        OSError: the file cannot be written.
    """
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, given in arrays.items():
            array = np.asarray(given)
            info = zipfile.ZipInfo(name + ".npy")
            small = large is None or array.nbytes <= large
            info.compress_type = zipfile.ZIP_DEFLATED if small else zipfile.ZIP_STORED
            info.external_attr = 0o644 << 16
            with archive.open(info, "w", force_zip64=True) as member:
                np.save(member, array, allow_pickle=False)
