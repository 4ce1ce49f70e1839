#!/usr/bin/env bash
# Build datasets/sums anew: its questions, and its base model pretrained by Axolotl. build.sh [ROOM], datasets/sums where absent.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
room="$(realpath -m "${1:-datasets/sums}")"
trainer="$(realpath -s .venv-train)/bin"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
export AXOLOTL_DO_NOT_TRACK=1 HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false CUDA_VISIBLE_DEVICES=""
export OMP_WAIT_POLICY=PASSIVE GOMP_SPINCOUNT=0 # idle threads that spin make a shared machine many times slower

"$trainer/python" "$here/sums.py" "$room" "$work/texts.jsonl"
"$trainer/python" "$here/base.py" init "$work/init"
(cd "$work" && "$trainer/axolotl" train "$here/pretrain.yaml" --launcher python)
"$trainer/python" "$here/base.py" finish "$work/trained" "$room/base"
chmod 644 "$room"/base/* # transformers leaves the weights to their owner alone
