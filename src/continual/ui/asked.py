"""What a page was asked for: text from a URL -> values, or a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from continual.core.window import Window, utc
from continual.errors import ContinualError
from continual.flows.knowledge import newest
from continual.flows.workspace import Workspace
from continual.policy.windows import report_window

#: What a window defaults to: the last matured days.
WINDOW = "28d"
#: Longer windows are not read for a page.
LONGEST = 400


class NotFound(ContinualError):
    """There is no such page, entry or slice."""


@dataclass(frozen=True)
class Asked:
    """The query of a URL. Absent and empty are the same."""

    query: Mapping[str, str]

    def text(self, name: str, default: str = "") -> str:
        return self.query.get(name, "").strip() or default

    def one_of(self, name: str, known: tuple[str, ...]) -> str:
        """The first of `known` unless another is named.

        Raises
        ------
        ContinualError: none of them.
        """
        value = self.text(name, known[0] if known else "")
        if value not in known:
            raise ContinualError(
                f"{name} must be one of {', '.join(known[:20])}.", f"{value!r}.", "choose one in the form."
            )
        return value

    def number(self, name: str) -> int | None:
        """
        Raises
        ------
        ContinualError: no whole number of at most 15 digits.
        """
        value = self.text(name)
        if not value:
            return None
        if not (value.isascii() and value.isdigit() and len(value) <= 15):
            raise ContinualError(f"{name} must be a whole number.", f"{value!r}.", "follow the page's own links.")
        return int(value)

    def instant(self, name: str) -> datetime | None:
        """A date or an instant; without a zone it is UTC.

        Raises
        ------
        ContinualError: neither.
        """
        value = self.text(name)
        if not value:
            return None
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            raise ContinualError(
                f"{name} must be a date such as 2013-08-01 or an instant such as 2013-08-01T06:00Z.",
                f"{value!r}.",
                "correct it, or leave it empty: the newest knowledge.",
            ) from None
        return utc(found.replace(tzinfo=UTC) if found.tzinfo is None else found)

    def moment(self, ws: Workspace, default: str = WINDOW) -> Moment:
        """Window and instant of knowledge, both as asked and as meant.

        Raises
        ------
        ContinualError: one of them cannot be read, or the window is too long for a page.
        """
        stated = self.instant("as_of")
        as_of = stated or newest(ws)
        text = self.text("window", default)
        window = report_window(ws.policy, as_of, text)
        if window.days > LONGEST:
            raise ContinualError(
                f"A page shows at most {LONGEST} days.", f"{window}.", "ask `continual metrics` for longer ones."
            )
        return Moment(window, as_of, text, stated)


@dataclass(frozen=True)
class Moment:
    """window, as_of: what is shown. text: the window as written. stated: the instant that was asked for, or None."""

    window: Window
    as_of: datetime
    text: str
    stated: datetime | None

    @property
    def query(self) -> dict[str, str]:
        """The same moment in a link."""
        out = {"window": self.text}
        return {**out, "as_of": self.stated.isoformat()} if self.stated else out
