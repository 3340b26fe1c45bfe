#!/usr/bin/env bash
# Write the lock files: exact versions, with the hashes of all their files.
#
#   lock.sh [--upgrade]      without --upgrade, pins that still fit are kept
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

uv=.venv/bin/uv
[ -x "$uv" ] || uv=$(command -v uv) || { # without .venv, any uv will do
    echo "error: uv is needed to write the locks; run 'make setup' first" >&2
    exit 1
}

compile() { # compile LOCK ARGUMENTS...
    local lock=$1
    shift
    # --no-config: settings of this machine must not find their way into the lock.
    "$uv" --no-config pip compile --quiet --generate-hashes --only-binary :all: \
        --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
        -o "requirements/$lock" "$@" >/dev/null
    echo "wrote requirements/$lock"
}

compile lock-py310.txt --python-version 3.10 --extra test --extra lava ${1+"$1"} \
    pyproject.toml requirements/py310.in requirements/tools.in
# One lock for 3.11-3.13: the versions that suit the oldest, marked where they must differ.
compile lock-py311plus.txt --universal --python-version 3.11 --fork-strategy fewest \
    --extra test ${1+"$1"} pyproject.toml requirements/py311plus.in requirements/tools.in
compile lock-lava-py310.txt --python-version 3.10 ${1+"$1"} requirements/lava-py310.in
# The live oracles, with the very versions of the other Python 3.10 lock.
compile lock-oracles-py310.txt --python-version 3.10 --extra test --extra oracles ${1+"$1"} \
    pyproject.toml requirements/oracles-py310.in requirements/tools.in
# NNMT, which the theory is compared with, for any Python that may be there.
compile lock-nnmt.txt --universal --python-version 3.10 --fork-strategy fewest ${1+"$1"} \
    requirements/nnmt.in
# PySpike and elephant, which the metrics are compared with; PySpike is there as source only.
compile lock-trains.txt --universal --python-version 3.10 --fork-strategy fewest \
    --no-binary pyspike ${1+"$1"} requirements/trains.in
# The frameworks of NIR: what stands there is all there is, because their demands contradict.
compile lock-frameworks.txt --no-deps --python-version 3.11 --no-binary norse \
    --no-binary rockpool ${1+"$1"} requirements/frameworks.in
# The peers of `make bench` that live on newer Pythons (lock-bench-torch.txt is kept by hand).
compile lock-bench-py311plus.txt --universal --python-version 3.11 --fork-strategy fewest \
    ${1+"$1"} requirements/bench-py311plus.in
