"""`python -m continual.cli`."""

from continual.cli.main import app

app(prog_name="continual")
