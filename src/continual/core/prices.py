"""One currency for a policy: what a better model is worth, and what a retrain costs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Price = Annotated[float, Field(ge=0, allow_inf_nan=False)]
#: A point, where the policy does not say how large one is.
POINT = 0.01


class Prices(BaseModel):
    """Prices in one unit. The default unit is the point-day: one point of the primary metric for one day."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    unit: str = Field(
        "point-days",
        pattern=r"^[^\s|<>`]([^|<>`\n]{0,18}[^\s|<>`])?$",
        description="Name of the unit for people, such as EUR; all prices are in it.",
    )
    point: Price = Field(1.0, description="Worth of the primary metric being one point better, over `per`.")
    per: Literal["day", "1000_predictions"] = Field(
        "day", description="A point is paid for every day, or for every 1,000 predictions."
    )
    point_size: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="How much of the primary metric one point is. Empty: 0.01, and for metrics in the label's own unit "
        "(regression) 1% of the model's first error.",
    )
    retrain: Price = Field(
        20.0, description="Price of any retrain, whatever it computes: attention, review, roll-out, the risk of change."
    )
    cpu_second: Price = Field(0.0, description="Price of a CPU-second of training.")
    label: Price = Field(
        0.0, description="Price of a label that was asked for; labels that come by themselves are free."
    )
    bad_day: Price = Field(
        10.0, description="Price of a day on which a promoted version is worse; weighed by how often versions are."
    )

    def worth(self, points: float, predictions: float) -> float:
        """Of being `points` better on a day with so many predictions, in `unit`."""
        return points * self.point * (1.0 if self.per == "day" else predictions / 1000)

    def as_dict(self) -> dict[str, Any]:
        return self.model_dump(mode="json")

    def money(self, amount: float) -> str:
        """An amount for people, three digits or whole numbers."""
        return f"{amount:,.0f} {self.unit}" if abs(amount) >= 100 else f"{amount:.3g} {self.unit}"
