"""The Python twin of the command line: what the evaluation store knows, as DataFrames.

>>> from continual.api import Application
>>> Application("flights").metrics("28d", slices=["overall", "new_aircraft"])  # doctest: +SKIP
"""

from continual.api.application import Application

__all__ = ["Application"]
