# Every target works in a fresh clone: it makes the virtual environment when there is none.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
# Bars and the state of sliders do not belong in a committed notebook.
EXECUTE := TQDM_DISABLE=1 $(BIN)/jupyter nbconvert --to notebook --execute --inplace \
	--ExecutePreprocessor.record_timing=False --ExecutePreprocessor.store_widget_state=False

.PHONY: help study test test-slow browser lab lint bench notebooks book results laptop claims recovery evolving positions selection clean

help:
	@echo "make study      train and compare on the shipped digits, 8 to 15 minutes on two CPU cores: results/quick/"
	@echo "make test       all tests but the slow ones"
	@echo "make test-slow  the slow ones too"
	@echo "make browser    run every notebook in JupyterLab in your Chromium, move every slider, open the book: pictures in runs/browser/"
	@echo "make lab        open JupyterLab in notebooks/"
	@echo "make lint       ruff check and ruff format --check"
	@echo "make notebooks  execute every notebook in place"
	@echo "make book       a site of the notebooks, the results and the API, to be read without a network: build/book/index.html"
	@echo "make bench      cost of every attention relative to softmax, steps and seconds of every solver: benchmarks/"
	@echo "make laptop     every attention under everything, five seeds: results/laptop/ with its report, results/laptop-digits/, README, claims (a day on two cores, hours on a GPU; goes on where it stopped)"
	@echo "make results    when VARS is sturdy, five seeds: results/vars/ (two hours; goes on)"
	@echo "make claims     hold the papers' claims against all results: results/claims.md"
	@echo "make recovery   train the unrolled networks, judge them beside ISTA and FISTA: results/recovery/ (two hours; goes on)"
	@echo "make evolving   compare evolving attention on digits and time series: results/evolving/, results/timeseries/ (minutes on a GPU, many hours on a CPU; goes on)"
	@echo "make positions  compare peripheral attention with other ways to tell of places, on digits: results/positions/ (minutes on a GPU, hours on a CPU; goes on)"
	@echo "make selection  train the candidates from which defaults were chosen: results/selection/, results/vars-search/ (two hours)"

# pip resolves against constraints.txt, so that a fresh install is small and the same tomorrow.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[notebooks,logs,dev]"
	touch $@

study: $(READY)
	$(BIN)/python -m unroll study --preset quick
	$(EXECUTE) notebooks/07_comparison.ipynb

# A process a core, of one thread each. Files of tests are handed out whole, since what they share is made once a file,
# and in their order, in which conftest.py puts the notebooks first.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

test: $(READY)
	$(PYTEST) -m "not slow"

test-slow: $(READY)
	$(PYTEST)

# Not among the tests: it takes a browser, which is the system's own and never downloaded, and minutes.
browser: $(VENV)/browser book
	$(BIN)/python -m pytest browser --capture=no

$(VENV)/browser: $(READY)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[browser]"
	touch $@

lab: $(READY)
	$(BIN)/jupyter lab --notebook-dir=notebooks

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

bench: $(READY)
	$(BIN)/python -m unroll bench --out benchmarks
	$(BIN)/python benchmarks/solvers.py
	$(BIN)/python benchmarks/peripheral.py
	$(BIN)/python -m unroll dry-run --eager --out benchmarks/first_steps.csv \
		--preset quick vars evolving positions laptop laptop-digits
	$(BIN)/python -m unroll dry-run --eager --out benchmarks/first_steps_large.csv --batch 8 --preset gpu imagenet

notebooks: $(READY)
	$(EXECUTE) notebooks/*.ipynb

# Sphinx comes on first use; from then on no network is needed.
$(BIN)/sphinx-build: $(READY)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[book]"
	touch $@

# All pages are made anew: a page that was made before would not repeat its warning.
book: $(BIN)/sphinx-build
	$(BIN)/sphinx-build --fail-on-warning --keep-going --fresh-env --quiet --doctree-dir build/doctrees --conf-dir docs . build/book
	$(BIN)/python docs/links.py build/book

results: $(READY)
	$(BIN)/python -m unroll study --preset vars --networks

# Square maps are allocated anew at every step, which huge pages make cheaper.
laptop: $(READY)
	GLIBC_TUNABLES=glibc.malloc.hugetlb=1 $(BIN)/python -m unroll study --preset laptop-digits
	GLIBC_TUNABLES=glibc.malloc.hugetlb=1 $(BIN)/python -m unroll study --preset laptop
	$(BIN)/python -m unroll readme
	$(BIN)/python -m unroll claims

claims: $(READY)
	$(BIN)/python -m unroll claims

recovery: $(READY)
	$(BIN)/python -m unroll recover

# Maps are allocated anew at every step, which huge pages make cheaper.
evolving: $(READY)
	$(BIN)/python -m unroll study --preset evolving --networks
	GLIBC_TUNABLES=glibc.malloc.hugetlb=1 $(BIN)/python -m unroll timeseries
	$(BIN)/python -m unroll timeseries --sets JapaneseVowels --out results/timeseries-padding \
		--models "transformer, padding heard" "EA-DC, padding heard" "EA-DC, published"

positions: $(READY)
	$(BIN)/python -m unroll study --preset positions --networks
	$(BIN)/python -m unroll periphery --preset positions --out results/positions/periphery.csv

selection: $(READY)
	$(BIN)/python -m unroll select recipe
	$(BIN)/python -m unroll study --preset vars-search

clean:
	rm -rf $(VENV) build dist
