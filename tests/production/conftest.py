"""The topology needs the PostgreSQL programs of the integration tests and the lender of the end-to-end tests."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path += [str(Path(__file__).parents[1] / folder) for folder in ("integration", "e2e")]
