"""Families: one new file, or one installed entry point, is a new strategy; mistakes are named."""

from __future__ import annotations

import importlib
import json
import sys

import pytest
import yaml

from continual.core.family import Family
from continual.errors import DuplicateKind, PolicyError, UnknownKind
from continual.gates.base import GATES
from continual.labelers.base import LABELERS
from continual.metrics.base import METRICS
from continual.monitors.base import MONITORS
from continual.policy.load import parse_policy
from continual.policy.schema import policy_schema
from continual.samplers.base import SAMPLERS
from continual.sources.base import SOURCES
from continual.triggers.base import TRIGGERS

HEAD = "from typing import Literal\nfrom continual.core.verdict import Answer\nfrom {package}.base import *\n\n\n"
CLASS = """class Toy({base}):
    kind: Literal["toy"] = "toy"
    wobble: float = 0.5
"""
#: family -> (base class, methods of the toy, where it stands in a policy, a question, the answer with wobble = 0.25)
TOYS = {
    METRICS: (
        "Metric",
        """
    owner: str = "me"

    def estimate(self, rows, score):
        return Estimate(self.wobble, None, None, rows.n, len(rows), "toy")

    def compare(self, rows, candidate, champion):
        return Comparison.undefined(len(rows), "toy")
""",
        ("metrics", 2),
        lambda toy: toy.estimate(importlib.import_module("continual.metrics.base").Rows([], [], [], 3), []).value,
        0.25,
    ),
    SAMPLERS: (
        "Sampler",
        """
    def weigh(self, pool):
        return np.full(len(pool), self.wobble)
""",
        ("sampler",),
        lambda toy: toy.weigh([1, 2]).tolist(),
        [0.25, 0.25],
    ),
    TRIGGERS: (
        "Trigger",
        """
    def decide(self, evidence):
        return Decision(True, f"wobble {self.wobble}")
""",
        ("trigger", "triggers", 0),
        lambda toy: toy.decide(None).reason,
        "wobble 0.25",
    ),
    GATES: (
        "Gate",
        """
    def judge(self, evidence, terms):
        return Verdict(Answer.REJECT, f"wobble {self.wobble}")
""",
        ("gate",),
        lambda toy: toy.judge(None, {}).reason,
        "wobble 0.25",
    ),
    MONITORS: (
        "Monitor",
        """
    def read(self, streams):
        return MonitorReading((), (), f"wobble {self.wobble}")
""",
        ("monitor",),
        lambda toy: toy.read([]).reason,
        "wobble 0.25",
    ),
    SOURCES: (
        "Source",
        """
    def batches(self, stream, until, home):
        return [self.wobble]

    def read(self, ref):
        raise NotImplementedError
""",
        ("source",),
        lambda toy: toy.batches("labels", None, None),
        [0.25],
    ),
    LABELERS: (
        "Labeler",
        """
    asks: ClassVar[bool] = False

    def offer(self, desk, tasks):
        return f"wobble {self.wobble}"

    def fetch(self, desk):
        raise NotImplementedError
""",
        ("labeler",),
        lambda toy: toy.offer(None, []),
        "wobble 0.25",
    ),
}


def _toy(family, base=None):
    return CLASS.format(base=base or TOYS[family][0]) + TOYS[family][1]


FIELDS = {"kind": "toy", "wobble": 0.25}
every_family = pytest.mark.parametrize("family", TOYS, ids=lambda f: f.noun)


def _forget(family):
    family.__dict__.pop("_locations", None)
    for name in [n for n in sys.modules if n.startswith(f"{family.package}.toy")]:
        del sys.modules[name]


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Put a file into a family's package, as if it had been added to the folder."""
    touched = []

    def put(family, name, text):
        root = importlib.import_module(family.package)
        if str(tmp_path) not in root.__path__:
            monkeypatch.setattr(root, "__path__", [*root.__path__, str(tmp_path)])
        (tmp_path / f"{name}.py").write_text(HEAD.format(package=family.package) + text)
        importlib.invalidate_caches()
        _forget(family)
        touched.append(family)

    yield put
    for family in touched:
        _forget(family)


@pytest.fixture
def install(tmp_path, monkeypatch):
    """A distribution that importlib.metadata really discovers."""
    touched = []

    def put(family, **points):
        site = tmp_path / "site"
        info = site / "acme_strategies-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-strategies\nVersion: 1.0\n")
        lines = [f"{name} = {target}" for name, target in points.items()]
        (info / "entry_points.txt").write_text("\n".join([f"[{family.package}]", *lines]))
        toy = HEAD.format(package=family.package) + _toy(family)
        (site / "acme_toys.py").write_text(toy.replace('"toy"', '"acme"'))
        (site / "acme_broken.py").write_text("raise RuntimeError('no licence')\n")
        monkeypatch.syspath_prepend(str(site))
        _forget(family)
        touched.append(family)

    yield put
    for family in touched:
        _forget(family)
    sys.modules.pop("acme_toys", None)


def _policy_with(flights_text, path, value):
    data = yaml.safe_load(flights_text)
    place = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return yaml.safe_dump(data, sort_keys=False)


