"""Great Expectations' Data Docs page of one validated batch, made to stand alone."""

from __future__ import annotations

import html
import re
from functools import cache
from typing import Any

from continual.expectations.outcome import ValidationOutcome

#: Stands in for the styles, icons and scripts that Great Expectations' pages fetch from content networks.
STYLE = """
body{font:15px/1.45 system-ui,sans-serif;margin:0;color:#222;background:#fff}
.verdict{padding:12px 24px;color:#fff}.verdict b{font-size:18px}.verdict a{color:#fff;float:right}
.refused{background:#b71c1c}.partly{background:#7a5c00}.passed{background:#1b5e20}
main{max-width:75em;margin:1em auto;padding:0 24px}
h5{font-size:17px;margin:1.4em 0 .3em}h6,.h6{font-size:14px;margin:.6em 0 .2em;font-weight:600}
table{border-collapse:collapse;margin:.4em 0}td,th{border-bottom:1px solid #ddd;padding:.35em .8em;text-align:left}
td{vertical-align:top;overflow-wrap:anywhere}th{white-space:nowrap}
.badge{background:#eceff1;border-radius:4px;padding:0 .4em}.badge-danger{background:#fbe9e7}.text-danger{color:#b71c1c}
.collapse{display:none}.collapse:target{display:block}code{white-space:pre-wrap}
.fa-check-circle::before{content:"\\2714  met";color:#1b5e20}.fa-times::before{content:"\\2718  not met";color:#b71c1c}
.fa-exclamation-triangle::before{content:"\\26A0  could not run";color:#7a5c00}i{font-style:normal;white-space:nowrap}
@media(prefers-color-scheme:dark){body{color:#e0e0e0;background:#121212}td,th{border-color:#444}a{color:#90caf9}
.badge{background:#37474f}.badge-danger{background:#4e2a26}.text-danger{color:#ef9a9a}
.fa-check-circle::before{color:#a5d6a7}.fa-times::before{color:#ef9a9a}.fa-exclamation-triangle::before{color:#ffe082}}
"""
#: Links to the rest of Great Expectations' site, which there is none of.
_ELSEWHERE = re.compile(r' href="\.\./[^"<>]*"')


def page(report: Any, outcome: ValidationOutcome, title: str) -> str:
    """HTML of the validation result as Great Expectations renders it, with the batch's verdict on top: columns, types
    and keys are checked before any expectation, and say so there.

    It needs no script and no network, and delivered values in it are text, whatever they hold.

    report: an ExpectationSuiteValidationResult. title: what the batch is called.
    """
    from great_expectations.render.renderer import ValidationResultsPageRenderer

    whole = str(_view().render(ValidationResultsPageRenderer().render(report), "page_minimal.j2"))
    body = _ELSEWHERE.sub("", whole.partition("<body>")[2].rpartition("</body>")[0])
    name, reason = html.escape(title), html.escape(outcome.reason)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{name}</title><style>{STYLE}</style>'
        f'<div class="verdict {verdict(outcome)}"><a href="./">All batches</a><b>{name}</b><br>{reason}</div>'
        f"<main>{body}</main></html>"
    )


def verdict(outcome: ValidationOutcome) -> str:
    """One word: refused, partly (rows were set aside) or passed."""
    return "refused" if outcome.failed_batch else "partly" if outcome.findings else "passed"


@cache
def _view() -> Any:
    """Great Expectations' own view lets values of a batch through as markup."""
    from great_expectations.render.view import DefaultJinjaPageView
    from jinja2 import pass_context

    class View(DefaultJinjaPageView):  # type: ignore[misc]
        @pass_context
        def render_content_block(self, context: Any, content_block: Any, *args: Any, **kwargs: Any) -> Any:
            return super().render_content_block(context, _as_text(content_block), *args, **kwargs)

    return View()


def _as_text(content: Any) -> Any:
    """Blocks are rendered by their templates; what stands alone is text."""
    if isinstance(content, list):
        return [_as_text(item) for item in content]
    return html.escape(content) if isinstance(content, str) else content
