#!/usr/bin/env bash
# Print the path of a Python that can make virtual environments, or fail silently.
#
#   find_python.sh VERSION...     e.g. find_python.sh 3.10 3.13 3.12: the first that is found
#
# Every candidate is run before it is believed: a pyenv shim is on PATH even for a version
# that is not active, and some systems ship a Python without `venv`.
set -euo pipefail

# Print the real interpreter behind candidate $1 when it is version $2. Behind an activated
# environment that is its base, so that an environment is never re-created from itself.
probe() {
    "$1" -I -c '
import os, sys
import ensurepip, ssl, venv
if "%d.%d" % sys.version_info[:2] != sys.argv[1]:
    sys.exit(1)
print(os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable))
' "$2" 2>/dev/null
}

for version in "$@"; do
    # pyenv comes first because it is quick: its shims on PATH are slow to fail.
    for candidate in "${PYENV_ROOT:-${HOME:-}/.pyenv}/versions/$version"*/bin/python; do
        if [ -x "$candidate" ] && probe "$candidate" "$version"; then exit 0; fi
    done
    while IFS= read -r candidate; do
        if [ -n "$candidate" ] && probe "$candidate" "$version"; then exit 0; fi
    done < <(type -ap "python$version" python3 python 2>/dev/null)
    if command -v uv >/dev/null; then
        candidate=$(uv python find --no-project --no-python-downloads "$version" 2>/dev/null) || continue
        if probe "$candidate" "$version"; then exit 0; fi
    fi
done
exit 1
