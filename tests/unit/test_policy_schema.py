"""The JSON Schema editors use: valid itself, accepts what the loader accepts, knows every strategy."""

from __future__ import annotations

import json
from datetime import datetime

import jsonschema
import pytest
import yaml

from continual.policy.load import parse_policy
from continual.policy.schema import policy_schema


@pytest.fixture(scope="module")
def schema():
    found = json.loads(policy_schema())
    jsonschema.Draft202012Validator.check_schema(found)
    return found


def _as_json(text):
    """YAML as an editor's JSON Schema validator sees it: instants are strings."""
    return json.loads(json.dumps(yaml.safe_load(text), default=datetime.isoformat))


def _errors(schema, text):
    return list(jsonschema.Draft202012Validator(schema).iter_errors(_as_json(text)))


def test_the_policy_that_ships_fits_the_schema(schema, flights_text):
    assert _errors(schema, flights_text) == []


def test_a_policy_with_every_field_written_out_fits_the_schema(schema, flights_text):
    dumped = parse_policy(flights_text, "flights.yaml").policy.model_dump(mode="json")
    assert list(jsonschema.Draft202012Validator(schema).iter_errors(dumped)) == []
    again = parse_policy(yaml.safe_dump(dumped), "flights.yaml")
    assert again.hash == parse_policy(flights_text, "flights.yaml").hash


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("margin: 0.02", "margn: 0.02"),
        ("kind: roc_auc", "kind: roc_acu"),
        ("kind: e_detector", "alpha: 0.05  #"),
        ("every_days: 28", "every_days: soon"),
        ("{kind: schedule, every_days: 28}", "{every_days: 28}"),
        ("{kind: label_volume, at_least: 60000}", "{kind: any_of, triggers: [{kind: schedul}]}"),
        ("lag: 36h", "lag: 36 hours"),
        ("owner: customer-care", "ownr: customer-care"),
        ("mode: auto", "mode: maybe"),
        ("seed: 0", "seed: -1"),
        ("trainers:", "trainer:"),
        ("severity: row", "severity: low"),
        ("where: plane_age <= 1", "were: plane_age <= 1"),
    ],
)
def test_editors_mark_what_the_loader_refuses(schema, flights_text, before, after):
    assert before in flights_text
    assert _errors(schema, flights_text.replace(before, after, 1)) != []


def test_triggers_nest_in_the_schema(schema, flights_text):
    inner = "{kind: any_of, triggers: [{kind: any_of, triggers: [{kind: schedule, every_days: 3}]}]}"
    assert _errors(schema, flights_text.replace("{kind: schedule, every_days: 28}", inner)) == []


def test_the_text_is_the_same_every_time():
    assert policy_schema() == policy_schema()


def test_every_field_of_the_file_itself_is_explained(schema):
    parts = [schema, *(schema["$defs"][name] for name in ("Active", "Label", "WindowPolicy", "Promotion", "SliceSpec"))]
    plain = {
        name
        for part in parts
        for name, field in part["properties"].items()
        if not field.get("description") and "$ref" not in field and "anyOf" not in field
    }
    assert plain <= {"description", "kind", "metrics", "trainers"}
