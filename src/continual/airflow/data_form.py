"""The form of the DAG `<application>.data`."""

from __future__ import annotations

from airflow.sdk import Param

ACTION = "look: say which rows and what rests on them, change nothing. withdraw: out of use. restore: back into use."


def data_form() -> dict[str, Param]:
    """Which rows, and what to do with them; `look` changes nothing and says what rests on them."""
    return {
        "action": Param("look", enum=["look", "withdraw", "restore"], title="Action", description=ACTION),
        "reason": Param("", type="string", title="Reason", description="Why; it is written to the ledger."),
        "window": _text("Window", "Days of event time: `2013-07-01..2013-07-29` (the end is excluded)."),
        "where": _text("Where", "Only rows of this expression, for example `plane_age <= 1`."),
        "slice": _text("Slice", "Only rows of this slice of the policy, instead of an expression."),
        "files": _text("Files", "Only rows of these delivered files (names, with commas between)."),
        "stream": Param("predictions", enum=["predictions", "labels"], title="Stream", description="Which rows."),
        "withdrawal": _text("Withdrawal", "restore: id of the withdrawal to take back."),
    }


def _text(title: str, description: str) -> Param:
    return Param(None, type=["null", "string"], title=title, description=description)
