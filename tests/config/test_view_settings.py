"""Settings of the view: what must stand together, and what of them may leave the device."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge.config.effective_settings import redacted_settings
from edge.config.load import load_settings
from edge.config.settings import Settings
from edge.config.view_settings import ViewSettings
from edge.contracts.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


def load(folder: Path, text: str) -> Settings:
    (folder / "edge.toml").write_text(text)
    return load_settings(folder / "edge.toml")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "cart-7.local", ""])  # noqa: S104  (they are refused)
@pytest.mark.parametrize("lacking", ["token_file", "cert_file", "key_file"])
def test_other_machines_need_token_and_certificate(tmp_path: Path, host: str, lacking: str) -> None:
    files = "".join(f'{name} = "/x"\n' for name in ("token_file", "cert_file", "key_file") if name != lacking)
    with pytest.raises(ConfigError, match=lacking):
        load(tmp_path, f'[view]\nhost = "{host}"\n{files}')


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_this_machine_needs_neither(tmp_path: Path, host: str) -> None:
    assert load(tmp_path, f'[view]\nhost = "{host}"\n').view.local


def test_a_certificate_without_its_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="key_file"):
        load(tmp_path, '[view]\ncert_file = "/x"\n')


def test_files_and_host_names_do_not_leave_the_device() -> None:
    view = ViewSettings(
        enabled=True,
        token_file="/secret/token",  # noqa: S106  (a path)
        cert_file="/secret/c",
        key_file="/secret/k",
        names=["cart.clinic"],
    )
    shown = str(redacted_settings(Settings(view=view)))
    assert "secret" not in shown
    assert "clinic" not in shown
