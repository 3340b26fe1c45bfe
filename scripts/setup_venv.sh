#!/usr/bin/env bash
# Create or refresh one of the project's virtual environments; do nothing if it is up to date.
#
#   setup_venv.sh main     .venv          the Python of .python-version, else the newest of 3.11-3.13
#   setup_venv.sh new      .venv-new      the newest of Python 3.11-3.13
#   setup_venv.sh lava     .venv-lava     Python 3.10 with Lava alone, for newer Pythons to call
#   setup_venv.sh oracles  .venv-oracles  Python 3.10 with all the peers that `make verify` runs
#   setup_venv.sh bench    .venv-bench    Python 3.11-3.13 with the other peers of `make bench`
#   setup_venv.sh nnmt     .venv-nnmt     Python 3.10-3.13 with NNMT alone, for `make verify` to call
#   setup_venv.sh trains   .venv-trains   Python 3.10-3.13 with PySpike and elephant, likewise
#   setup_venv.sh frameworks .venv-frameworks  Python 3.11 with the frameworks of NIR, likewise
#
# PYTHON=/path/to/python in the environment overrides the choice for `main`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Settings that would make pip or Python look or write outside the new environment.
unset PYTHONPATH PYTHONHOME PIP_TARGET PIP_PREFIX PIP_USER

fail() { echo "error: $*" >&2; exit 1; }
find_python() { bash scripts/find_python.sh "$@"; }

case "${1:-}" in
main)
    venv=.venv
    if [ -n "${PYTHON:-}" ]; then
        python=$(command -v "$PYTHON") || fail "PYTHON=$PYTHON is not there"
    else
        python=$(find_python "$(cat .python-version)" 3.13 3.12 3.11 3.10) ||
            fail "no working Python 3.10-3.13 (with its venv module) was found; install one, or call make with PYTHON=/path/to/python"
    fi ;;
new)
    venv=.venv-new
    python=$(find_python 3.13 3.12 3.11) || fail "no working Python 3.11-3.13 was found" ;;
lava)
    venv=.venv-lava
    python=$(find_python 3.10) || fail "Lava needs Python 3.10, and none was found" ;;
oracles)
    venv=.venv-oracles
    python=$(find_python 3.10) || fail "the peers need Python 3.10, and none was found" ;;
bench)
    venv=.venv-bench # 3.11 first: lock-bench-torch.txt is for it
    python=$(find_python 3.11 3.12 3.13) || fail "no working Python 3.11-3.13 was found" ;;
nnmt)
    venv=.venv-nnmt
    python=$(find_python 3.10 3.11 3.12 3.13) || fail "no working Python 3.10-3.13 was found" ;;
trains)
    venv=.venv-trains
    python=$(find_python 3.10 3.11 3.12 3.13) || fail "no working Python 3.10-3.13 was found" ;;
frameworks)
    venv=.venv-frameworks # lock-bench-torch.txt is for Python 3.11
    python=$(find_python 3.11) || fail "the frameworks need Python 3.11, and none was found" ;;
*)
    fail "usage: $0 main|new|lava|oracles|bench|nnmt|trains|frameworks" ;;
esac

version=$("$python" -I -c 'import sys; print("%d.%d" % sys.version_info[:2])') ||
    fail "$python does not run"
case "$1/$version" in
lava/3.10) lock=requirements/lock-lava-py310.txt ;;
oracles/3.10) lock=requirements/lock-oracles-py310.txt ;;
bench/*) lock=requirements/lock-bench-py311plus.txt ;;
nnmt/*) lock=requirements/lock-nnmt.txt ;;
trains/*) lock=requirements/lock-trains.txt ;;
frameworks/*) lock=requirements/lock-frameworks.txt ;;
*/3.10) lock=requirements/lock-py310.txt ;;
*/3.11 | */3.12 | */3.13) lock=requirements/lock-py311plus.txt ;;
*) fail "$python is Python $version, but 3.10-3.13 is needed" ;;
esac

