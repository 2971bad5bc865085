"""What the compiler is told directly, in LLVM's language: products and gates of eight numbers at once, and words between two threads.

Loops written in Python are compiled, too, but whether LLVM turns them into vector instructions depends on the processor and on its mood.
Vectors of eight floats are registers of an x86 processor with AVX, and two registers on others.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic as to_intrinsic

WIDTH = 8
"""Floats in a vector. All that vectors run over is as long as a multiple of it."""
TILE = 8
"""Vectors of sums that are held at once: half the registers of the smallest processors with AVX."""

STRIP = TILE * WIDTH
"""Outputs of a matrix whose weights lie together, those of one input side by side."""
GROUP = 4
"""Lanes that are multiplied by a weight once it is read."""
ROWS_AT_ONCE = 64
"""Rows of a strip that stay in the nearest cache while several lanes are multiplied by them."""

intrinsic: Any = to_intrinsic
"""Called with one argument less than the function has: the first is numba's own, of which its types say nothing."""

FLOAT, INT, INDEX = ir.FloatType(), ir.IntType(32), ir.IntType(64)
VECTOR = ir.VectorType(FLOAT, WIDTH)
INTS = ir.VectorType(INT, WIDTH)
FUSED = ["contract"]
"""A product and a sum may be one instruction, rounded once."""


def _data(context: Any, builder: Any, kind: Any, array: Any) -> Any:
    """The address of an array's first number."""
    return context.make_array(kind)(context, builder, array).data


def _at(builder: Any, base: Any, i: Any) -> Any:
    """The address of number ``i`` after ``base``."""
    return builder.gep(base, [INDEX(i) if isinstance(i, int) else i])


def _vector_at(builder: Any, base: Any, i: Any) -> Any:
    return builder.bitcast(_at(builder, base, i), VECTOR.as_pointer())


def _all(builder: Any, number: Any) -> Any:
    """A vector of eight times the same number."""
    none = ir.Constant(VECTOR, ir.Undefined)
    return builder.shuffle_vector(builder.insert_element(none, number, INT(0)), none, ir.Constant(INTS, [0] * WIDTH))


def _constant(number: float) -> Any:
    return ir.Constant(VECTOR, [number] * WIDTH)


def _emit_products(
    builder: Any, sums: list[Any], rows: Any, inputs: list[Any], which: Any, n: Any, stride: Any, copies: int = 1
) -> None:
    """sums[lane][v] += Σ_j row ``which[j]``, vector v · inputs[lane][j], over n rows that are ``stride`` floats apart.

    Few sums may be held in several copies, for inputs that follow each other: else each addition waits for the last.
    """
    n_vectors = len(sums) // len(inputs)
    zero = _constant(0.0)
    held = []
    for copy in range(copies):
        own = [cgutils.alloca_once(builder, VECTOR) for _ in sums]
        for slot, address in zip(own, sums, strict=True):
            builder.store(builder.load(address, align=4) if copy == 0 else zero, slot)
        held.append(own)

    def add_row(j: Any, slots: list[Any]) -> None:
        row = _at(builder, rows, builder.mul(builder.load(_at(builder, which, j)), stride))
        factors = [_all(builder, builder.load(_at(builder, lane, j))) for lane in inputs]
        for v in range(n_vectors):
            weights = builder.load(_vector_at(builder, row, WIDTH * v), align=4)
            for lane, factor in enumerate(factors):
                slot = slots[lane * n_vectors + v]
                product = builder.fmul(weights, factor, flags=FUSED)
                builder.store(builder.fadd(builder.load(slot), product, flags=FUSED), slot)

    rounds = builder.sdiv(n, INDEX(copies))
    with cgutils.for_range(builder, rounds) as loop:
        for copy, slots in enumerate(held):
            add_row(builder.add(builder.mul(loop.index, INDEX(copies)), INDEX(copy)), slots)
    done = builder.mul(rounds, INDEX(copies))
    if copies > 1:
        with cgutils.for_range(builder, builder.sub(n, done)) as loop:
            add_row(builder.add(done, loop.index), held[0])
    for i, address in enumerate(sums):
        total = builder.load(held[0][i])
        for own in held[1:]:
            total = builder.fadd(total, builder.load(own[i]))
        builder.store(total, address, align=4)


