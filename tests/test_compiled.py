"""The compiled method: every width, lane and thread gives what the plain one gives; it shares work well, and ends when it should."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numba
import numpy as np
import pytest
import torch
from helpers import CHOICES, SEEDS, built, random_codes, refused, wavenet_configs
from hypothesis import given, settings
from hypothesis import strategies as st

from wavenetlike import WaveNetConfig, build_wavenet
from wavenetlike.generate import compiled, generate, graphed, kernel, stream, teacher_force
from wavenetlike.generate.compiled import Team
from wavenetlike.generate.vectors import gate, squash
from wavenetlike.models import folded


def wide_configs() -> st.SearchStrategy[WaveNetConfig]:
    """Widths around the borders of vectors, quarter strips and strips."""
    widths = st.sampled_from([1, 7, 8, 9, 15, 16, 17, 31, 33, 56, 63, 64, 65, 72, 100, 129])
    return st.builds(
        WaveNetConfig,
        levels=st.sampled_from([2, 8, 9, 64, 65, 130, 256]),
        n_blocks=st.integers(1, 2),
        n_layers=st.integers(1, 4),
        kernel_length=st.integers(1, 3),
        dilation_rate=st.integers(1, 3),
        residual_channels=widths,
        gate_channels=widths,
        skip_channels=widths,
        first_kernel_length=st.integers(1, 3),
        **CHOICES,
    )


@settings(max_examples=120)
@given(wide_configs(), SEEDS, st.integers(1, 9), st.sampled_from([1, 2]), st.booleans())
def test_every_width_lane_and_thread_gives_the_models_logits(config, seed, batch, n_threads, is_large):
    large, compiled.LARGE = compiled.LARGE, 0 if is_large else math.inf
    try:
        model = built(config, seed)
        delta, n = config.receptive_field, 12
        codes = random_codes(config.levels, batch, delta + n, seed=seed)
        with torch.no_grad():
            expected = model(codes, padded=False)
            memory, logits = compiled.start(folded(model), codes[:, :delta])
        torch.testing.assert_close(logits, expected[..., 0], rtol=0, atol=1e-4)
        if batch == 1 and not is_large:
            n_threads = 1
        for t in range(n):
            compiled.play(memory, codes[:, delta + t].numpy().copy(), n_threads=n_threads, given=True)
            torch.testing.assert_close(memory.outputs, expected[..., t + 1], rtol=0, atol=1e-4)
    finally:
        compiled.LARGE = large


@pytest.mark.parametrize("batch", [1, 2, 3, 5, 8, 11])
@pytest.mark.parametrize("top_k", [None, 3, 200])
@pytest.mark.parametrize("is_greedy", [False, True])
def test_two_threads_draw_what_one_draws_bit_for_bit(batch, top_k, is_greedy):
    model = built(WaveNetConfig(n_blocks=1, n_layers=4))
    assert model.config.multiplications >= compiled.LARGE
    past = random_codes(256, batch, model.receptive_field)
    noise = None if is_greedy else model.head.noise(700, batch, torch.Generator().manual_seed(0)).numpy()
    made, ends = [], []
    for n_threads in (1, 2, 2):
        memory, _ = compiled.start(model, past)
        codes = np.zeros(700 * batch, np.int64)
        compiled.play(memory, codes, noise, 0.9, top_k, n_threads)
        made.append(codes)
        ends.append(memory.outputs)
    assert all(np.array_equal(codes, made[0]) for codes in made)
    assert all(torch.equal(end, ends[0]) for end in ends)
    assert is_greedy or len(set(made[0].tolist())) > min(top_k or 256, 100)


def test_the_full_model_is_the_same_compiled():
    model, codes = build_wavenet(), random_codes(256, 1, 60)
    torch.testing.assert_close(
        teacher_force(model, codes, method="compiled"), teacher_force(model, codes, method="cached"), rtol=0, atol=1e-4
    )


@pytest.mark.parametrize("kind", [torch.float64, torch.bfloat16])
def test_models_of_other_precision_are_computed_in_float32(kind):
    model = built(WaveNetConfig(levels=5, n_blocks=1, n_layers=3, skip_channels=16)).to(kind)
    codes = random_codes(5, 1, 20)
    seen = teacher_force(model, codes, method="compiled")
    assert seen.dtype == torch.float32
    tolerance = 1e-4 if kind is torch.float64 else 0.1
    torch.testing.assert_close(seen, teacher_force(model, codes, method="cached").float(), rtol=0, atol=tolerance)


@numba.njit
def gated(memory, n):
    gate(memory, 2 * n, 0, n)


@numba.njit
def squashed(memory, n):
    squash(memory, n, 0, n)


@pytest.mark.parametrize("scale", [1e-6, 0.1, 1, 5, 30, 1e3, 1e30])
def test_without_gates_it_is_tanh(scale):
    n = 4096
    x = torch.randn(n, generator=torch.Generator().manual_seed(0)) * scale
    memory = np.concatenate([x.numpy(), np.zeros(n, np.float32)])
    squashed(memory, n)
    torch.testing.assert_close(torch.from_numpy(memory[n:]).double(), torch.tanh(x.double()), rtol=0, atol=3e-7)


@pytest.mark.parametrize("scale", [1e-6, 0.1, 1, 5, 30, 1e3, 1e30])
def test_gates_are_tanh_times_sigmoid(scale):
    n = 4096
    x = torch.randn(2 * n, generator=torch.Generator().manual_seed(0)) * scale
    memory = np.concatenate([x.numpy(), np.zeros(n, np.float32)])
    gated(memory, n)
    filter, sigmoid = x.double().chunk(2)
    expected = torch.tanh(filter) * torch.sigmoid(sigmoid)
    torch.testing.assert_close(torch.from_numpy(memory[2 * n :]).double(), expected, rtol=0, atol=3e-7)


@settings(max_examples=40)
@given(wavenet_configs(), SEEDS, st.integers(1, 3), st.data())
def test_every_option_draws_as_the_cached_method(config, seed, batch, data):
    model = built(config, seed)
    options = {
        "prefix": random_codes(config.levels, batch, 12, seed=seed),
        "temperature": data.draw(st.sampled_from([1e-30, 0.5, 1.0, 3.0])),
        "greedy": data.draw(st.booleans()),
        "batch": batch,
        "seed": seed,
        "top_k": data.draw(st.sampled_from([None, *range(1, config.levels + 1)])),
    }
    made = [generate(model, 60, method=method, **options).codes for method in ("cached", "compiled")]
    assert torch.equal(*made)


def test_equal_logits_are_no_trouble():
    model = built(WaveNetConfig(levels=6, n_blocks=1, n_layers=2, skip_channels=8))
    for weight in model.parameters():
        weight.data.zero_()
    for options in ({}, {"top_k": 2}, {"greedy": True}):
        made = [generate(model, 200, method=method, seed=0, **options).codes for method in ("cached", "compiled")]
        assert torch.equal(*made)
    assert len(made[0].unique()) == 1
    assert len(generate(model, 200, method="compiled", seed=0, top_k=2).codes.unique()) == 6  # equals are not left out


def test_start_takes_the_weights_as_they_are_then():
    model, codes = built(WaveNetConfig(levels=5, n_blocks=1, n_layers=2, skip_channels=8)), random_codes(5, 1, 9)
    undisturbed = generate(model, 4000, method="compiled", seed=0).codes
    blocks = stream(model, 4000, block=200, method="compiled", seed=0)
    made = [next(blocks).codes]
    with torch.no_grad():
        model.skip_head.out.bias[0] += 100
    made += [block.codes for block in blocks]
    assert torch.equal(torch.cat(made, dim=1), undisturbed)
    assert (generate(model, 400, method="compiled", seed=0).codes == 0).all()
    assert (teacher_force(model, codes, method="compiled").argmax(dim=1) == 0).all()


def test_a_million_samples_take_no_more_memory_than_a_few():
    code = """
