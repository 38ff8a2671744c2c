"""Every bad edit of a policy is refused with file, line, field, value and remedy (s50)."""

from __future__ import annotations

import re

import pytest

from continual.errors import PolicyError
from continual.policy.load import load_policy, parse_policy

NAME = "configs/flights.yaml"


def _problem(text, name=NAME):
    with pytest.raises(PolicyError) as caught:
        parse_policy(text, name)
    return caught.value


def test_the_policy_that_ships_is_valid(repository):
    loaded = load_policy(repository / NAME)
    assert loaded.policy.application == "flights"
    assert loaded.policy.trigger.triggers[0].every_days == 28
    assert loaded.policy.columns[-2:] == ["day_of_year", "departure_block"]
    terms = loaded.policy.metric_terms()
    assert (terms["roc_auc"].priority, terms["roc_auc"].floor, terms["brier"].higher_is_better) == (
        "primary", 0.6, False,
    )  # fmt: skip


#: what a person did -> (text before, text after, field, words of the problem, words of the remedy)
EDITS = {
    "s50_field_typo": ("owner: flight-operations\nschedule", "ownr: me\nschedule",
        "ownr", 'unknown field|= "me"', "mean 'owner'"),
    "s50_section_field_typo": ("min_rows: 5000", "min_row: 5000",
        "window.min_row", "unknown field|= 5000", "mean 'min_rows'"),
    "s50_answers_where_questions_are": ("seed: 0", "scoring: {source: a, target: a/}",
        "scoring", "another folder than source", "correct scoring"),
    "s50_section_that_may_be_left_out_typo": ("seed: 0", "scoring: {source: a, target: b, schedul: '@daily'}",
        "scoring.schedul", 'unknown field|= "@daily"', "mean 'schedule'"),
    "s50_no_cron": ("seed: 0", "scoring: {source: a, target: b, schedule: daily}",
        "scoring.schedule", "cron expression", "correct scoring.schedule"),
    "s50_strategy_field_typo": ("margin: 0.02", "margn: 0.02", "metrics.0.margn", "unknown field", "mean 'margin'"),
    "s50_nested_typo": ("every_days: 28", "every_dayz: 28",
        "trigger.triggers.0.every_dayz", "unknown", "mean 'every_days'"),
    "s50_step_typo": ("params: {max", "parms: {max", "trainers.0.steps.1.parms", "unknown field", "mean 'params'"),
    "s50_slice_typo": ("where: plane_age", "were: plane_age", "slices.0.were", "unknown field", "mean 'where'"),
    "s16_metric_typo": ("kind: roc_auc", "kind: roc_acu", "metrics.0.kind", '"roc_acu"', "did you mean 'roc_auc'"),
    "s50_sampler_typo": ("kind: uncertainty", "kind: uncertain", "sampler.kind", '"uncertain"', "mean 'uncertainty'"),
    "s50_nested_kind_typo": ("{kind: label_volume", "{kind: label_volum",
        "trigger.triggers.1.kind", "label_volum", "label_volume"),
    "s50_kind_is_a_list": ("kind: any_of", "kind: [any_of]", "trigger.kind", "any_of", "any_of"),
    "s50_kind_missing": ("{kind: schedule, every_days: 28}", "{every_days: 28}",
        "trigger.triggers.0", "with a 'kind'", "correct"),
    "s50_strategy_is_text": ("{kind: schedule, every_days: 28}", "schedule",
        "trigger.triggers.0", "mapping", "correct"),
    "s50_wrong_type": ("max_hole: 7d\n", "max_hole: [7d]\n", "window.max_hole", "such as '36h'", "correct"),
    "s50_nested_wrong_type": ("every_days: 28", "every_days: soon",
        "trigger.triggers.0.every_days", '"soon"', "correct"),
    "s50_null": ("owner: customer-care", "owner:", "metrics.1.owner", "= null", "correct"),
    "s50_not_finite": ("margin: 0.02", "margin: .nan", "metrics.0.margin", "finite", "correct"),
    "s50_endless_interval": ("every_days: 28", "every_days: .inf",
        "trigger.triggers.0.every_days", "finite", "correct"),
    "s50_outside_choices": ("mode: auto", "mode: maybe", "promotion.mode", '"maybe"|approve', "correct"),
    "s50_bad_duration": ("lag: 36h", "lag: 36 hours", "label.lag", '"36 hours"|such as', "correct label.lag"),
    "s50_no_judging_window": ("evaluation: 28d", "evaluation: 0d", "window.evaluation", "greater than 0", "correct"),
    "s50_endless_duration": ("length: 91d", "length: 999999999d", "window.length", "hundred years", "correct"),
    "s50_cron": ('"@daily"', '"@dayly"', "schedule", "cron expression", "correct schedule"),
    "s50_cron_range": ('"@daily"', '"61 * * * *"', "schedule", "cron expression", "correct schedule"),
    "s50_seed_out_of_range": ("seed: 0", "seed: 4294967296", "seed", "4294967295", "correct seed"),
    "s50_ends_before_start": ("end: 2014", "end: 2012", "active.end", "after active.start", "correct"),
    "s50_bad_application": ("application: flights", "application: Flights!",
        "application", "pattern", "correct application"),
    "s61_predicate": ("plane_age <= 1", "plane_age = (SELECT 1)",
        "slices.0.where", "Subquery is not allowed", "rewrite"),
    "s61_long_predicate": ("plane_age <= 1", "a = 1 OR " * 11_112, "slices.0.where", "100007 characters", "rewrite"),
    "s50_predicate_column": ("plane_age <= 1", "plane_ag <= 1", "slices.0.where", "'plane_ag' is neither", "correct"),
    "s50_slice_column": ("by: carrier", "by: carier", "slices.1.by", "did you mean 'carrier'", "correct"),
    "s50_slice_twice": ("by: origin", "by: carrier", "slices.2", "'by carrier' is listed 2 times", "correct"),
    "s50_unknown_parent": ("tier: critical", "parent: fleet", "slices.0.parent", "no named slice", "correct"),
    "s50_own_parent": ("tier: critical", "parent: new_aircraft", "slices.0.parent", "leads back to itself", "correct"),
    "s50_metric_twice": ("kind: log_loss", "kind: brier", "metrics.2", "'brier' is listed 2 times", "correct"),
    "s50_tag_twice": ("[departure_block]", "[departure_block, departure_block]", "tags.1", "listed 2 times", "correct"),
    "s50_reserved_tag": ("[departure_block]", "[departure_block, prediction]",
        "tags.1", "a column of the log itself", "correct"),
    "s50_reserved_feature": ("numeric: [minute_of_day", "numeric: [known_at, minute_of_day",
        "features.numeric.0", "a column of the log itself", "correct"),
    "s50_feature_twice": ("numeric: [minute", "numeric: [origin, minute", "features", "twice: ['origin']", "correct"),
    "s50_two_primaries": ("priority: guardrail", "priority: primary",
        "metrics.1.priority", "'roc_auc' already is", "correct"),
    "s50_no_primary": ("priority: primary", "priority: report", "metrics", "got none", "correct"),
    "s27_no_floor": ("    floor: 0.60", "    # no floor", "metrics.0.floor", "the first model must earn it", "correct"),
    "s50_expectation_name": ("expect_column_values_to_be_in_set: {column: origin", "column_in_set: {column: origin",
        "expectations.predictions.2", "must be one 'expect_", "correct"),
    "s50_expectation_severity": ("severity: row", "severity: low",
        "expectations.predictions.7.severity", '"low"', "correct"),
    "s50_row_severity_of_a_batch_check": ("max_value: 5000}", "max_value: 5000}\n      severity: row",
        "expectations.predictions.0", "judges the batch as a whole", "correct"),
    "s50_no_metrics": ("\nmonitor:", "\nmetric_: []\nmonitor:", "metric_", "unknown field", "mean 'metrics'"),
    "s61_script_name": ("name: new_aircraft", "name: <script>", "slices.0.name", "pattern", "correct"),
    "s50_behaviour_column": ("\nmonitor:",
        "\nbehaviours: [{kind: directional, column: plane_agee, delta: 1}]\nmonitor:",
        "behaviours.0", "did you mean 'plane_age'", "correct"),
    "s50_unused_classes": ("  lag: 36h", "  classes: [a, b, c]\n  lag: 36h",
        "label.classes", "only multiclass has classes", "correct"),
    "s50_task_of_a_metric": ("kind: log_loss", "kind: mae", "metrics.2.kind", "does not apply", "correct"),
    "s50_noise_that_nobody_measures": ("overall: improve", "label_noise: measured",
        "gate.label_noise", '"measured"|asks people and labelling.double > 0', "correct"),
    "s50_projection_column": ("\nlabel:", "\nprojections: {far: distanc > 10}\nlabel:",
        "projections.far", "did you mean 'distance'", "correct"),
    "s50_teacher_typo": ("    steps:", "    self_training: {shure: 0.9}\n    steps:",
        "trainers.0.self_training.shure", "unknown field", "mean 'sure'"),
    "s61_code_in_a_step": ("sklearn.ensemble.Hist", "os.system('id')#Hist",
        "trainers.0.steps.1.use", "pattern", "correct"),
}  # fmt: skip


