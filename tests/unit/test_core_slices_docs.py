"""Every snippet of docs/how-to/slices.md is what the code takes."""

from __future__ import annotations

import re

import pytest
import yaml

from continual.core.projection import Projection
from continual.core.slices import SliceSpec
from continual.policy.consistency import problems
from continual.policy.load import parse_policy
from continual.policy.models import Policy


class WithProjections(Policy):
    projections: dict[str, Projection]


@pytest.fixture(scope="module")
def page(repository):
    return (repository / "docs" / "how-to" / "slices.md").read_text(encoding="utf-8")


def _snippets(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page, flags=re.DOTALL)


def test_every_yaml_snippet_is_a_policy_of_the_flights(page, flights_text):
    base = parse_policy(flights_text, "configs/flights.yaml").policy.model_dump()
    snippets = [yaml.safe_load(text) for text in _snippets(page, "yaml")]
    assert len(snippets) == 4
    parents = [s.model_dump() for s in (SliceSpec(by="carrier"), SliceSpec(by="origin"))]
    for snippet in snippets:
        assert set(snippet) <= {"slices", "projections"}
        known = {str(s.get("by")) for s in snippet["slices"]}
        slices = [*snippet["slices"], *(p for p in parents if p["by"] not in known)]
        edited = base | {"projections": snippet.get("projections", {}), "slices": slices}
        assert problems(WithProjections.model_validate(edited)) == []


def test_the_python_snippet_calls_what_exists(page):
    (text,) = _snippets(page, "python")
    compile(text, "slices.md", "exec")
    import continual.core.discovery as module

    assert hasattr(module, "discover")
    fields = set(re.findall(r"found\[0\]\.(\w+)", text))
    assert fields <= set(module.WeakSlice.__dataclass_fields__) | {"yaml", "name"}
    assert "confirmed" in fields


def test_the_names_on_the_page_are_those_of_the_code(page):
    import pandas as pd

    from continual.core.slices import resolve

    frame = pd.DataFrame({"carrier": ["UA", None], "origin": ["JFK", "EWR"], "distance": [1.0, 1500.0]})
    specs = [
        SliceSpec(by="carrier"), SliceSpec(by="distance", bins=(500, 1500)), SliceSpec(cross=("origin", "carrier")),
    ]  # fmt: skip
    for item in resolve(specs, frame)[1:]:
        assert f"`{item.name}`" in page


def test_no_number_is_missing(page):
    assert "MEASURED_TABLE" not in page
    assert page.count("% [") >= 5