def _switch(builder: Any, value: Any, most: int, emit: Callable[[int], None]) -> None:
    """Code for each of the values 1 … most."""
    after = builder.append_basic_block()
    choice = builder.switch(value, after)
    for case in range(1, most + 1):
        block = builder.append_basic_block()
        choice.add_case(INDEX(case), block)
        builder.position_at_end(block)
        emit(case)
        builder.branch(after)
    builder.position_at_end(after)


def _function(builder: Any, name: str, args: list[Any], emit: Callable[..., None]) -> None:
    """Call a function of the compiled program with ``args``; on the first call ``emit(its builder, *its arguments)`` writes it.

    One copy, however often it is called: inlined everywhere, it would take LLVM half a minute.
    """
    kind = ir.FunctionType(ir.VoidType(), [arg.type for arg in args])
    function = cgutils.get_or_insert_function(builder.module, kind, f"wavenetlike.{name}")
    if function.is_declaration:
        function.linkage = "internal"
        function.attributes.add("noinline")
        for arg in function.args:
            if isinstance(arg.type, ir.PointerType):
                arg.add_attribute("noalias")
        inside = ir.IRBuilder(function.append_basic_block())
        emit(inside, *function.args)
        inside.ret_void()
    builder.call(function, args)


def _emit_lane(copied: bool) -> Callable[..., None]:
    """y += products of ``n`` rows of a strip with x, for one lane.

    Of several lanes each is added up in the order of its inputs, without copies, so that it does not matter which are computed together.
    """

    def emit(builder: Any, y: Any, w: Any, x: Any, which: Any, n: Any, n_vectors: Any) -> None:
        def case(width: int) -> None:
            sums = [_vector_at(builder, y, WIDTH * v) for v in range(width)]
            copies = TILE // width if copied else 1
            _emit_products(builder, sums, w, [x], which, n, INDEX(WIDTH * width), copies)

        _switch(builder, n_vectors, TILE, case)

    return emit


def _emit_groups(builder: Any, y: Any, w: Any, x: Any, which: Any, *counts: Any) -> None:
    """The same for n_groups · `GROUP` lanes: the weights of a quarter strip are read once for a group."""
    lane_size, n, n_vectors, n_groups = counts
    quarter, stride = TILE // GROUP, builder.mul(n_vectors, INDEX(WIDTH))
    n_quarters = builder.sdiv(builder.add(n_vectors, INDEX(quarter - 1)), INDEX(quarter))
    with cgutils.for_range(builder, n_groups) as group, cgutils.for_range(builder, n_quarters) as part:
        done = builder.mul(part.index, INDEX(quarter))
        first = builder.mul(done, INDEX(WIDTH))
        lanes = [
            builder.mul(builder.add(builder.mul(group.index, INDEX(GROUP)), INDEX(i)), lane_size) for i in range(GROUP)
        ]
        outputs = [_at(builder, y, builder.add(lane, first)) for lane in lanes]
        inputs = [_at(builder, x, lane) for lane in lanes]

        def case(width: int) -> None:
            sums = [_vector_at(builder, start, WIDTH * v) for start in outputs for v in range(width)]
            _emit_products(builder, sums, _at(builder, w, first), inputs, which, n, stride)

        _switch(builder, _least(builder, builder.sub(n_vectors, done), INDEX(quarter)), quarter, case)


def _emit_strips(builder: Any, y: Any, base: Any, w: Any, x: Any, which: Any, *counts: Any) -> None:
    """Strip by strip; for several lanes some rows at a time."""
    has_base, is_alone, lane_size, n_lanes, n_rows, n_out, n = counts
    strip, at_once = INDEX(STRIP), INDEX(ROWS_AT_ONCE)
    n_strips = builder.sdiv(builder.add(n_out, INDEX(STRIP - 1)), strip)
    n_pieces = builder.sdiv(builder.add(n, INDEX(ROWS_AT_ONCE - 1)), at_once)
    with cgutils.for_range(builder, n_strips) as part:
        o = builder.mul(part.index, strip)
        n_vectors = builder.sdiv(_least(builder, builder.sub(n_out, o), strip), INDEX(WIDTH))
        to, rows = _at(builder, y, o), _at(builder, w, builder.mul(o, n_rows))
        with builder.if_then(has_base), cgutils.for_range(builder, n_lanes) as lane:
            start = _at(builder, to, builder.mul(lane.index, lane_size))
            _function(builder, "copy", [start, _at(builder, base, o), builder.mul(n_vectors, INDEX(WIDTH))], _emit_copy)
        with builder.if_else(is_alone) as (one, several):
            with one:
                _function(builder, "lane", [to, rows, x, which, n, n_vectors], _emit_lane(copied=True))
            with several, cgutils.for_range(builder, n_pieces) as piece:
                row = builder.mul(piece.index, at_once)
                few, n_groups = _least(builder, builder.sub(n, row), at_once), builder.sdiv(n_lanes, INDEX(GROUP))
                of, chosen = _at(builder, x, row), _at(builder, which, row)
                groups = [to, rows, of, chosen, lane_size, few, n_vectors, n_groups]
                _function(builder, "groups", groups, _emit_groups)
                done = builder.mul(n_groups, INDEX(GROUP))
                with cgutils.for_range(builder, builder.sub(n_lanes, done)) as lane:
                    start = builder.mul(builder.add(done, lane.index), lane_size)
                    one_lane = [_at(builder, to, start), rows, _at(builder, of, start), chosen, few, n_vectors]
                    _function(builder, "lane_of_several", one_lane, _emit_lane(copied=False))


