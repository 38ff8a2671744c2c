"""What identifies a day of a table: the sum of a hash of each row, computed where the rows are.

A missing value adds nothing to its row, so a column that is added later changes only the days that have values in it. A
sum of hashes does not depend on the order of the rows, and a value that moves from one row to another changes it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Connection

#: Registered with SQLite, which has no hash of its own.
_SQLITE_SUM = "continual_hash_sum"


def prepare(connection: Connection) -> None:
    """Once a connection, before `sums`."""
    if connection.dialect.name == "sqlite":
        connection.connection.driver_connection.create_aggregate(_SQLITE_SUM, 1, _HashSum)  # type: ignore[union-attr]


def sums(dialect: str, columns: Mapping[str, Any]) -> list[Any]:
    """Aggregates over a day's rows. columns: name -> column, all that is read of a row.

    PostgreSQL and SQLite hash whole rows. Elsewhere each column has its count, total length and bounds, which a value
    that moves between rows, or is replaced by one as long, can leave as they are.
    """
    from sqlalchemy import func

    if dialect == "sqlite":
        return [getattr(func, _SQLITE_SUM)(_row({n: (c, func.quote(c)) for n, c in columns.items()}))]
    if dialect == "postgresql":
        return [_md5_sum(_row({name: (column, _text(column)) for name, column in columns.items()}))]
    return [part for column in columns.values() for part in _outline(column)]


def _row(columns: Mapping[str, tuple[Any, Any]]) -> Any:
    """columns: name -> column and its text. Lengths keep neighbours apart."""
    from sqlalchemy import Text, case, cast, func, literal

    whole: Any = literal("", Text)
    for name, (column, text) in sorted(columns.items()):
        length = cast(func.length(text), Text)
        shown = literal(f"{name}=", Text).concat(length).concat(literal(":", Text)).concat(cast(text, Text))
        whole = whole.concat(case((column.is_(None), literal("", Text)), else_=shown))
    return whole


def _md5_sum(row: Any) -> Any:
    """The first 60 bits of each row's MD5, added without overflow."""
    from sqlalchemy import Numeric, cast, func, literal_column

    digits = literal_column("'x'").concat(func.substr(func.md5(row), 1, 15))
    return func.sum(cast(cast(cast(digits, _bits()), _big()), Numeric))


def _bits() -> Any:
    from sqlalchemy.dialects.postgresql import BIT

    return BIT(60)


def _big() -> Any:
    from sqlalchemy import BigInteger

    return BigInteger()


def _outline(column: Any) -> list[Any]:
    from sqlalchemy import func

    written = _text(column)
    return [func.count(column), func.sum(func.length(written)), func.min(written), func.max(written)]


def _text(column: Any) -> Any:
    from sqlalchemy import Text, cast

    return cast(column, Text)


class _HashSum:
    """Sum of 64 bits of each text's BLAKE2b, modulo 2^64, in hex."""

    def __init__(self) -> None:
        self.total = 0

    def step(self, row: str) -> None:
        self.total += int.from_bytes(hashlib.blake2b(row.encode("utf-8", "replace"), digest_size=8).digest(), "big")

    def finalize(self) -> str:
        return f"{self.total % 2**64:016x}"
