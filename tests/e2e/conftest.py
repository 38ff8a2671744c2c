"""One deployment a session for everything but the story and the tutorial, which bring their own and come first."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from deployment import Deployment
    from viewed import Viewed

pytest.register_assert_rewrite("lender", "deployment")

#: Application -> promotion mode; each belongs to one test module.
MODES = {
    "replayed": "auto",
    "cleared": "auto",
    "edited": "auto",
    "steady": "auto",
    "approved": "approve",
    "suggested": "suggest",
    "cut_off": "auto",
    "left": "auto",
    "recurring": "auto",
    "rivals": "auto",
    "stored": "auto",
    "asked": "auto",
    "lacking": "auto",
    "mirrored": "auto",
    "viewed": "auto",
    "surveyed": "auto",
}
#: Application -> what its policy says instead of what.
EDITS = {
    "viewed": ("zoo: {versions: 0}\n", "zoo: {versions: 0}\nnotify: {to_env: ONCALL_URLS}\n"),
    "surveyed": ("labeler: {kind: stream}", "labeler: {kind: csv}\nlabelling: {budget: 60}"),
}


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    from deployment import Deployment

    made = Deployment(tmp_path_factory.mktemp("deployment"), MODES, EDITS)
    try:
        yield made.start()
    finally:
        made.stop()


@pytest.fixture(scope="session")
def viewed(deployment: Deployment) -> Viewed:
    """What people look at and are told about."""
    from viewed import Viewed

    return Viewed.play(deployment)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Two deployments at once would be measured as one."""
    items.sort(key=lambda item: "test_story" not in item.nodeid and "test_tutorial" not in item.nodeid)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What the runs of a failed test said stands in its report."""
    report = yield
    deployment = getattr(item, "funcargs", {}).get("deployment")
    if deployment is not None and report.when == "call":
        if report.failed:
            report.sections.append(("Airflow runs of this test", deployment.explain_seen()))
        deployment.seen.clear()
    return report
