# make lab     opens the notebooks in JupyterLab
# make test    checks everything that needs no browser: style, types, units and properties, notebooks
# make test-browser   runs notebooks and explorers in JupyterLab; needs Chromium or Chrome, leaves screenshots/
# make test-tpu   trains on torch_xla's own CPU device, as on a TPU, in an environment of its own; Linux, 7 GB
# make dash    serves the explorers alone, for a lecture screen
# make notebooks   runs the notebooks anew, without a network, and stores what they print
# make exercises   makes the student versions of the exercises anew, of the solved ones
# make handouts   makes slides of the notebooks and a sheet of formulas, to open without a network, in build/handouts
# make docs   makes the documentation, to open without a network, in build/docs
# make choices   trains thirty variants of a small model, and writes what each choice does into docs/architecture.md; half an hour of one core
# make minutes   runs the notebooks once and writes how long each section takes; when nothing else runs
# make bench-data   measures how fast training examples come, and in how much memory; 2 GB of disk, some two minutes
# make bench-train   measures a training step, beside a textbook's, and in two processes; some six minutes
# make bench-generate   measures how fast sound is made, beside a textbook's queues; some two minutes
# make bench-others   measures the same beside another library, which it installs first; a minute
# make bench-widgets   measures how fast explorers follow a key, in JupyterLab; needs Chromium or Chrome
# make bench-classroom   starts thirty kernels at once on a server and weighs them; Linux, 24 GB of memory, some ten minutes
# Each sets up .venv first, where that has not been done since pyproject.toml changed.

PYTHON ?= python3
BIN := .venv/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
# Only in a container is one root, and there JupyterLab wants to be told.
AS_ROOT := $(if $(filter 0,$(shell id -u 2>/dev/null)),--allow-root)

.PHONY: lab dash test test-browser test-tpu notebooks exercises handouts docs choices minutes bench-data bench-train bench-generate bench-others bench-widgets bench-classroom

lab: .venv/lab
	$(BIN)/jupyter lab notebooks $(AS_ROOT)

dash: .venv/dash
	cd notebooks/dashboards && JUPYTER_PATH=. $(abspath $(BIN))/voila .

test: .venv/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests --ignore=tests/browser --numprocesses 2 --dist loadfile --no-loadscope-reorder --durations 25
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --nbval notebooks --ignore=notebooks/exercises/release --ignore=notebooks/dashboards --numprocesses 2 --dist loadfile

test-browser: .venv/test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/browser --numprocesses 2 --dist loadgroup --durations 15

test-tpu: .venv-tpu/ready
	PYTHONPATH=. .venv-tpu/bin/python -m pytest --override-ini addopts=-ra tests/test_devices.py -k xla

notebooks: .venv/test
	PYTHONPATH=tests/offline WAVENETLIKE_CACHE=$$(mktemp -d) $(BIN)/jupyter nbconvert --to notebook --execute --inplace --ExecutePreprocessor.record_timing=False --ExecutePreprocessor.store_widget_state=False notebooks/*.ipynb notebooks/exercises/source/*/*.ipynb

exercises: .venv/test
	$(BIN)/python scripts/release_exercises.py

handouts: .venv/handouts
	$(BIN)/python scripts/handouts.py

docs: .venv/docs
	$(BIN)/python scripts/documentation.py

choices: .venv/test
	$(BIN)/python scripts/choices.py

minutes: .venv/test
	$(BIN)/python scripts/minutes.py

bench-data: .venv/test
	$(BIN)/python benchmarks/data.py

bench-train: .venv/test
	$(BIN)/python benchmarks/train.py
	$(BIN)/python benchmarks/processes.py

bench-generate: .venv/test
	$(BIN)/python benchmarks/generate.py

bench-others: .venv/test
	$(BIN)/python -m pip install --no-deps wavenet_vocoder==0.1.1
	$(BIN)/python benchmarks/others.py

bench-widgets: .venv/test
	$(BIN)/python benchmarks/widgets.py

bench-classroom: .venv/test
	$(BIN)/python benchmarks/classroom.py

.venv/lab: pyproject.toml
	$(PYTHON) -c "import sys; sys.exit(None if sys.version_info >= (3, 11) else f'{sys.executable} is Python {sys.version.split()[0]}; wavenetlike needs 3.11 to 3.14: try make lab PYTHON=python3.12')"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --editable .
	touch $@

.venv/dash: .venv/lab
	$(BIN)/python -m pip install --editable ".[dash]"
	touch $@

.venv/handouts: .venv/lab
	$(BIN)/python -m pip install --editable ".[handouts]"
	touch $@

.venv/docs: .venv/lab
	$(BIN)/python -m pip install --editable ".[docs]"
	touch $@

.venv/test: .venv/lab
	$(BIN)/python -m pip install --editable ".[test]"
	touch $@

# torch_xla stands at 2.9 and loads beside torch 2.9 only, which is older than what pyproject.toml asks for: hence no extra.
.venv-tpu/ready: Makefile
	$(PYTHON) -m venv .venv-tpu
	.venv-tpu/bin/python -m pip install torch==2.9.0 accelerate numpy soundfile safetensors tqdm platformdirs filelock pytest hypothesis
	.venv-tpu/bin/python -m pip install --no-deps torch_xla==2.9.0
	touch $@
