"""Fills the last column of docs/reference/scenarios.md with the tests that carry each number.

python docs/scenarios.py            says which scenarios lack a test or a reason, and which tests are gone (exit code 1)
python docs/scenarios.py --write    rewrites the page
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reference" / "scenarios.md"
SHOWN, SCENARIOS = 3, 62
_TEST = re.compile(r"^\s*(?:async )?def (test_\w+)", re.MULTILINE)
_NUMBERS = re.compile(r"(?<=_)s0?(\d{1,2})(?=_)")
_ROW = re.compile(r"^\| (\d+) \| (.+?) \| (.*?) \|$")


def scenario_tests() -> dict[int, list[str]]:
    """Scenario -> names of the tests that carry its number, as `test_s14_...`, in order of files."""
    found: dict[int, list[str]] = {}
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        for name in _TEST.findall(file.read_text(encoding="utf-8")):
            for number in _NUMBERS.findall(name):
                found.setdefault(int(number), []).append(name)
    return found


def filled(page: str, tests: dict[int, list[str]]) -> str:
    """The page with its last column made anew; what begins with `By construction` stays."""

    def row(line: str) -> str:
        match = _ROW.match(line)
        if match is None:
            return line
        number, title, said = match.groups()
        names = tests.get(int(number), [])
        if said.startswith("By construction"):
            said = re.sub(r" Tests: .*$", "", said)
            return f"| {number} | {title} | {said}{' Tests: ' + _shown(names) if names else ''} |"
        return f"| {number} | {title} | {_shown(names)} |"

    return "\n".join(row(line) for line in page.splitlines()) + "\n"


def _shown(names: list[str]) -> str:
    more = " and more" if len(names) > SHOWN else ""
    return ", ".join(f"`{name}`" for name in names[:SHOWN]) + more


def problems(page: str, tests: dict[int, list[str]]) -> list[str]:
    """What the page says that is not so, and the scenarios without a test or a reason."""
    existing = {name for names in tests.values() for name in names}
    said = [f"there is no test {name}" for name in re.findall(r"`(test_s\w+)`", page) if name not in existing]
    rows = {int(match[1]): match[3] for match in map(_ROW.match, page.splitlines()) if match}
    said += [f"scenario {number} is not on the page" for number in range(1, SCENARIOS + 1) if number not in rows]
    return said + [f"scenario {number} has neither test nor reason" for number, text in rows.items() if not text]


def main() -> int:
    page, tests = PAGE.read_text(encoding="utf-8"), scenario_tests()
    if "--write" in sys.argv[1:]:
        page = filled(page, tests)
        PAGE.write_text(page, encoding="utf-8")
    found = problems(page, tests)
    print("\n".join(found))
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
