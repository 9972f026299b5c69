# `make demo` and `make test` need Python 3.11 or newer and nothing else: everything goes into .venv.
PYTHON ?= python3
RUN := .venv/bin/python -m
STANDIN := PYTHONPATH=tests/standin TINYGRAD_LSTM_BACKEND=cupy
SYNCED := $(if $(filter output-sync,$(.FEATURES)),--output-sync)

.PHONY: demo test test-numpy test-standin lint types doctest coverage conformance pictures docs links notebooks bench clean

demo: .venv/installed-draw  ## train on real text, draw the model, say where everything is
	$(RUN) tinygrad_lstm demo

test: .venv/installed-test  ## the whole suite, on NumPy and on a strict stand-in for CuPy
	@echo "On NumPy and on a stand-in for CuPy side by side: each is shown when it is over, after some minutes."
	$(MAKE) --jobs=2 $(SYNCED) --no-print-directory test-numpy test-standin

test-numpy: .venv/installed-test
	$(RUN) pytest

test-standin: .venv/installed-test  ## what is not the same wherever arrays live; one thread, for two runs share the cores
	OMP_NUM_THREADS=1 $(STANDIN) $(RUN) pytest -m "not once"

lint: .venv/installed-test
	$(RUN) ruff check .
	$(RUN) ruff format --check .

types: .venv/installed-test
	$(RUN) mypy

doctest: .venv/installed-test
	$(RUN) pytest --doctest-modules tinygrad_lstm
	$(STANDIN) $(RUN) pytest --doctest-modules tinygrad_lstm

coverage: .venv/installed-test
	$(RUN) coverage run -m pytest
	$(RUN) coverage report --show-missing

conformance: .venv/installed-test  ## the array API standard's own suite, of which SUITE is a clone with its submodules
	cd $(SUITE) && PYTHONPATH=$(CURDIR) ARRAY_API_TESTS_MODULE=tinygrad_lstm ARRAY_API_TESTS_VERSION=2024.12 \
		ARRAY_API_TESTS_SKIP_DTYPES=complex64,complex128 $(CURDIR)/$(RUN) pytest array_api_tests \
		--xfails-file $(CURDIR)/tests/array-api-xfails.txt --disable-extension linalg fft --disable-deadline -W ignore -q

pictures: .venv/installed-test  ## the pictures of README and docs
	$(RUN) docs.pictures

docs: .venv/installed-docs  ## the site, into build/docs: open build/docs/index.html
	$(RUN) sphinx --builder html --nitpicky --fail-on-warning --keep-going --quiet --doctree-dir build/doctrees \
		docs build/docs

links: .venv/installed-docs  ## whether the links of the site to other sites lead somewhere
	$(RUN) sphinx --builder linkcheck --quiet --doctree-dir build/doctrees docs build/links

notebooks: .venv/installed-docs  ## the lessons for those who teach, into build/notebooks
	$(RUN) docs.notebooks

bench: .venv/installed-test .venv/installed-peers  ## ours against PyTorch, in turn
	$(RUN) tinygrad_lstm bench

.venv/installed-%: pyproject.toml
	$(PYTHON) -m venv .venv
	$(RUN) pip install --quiet --disable-pip-version-check --editable '.[$*]'
	touch $@

clean:
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