def _least(builder: Any, a: Any, b: Any) -> Any:
    return builder.select(builder.icmp_signed("<", a, b), a, b)


@intrinsic
def multiply(
    _: Any, memory: Any, y0: Any, x0: Any, lane_size: Any, n_lanes: Any, w: Any, base0: Any, w0: Any, n_rows: Any, n_out: Any,
    which: Any, j0: Any, n: Any, is_alone: Any,
) -> Any:  # fmt: skip
    """memory[y0 + o] = w[base0 + o] + Σ_{j < n} weight of row which[j0 + j] and output o · memory[x0 + j], o < n_out, for every lane.

    The matrix (n_rows → n_out) begins at w[w0], in strips of `STRIP` outputs; a lane's numbers begin ``lane_size`` after those of the lane
    before, ``is_alone`` says that there are no others. With base0 < 0 the products are added to what stands there.
    """
    whole = types.int64
    signature = types.void(memory, *[whole] * 4, w, *[whole] * 4, which, whole, whole, types.boolean)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        bases = [(0, 1), (5, 6), (5, 7), (0, 2), (10, 11)]
        places = [_at(builder, _data(context, builder, signature.args[i], args[i]), args[at]) for i, at in bases]
        has_base = builder.icmp_signed(">=", args[6], INDEX(0))
        _function(
            builder, "strips", [*places, has_base, args[13], args[3], args[4], args[8], args[9], args[12]], _emit_strips
        )
        return context.get_dummy_value()

    return signature, generate


def _emit_copy(builder: Any, y: Any, x: Any, n: Any) -> None:
    for to, of in _each_vector(builder, n, y, x):
        builder.store(builder.load(of, align=4), to, align=4)


def _emit_add(builder: Any, y: Any, x: Any, n: Any) -> None:
    for to, of in _each_vector(builder, n, y, x):
        builder.store(builder.fadd(builder.load(to, align=4), builder.load(of, align=4)), to, align=4)


def _each_vector(builder: Any, n: Any, *starts: Any) -> Iterator[tuple[Any, ...]]:
    """The body of a loop: where the vectors are of which each of ``starts`` has n/8."""
    with cgutils.for_range(builder, builder.sdiv(n, INDEX(WIDTH))) as loop:
        i = builder.mul(loop.index, INDEX(WIDTH))
        yield tuple(_vector_at(builder, start, i) for start in starts)


def _of_two(y: Any, x: Any, name: str, emit: Callable[..., None]) -> tuple[Any, Any]:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        places = [_at(builder, _data(context, builder, signature.args[i], args[i]), args[i + 1]) for i in (0, 2)]
        _function(builder, name, [*places, args[4]], emit)
        return context.get_dummy_value()

    return types.void(y, types.int64, x, types.int64, types.int64), generate


@intrinsic
def copy(_: Any, y: Any, y0: Any, x: Any, x0: Any, n: Any) -> Any:
    """y[y0 + i] = x[x0 + i], i < n, a multiple of 8."""
    return _of_two(y, x, "copy", _emit_copy)


@intrinsic
def add(_: Any, y: Any, y0: Any, x: Any, x0: Any, n: Any) -> Any:
    """y[y0 + i] += x[x0 + i], i < n, a multiple of 8."""
    return _of_two(y, x, "add", _emit_add)


def _emit_clip(builder: Any, x: Any, limit: float) -> Any:
    """x, or ±limit beyond it."""
    for within, end in ((">", -limit), ("<", limit)):
        x = builder.select(builder.fcmp_ordered(within, x, _constant(end)), x, _constant(end))
    return x