# Two stamps, each removed before its step and written after it, so that a step that was
# killed is done again. A stamp holds all that its step depends on; the folder is in it
# because an environment does not survive being moved. The pinned packages take a minute,
# the package itself less, most of it for the compiled kernel: a change of pyproject.toml, of
# the kernel's sources or of the compiler's name repeats the second step only.
deps_stamp="$PWD $python $(cksum "$lock")"
compiler=$(command -v "${CXX:-c++}" || command -v g++ || command -v clang++ || true)
self_stamp="$deps_stamp $(cat pyproject.toml CMakeLists.txt neuro_lif/kernel/src/* | cksum)"
self_stamp="$self_stamp ${compiler:-no compiler}${NEURO_LIF_NO_KERNEL:+, no kernel}"
holds() { [ -f "$1" ] && [ "$(cat "$1")" = "$2" ]; }

if ! holds "$venv/deps.stamp" "$deps_stamp" || ! "$venv/bin/python" -c '' 2>/dev/null; then
    echo "setting up $venv: Python $version, $lock (takes a minute or two)"
    rm -rf "$venv"
    "$python" -m venv "$venv"
    # The lock is complete, so pip has nothing to resolve; every file is checked by its hash.
    # Quiet but for errors: this often is the first thing that a visitor sees.
    install() { # install LOCK OPTIONS...
        "$venv/bin/python" -m pip install -qq --disable-pip-version-check --no-input \
            --require-hashes --no-deps --only-binary :all: -r "$@"
    }
    if [ "$1" = trains ]; then # PySpike is source only: first all that its build needs
        partly=$(mktemp)
        sed '/^pyspike==/,/^[^ ]/ { /^pyspike==/d; /^ /d; }' "$lock" >"$partly"
        install "$partly" && rm -f "$partly"
        install "$lock" --no-binary pyspike --no-build-isolation
    elif [ "$1" = frameworks ]; then # two are source only; PyTorch is checked for first
        install requirements/lock-bench-torch.txt 2>/dev/null ||
            fail "pip finds no PyTorch for CPUs (requirements/lock-bench-torch.txt says how)"
        partly=$(mktemp)
        sed '/^\(norse\|rockpool\)==/,/^[^ ]/ { /^\(norse\|rockpool\)==/d; /^ /d; }' "$lock" >"$partly"
        install "$partly" && rm -f "$partly"
        install "$lock" --no-binary norse,rockpool --no-build-isolation
    else
        install "$lock"
    fi
    # Sinabs asks for an older nir and for samna, which are not needed here.
    [ "$1" = frameworks ] ||
        "$venv/bin/python" -m pip check --disable-pip-version-check >/dev/null ||
        fail "$lock is not consistent (run: $venv/bin/python -m pip check)"
    echo "$deps_stamp" >"$venv/deps.stamp"
fi

# PyTorch is optional in the benchmark: where pip does not find this build, say so and go on.
if [ "$1" = bench ] && ! "$venv/bin/python" -c 'import torch' 2>/dev/null; then
    "$venv/bin/python" -m pip install -qq --disable-pip-version-check --no-input \
        --require-hashes --no-deps --only-binary :all: -r requirements/lock-bench-torch.txt \
        2>/dev/null ||
        echo "note: pip finds no PyTorch for CPUs (requirements/lock-bench-torch.txt says how): its rows are left out"
fi

# The kernel, or the reason why there is none, stands in the checkout under the ABI's name.
kernel_there() { compgen -G "neuro_lif/kernel/_native.*${version/./}*" >/dev/null; }

alone=" lava bench nnmt trains frameworks "
if [[ "$alone" != *" $1 "* ]] && { ! holds "$venv/self.stamp" "$self_stamp" || ! kernel_there; }; then
    echo "installing neuro-lif (editable) into $venv"
    rm -f "$venv/self.stamp"
    # A build folder for each environment: what changed is compiled, and no cache is shared.
    SKBUILD_BUILD_DIR="build/kernel$venv" \
        "$venv/bin/python" -m pip install -qq --disable-pip-version-check --no-input \
        --no-deps --no-build-isolation -e .
    echo "$self_stamp" >"$venv/self.stamp"
    if reason=$(cat neuro_lif/kernel/_native.*"${version/./}"*.txt 2>/dev/null); then
        echo "note: no compiled kernel: $reason ($venv/bin/neuro-lif doctor says how to mend it)"
    fi
fi
