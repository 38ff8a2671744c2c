"""The Open Inference Protocol, version 2, as far as a table needs it: a named tensor a column, in and out.

https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from continual.errors import BatchError

if TYPE_CHECKING:
    from continual.serving.rows import Row
    from continual.serving.service import Service


def metadata(service: Service) -> dict[str, Any]:
    kinds = service.rules.kinds
    inputs = [
        {"name": name, "datatype": "BYTES" if kinds.get(name) == "text" else "FP64", "shape": [-1]}
        for name in service.rules.required
    ]
    outputs = [{"name": name, "datatype": "FP64", "shape": [-1]} for name in service.target.columns]
    state = service.state()
    return {
        "name": service.app,
        "versions": [v for v in (state["version"], state["challenger"]) if v],
        "platform": "continual",
        "inputs": inputs,
        "outputs": outputs,
    }


def rows_of(body: dict[str, Any], max_rows: int) -> list[Row]:
    """Rows from the request's tensors.

    Raises
    ------
    BatchError: the tensors are no columns of one length, or too long.
    """
    inputs = body.get("inputs")
    if not isinstance(inputs, list) or not inputs or not all(_is_column(item) for item in inputs):
        raise _wrong("inputs must be tensors with name, datatype, shape and flat data.", str(inputs)[:100])
    lengths = {len(item["data"]) for item in inputs}
    if len(lengths) > 1 or not 1 <= min(lengths) <= max_rows:
        raise _wrong(f"All inputs must have one length, of 1 to {max_rows:,}.", f"lengths {sorted(lengths)[:5]}")
    names = [item["name"] for item in inputs]
    return [dict(zip(names, values, strict=True)) for values in zip(*(i["data"] for i in inputs), strict=True)]


def _is_column(item: Any) -> bool:
    return isinstance(item, dict) and isinstance(item.get("name"), str) and isinstance(item.get("data"), list)


def answer(service: Service, body: dict[str, Any], answers: list[Row]) -> dict[str, Any]:
    columns = {name: "FP64" for name in service.target.columns} | {"record_key": "BYTES", "model_version": "BYTES"}
    outputs = [
        {"name": name, "datatype": kind, "shape": [len(answers)], "data": [row[name] for row in answers]}
        for name, kind in columns.items()
    ]
    said = {"model_name": service.app, "model_version": answers[0]["model_version"], "outputs": outputs}
    return {**said, "id": str(body["id"])} if body.get("id") else said


def _wrong(must: str, got: str) -> BatchError:
    return BatchError(must, f"{got}.", "correct the request.")
