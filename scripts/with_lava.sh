#!/usr/bin/env bash
# Run a command with NEURO_LIF_LAVA_PYTHON naming an interpreter that has Lava.
#
#   with_lava.sh COMMAND...
#
# The variable stays as it is if the caller set it, or if the command itself belongs to a
# Python 3.10 environment (which has Lava), or if no environment with Lava was set up.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

if [ -z "${NEURO_LIF_LAVA_PYTHON:-}" ]; then
    for venv in .venv .venv-lava; do
        # The stamp tells a finished environment from one that was left half-way.
        if [ -f "$root/$venv/deps.stamp" ] && [ -x "$root/$venv/bin/python3.10" ]; then
            case "$1" in
            "$venv"/*) ;;
            *) export NEURO_LIF_LAVA_PYTHON="$root/$venv/bin/python" ;;
            esac
            break
        fi
    done
fi
exec "$@"
