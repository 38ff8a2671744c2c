from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from continual.errors import ContinualError
from continual.local.home import Home


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_s57_secrets_are_generated_once_and_private(tmp_path: Path) -> None:
    home = Home(tmp_path / "home").create()
    first = home.secrets()
    assert Home(tmp_path / "home").secrets() == first
    assert mode(home.root / "secrets.json") == 0o600
    assert mode(home.root) == 0o700
    values = json.loads((home.root / "secrets.json").read_text()).values()
    assert len(set(values)) == len(values) == 5
    assert all(len(value) >= 24 for value in values)


def test_s57_two_homes_share_no_secret(tmp_path: Path) -> None:
    one, two = (json.loads(_secrets_of(tmp_path / name).read_text()) for name in ("one", "two"))
    assert not set(one.values()) & set(two.values())


def _secrets_of(root: Path) -> Path:
    Home(root).create().secrets()
    return root / "secrets.json"


def test_s57_secrets_do_not_show_in_their_repr(tmp_path: Path) -> None:
    secrets = Home(tmp_path).create().secrets()
    assert secrets.admin_password not in f"{secrets!r} {secrets}"


def test_a_secret_added_by_a_later_version_keeps_the_others(tmp_path: Path) -> None:
    home = Home(tmp_path).create()
    before = home.secrets()
    values = json.loads((tmp_path / "secrets.json").read_text())
    del values["serving_api_key"]
    (tmp_path / "secrets.json").write_text(json.dumps(values))
    after = home.secrets()
    assert after.serving_api_key != before.serving_api_key
    assert (after.admin_password, after.fernet_key) == (before.admin_password, before.fernet_key)


@pytest.mark.parametrize("text", ["", "[]", '{"jwt_secret": 1}', "{"])
def test_a_damaged_secrets_file_is_an_error_not_new_secrets(tmp_path: Path, text: str) -> None:
    home = Home(tmp_path).create()
    (tmp_path / "secrets.json").write_text(text)
    with pytest.raises(ContinualError, match="restore it from a backup"):
        home.secrets()
    assert (tmp_path / "secrets.json").read_text() == text