#: Fields whose line is not that of the edit: what is missing or wrong as a whole stands elsewhere.
ELSEWHERE = {
    "metrics.0.floor": "- kind: roc_auc",
    "metrics": "metrics:",
    "features": "features:",
    "metrics.2": "- kind: log_loss",
    "expectations.predictions.0": "- expect_table_row_count",
}


def _line(text, part):
    return text[: text.index(part)].count("\n") + 1


@pytest.mark.parametrize("case", EDITS)
def test_bad_edit_names_file_line_field_value_and_remedy(flights_text, case):
    before, after, field, words, remedy = EDITS[case]
    assert before in flights_text
    text = flights_text.replace(before, after, 1)
    problem = _problem(text)
    place = re.search(rf"{NAME}, line (\d+), field {re.escape(field)}(?: = |: )", problem.got)
    assert place, problem.got
    assert all(word in problem.got for word in words.split("|")), problem.got
    assert remedy in f"{problem.got} {problem.remedy}", problem
    at = ELSEWHERE.get(field, before)
    assert int(place[1]) == _line(flights_text, at) + at.startswith("\n")


def test_every_problem_is_reported_at_once(flights_text):
    text = flights_text.replace("lag: 36h", "lag: soon").replace("every_days: 28", "every_days: -1")
    got = _problem(text).got
    assert "field label.lag" in got
    assert "field trigger.triggers.0.every_days" in got


