#!/usr/bin/env bash
# Make the trainer's environment, or bring one that is there up to date: setup.sh [FOLDER], .venv-train where absent.
#
# Axolotl cannot be installed beside the builder, so it has an environment of its own. With an NVIDIA GPU it takes
# torch's CUDA build; without one, torch's CPU build: from a local wheel folder (UV_FIND_LINKS or PIP_FIND_LINKS) where
# that holds one, else from PyTorch's own index, else it says so and takes the CUDA build, which also trains on a CPU.
# The CPU build stands in no lock: its hash differs by where it comes from, so it is pinned by its version alone.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
venv="${1:-.venv-train}"
python="$venv/bin/python"
torch="$(sed -n 's/^torch==\([0-9.]*\).*/\1/p' "$here/requirements.in")"
links="${PIP_FIND_LINKS:-}"
export UV_FIND_LINKS="${UV_FIND_LINKS:-${links// /,}}" # pip's are separated by spaces, uv's by commas

install() { uv pip install --quiet --python "$python" --no-deps "$@"; }
say() { echo "$@" >&2; }

if [ ! -x "$python" ]; then
    say "making $venv: Axolotl and 240 packages, 3 to 6 GB, once"
    uv venv --quiet --python ">=3.11,<3.13" "$venv"
fi

installed="$("$python" -c 'import importlib.metadata as m; print(m.version("torch"))' 2> /dev/null || true)"
if [ "${installed%%+*}" != "$torch" ] && ! nvidia-smi -L > /dev/null 2>&1; then
    if install "torch==$torch+cpu" 2> /dev/null || install --torch-backend cpu "torch==$torch" 2> /dev/null; then
        installed="$torch+cpu"
    else
        say "no CPU build of torch $torch is in reach: taking the CUDA build, 2 GB more; it trains on a CPU too"
    fi
fi

case "$installed" in
    *+cpu) install --require-hashes -r "$here/requirements-cpu.txt" ;;
    # A local folder's CPU build would pass for this version, and fail its hash.
    *) UV_FIND_LINKS="" install --require-hashes -r "$here/requirements-gpu.txt" ;;
esac
