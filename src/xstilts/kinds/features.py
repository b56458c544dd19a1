"""Features as a sequence over Arrow columns, which may lie in a mapped file and not in memory.

What `encode` of a kind gives as a list of dicts is given back one dict at a time, as it is asked
for, with arrays over the columns' own memory. Made and kept by store.py. A feature may hold:

    "ids", "types"           -> a list of int32 arrays, one a sequence
    other lists of integers  -> an int32 array
    arrays [n] or [n, m]     -> the same, read-only; m is the same for all features
    int, float, str          -> the same
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any, overload

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from xstilts.kinds.base import Feature

SEVERAL = ("ids", "types")  # of each sequence of a feature

Column = Callable[[int], Any]  # of a feature's number in its block


class Features(Sequence[Feature]):
    """Features in blocks of columns, or some of them: slices and choices share the memory.

    A feature is a new dict at each look, so nobody's changes are seen by others.
    """

    def __init__(
        self, blocks: Iterable[pa.RecordBatch], chosen: NDArray[np.int64] | None = None
    ) -> None:
        """`chosen`: numbers of the features in their order; without it, all of them."""
        self._blocks = [block for block in blocks if len(block)]
        self._columns = [_columns(block) for block in self._blocks]
        sizes = [0, *map(len, self._blocks)]
        self._starts: list[int] = np.cumsum(sizes).tolist()
        self._chosen = np.arange(self._starts[-1]) if chosen is None else chosen

    def __len__(self) -> int:
        return len(self._chosen)

    @overload
    def __getitem__(self, place: int) -> Feature: ...

    @overload
    def __getitem__(self, place: slice) -> Features: ...

    def __getitem__(self, place: int | slice) -> Feature | Features:
        if isinstance(place, slice):
            return Features(self._blocks, self._chosen[place])
        number = int(self._chosen[place])
        block = bisect_right(self._starts, number) - 1
        inside = number - self._starts[block]
        return {name: column(inside) for name, column in self._columns[block].items()}

    def where(self, asked: Callable[[Feature], bool]) -> Features:
        """Those for which `asked` holds."""
        kept = np.fromiter(map(asked, self), np.bool_, len(self))
        return Features(self._blocks, self._chosen[kept])


def block(features: Sequence[Feature]) -> pa.RecordBatch:
    """Some features, at least one, as columns; all have the same names."""
    names = list(features[0])
    columns = [_array(name, [feature[name] for feature in features]) for name in names]
    return pa.RecordBatch.from_arrays(columns, names)


def _array(name: str, values: list[Any]) -> pa.Array:
    """A column of one value a feature."""
    if isinstance(values[0], int | float | str):
        return pa.array(values)
    if name in SEVERAL:
        return pa.ListArray.from_arrays(_offsets(values), _lists(list(chain(*values))))
    return _lists(values)


def _lists(values: list[Any]) -> pa.ListArray:
    """A list or array of numbers each."""
    dtype = getattr(values[0], "dtype", np.int32)
    flat = np.concatenate([np.asarray(value, dtype) for value in values])
    numbers = flat.view(np.uint8) if dtype == np.bool_ else flat  # Arrow's booleans are bits
    items = pa.array(numbers.ravel())
    if flat.ndim == 2:
        items = pa.FixedSizeListArray.from_arrays(items, flat.shape[1])
    return pa.ListArray.from_arrays(_offsets(values), items)


def _offsets(values: list[Any]) -> pa.Array:
    """Where each begins, and where the last ends."""
    return pa.array(np.cumsum([0, *map(len, values)], dtype=np.int32))


def _columns(batch: pa.RecordBatch) -> dict[str, Column]:
    """How each value of a feature is read."""
    return {name: _column(batch.column(name)) for name in batch.schema.names}


def _column(array: pa.Array) -> Column:
    """One column as a function of the feature's number."""
    if not pa.types.is_list(array.type):
        if pa.types.is_string(array.type):
            return lambda i: array[i].as_py()
        numbers = array.to_numpy()
        return lambda i: numbers[i].item()
    starts, items = array.offsets.to_numpy(), array.values
    if pa.types.is_list(items.type):
        each = _column(items)
        return lambda i: [each(j) for j in range(starts[i], starts[i + 1])]
    values = _numbers(items)
    return lambda i: values[starts[i] : starts[i + 1]]


def _numbers(items: pa.Array) -> NDArray[Any]:
    """The numbers of all lists of a column, in the column's own memory."""
    if pa.types.is_fixed_size_list(items.type):
        return _numbers(items.values).reshape(-1, items.type.list_size)
    found: NDArray[Any] = items.to_numpy()
    return found.view(np.bool_) if found.dtype == np.uint8 else found
