"""Build the sdist, and the wheel from it alone, into the folder that is given."""

import os
import sys
import tarfile
import tempfile
from pathlib import Path

from scikit_build_core import build


def main() -> None:
    """Build both."""
    folder = Path(sys.argv[1]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(Path(__file__).resolve().parent.parent)
    sdist = folder / build.build_sdist(str(folder))
    with tempfile.TemporaryDirectory() as scratch:
        with tarfile.open(sdist) as archive:
            # early patch releases of 3.10 have no filters
            options = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
            archive.extractall(scratch, **options)
        (source,) = Path(scratch).iterdir()
        os.chdir(source)
        print(build.build_wheel(str(folder)))
        os.chdir(folder)


if __name__ == "__main__":
    main()