import resource, sys, torch
from wavenetlike import WaveNet, WaveNetConfig
from wavenetlike.generate import stream
model = WaveNet(WaveNetConfig(levels=8, n_blocks=1, n_layers=3, residual_channels=8, gate_channels=8, skip_channels=8))
unit = 1 if sys.platform == "darwin" else 1024
peak, n = [], 0
for made in stream(model, 1_000_000, block=16_000, seed=0):
    n += made.codes.shape[1]
    peak.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)
print(n, peak[-1] - peak[2])
"""
    if sys.platform == "win32":
        pytest.skip("Windows has no resource module")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=True)
    n, grown = map(int, done.stdout.split())
    assert n == 1_000_000
    assert grown < 4_000_000


def test_a_team_goes_on_with_the_faster():
    for faster in (1, 2):
        team, sizes = Team(most=2), []
        for _ in range(200):
            size, n = team.next(1, 256)
            sizes.append(size)
            team.took(size, n, n * (1e-5 if size == faster else 3e-5))
        # Of every forty pieces three are trials, of one and of two; the others belong to the faster.
        assert sizes[:3] == [2, 2, 1]
        assert sizes.count(faster) == 5 * (37 + (1 if faster == 1 else 2))


def test_a_team_gives_up_what_has_become_slow():
    team = Team(most=2)
    for i in range(10):
        size, n = team.next(1, 256)
        team.took(size, n, n * (1e-3 if size == 2 and i > 5 else 1e-5 if size == 2 else 2e-5))
    assert team.size == 1


@pytest.mark.parametrize("batch", [1, 8, 5000])
def test_pieces_are_short_enough_for_an_interrupt_and_for_memory(batch):
    team = Team(most=1)
    size, n = team.next(batch, 256)
    assert size == 1
    assert 1 <= n <= 400
    assert n * batch * 256 <= max(1_000_000, batch * 256)


def test_threads_are_those_that_torch_may_use():
    assert compiled.cores() == 1  # as in all tests
    model = build_wavenet()
    memory, _ = compiled.start(model, random_codes(256, 1, model.receptive_field))
    assert memory.team.most == 1
    torch.set_num_threads(2)
    try:
        memory, _ = compiled.start(model, random_codes(256, 1, model.receptive_field))
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        assert memory.team.most == compiled.cores() == min(2, cores)
    finally:
        torch.set_num_threads(1)


@pytest.mark.parametrize("when", ["before", "after"])
def test_nobody_waits_for_an_interrupted_thread(when, monkeypatch):
    model = build_wavenet()
    memory, _ = compiled.start(model, random_codes(256, 1, model.receptive_field))
    work = kernel.play

    def interrupted(*args: object) -> None:
        me = args[8]
        if me == 0 and when == "before":
            raise KeyboardInterrupt
        work(*args)
        if me == 0:
            raise KeyboardInterrupt

    monkeypatch.setattr(kernel, "play", interrupted)
    before = threading.active_count()
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        compiled.play(memory, np.zeros(50, np.int64), n_threads=2)
    assert threading.active_count() == before
    assert time.monotonic() - begin < 20


def test_an_error_of_one_thread_is_an_error(monkeypatch):
    model = build_wavenet()
    memory, _ = compiled.start(model, random_codes(256, 1, model.receptive_field))
    work = kernel.play

    def failing(*args: object) -> None:
        if args[9] == 1:
            raise MemoryError("none left")
        work(*args)

    monkeypatch.setattr(kernel, "play", failing)
    with pytest.raises(MemoryError, match="none left"):
        compiled.play(memory, np.zeros(50, np.int64), n_threads=2)


def test_what_is_kept_on_disk_is_of_this_version():
    # numba looks at kernel.py alone for changes; what it is made of besides is in the name.
    assert f"{kernel.VERSION:08x}" in kernel.play.py_func.__qualname__


FRESH = """
import torch
from wavenetlike import WaveNet, WaveNetConfig
from wavenetlike.generate import generate
torch.manual_seed(0)
model = WaveNet(WaveNetConfig(levels=5, n_blocks=1, n_layers=2, skip_channels=8))
print(generate(model, 30, method="compiled", seed=0).codes.tolist())
"""


def fresh(folder: Path, code: str = FRESH, limit: str = "") -> str:
    """What a new Python prints that keeps what it compiles in ``folder``."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder), "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", limit + code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_what_is_kept_on_disk_may_be_damaged(tmp_path):
    expected = fresh(tmp_path)
    kept = [path for path in tmp_path.rglob("*.nb*") if path.is_file()]
    assert {path.suffix for path in kept} == {".nbi", ".nbc"}
    whole = {path: path.read_bytes() for path in kept}
    for suffix, damage in ((".nbi", lambda b: b""), (".nbc", lambda b: b[: len(b) // 2])):
        for path, content in whole.items():
            path.write_bytes(damage(content) if path.suffix == suffix else content)
        assert fresh(tmp_path) == expected
    # And it is kept anew.
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nbc")}
    assert fresh(tmp_path) == expected
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nbc")} == times


@pytest.mark.skipif(sys.platform == "win32", reason="Windows limits no file sizes")
def test_without_room_to_keep_it_every_process_compiles(tmp_path):
    limit = "import resource, signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nresource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
    assert fresh(tmp_path / "full", limit=limit).startswith("[[")


def test_without_a_place_to_keep_it_every_process_compiles(monkeypatch):
    njit = numba.njit

    def nowhere(*args: object, cache: bool = False, **options: object) -> object:
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return njit(*args, **options)

    monkeypatch.setattr(numba, "njit", nowhere)

    @kernel.compiled(kernel.FLOATS, kernel.INT)
    def write(x: np.ndarray, i: int) -> None:
        x[i] = 7

    x = np.zeros(3, np.float32)
    write(x, 1)
    assert x.tolist() == [0, 7, 0]


def test_an_interrupt_while_the_compiler_is_loaded_waits_for_it(tmp_path):
    code = """
import importlib, os, signal, sys
from wavenetlike.generate import compiled
real = importlib.import_module
def interrupted(name, package=None):
    if name.startswith("wavenetlike"):
        os.kill(os.getpid(), signal.SIGINT)
    return real(name, package)
importlib.import_module = interrupted
try:
    compiled._load()
except KeyboardInterrupt:
    print("interrupted,", "wavenetlike.generate.kernel" in sys.modules)
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
"""
    if sys.platform == "win32":
        pytest.skip("Windows sends no SIGINT to itself")
    assert fresh(tmp_path, code) == "interrupted, True\n"


INTERRUPTED = """
import os, random, signal, sys, threading, time, warnings
import torch
from wavenetlike import build_wavenet
from wavenetlike.generate import compiled, generate
torch.set_num_threads(2)
model = build_wavenet()
method, n, waits = sys.argv[1], int(sys.argv[2]), [float(wait) for wait in sys.argv[3:]]
whole = generate(model, n, method=method, seed=0).codes if method == "compiled" else None
signal.signal(signal.SIGALRM, signal.default_int_handler)
for wait in waits:
    begin = time.monotonic()
    signal.setitimer(signal.ITIMER_REAL, wait)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            made = generate(model, 100 * n, method=method, seed=0).codes
        except KeyboardInterrupt:
            continue
    assert 0 < made.shape[1] < 100 * n and len(caught) == 1, (made.shape, caught)
    assert time.monotonic() - begin < wait + 10
    if whole is not None:
        m = min(n, made.shape[1])
        assert torch.equal(made[:, :m], whole[:, :m])
assert generate(model, 2, method=method, seed=0).codes.shape == (1, 2)
assert threading.active_count() == 1
print("all is well")
"""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers here")
@pytest.mark.parametrize(("method", "n"), [("naive", 20), ("cached", 100), ("compiled", 4000)])
def test_interrupts_at_any_time_neither_hang_nor_lose(method, n, tmp_path):
    waits = [str(0.05 + 0.037 * i) for i in range(12)]
    command = [sys.executable, "-c", INTERRUPTED, method, str(n), *waits]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert done.stdout == "all is well\n", done.stderr[-2000:]


def test_the_compiler_is_loaded_when_something_is_generated_and_not_before():
    code = """
import sys
from wavenetlike import build_wavenet_toy
from wavenetlike.generate import generate
model = build_wavenet_toy()
generate(model, 3, method="cached")
assert "numba" not in sys.modules
generate(model, 3, method="compiled")
assert "numba" in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], timeout=100, check=True)


@pytest.mark.parametrize("is_greedy", [False, True])
@pytest.mark.parametrize("top_k", [None, 2])
def test_the_recorded_loop_draws_as_the_others(small_model, is_greedy, top_k):
    """Played step by step here, since only a GPU can record it."""
    n, batch = 450, 2
    expected = generate(small_model, n, batch=batch, seed=0, greedy=is_greedy, top_k=top_k, method="cached").codes
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        silence = torch.full((batch, small_model.receptive_field), small_model.mu_law.silence)
        memory, _ = graphed.start(small_model, silence)
        noise = None if is_greedy else lambda m: small_model.head.noise(m, batch, generator)
        pieces = list(graphed.draw(small_model, memory, n, noise, 1.0, top_k))
    assert torch.equal(torch.cat(pieces, dim=1), expected)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("batch", [1, 16])
def test_a_gpu_draws_as_the_cpu(small_model, batch):
    expected = generate(small_model, 500, batch=batch, seed=0, method="compiled").codes
    assert torch.equal(generate(small_model.cuda(), 500, batch=batch, seed=0, method="compiled").codes, expected)


def test_without_the_compiler_the_cached_method_generates(small_model, monkeypatch):
    expected = generate(small_model, 300, seed=0).codes
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    assert torch.equal(generate(small_model, 300, seed=0).codes, expected)
    refused(lambda: generate(small_model, 3, method="compiled"), RuntimeError, "NUMBA_DISABLE_JIT")


def test_reparametrized_weights_are_those_that_count(small_model):
    torch.nn.utils.parametrizations.weight_norm(small_model.skip_head.out)
    small_model.skip_head.out.parametrizations.weight.original0.data *= 3
    codes = random_codes(5, 1, 30)
    torch.testing.assert_close(
        teacher_force(small_model, codes, method="compiled"),
        teacher_force(small_model, codes, method="naive"),
        rtol=0,
        atol=1e-4,
    )


@pytest.mark.parametrize("method", ["naive", "cached", "compiled"])
@pytest.mark.parametrize("kind", [torch.float64, torch.float16])
def test_the_default_dtype_changes_nothing(small_model, method, kind):
    expected = generate(small_model, 60, seed=0, method=method).codes
    torch.set_default_dtype(kind)
    try:
        assert torch.equal(generate(small_model, 60, seed=0, method=method).codes, expected)
    finally:
        torch.set_default_dtype(torch.float32)