def test_missing_fields_are_named_where_they_belong(flights_text):
    text = flights_text.replace("\nowner: flight-operations", "").replace("  lag: 36h", "  # lag: 36h")
    problem = _problem(text)
    line = _line(text, "label:\n")
    assert f"line {line}, field label.lag: Field required" in problem.got
    assert "add the field owner" in problem.remedy
    assert "add the field label.lag" in problem.remedy


def test_a_cycle_of_parents_is_refused(flights_text):
    other = "\n  - {name: old, where: plane_age > 20, parent: new_aircraft}\n  - {by: carrier"
    text = flights_text.replace("tier: critical", "parent: old", 1).replace("\n  - {by: carrier", other, 1)
    got = _problem(text).got
    assert "slices.0.parent" in got
    assert "slices.1.parent" in got


def test_slices_may_roll_up_through_named_slices(flights_text):
    other = "\n  - {name: young, where: plane_age <= 5}\n  - {by: carrier, parent: young"
    text = flights_text.replace("tier: critical", "parent: young", 1).replace("\n  - {by: carrier", other, 1)
    assert [s.parent for s in parse_policy(text, NAME).policy.slices][:3] == ["young", "overall", "young"]


UNREADABLE = {
    "tab": ("  kind: sliding", "\tkind: sliding", "cannot start any token", "no tabs"),
    "indentation": ("  length: 91d", " length: 91d", "", "check the indentation"),
    "open quote": ('lag: 36h', 'lag: "36h', "", "quotes"),
    "duplicate key": ("seed: 0", "seed: 0\nseed: 1", "'seed' again", "remove one"),
    "nested duplicate key": ("max_hole: 7d", "max_hole: 7d\n  kind: expanding", "'kind' again", "remove one"),
    "no such date": ("start: 2013-01-01", "start: 2013-02-30", "2013-02-30", "check"),
    "control character": ("seed: 0", "seed: \x07", "not allowed", "check"),
    "alias": ("seed: 0", "seed: &n 0\nx: *n", "*n", "write the value out"),
    "unsafe tag": ("seed: 0", "seed: !!python/name:os.system x", "python/name:os.system", "check"),
    "deep nesting": ("seed: 0", "seed: " + "[" * 100_000, "nesting deeper than 50", "check"),
}  # fmt: skip


