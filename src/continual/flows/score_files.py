"""New files of rows -> answers of the champion, logged exactly once, then written for whoever asked.

A file is scored by one version, whatever happens meanwhile: the ledger says which before the first row is answered.
Killed anywhere, the next run gives the same answers, finds what is logged already and finishes the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from continual.core.canonical import digest
from continual.core.window import utc
from continual.errors import BatchError, ModelUnavailable, Skipped
from continual.flows.back_score import score_table
from continual.flows.champion import reconcile
from continual.flows.log_rows import log_table
from continual.flows.quarantine import set_aside
from continual.flows.score_input import InputFile, completed, input_files, parts
from continual.flows.score_output import write_answers
from continual.flows.serving_check import answers
from continual.flows.validation import check_schema
from continual.flows.workspace import Outcome, Workspace
from continual.models.registry import CHALLENGER

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from continual.policy.scoring import ScoringPolicy
    from continual.stores.entry import Entry

KIND = "scoring"
#: Called with (files done, files, what) after every file.
Progress = Callable[[int, int, str], None]


def score_files(ws: Workspace, as_of: datetime, progress: Progress | None = None) -> Outcome:
    """Score every file of `scoring.source` that was not scored yet, each by itself.

    Raises
    ------
    Skipped: the policy has no section `scoring`, nothing new lies there, or there is no champion yet. BatchError: names
    every file that was refused; the others are done. ModelUnavailable: the version does not load or answer.
    """
    as_of, rules = utc(as_of), _rules(ws)
    done = {batch.content_hash for batch in ws.batches.batches(stream=KIND, state="appended")}
    new = [file for file in input_files(rules, ws.settings.home) if file.content not in done]
    if not new:
        raise Skipped("There must be something new to score.", f"nothing new in {rules.source}.", "nothing.")
    reconcile(ws, as_of)
    said: list[str] = []
    refused: list[str] = []
    rows = 0
    for number, file in enumerate(new, start=1):
        try:
            count, sentence = _score(ws, rules, file, as_of)
            rows += count
            said.append(f"{file.name}: {sentence}")
        except BatchError as error:
            refused.append(f"{file.name}: {error.got}")
        if progress:
            progress(number, len(new), file.name)
    if refused:
        counted = f"{len(said)} files scored, {len(refused)} refused: {' | '.join(refused)}"
        remedy = "deliver them corrected, or take them away; nothing of them was answered."
        raise BatchError("Every file to be scored must be readable and have the features.", counted, remedy)
    reason = f"{rows:,} rows of {len(new)} files scored; {'; '.join(said[:3])}"
    return Outcome(reason, {"files": [file.name for file in new], "rows": rows})


def _rules(ws: Workspace) -> ScoringPolicy:
    if ws.policy.scoring is None:
        remedy = "add to the policy: scoring: {source: to-score, target: scored}"
        raise Skipped("The policy must say where rows to be scored lie.", "no section scoring.", remedy)
    return ws.policy.scoring


def _score(ws: Workspace, rules: ScoringPolicy, file: InputFile, as_of: datetime) -> tuple[int, str]:
    """Rows that were answered, and a sentence. Nothing is logged before the whole file passed, and nothing is written
    for users before it is logged."""
    from continual.stores.batches import Batch

    plan = _plan(ws, rules, file, as_of)
    folder = ws.settings.home / "scoring" / ws.app
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder, prefix=f"{file.content[:16]}-") as place:
        spill = Path(place) / "rows.parquet"
        aside = _spill(ws, rules, file, plan, spill)
        held, failed = _log(ws, file, plan, spill)
        rows = write_answers(ws, rules, file, spill, held)
    ws.batches.record(Batch(KIND, file.name, file.content, "appended", rows, aside + len(held), plan.as_of))
    for left in folder.glob(f"{file.content[:16]}-*"):  # of attempts that were killed
        rmtree(left, ignore_errors=True)
    sentence = f"{rows:,} rows by version {plan.evidence['version']}"
    sentence += f", {aside:,} quarantined" if aside else ""
    sentence += f", {len(held):,} contradict logged rows and are not answered" if held else ""
    return rows, f"{sentence}{failed}"


def _plan(ws: Workspace, rules: ScoringPolicy, file: InputFile, as_of: datetime) -> Entry:
    key = f"{KIND}:{file.content}"
    known = ws.ledger.get(key)
    if known is not None:
        return known
    reign = ws.champions.current()
    if reign is None:
        raise Skipped("There must be a champion.", f"{ws.app} has none yet.", "retrain first.")
    challenger = ws.registry.aliases().get(CHALLENGER) if rules.shadow else None
    record = {
        "file": file.name,
        "content": file.content,
        "version": reign.version,
        "challenger": challenger if challenger != reign.version else None,
    }
    reason = f"{file.name} is scored by version {reign.version}"
    return ws.ledger.append(KIND, key, as_of, reason, record, ws.loaded.hash, ws.run)


def _spill(ws: Workspace, rules: ScoringPolicy, file: InputFile, plan: Entry, spill: Path) -> int:
    """Every part checked and scored into `spill`; returns how many rows were set aside."""
    import pyarrow.parquet as pq

    from continual.stores.batches import batch_id

    batch, first, writer = batch_id(ws.app, KIND, file.content), 0, None
    bad: list[tuple[pd.DataFrame, dict[int, str]]] = []
    try:
        for part in parts(file, list(rules.text)):
            rows = _placeheld(ws, plan, completed(ws.policy, file, part, first, plan.as_of))
            first += len(rows)
            failing = _failing(ws, plan, rows)
            if failing:
                bad.append((rows.iloc[sorted(failing)], dict(enumerate(failing[i] for i in sorted(failing)))))
            good = log_table(ws.policy, "predictions", rows.drop(index=sorted(failing)), batch, plan.as_of)
            table = _answered(ws, plan, good)
            writer = writer or pq.ParquetWriter(spill, table.schema)
            writer.write_table(table)
    finally:
        if writer:
            writer.close()
    if writer is None:
        raise BatchError("A file to be scored must have rows.", "it is empty.", "take it away.")
    for rows, why in bad:
        set_aside(ws, batch, "predictions", rows, why, plan.as_of)
    return sum(len(why) for _, why in bad)


def _placeheld(ws: Workspace, plan: Entry, rows: pd.DataFrame) -> pd.DataFrame:
    """With a version and a legal answer, so that the log's own rules can look at the rows before they are scored."""
    columns = ws.policy.label.target.columns
    certain = {name: float(place == 1) for place, name in enumerate(columns)}
    return rows.assign(model_version=plan.evidence["version"], **certain)


