"""Task files and answer files: CSV that spreadsheets open, whole or not at all."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from continual.core.labelling import Answer, Question, Task
from continual.core.window import utc

KEY, LABEL, ANNOTATOR, WHEN = "record_key", "label", "annotator", "answered_at"
#: Name of a task file in the folder of a desk.
TASKS = "tasks.csv"
#: Columns a task file must not take from the log, since annotators write them or they are ours.
OWN = (KEY, LABEL, ANNOTATOR, WHEN, "use", "suggestion")


@dataclass(frozen=True)
class Read:
    """What a file of answers says. refused: (row as it came, why). empty: rows that nobody has answered yet."""

    answers: list[Answer] = field(default_factory=list)
    refused: list[tuple[dict[str, Any], str]] = field(default_factory=list)
    empty: int = 0


def write_tasks(path: Path, tasks: Sequence[Task], question: Question) -> None:
    """One row a task: its key, an empty `label`, the columns people decide by. A suggestion stands on rows that only
    train."""
    path.parent.mkdir(parents=True, exist_ok=True)
    names = list(dict.fromkeys(name for task in tasks for name in task.fields))
    part = path.with_suffix(".tmp")
    with part.open("w", newline="", encoding="utf-8-sig") as file:  # the mark lets Excel read UTF-8
        writer = csv.writer(file)
        suggested = any(task.guess is not None for task in tasks)
        writer.writerow([KEY, LABEL, ANNOTATOR, *(["suggestion"] if suggested else []), *map(_column, names)])
        for task in tasks:
            hint = ["" if task.guess is None else question.say(task.guess)] if suggested else []
            shown = [_cell(task.fields.get(name)) for name in names]
            writer.writerow([_cell(task.key), "", "", *hint, *shown])
    part.replace(path)


def drop(path: Path, keys: Collection[str]) -> None:
    """Rewrite a task file without the rows of these record keys; what is filled in stays. No file: nothing."""
    if not path.exists():
        return
    part, gone = path.with_suffix(".tmp"), {*keys, *(str(_cell(key)) for key in keys)}
    with path.open(newline="", encoding="utf-8-sig") as old, part.open("w", newline="", encoding="utf-8-sig") as new:
        mark = _delimiter(old)
        rows = csv.reader(old, delimiter=mark)
        names = next(rows, [])
        at = names.index(KEY) if KEY in names else 0
        csv.writer(new, delimiter=mark).writerows([names, *(row for row in rows if not row or row[at] not in gone)])
    part.replace(path)


def _delimiter(file: TextIO) -> str:
    """Spreadsheets of half the world write semicolons."""
    start = file.read(4096).split("\n")[0]
    file.seek(0)
    return ";" if start.count(";") > start.count(",") else ","


def _column(name: str) -> str:
    return f"{name} (logged)" if name in OWN else name


def _cell(value: Any) -> Any:
    """A spreadsheet runs text that begins like a formula: it is quoted, and read back without the quote."""
    if value is None:
        return ""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r", "'") else value


def read_answers(path: Path, question: Question, now: datetime, annotator: str | None = None) -> Read:
    """Answers of a file with the columns record_key and label; annotator and answered_at by choice, other columns are
    ignored. now: later answers are refused; those without a time are of the file's last change, so that a file read
    twice says the same. annotator: whose answers they are where the file does not say.

    Raises
    ------
    ValueError: it is no CSV in UTF-8, or one of the two columns is not there.
    """
    found, empty, now = Read(), 0, utc(now)
    changed = min(now, datetime.fromtimestamp(path.stat().st_mtime, UTC))
    for number, row in _rows(path):
        if not (row.get(LABEL) or "").strip():
            empty += 1
            continue
        try:
            found.answers.append(_answer(row, question, (changed, now), annotator))
        except ValueError as error:
            found.refused.append((row, f"line {number}: {error}"))
    return Read(found.answers, found.refused, empty)


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, delimiter=_delimiter(file))
            names = reader.fieldnames or []
            missing = [name for name in (KEY, LABEL) if name not in names]
            if missing:
                there = f"but {', '.join(names)}" if names else "nothing in it"
                raise ValueError(f"no column {' and no column '.join(missing)}, {there}")
            for row in reader:
                yield reader.line_num, {str(k): v if isinstance(v, str) else "" for k, v in row.items() if k}
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"no CSV in UTF-8: {error}") from error


def _answer(row: dict[str, str], question: Question, times: tuple[datetime, datetime], annotator: str | None) -> Answer:
    key = row[KEY].strip()
    key = key[1:] if key[:1] == "'" else key
    if not key:
        raise ValueError("the record key is empty")
    who = (row.get(ANNOTATOR) or "").strip() or annotator
    if not who:
        raise ValueError("nobody says whose answer it is: fill the column annotator, or name one")
    when = _instant((row.get(WHEN) or "").strip(), *times)
    return Answer(key, who[:255], question.read(row[LABEL]), when, "csv")


def _instant(text: str, changed: datetime, now: datetime) -> datetime:
    if not text:
        return changed
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"answered_at {text!r} is no instant such as 2024-03-01T08:00Z") from None
    when = utc(when if when.tzinfo else when.replace(tzinfo=UTC))
    if when > now:
        raise ValueError(f"answered_at {text} lies in the future of {now:%Y-%m-%dT%H:%MZ}")
    return when
