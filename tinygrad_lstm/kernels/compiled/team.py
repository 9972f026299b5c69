"""Work in parts for whoever is there: compiled code that publishes work, and threads in compiled code that look for it.

A `shared` function is called for every part; the caller takes parts itself, and so waits for nobody who comes late,
only for parts that somebody has begun. What is published stands in a block of integers, the team:

======== ======================================================================================
LOCK     1 while somebody's work is published; others then do theirs alone
TICKET   the number of the work in the upper half, in the lower half how many parts are left
CODE     the address of the function for the parts
DATA     the address of its arguments
DONE     how many parts the helpers have finished
LISTENS  how many helpers look for work
CLOSED   1 once no helper is to look for any
======== ======================================================================================

Whoever takes a part has read CODE and DATA before, and exchanges the whole TICKET: it is still the one that was seen
only if nothing has been published since.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from .caching import apart, compiled, inlined, piece
from .lanes import INT, address, emitted

__all__ = ["CLOSED", "LISTENS", "WORDS", "bounds", "serve", "shared"]

LINE = 16
"""Integers in two lines of a cache, which are fetched together: words that change apart stand apart."""

LOCK, TICKET, CODE, DATA, DONE, LISTENS, CLOSED = range(0, 7 * LINE, LINE)
WORDS = 8 * LINE
PARTS = (1 << 32) - 1

VOID = ir.VoidType()
POINTER = INT.as_pointer()
ENTRY = ir.FunctionType(VOID, [INT, INT])
names = itertools.count()


def _atomic(count: int, emit_it: Callable[..., Any]) -> Any:
    """Return a function of a team, a word's place and so many numbers."""

    @emitted
    def run(context: Any, team: Any, word: Any, numbers: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            place = builder.add(arguments[0], builder.mul(arguments[1], INT(8)))
            given = [builder.extract_value(arguments[2], n) for n in range(count)]
            return emit_it(builder, builder.inttoptr(place, POINTER), *given)

        return types.intp(types.intp, types.intp, types.UniTuple(types.intp, count)), emit

    return run


def _emit_store(builder: Any, place: Any, value: Any) -> Any:
    builder.store_atomic(value, place, "release", 8)
    return value


def _emit_exchange(builder: Any, place: Any, old: Any, new: Any) -> Any:
    result = builder.cmpxchg(place, old, new, "acq_rel", "acquire")
    return builder.zext(builder.extract_value(result, 1), INT)


_load = _atomic(0, lambda builder, place: builder.load_atomic(place, "acquire", 8))
_store = _atomic(1, _emit_store)
_add = _atomic(1, lambda builder, place, value: builder.atomic_rmw("add", place, value, "acq_rel"))
_exchange = _atomic(2, _emit_exchange)
"""Put the second number in the place of the first, and tell whether that was there."""


@emitted
def _pause(context: Any) -> Any:
    """Let a moment pass, which on x86 costs the least where the instruction for it is given."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if "x86_64" in builder.module.triple:
            kind = ir.FunctionType(VOID, [])
            builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.sse2.pause"), [])
        return context.get_dummy_value()

    return types.void(), emit


@emitted
def _call(context: Any, code: Any, data: Any, n: Any) -> Any:
    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        code, *given = arguments
        builder.call(builder.inttoptr(code, ENTRY.as_pointer()), given)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp), emit


@piece
def _take(team: int) -> int:
    """Return the number of a part that nobody has taken, -1 if there is none."""
    while True:
        ticket = _load(team, TICKET, ())
        left = ticket & PARTS
        if left == 0:
            return -1
        if _exchange(team, TICKET, (ticket, ticket - 1)):
            return left - 1


@piece
def _divide(team: int, count: int, code: int, data: int) -> None:
    """Do work in parts, and return when all are done."""
    if team == 0 or count <= 1 or not _exchange(team, LOCK, (0, 1)):
        for n in range(count):
            _call(code, data, n)
        return
    _store(team, CODE, (code,))
    _store(team, DATA, (data,))
    _store(team, DONE, (0,))
    _store(team, TICKET, ((((_load(team, TICKET, ()) >> 32) + 1) << 32) + count,))
    others = count
    n = _take(team)
    while n >= 0:
        _call(code, data, n)
        others -= 1
        n = _take(team)
    while _load(team, DONE, ()) != others:
        _pause()
    _store(team, LOCK, (0,))


@compiled
def serve(words: Any, patience: int) -> None:
    """Help whoever publishes work, until there has been none for a while, so many pauses, or the team is closed."""
    team, idle = address(words), 0
    _add(team, LISTENS, (1,))
    while idle < patience and not _load(team, CLOSED, ()):
        ticket = _load(team, TICKET, ())
        left = ticket & PARTS
        code, data = _load(team, CODE, ()), _load(team, DATA, ())
        if left == 0:
            _pause()
            idle += 1
        elif _exchange(team, TICKET, (ticket, ticket - 1)):
            _call(code, data, left - 1)
            _add(team, DONE, (1,))
            idle = 0
    _add(team, LISTENS, (-1,))


def shared(part: Any) -> Any:
    """Return a function ``run(team, count, arguments)`` that calls ``part(n, *arguments)`` for every n.

    The team is an address, 0 for nobody.
    """

    @emitted
    def entry(context: Any, arguments: Any) -> Any:
        """Return the addresses of a function of (data, n) that calls the part, and of the data."""
        wanted = (types.intp, *map(types.unliteral, arguments.types))
        part.compile(wanted)
        made = part.overloads[wanted]

        def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            data = cgutils.alloca_once_value(builder, values[0])
            kind = ir.FunctionType(VOID, [INT, INT])
            function = ir.Function(builder.module, kind, builder.module.get_unique_name(f"part_{next(names)}"))
            function.linkage = "internal"
            inside = ir.IRBuilder(function.append_basic_block())
            given = inside.load(inside.inttoptr(function.args[0], data.type))
            each = [inside.extract_value(given, n) for n in range(len(arguments.types))]
            context.active_code_library.add_linking_library(made.library)
            context.call_internal_no_propagate(inside, made.fndesc, made.signature, [function.args[1], *each])
            inside.ret_void()
            addresses = [builder.ptrtoint(function, INT), builder.ptrtoint(data, INT)]
            return context.make_tuple(builder, signature.return_type, addresses)

        return types.UniTuple(types.intp, 2)(arguments), emit

    @inlined
    @apart(part.py_func.__module__, part.py_func.__qualname__)
    def run(team: int, count: int, arguments: Any) -> None:
        code, data = entry(arguments)
        _divide(team, count, code, data)

    return run


@piece
def bounds(n: int, pieces: int, count: int) -> tuple[int, int]:
    """Return from where to where the n-th piece of so many things goes."""
    return count * n // pieces, count * (n + 1) // pieces