@pytest.mark.parametrize("case", UNREADABLE)
def test_text_that_is_no_yaml_names_the_line(flights_text, case):
    before, after, words, remedy = UNREADABLE[case]
    text = flights_text.replace(before, after, 1)
    problem = _problem(text)
    found = re.search(rf"{NAME}, line (\d+)", problem.got)
    at = _line(flights_text, before)
    # the reader may notice an open quote or a wrong indentation only later
    last = text.count("\n") + 1 if case in {"open quote", "indentation"} else at + after.count("\n")
    assert at <= int(found[1]) <= last, problem.got
    assert words in problem.got
    assert remedy in problem.remedy


@pytest.mark.parametrize(
    ("text", "found"),
    [("", "nothing"), ("# only a comment\n", "nothing"), ("- a\n", "a list"), ("x", "a single value")],
)
def test_a_file_that_is_no_mapping(text, found):
    problem = _problem(text)
    assert f"line 1: {found}" in problem.got
    assert "application: flights" in problem.remedy


def test_two_documents_in_one_file(flights_text):
    assert "single document" in _problem(flights_text + "\n---\napplication: other\n").got


def test_the_file_is_named_after_the_application(flights_text):
    problem = _problem(flights_text, "configs/trains.yaml")
    line = _line(flights_text, "application: flights")
    assert f'configs/trains.yaml, line {line}, field application = "flights"' in problem.got
    assert "rename the file to flights.yaml" in problem.remedy


def test_file_not_utf8_and_file_missing(tmp_path, flights_text):
    path = tmp_path / "flights.yaml"
    path.write_bytes(flights_text.replace("Late arrivals", "Verspätung").encode("latin-1"))
    line = _line(flights_text, "Late arrivals")
    with pytest.raises(PolicyError, match=rf"line {line}: .*save the file as UTF-8"):
        load_policy(path)
    with pytest.raises(PolicyError, match=r"No such file.*check the path"):
        load_policy(tmp_path / "gone.yaml")


def test_byte_order_mark_and_windows_line_ends_are_read(tmp_path, flights_text):
    path = tmp_path / "flights.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + flights_text.replace("\n", "\r\n").encode())
    assert load_policy(path).hash == parse_policy(flights_text, NAME).hash


def test_the_hash_is_of_the_meaning(flights_text):
    same = flights_text.replace("# how often new batches are taken in", "# ").replace("36h", "2160m")
    same = same.replace("promotion:\n", "promotion:\n  on_timeout: reject\n")  # a default, written out
    other = flights_text.replace("every_days: 28", "every_days: 27")
    hashes = [parse_policy(text, NAME).hash for text in (flights_text, same, other)]
    assert hashes[0] == hashes[1] != hashes[2]
    assert re.fullmatch("[0-9a-f]{16}", hashes[0])


def test_noise_is_only_taken_out_of_metrics_that_say_how(repository):
    text = (repository / NAME).read_text(encoding="utf-8").replace("overall: improve", "label_noise: 0.05")
    parse_policy(text, NAME)
    with pytest.raises(PolicyError, match=r"metrics\.1\.priority.*must be 'report': gate\.label_noise.*'f1'"):
        parse_policy(text.replace("kind: brier", "kind: f1"), NAME)
