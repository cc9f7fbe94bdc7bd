# `make demo` and `make test` are all a newcomer needs: both make .venv and install what they use.
.POSIX:
.PHONY: help demo test check nojit bounds variants test-arm arm-gate kernels fuzz reference runtimes browser examples clean

PYTHON = python3
PYTHON311 = python3.11
BIN = .venv/bin
PYTEST = $(BIN)/python -m pytest
NUMERIC = tests/kernels tests/learning tests/engine

help:
	@echo 'make demo    sentences find 20,000 pictures; a page shows them'
	@echo 'make test    all tests, kernels compiled, warnings are errors'
	@echo 'make check   lint, format, types, floors'
	@echo 'make nojit   all tests, NumPy twins in place of compiled kernels'
	@echo 'make bounds  kernels, learning and engine, compiled from nothing, array bounds checked'
	@echo 'make variants  kernels against their twins, compiled for other x86-64 processors'
	@echo 'make test-arm  the same on Raspberry Pi 4 and 5 under emulation, and 32 bits without Numba'
	@echo 'make arm-gate  instructions a query executes on ARM, against those expected'
	@echo 'make kernels micro-benchmarks, one for each stage of a query and kernel of a build'
	@echo 'make fuzz    ten minutes of hostile device files'
	@echo 'make reference  the TFLite Searcher itself beside ours; needs Python 3.11'
	@echo 'make runtimes  embedders on every runtime and Python that is here'
	@echo 'make browser the search page in headless Chromium, which must be there with its driver'
	@echo 'make examples the training of two towers, very small; installs TensorFlow beside'
	@echo 'make clean   remove .venv and everything else that was made here'

demo: .venv/installed
	$(BIN)/scannlite demo

test: .venv/installed
	$(PYTEST)

check: .venv/checkers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(PYTEST) -q tests/test_floors.py tests/test_exports.py

nojit: .venv/installed
	SCANNLITE_NUMBA=0 $(PYTEST)

bounds: .venv/installed
	rm -rf .venv/bounds-cache
	NUMBA_BOUNDSCHECK=1 NUMBA_CACHE_DIR=.venv/bounds-cache $(PYTEST) $$(ls -d $(NUMERIC) 2>/dev/null)

variants: .venv/installed
	.ci/variants

test-arm: .venv/installed
	.ci/arm

arm-gate: .venv/installed
	$(BIN)/python -m bench.arm.gate --check

kernels: .venv/benchers
	$(PYTEST) bench/kernels --benchmark-only --benchmark-quiet -q

fuzz: .venv/fuzzers
	mkdir -p .fuzz
	$(BIN)/python -m tests.fuzz.device_files -max_total_time=600 -timeout=20 \
		-rss_limit_mb=4096 -max_len=65536 -artifact_prefix=.fuzz/ .fuzz

reference: .venv/installed .venv-reference/installed
	SCANNLITE_REFERENCE_PYTHON=.venv-reference/bin/python $(PYTEST) tests/reference

runtimes:
	.ci/runtimes

browser: .venv/browsers
	$(PYTEST) tests/web/test_page.py

examples: .venv-tensorflow/installed
	.venv-tensorflow/bin/python -m pytest tests/examples

clean:
	rm -rf .arm .venv .venv-scann .venv-reference .venv-runtimes .venv-tensorflow .fuzz .pytest_cache .ruff_cache .mypy_cache .hypothesis scannlite-demo
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A newer pip first: dependency groups need pip 25.1.
.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[demo,text,audio,web]' --group test
	touch $@

.venv/checkers: .venv/installed
	$(BIN)/python -m pip install --quiet --group check
	touch $@

.venv/browsers: .venv/installed
	$(BIN)/python -m pip install --quiet --group browser
	touch $@

.venv/fuzzers: .venv/installed
	$(BIN)/python -m pip install --quiet atheris
	touch $@

.venv/benchers: .venv/installed
	$(BIN)/python -m pip install --quiet 'pytest-benchmark>=4'
	touch $@

# The last tflite-support: no wheel for a later Python, and built for the NumPy of its days.
.venv-reference/installed:
	$(PYTHON311) -m venv .venv-reference
	.venv-reference/bin/python -m pip install --quiet 'tflite-support==0.4.4' 'numpy<2'
	touch $@

# What trains the models that ship; nothing else needs it.
.venv-tensorflow/installed: pyproject.toml examples/dual_encoder/requirements.txt
	$(PYTHON) -m venv .venv-tensorflow
	.venv-tensorflow/bin/python -m pip install --quiet --upgrade pip
	.venv-tensorflow/bin/python -m pip install --quiet --editable '.[tflite,vision]' --group test \
		-r examples/dual_encoder/requirements.txt
	touch $@