@every_family
def test_one_new_file_is_a_new_strategy_in_registry_schema_and_policy(family, write, flights_text):
    _, _, path, ask, answer = TOYS[family]
    assert "toy" not in family.kinds
    write(family, "toy", _toy(family))
    assert "toy" in family.kinds
    policy = parse_policy(_policy_with(flights_text, path, FIELDS), "flights.yaml").policy
    found = policy
    for key in path:
        found = found[key] if isinstance(key, int) else getattr(found, key)
    assert type(found) is family.get("toy")
    assert ask(found) == answer
    definition = json.loads(policy_schema())["$defs"]["Toy"]
    assert definition["properties"]["kind"]["const"] == "toy"
    assert definition["properties"]["wobble"]["default"] == 0.5
    assert "kind" in definition["required"]


@every_family
def test_new_strategys_fields_are_checked_with_a_suggestion(family, write, flights_text):
    path = TOYS[family][2]
    write(family, "toy", _toy(family))
    fields = {**FIELDS, "wobbel": 1}
    with pytest.raises(PolicyError, match=r"unknown field.*did you mean 'wobble'"):
        parse_policy(_policy_with(flights_text, path, fields), "flights.yaml")


@every_family
def test_unknown_kind_suggests_the_nearest(family):
    kind = family.kinds[0]
    with pytest.raises(UnknownKind) as caught:
        family.get(kind + "x")
    assert f"kind must name a {family.noun}" in caught.value.must
    assert f"did you mean {kind!r}?" in caught.value.remedy
    with pytest.raises(UnknownKind, match=rf"Do: Known kinds: .*{kind}"):
        family.get("zzzzzzzz")


@every_family
def test_every_strategy_is_documented_frozen_and_named_after_its_file(family):
    for kind in family.kinds:
        cls = family.get(kind)
        assert cls.__module__ == f"{family.package}.{kind}"
        assert (cls.__doc__ or "").strip(), cls
        assert cls.model_fields["kind"].default == kind
        assert cls.model_config["frozen"] is True
        assert cls.model_config["extra"] == "forbid"
        undescribed = [n for n, f in cls.model_fields.items() if n not in {"kind", "triggers"} and not f.description]
        assert undescribed == []


def test_an_entry_point_is_a_strategy(install, flights_text):
    install(TRIGGERS, acme="acme_toys:Toy")
    assert "acme" in TRIGGERS.kinds
    text = _policy_with(flights_text, ("trigger",), {"kind": "acme", "wobble": 2})
    assert parse_policy(text, "flights.yaml").policy.trigger.decide(None).reason == "wobble 2.0"
    assert "acme" in policy_schema()


def test_an_entry_point_may_name_a_module(install):
    install(TRIGGERS, acme="acme_toys")
    assert TRIGGERS.get("acme").__name__ == "Toy"


def test_duplicate_kind_names_both_and_stops_only_the_policy(install, flights_text):
    install(TRIGGERS, schedule="acme_toys:Toy")
    with pytest.raises(DuplicateKind) as caught:
        TRIGGERS.get("schedule")
    assert "'schedule' in continual.triggers.schedule and in acme_toys:Toy" in caught.value.got
    assert "rename or uninstall" in caught.value.remedy
    with pytest.raises(PolicyError, match=r"field trigger.*acme_toys:Toy"):
        parse_policy(flights_text, "flights.yaml")


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("acme_gone:Toy", "No module named 'acme_gone'"),
        ("acme_toys:Gone", "no attribute 'Gone'"),
        ("acme_broken:Toy", "no licence"),
        ("acme_toys:Decision", "is no trigger"),
        ("acme_toys:np", "no attribute 'np'"),
    ],
)
def test_a_broken_entry_point_is_an_error_of_the_policy_that_uses_it(install, flights_text, target, words):
    install(TRIGGERS, acme=target)
    with pytest.raises(UnknownKind, match=words):
        TRIGGERS.get("acme")
    with pytest.raises(PolicyError, match=f'line \d+, field trigger.kind = "acme": .*{words}'):
        parse_policy(_policy_with(flights_text, ("trigger",), {"kind": "acme"}), "flights.yaml")
    assert parse_policy(flights_text, "flights.yaml").policy.trigger.kind == "any_of"


def test_a_strategy_of_another_family_is_refused(write):
    write(TRIGGERS, "toy", _toy(TRIGGERS, "Strategy"))
    with pytest.raises(UnknownKind, match=r"exactly one trigger class.*0"):
        TRIGGERS.get("toy")


def test_two_strategies_in_one_file_are_refused(write):
    write(TRIGGERS, "toy", _toy(TRIGGERS) + "\n\nclass Second(Toy):\n    pass\n")
    with pytest.raises(UnknownKind, match=r"exactly one trigger class.*2.*toy.py"):
        TRIGGERS.get("toy")


def test_base_and_underscored_files_are_no_kinds():
    assert "base" not in SAMPLERS.kinds
    assert not [k for k in SAMPLERS.kinds if k.startswith("_")]
    assert {"uniform", "uncertainty"} <= set(SAMPLERS.kinds)


def test_strategies_are_imported_when_first_used(write):
    write(LABELERS, "toy", "raise RuntimeError('imported')\n")
    assert "toy" in LABELERS.kinds
    assert LABELERS.get("stream").__name__ == "Stream"


def test_building_accepts_an_instance_and_needs_its_package():
    built = TRIGGERS.build({"kind": "schedule", "every_days": 3})
    assert TRIGGERS.build(built) is built
    with pytest.raises(ModuleNotFoundError):
        Family("ghost", "continual.ghosts").kinds  # noqa: B018 - the property reads the package
