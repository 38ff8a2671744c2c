"""Eight numbers of 64 bits at a time, by address: what the compiler does not find by itself in loops over a table.

These are instructions for numba, without bounds: only `kernel` and `planes` use them, on arrays of known size.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

WIDTH = 8
BYTES = 8 * WIDTH
_LONG = ir.IntType(64)
_VECTOR = ir.VectorType(ir.DoubleType(), WIDTH)


def _at(builder: Any, address: Any) -> Any:
    return builder.inttoptr(address, _VECTOR.as_pointer())


def _load(builder: Any, address: Any) -> Any:
    return builder.load(_at(builder, address), align=8)


def _merge(builder: Any, a: Any, b: Any, which: list[int]) -> Any:
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), which))


def _add(_context: Any, _to: Any, _what: Any) -> Any:
    """add(to, what): eight float64 at the address `to` += those at `what`."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        to, what = arguments
        builder.store(builder.fadd(_load(builder, to), _load(builder, what)), _at(builder, to), align=8)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp), generate


add: Any = intrinsic(_add)


def _transpose(builder: Any, columns: list[Any]) -> list[Any]:
    """8 x 8: by pairs, by fours, by halves."""
    pairs = [
        _merge(builder, columns[k], columns[k + 1], [i + odd for j in range(0, 8, 2) for i in (j, j + 8)])
        for k in range(0, 8, 2)
        for odd in (0, 1)
    ]
    fours = {
        (half, odd, two): _merge(builder, pairs[4 * half + odd], pairs[4 * half + 2 + odd], which)
        for half in (0, 1)
        for odd in (0, 1)
        for two, which in enumerate(([0, 1, 8, 9, 4, 5, 12, 13], [2, 3, 10, 11, 6, 7, 14, 15]))
    }
    halves = ([0, 1, 2, 3, 8, 9, 10, 11], [4, 5, 6, 7, 12, 13, 14, 15])
    return [
        _merge(builder, fours[0, row % 2, row // 2 % 2], fours[1, row % 2, row // 2 % 2], halves[row // 4])
        for row in range(8)
    ]


def _turn(factors: int) -> Callable[..., Any]:
    def turn(_context: Any, _addresses: Any, _offset: Any, _to: Any) -> Any:
        def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            addresses, offset, to = arguments
            base, columns = builder.inttoptr(addresses, _LONG.as_pointer()), []
            for k in range(WIDTH):
                each = [
                    _load(builder, builder.add(builder.load(builder.gep(base, [_LONG(factors * k + f)])), offset))
                    for f in range(factors)
                ]
                column = each[0]
                for factor in each[1:]:
                    column = builder.fmul(column, factor)
                columns.append(column)
            for i, row in enumerate(_transpose(builder, columns)):
                builder.store(row, _at(builder, builder.add(to, _LONG(BYTES * i))), align=8)
            return context.get_dummy_value()

        return types.void(types.intp, types.intp, types.intp), generate

    return turn


#: turn_two(addresses, offset, to): eight rows of eight columns, one after the other from the address `to`. A column is
#: the product of two runs of float64, whose starts are int64 at `addresses`, two for each column; `offset`: bytes.
turn_two: Any = intrinsic(_turn(2))
#: The same with four factors.
turn_four: Any = intrinsic(_turn(4))

LANES = 64
_BYTES = ir.VectorType(ir.IntType(8), LANES)
_BITS = ir.VectorType(ir.IntType(1), LANES)


def _splat(builder: Any, value: Any) -> Any:
    one = builder.insert_element(ir.Constant(_BYTES, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    nowhere = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(one, ir.Constant(_BYTES, ir.Undefined), nowhere)


def _plane(_context: Any, _address: Any, _bit: Any) -> Any:
    """plane(address, bit): bit i = whether the byte at address + i has any of the bits of `bit`, of 64 bytes."""

    def generate(_self: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        address, bit = arguments
        found = builder.load(builder.inttoptr(address, _BYTES.as_pointer()), align=1)
        kept = builder.and_(found, _splat(builder, bit))
        return builder.bitcast(builder.icmp_unsigned("!=", kept, ir.Constant(_BYTES, [0] * LANES)), _LONG)

    return types.uint64(types.intp, types.uint8), generate


plane: Any = intrinsic(_plane)


def _put_plane(_context: Any, _address: Any, _bits: Any, _bit: Any) -> Any:
    """put_plane(address, bits, bit): the byte at address + i gets the bits of `bit` where bit i is set, of 64 bytes."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        address, bits, bit = arguments
        place = builder.inttoptr(address, _BYTES.as_pointer())
        chosen = builder.sext(builder.bitcast(bits, _BITS), _BYTES)
        more = builder.and_(chosen, _splat(builder, bit))
        builder.store(builder.or_(builder.load(place, align=1), more), place, align=1)
        return context.get_dummy_value()

    return types.void(types.intp, types.uint64, types.uint8), generate


put_plane: Any = intrinsic(_put_plane)
