"""A dataset version as files for other tools: the rows, and a manifest that says what they are."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from continual.core.canonical import plain
from continual.errors import ContinualError
from continual.flows.workspace import Outcome, Workspace
from continual.stores.datasets import plain_spec

if TYPE_CHECKING:
    import pandas as pd

Format = Literal["parquet", "csv"]
MANIFEST = "manifest.json"


def export(ws: Workspace, dataset_id: str, folder: Path, form: Format = "parquet") -> Outcome:
    """Write `folder` with `rows.<form>` and `manifest.json`; the folder appears whole or not at all. The same export
    again changes nothing.

    Raises
    ------
    StoreError: no such dataset, or its file is gone or was changed. ContinualError: the folder holds something else.
    """
    found = ws.datasets.get(dataset_id)
    rows = ws.datasets.load(found.id)
    manifest: dict[str, Any] = {
        "application": ws.app,
        "dataset": found.id,
        "spec": plain_spec(found.spec),
        "rows": len(rows),
        "rows_erased": found.n_erased,
        "types": {str(name): str(kind) for name, kind in rows.dtypes.items()},
        "format": form,
    }
    folder = folder.absolute()
    if folder.exists():
        _check_same(folder, manifest)
    else:
        _write(folder, rows, manifest, form)
    said = f"dataset {found.id[:12]}: {len(rows):,} rows in {folder / f'rows.{form}'}, described in {MANIFEST}"
    return Outcome(said, {"folder": str(folder), "dataset": found.id, "rows": len(rows)})


def _write(folder: Path, rows: pd.DataFrame, manifest: dict[str, Any], form: Format) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        file = unfinished / f"rows.{form}"
        if form == "csv":
            rows.to_csv(file, index=False)
        else:
            rows.to_parquet(file, index=False)
        files = {file.name: {"bytes": file.stat().st_size, "sha256": _sha256(file)}}
        text = json.dumps(plain({**manifest, "files": files}), indent=1)
        (unfinished / MANIFEST).write_text(text + "\n", encoding="utf-8")
        unfinished.chmod(0o755)
        os.rename(unfinished, folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def _check_same(folder: Path, manifest: dict[str, Any]) -> None:
    try:
        there = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        there = {}
    files = there.pop("files", {}) if isinstance(there, dict) else {}
    whole = bool(files) and all((folder / n).is_file() and _sha256(folder / n) == f["sha256"] for n, f in files.items())
    if there != json.loads(json.dumps(plain(manifest))) or not whole:
        raise ContinualError(
            "An export is written into a new folder.",
            f"{folder} is there and holds something else.",
            "name another folder with --out, or move that one away.",
        )


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
