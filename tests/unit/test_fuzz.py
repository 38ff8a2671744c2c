"""Whatever strangers write - policies, predicates, names, keys, text on pages - ends in a value or in a sentence."""

from __future__ import annotations

from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from continual.core import expression
from continual.errors import ContinualError, PolicyError, SliceError, StoreError
from continual.flows.publish import report_page
from continual.policy.load import parse_policy
from continual.stores.database import Database, open_database
from continual.stores.entry import clean_text
from continual.stores.ledger import Ledger
from continual.stores.names import checked_app

POLICY = (Path(__file__).parents[2] / "configs" / "flights.yaml").read_text(encoding="utf-8").splitlines()
AT = datetime(2026, 1, 1, tzinfo=UTC)
#: The same examples at every run: what is found is found here, not on somebody else's change.
FEW = settings(max_examples=40, deadline=None, derandomize=True, database=None)
#: Pieces that mean something to YAML, SQL, HTML, shells, paths or format strings, and any text at all.
PIECES = st.sampled_from(
    ["'", '"', "--", ";", "/*", "*/", "\\", "\x00", "{{", "}}", "{0}", "%s", "<script>", "&amp;", "../", "${HOME}",
     "`id`", "\u2028", "\ud800", "NULL", "OR 1=1", "!!python/object/apply:os.system", "&a", "*a", "- ", ": ", "\t",
     "\n", "1e999", "-1", ".nan", "[", "]", "{", "}", "(", ")", "IN", "AND", "a", "s", "=", "<", "0x", "é", "🂡"]
)  # fmt: skip
TEXT = st.lists(PIECES | st.text(max_size=8), max_size=12).map("".join)


@FEW
@given(TEXT, st.lists(PIECES, max_size=10).map(" ".join))
def test_s61_any_predicate_is_a_condition_or_a_refusal(text: str, words: str) -> None:
    frame = {"a": [1.0, 2.0, None], "s": ["x", "y", None]}
    for predicate in (text, words, f"a = 1 AND {words}", f"s = '{text}'"):
        try:
            inside = expression.mask(predicate, frame, 3)
        except SliceError as refusal:
            said = str(refusal)
        else:
            said = ""
            assert inside.dtype == bool
            assert inside.shape == (3,)
        assert len(said) < 1000


@FEW
@given(st.integers(0, len(POLICY) - 1), TEXT, st.sampled_from(["whole", "value", "insert", "twice", "cut"]))
def test_s61_any_edit_of_a_policy_is_a_policy_or_a_sentence_with_a_line(at: int, text: str, how: str) -> None:
    lines = list(POLICY)
    key = lines[at].partition(":")[0]
    lines[at : at + 1] = {
        "whole": [text], "value": [f"{key}: {text}"], "insert": [text, lines[at]], "twice": [lines[at]] * 2, "cut": [],
    }[how]  # fmt: skip
    try:
        said = parse_policy("\n".join(lines), "configs/flights.yaml").policy.application
    except PolicyError as refusal:
        said = refusal.got
    assert said == "flights" or "line" in said


@FEW
@given(TEXT)
def test_s61_an_applications_name_is_a_plain_word_or_refused(name: str) -> None:
    try:
        checked_app(name)
    except ContinualError:
        return
    assert name.isascii()
    assert all(letter.isalnum() or letter in "_-." for letter in name)
    assert ".." not in name


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Database:
    database = open_database(f"sqlite:///{tmp_path_factory.mktemp('fuzz')}/store.db")
    database.upgrade()
    return database


@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(TEXT, TEXT)
def test_s61_text_in_the_store_is_only_ever_a_value(db: Database, key: str, reason: str) -> None:
    """Keys and reasons are bound, never pasted: what went in comes out, and no other row is found by it."""
    ledger = Ledger(db, "flights")
    before = ledger.verify()
    known = ledger.get(key)
    entry = ledger.append("trigger", key, AT, reason, {reason: key}, "p")
    assert ledger.get(key) == entry
    assert ledger.verify() == before + (known is None)
    assert ledger.last(clean_text(reason) or "x") is None
    assert db.revision() is not None


class _Seen(HTMLParser):
    """Tags, and attributes as a browser would read them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: dict[str, str] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update({name: value or "" for name, value in attrs})


HOSTILE = st.sampled_from(
    ["<script>alert(1)</script>", "</title><img src=x onerror=alert(1)>", "[a](javascript:alert(1))", "<svg/onload=a>",
     "![a](data:text/html,b)", "| a | b |\n|---|---|\n| <b>c</b> | d |", "<a href='javascript:a'>", "`<i>`", "&lt;u>"]
)  # fmt: skip


@FEW
@given(TEXT | HOSTILE, st.lists(TEXT | HOSTILE, max_size=4).map("\n\n".join))
def test_s61_a_gate_report_runs_nothing_whatever_slices_are_called(title: str, report: str) -> None:
    seen = _Seen(report_page(title, report, None))
    assert not seen.tags & {"script", "svg", "iframe", "object", "embed", "form", "base", "link", "i", "b", "u"}
    assert not [name for name in seen.attributes if name.startswith("on")]
    assert not [v for v in seen.attributes.values() if v.strip().lower().startswith(("javascript:", "data:", "vbs"))]


def test_s61_a_connection_string_is_never_shown_with_its_password() -> None:
    with pytest.raises(StoreError) as caught:
        open_database("mysql://somebody:secret@host/name")
    assert "secret" not in str(caught.value)
