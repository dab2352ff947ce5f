"""The table of settings in the README names what the code reads, no more and no less."""

import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import services
from common.bus.process import READY_FILE_VARIABLE
from common.core.settings import FromEnvironment
from deploy.services import CALLERS, SERVICES

ROOT = Path(__file__).resolve().parents[2]

#: Read by the command line itself and not by a service.
OF_THE_COMMAND_LINE = {
    "FASTCHECK_DATA_DIR",
    "FASTCHECK_AUDITOR_DATABASE_URL",
    "FASTCHECK_ADMINISTRATOR_DATABASE_URL",
    READY_FILE_VARIABLE,
}


def _variables_of_the_services() -> set[str]:
    names: set[str] = set()
    for module in pkgutil.walk_packages(services.__path__, "services."):
        if ".migrations" in module.name or not re.search(r"\.(config|banks\.\w+)$", module.name):
            continue
        for _, found in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if issubclass(found, FromEnvironment):
                prefix = str(found.model_config.get("env_prefix", ""))
                names |= {(prefix + field).upper() for field in found.model_fields}
    return names


def test_the_readme_names_every_setting_once() -> None:
    table = [line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("| `FASTCHECK_")]
    named = [name for line in table for name in re.findall(r"`(FASTCHECK_[A-Z_]+)`", line.split("|")[1])]
    assert sorted(named) == sorted(set(named))
    assert set(named) == _variables_of_the_services() | OF_THE_COMMAND_LINE


def test_the_launcher_gives_every_variable_that_a_service_requires() -> None:
    known = _variables_of_the_services() | {f"FASTCHECK_{caller.upper()}_TOKEN_KEY" for caller in CALLERS}
    for service in SERVICES:
        unknown = set(service.variables) - known
        assert not unknown, f"{service.name} is told {unknown}, which nobody reads"
