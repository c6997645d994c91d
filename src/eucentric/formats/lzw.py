"""LZW as TIFF has it, decoded several times faster than by the usual libraries.

Facts of the format: TIFF 6.0, section 13, after Welch (1984), Computer 17, 8. A stream is made of codes of 9
to 12 bits, most significant bit first. Codes below 256 are bytes; 256 empties the table and 257 ends the
stream; every other code stands for a string that has been there before: the string of the code before it,
and one byte more. A code gets longer one entry before the table would need it.

Images of few electrons are made of strings of five or six bytes, so that what counts is the work for a
string, not that for a byte. Here the first eight bytes of every string are kept in its entry, and are written
at once, however many of them belong to it; the next string covers what is too much.
See docs/decisions/0036-lzw-decoder.md.
"""

from typing import Any

import numba
import numpy as np
from numba.core import types
from numba.extending import intrinsic
from numpy.typing import NDArray

_CLEAR, _END, _FIRST, _ENTRIES = 256, 257, 258, 4096
_SPARE_BYTES = 8

# All arithmetic is unsigned: a signed index would be looked at each time, whether it counts from the end.
_0, _1, _2, _3, _7, _8, _9, _12, _16, _24 = (np.uint64(n) for n in (0, 1, 2, 3, 7, 8, 9, 12, 16, 24))
_BYTE = np.uint64(255)


class LZWDecoder:
    """Decodes streams of up to a given length, one after the other; not for several threads at once."""

    def __init__(self, most: int) -> None:
        """Prepare for streams that decode to `most` bytes at most."""
        self._bytes = np.empty(most + _SPARE_BYTES, np.uint8)
        self._beginnings = np.arange(_ENTRIES, dtype=np.uint64)  # below 256 these are the bytes themselves
        self._lengths = np.ones(_ENTRIES, np.uint32)
        self._places = np.zeros(_ENTRIES, np.uint32)

    def decode(self, stream: bytes, length: int) -> NDArray[np.uint8] | None:
        """Return the `length` bytes that a stream stands for, valid until the next call.

        None where it does not stand for so many, begins as TIFF 6.0 does not allow (very old files), or is
        damaged in a way that can be noticed.
        """
        padded = np.frombuffer(stream + bytes(_SPARE_BYTES), np.uint8)
        decoded = _decode(
            padded, len(stream), self._bytes, length, self._beginnings, self._lengths, self._places
        )
        return self._bytes[:length] if decoded == length else None


@intrinsic
def _load(_context: Any, array: Any, index: Any) -> Any:
    """Return the eight bytes from an index of a uint8 array on as one number."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        load = builder.load(_pointer(context, builder, signature, arguments))
        load.align = 1
        return load

    return types.uint64(array, index), generate


@intrinsic
def _store(_context: Any, array: Any, index: Any, value: Any) -> Any:
    """Write a number as eight bytes into a uint8 array, from an index on."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        store = builder.store(arguments[2], _pointer(context, builder, signature, arguments))
        store.align = 1
        return context.get_dummy_value()

    return types.void(array, index, value), generate


def _pointer(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
    eight_bytes = context.get_value_type(types.uint64)
    return builder.bitcast(builder.gep(data, [arguments[1]]), eight_bytes.as_pointer())


@numba.njit(cache=True, nogil=True)
def _decode(
    stream: NDArray[np.uint8],
    stream_bytes: int,
    out: NDArray[np.uint8],
    out_bytes: int,
    beginnings: NDArray[np.uint64],
    lengths: NDArray[np.uint32],
    places: NDArray[np.uint32],
) -> int:
    """Fill `out`; return how many bytes there are, -1 where the stream cannot be right or goes on after them.

    An entry is a string's first eight bytes, its length, and where it lies in `out`. Both arrays of bytes
    have `_SPARE_BYTES` more than are told.
    """
    limit, end = np.uint64(stream_bytes) * _8, np.uint64(out_bytes)
    bit = position = _0
    width, next_entry, widened_at = _9, np.uint64(_FIRST), np.uint64(511)
    before = before_length = before_place = _0  # the string of the code before; without length after a clear
    started = False
    while True:
        if bit + width > limit:
            break
        byte = bit >> _3
        three = (
            np.uint64(stream[byte]) << _16 | np.uint64(stream[byte + _1]) << _8 | np.uint64(stream[byte + _2])
        )
        code = three >> (_24 - (bit & _7) - width) & ((_1 << width) - _1)
        bit += width
        if code == np.uint64(_CLEAR):
            width, next_entry, widened_at = _9, np.uint64(_FIRST), np.uint64(511)
            before_length = _0
            started = True
            continue
        if code == np.uint64(_END):
            break
        if not started or code > next_entry or next_entry >= np.uint64(_ENTRIES):
            return -1
        if before_length == _0:
            if code > _BYTE:
                return -1
        else:
            # The string before and the first byte of this one, which may be the very one that is made here.
            beginnings[next_entry] = before
            if before_length < _8:
                beginnings[next_entry] = before | (beginnings[code] & _BYTE) << (before_length << _3)
            lengths[next_entry] = before_length + _1
            places[next_entry] = before_place
            next_entry += _1
            if next_entry == widened_at and width < _12:
                width += _1
                widened_at = (_1 << width) - _1
        before, before_length, before_place = beginnings[code], np.uint64(lengths[code]), position
        if position + before_length > end:
            return -1
        _store(out, position, before)  # type: ignore[call-arg]
        # Eight at a time are right even where a string reaches into itself: it does so by eight or more.
        done = _8
        while done < before_length:
            _store(out, position + done, _load(out, np.uint64(places[code]) + done))
            done += _8
        position += before_length
    return int(position)
