"""Numbers of a pool, a chunk of rows at a time: a pool of any size is weighed in the memory of a chunk.

What is cheap is computed again whenever it is read; what cost a model's answer is kept, in memory as long as the pool
is no larger than a chunk, else in a temporary file (`TMPDIR`), 8 bytes a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from tempfile import TemporaryFile
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

#: One number for each of the rows at hand; of which kind, its reader knows.
Values: TypeAlias = npt.NDArray[Any]
#: Rows at a time.
CHUNK = 200_000


def chunks(n: int, size: int = CHUNK) -> Iterator[slice]:
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))


class Column:
    """(n,) numbers. read: those of a slice of rows. size: rows at a time."""

    def __init__(self, n: int, read: Callable[[slice], Values], size: int = CHUNK) -> None:
        self.n, self.read, self.size = n, read, size

    def __len__(self) -> int:
        return self.n

    def chunks(self) -> Iterator[tuple[slice, Values]]:
        for part in chunks(self.n, self.size):
            yield part, self.read(part)

    def map(self, f: Callable[[Values], Values]) -> Column:
        """(n,) of f, row by row."""
        return Column(self.n, lambda part: f(self.read(part)), self.size)

    def total(self, f: Callable[[Values], Any] = np.sum) -> float:
        """Sum over the chunks of f."""
        return float(sum(f(values) for _, values in self.chunks()))

    def largest(self) -> float:
        """0 at least."""
        return max((float(values.max(initial=0)) for _, values in self.chunks()), default=0.0)

    def any(self) -> bool:
        return any(bool(values.any()) for _, values in self.chunks())

    def counts(self) -> npt.NDArray[np.int64]:
        """Rows of each whole number from 0 on."""
        out = np.zeros(0, dtype=np.int64)
        for _, values in self.chunks():
            found = np.bincount(values)
            longer, shorter = (found, out) if len(found) > len(out) else (out, found)
            longer[: len(shorter)] += shorter
            out = longer
        return out

    def array(self) -> Values:
        """All at once."""
        found = [values for _, values in self.chunks()]
        return np.concatenate(found) if found else np.zeros(0)


def column(values: Column | Values) -> Column:
    """Of what a sampler gives, all at once or a chunk at a time."""
    if isinstance(values, Column):
        return values
    known = np.asarray(values)
    return Column(len(known), lambda part: known[part])


def together(f: Callable[..., Values], first: Column, *others: Column) -> Column:
    """(n,) of f of several columns, row by row."""
    return Column(first.n, lambda part: f(first.read(part), *(c.read(part) for c in others)), first.size)


def constant(value: float, n: int) -> Column:
    return Column(n, lambda part: np.full(part.stop - part.start, value))


def kept(n: int, read: Callable[[slice], Iterable[Values]], width: int = 1, size: int = CHUNK) -> list[Column]:
    """`width` columns of what `read` gives of each slice, called once for each: memory or files hold the numbers."""
    if n <= size:
        found = [np.asarray(v) for v in read(slice(0, n))] if n else [np.zeros(0)] * width
        return [column(values) for values in found]
    files: list[Any] = [TemporaryFile() for _ in range(width)]  # noqa: SIM115  closed, and gone, with the columns
    kinds: list[Any] = [np.float64] * width
    for part in chunks(n, size):
        for i, values in enumerate(read(part)):
            kinds[i] = np.asarray(values).dtype
            files[i].write(np.ascontiguousarray(values).data)
    return [Column(n, _reader(file, kind), size) for file, kind in zip(files, kinds, strict=True)]


def _reader(file: Any, kind: Any) -> Callable[[slice], Values]:
    def read(part: slice) -> Values:
        file.flush()
        file.seek(part.start * np.dtype(kind).itemsize)
        return np.fromfile(file, dtype=kind, count=part.stop - part.start)

    return read
