"""What every labeler can do: ask for labels of chosen rows, or say that they come by themselves."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy.typing as npt

from continual.core.family import Family, Strategy

LABELERS = Family("labeler", "continual.labelers")


class Labeler(Strategy):
    """Backend of the label queue."""

    family: ClassVar[Family] = LABELERS

    @abstractmethod
    def request(self, keys: npt.NDArray[Any]) -> str:
        """Ask for labels of these record keys; returns one sentence saying what happens next."""
