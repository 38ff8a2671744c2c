"""Between our tasks and Label Studio's: the labelling config, what a task shows, what an annotation says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from xml.sax.saxutils import quoteattr  # it quotes, nothing is parsed  # nosec B406

from continual.core.labelling import UNSURE, Answer, Question, Task
from continual.core.window import utc

#: Names in the labelling config, and of the fields of a task's data.
CONTROL, SHOWN, KEY = "label", "row", "record_key"


def config(question: Question) -> str:
    """Labelling config: the row as a table, and one choice or a number."""
    choices = "".join(
        f"<Choice value={quoteattr(name)} hotkey={quoteattr(str(i))}/>"
        for i, (name, _) in enumerate(question.options, start=1)
    )
    control = (
        f'<Choices name="{CONTROL}" toName="{SHOWN}" choice="single" showInline="true" required="true">'
        f"{choices}</Choices>"
        if question.options
        else f'<Number name="{CONTROL}" toName="{SHOWN}" required="true"/>'
    )
    return f'<View><Header value={quoteattr(question.text)}/>{control}<Table name="{SHOWN}" value="${SHOWN}"/></View>'


def to_studio(task: Task, question: Question, model: str) -> dict[str, Any]:
    """A task to import. Its prediction stands on rows that only train; `Task` refuses any other."""
    shown = {name: "-" if value is None else value for name, value in task.fields.items()}
    out: dict[str, Any] = {"data": {KEY: task.key, SHOWN: shown}}
    if task.guess is not None:
        out["predictions"] = [{"model_version": model, "result": [_result(task.guess, question)]}]
    return out


def _result(value: float, question: Question) -> dict[str, Any]:
    base = {"from_name": CONTROL, "to_name": SHOWN}
    if question.options:
        return {**base, "type": "choices", "value": {"choices": [question.say(value)]}}
    return {**base, "type": "number", "value": {"number": value}}


def answers_of(
    task: Mapping[str, Any], question: Question, people: Mapping[int, str]
) -> tuple[list[Answer], list[tuple[dict[str, Any], str]]]:
    """What the annotations of a task say, and those that say nothing readable with the reason. A skipped task means
    that its annotator cannot tell."""
    found, refused = [], []
    key = str(task["data"].get(KEY, ""))
    for annotation in task.get("annotations") or []:
        try:
            found.append(_answer(key, annotation, question, people))
        except ValueError as error:
            refused.append(({"record_key": key, "annotation": annotation.get("id")}, str(error)))
    return found, refused


def _answer(key: str, annotation: Mapping[str, Any], question: Question, people: Mapping[int, str]) -> Answer:
    given = UNSURE[0] if annotation.get("was_cancelled") else _given(annotation.get("result") or [])
    who = annotation.get("completed_by")
    number = int(who["id"] if isinstance(who, Mapping) else who or 0)
    when: datetime = utc(str(annotation["updated_at"]).replace("Z", "+00:00"))
    return Answer(key, people.get(number, f"user {number}"), question.read(given), when, "label_studio")


def _given(result: Sequence[Mapping[str, Any]]) -> Any:
    for part in result:
        value = part.get("value") or {}
        if part.get("from_name") == CONTROL:
            chosen = value.get("choices")
            return chosen[0] if chosen else value.get("number")
    raise ValueError("the annotation holds no label")
