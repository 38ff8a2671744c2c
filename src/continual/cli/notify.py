"""`continual notify`: tell what is due, or try the channel."""

from __future__ import annotations

from typing import Annotated

import typer

from continual.cli.deployment import deployment
from continual.cli.options import HOME, AppArgument, ConfigsOption, HomeOption, JsonOption, examples, now
from continual.cli.output import print_json, say
from continual.errors import ContinualError

Test = Annotated[bool, typer.Option("--test", help="Send one message that says it is a test.")]


def register(app: typer.Typer) -> None:
    app.command(epilog=examples("continual notify --test", "continual notify --app flights"))(notify)


def notify(
    app: AppArgument = None,
    test: Test = False,
    home: HomeOption = HOME,
    configs: ConfigsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell people what is new and was not told yet, as Airflow's tasks do at their end; or try the channel."""
    from continual.flows.notify import notify as flow
    from continual.flows.notify import try_channel

    ws = deployment(home, configs).act(app)
    if ws.policy.notify.to_env is None:
        raise ContinualError(
            "The policy must name a channel.", "notify.to_env is empty.", "see docs/how-to/notifications.md."
        )
    if test:
        try_channel(ws)
    told = [] if test else flow(ws, now())
    if as_json:
        print_json([one.__dict__ for one in told])
        return
    for one in told:
        say(f"told: {one.subject}", "green")
    if not told:
        say("the test was delivered" if test else "nothing new to tell", "green")