def _emit_exp(builder: Any, x: Any) -> Any:
    """e^x = 2^k · 2^f, k whole and f in [-1/2, 1/2]: 2^k by writing k where a float keeps its exponent, 2^f by its Taylor series."""
    x = _emit_clip(builder, builder.fmul(x, _constant(1 / math.log(2))), 126.0)
    # Positive, so that cutting off the fraction rounds down.
    k = builder.fptosi(builder.fadd(x, _constant(127.5)), INTS)
    f = builder.fsub(x, builder.sitofp(builder.sub(k, ir.Constant(INTS, [127] * WIDTH)), VECTOR))
    series = _constant(0.0)
    for power in range(7, -1, -1):
        term = _constant(math.log(2) ** power / math.factorial(power))
        series = builder.fadd(builder.fmul(series, f, flags=FUSED), term, flags=FUSED)
    return builder.fmul(series, builder.bitcast(builder.shl(k, ir.Constant(INTS, [23] * WIDTH)), VECTOR))


def _within(memory: Any, name: str, emit: Callable[..., None]) -> tuple[Any, Any]:
    """What reads and writes at two places of one array."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = _data(context, builder, signature.args[0], args[0])
        _function(builder, name, [_at(builder, data, args[1]), _at(builder, data, args[2]), args[3]], emit)
        return context.get_dummy_value()

    return types.void(memory, types.int64, types.int64, types.int64), generate


def _emit_gate(builder: Any, z: Any, filters: Any, n: Any) -> None:
    one = _constant(1.0)
    for to, filter, gate in _each_vector(builder, n, z, filters, _at(builder, filters, n)):
        f, g = builder.load(filter, align=4), builder.load(gate, align=4)
        # Beyond ±20 tanh is ±1 in floats.
        a = _emit_exp(builder, builder.fmul(_emit_clip(builder, f, 20.0), _constant(2.0)))
        b = _emit_exp(builder, builder.fneg(g))
        below = builder.fmul(builder.fadd(a, one), builder.fadd(one, b))
        builder.store(builder.fdiv(builder.fsub(a, one), below), to, align=4)


@intrinsic
def gate(_: Any, memory: Any, z0: Any, y0: Any, n: Any) -> Any:
    """memory[z0 + i] = tanh(memory[y0 + i]) · σ(memory[y0 + n + i]) for i < n, a multiple of 8.

    With a = e^{2y} of the filter and b = e^{-y} of the gate that is (a - 1) / ((a + 1)(1 + b)): one division for both.
    """
    return _within(memory, "gate", _emit_gate)


def _emit_squash(builder: Any, z: Any, filters: Any, n: Any) -> None:
    one = _constant(1.0)
    for to, filter in _each_vector(builder, n, z, filters):
        f = builder.load(filter, align=4)
        a = _emit_exp(builder, builder.fmul(_emit_clip(builder, f, 20.0), _constant(2.0)))
        builder.store(builder.fdiv(builder.fsub(a, one), builder.fadd(a, one)), to, align=4)


@intrinsic
def squash(_: Any, memory: Any, z0: Any, y0: Any, n: Any) -> Any:
    """memory[z0 + i] = tanh(memory[y0 + i]) for i < n, a multiple of 8: `gate` without its gate."""
    return _within(memory, "squash", _emit_squash)


@intrinsic
def told(_: Any, words: Any, i: Any) -> Any:
    """words[i], and all that the thread which wrote it had written before."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        address = _at(builder, _data(context, builder, signature.args[0], args[0]), args[1])
        return builder.load_atomic(address, "acquire", 8)

    return types.int64(words, types.int64), generate


@intrinsic
def tell(_: Any, words: Any, i: Any, word: Any) -> Any:
    """words[i] = word, for another thread, after all that was written before."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        address = _at(builder, _data(context, builder, signature.args[0], args[0]), args[1])
        builder.store_atomic(args[2], address, "release", 8)
        return context.get_dummy_value()

    return types.void(words, types.int64, types.int64), generate


@intrinsic
def give_way(_: Any) -> Any:
    """Let another thread have this core, where the system can be asked so: not on Windows, which knows no sched_yield."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if sys.platform != "win32":
            kind = ir.FunctionType(INT, [])
            builder.call(cgutils.get_or_insert_function(builder.module, kind, "sched_yield"), [])
        return context.get_dummy_value()

    return types.void(), generate
