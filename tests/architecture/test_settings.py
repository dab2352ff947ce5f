"""The settings page is complete and current, and each name elsewhere is the name of a setting."""

import re
from pathlib import Path

from deploy.services import CALLERS, SERVICES
from tools.settings_page import AUDIENCES, PAGE, all_settings, page

ROOT = Path(__file__).resolve().parents[2]
NAMES = {setting.name for setting in all_settings()}


def test_settings_page_is_current() -> None:
    assert PAGE.read_text() == page(), "run `make settings`"


def test_every_audience_has_settings() -> None:
    assert {setting.audience for setting in all_settings()} == set(AUDIENCES)


def test_readme_names_only_settings_that_exist() -> None:
    table = [line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("| `FASTCHECK_")]
    named = [name for line in table for name in re.findall(r"`(FASTCHECK_[A-Z_]+)`", line.split("|")[1])]
    assert sorted(named) == sorted(set(named))
    assert set(named) <= NAMES


def test_services_read_every_variable_that_they_are_given() -> None:
    known = NAMES | {f"FASTCHECK_{caller.upper()}_TOKEN_KEY" for caller in CALLERS}
    for service in SERVICES:
        unknown = set(service.variables) - known
        assert not unknown, f"{service.name} is given {unknown}, which it does not read"