def _failing(ws: Workspace, plan: Entry, rows: pd.DataFrame) -> dict[int, str]:
    """Rows that cannot be rows of the log, with the reason.

    Raises
    ------
    BatchError: none can.
    """
    checked = check_schema(ws.policy, "predictions", rows, plan.as_of)
    if checked.failed_batch:
        raise BatchError("Rows to be scored must fit the log.", f"{checked.reason}.", "correct the file.")
    return {row: "; ".join(why) for row, why in checked.row_failures.items()}


def _answered(ws: Workspace, plan: Entry, table: pa.Table) -> pa.Table:
    """The version's answers in the place of the placeholders, from the rows as the log will hold them."""
    import pyarrow as pa

    found = answers(ws, plan.evidence["version"], table.to_pandas())
    best = found.argmax(axis=1).astype(float) if found.ndim == 2 else found
    said = [best, *found.T] if found.ndim == 2 else [best]
    for name, values in zip(ws.policy.label.target.columns, said, strict=True):
        table = table.set_column(table.schema.get_field_index(name), table.schema.field(name), pa.array(values))
    return table


def _log(ws: Workspace, file: InputFile, plan: Entry, spill: Path) -> tuple[set[str], str]:
    """Append part by part, each once; returns keys whose logged row says otherwise, and what became of the shadow."""
    import pyarrow.parquet as pq

    held: set[str] = set()
    shadow, failed = plan.evidence["challenger"], ""
    with pq.ParquetFile(spill) as spilled:
        for number in range(spilled.num_row_groups):
            table = spilled.read_row_group(number)
            new, _, conflicts = ws.log.split_new(table)
            if new.num_rows:
                ws.log.append_predictions(new, digest([file.content, number])[:32])
            held.update(_contradicting(ws, conflicts, plan))
            if shadow and not failed:
                failed = _shadow(ws, shadow, table.to_pandas(), plan, [file.content, number, shadow])
    return held, failed


def _contradicting(ws: Workspace, rows: pa.Table, plan: Entry) -> list[str]:
    """Set aside; returns their keys."""
    if rows.num_rows:
        frame = rows.to_pandas()
        why = dict.fromkeys(range(len(frame)), "same record key, other content than the logged row")
        set_aside(ws, frame["batch_id"].iloc[0], "predictions", frame, why, plan.as_of)
    return [str(key) for key in rows.column("record_key").to_pylist()]


def _shadow(ws: Workspace, version: str, rows: pd.DataFrame, plan: Entry, commit: list[Any]) -> str:
    """The challenger's answers, for the log alone; its failure is nobody's but its own."""
    try:
        found = answers(ws, version, rows)
    except ModelUnavailable as error:
        return f"; challenger {version} failed: {error.got}"
    ws.log.append_scores(score_table(ws, version, rows, found, plan.as_of), digest(commit)[:32])
    return ""
