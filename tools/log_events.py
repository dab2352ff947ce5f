"""The log events of each program, read from its ``log_events.py`` and from the calls that write them."""

import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]

#: Title of a section -> the packages whose log events it lists.
BY_PROGRAM: Final[dict[str, tuple[str, ...]]] = {
    "All services": ("common",),
    "Accounts": ("services.accounts",),
    "Balance and gateway": ("services.balance", "services.gateway"),
    "Checks": ("services.checks",),
    "Payments": ("services.payments",),
    "Webhooks": ("services.webhooks",),
    "Sandbox bank": ("services.sandbox_bank",),
    "Auditor": ("auditor",),
}

_CONSTANT: Final = re.compile(r"((?:^#: .*\n)+)?^([A-Z_]+): Final = \"([a-z_]+)\"$", re.MULTILINE)
_LEVELS: Final = {"exception": "error"}


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One log event: its name, the levels at which it is written, and its meaning."""

    name: str
    levels: str
    meaning: str


def read(package: str) -> Iterator[LogEvent]:
    """Return the log events of a package. Raises ValueError for one without a comment or a call that writes it."""
    folder = ROOT / package.replace(".", "/")
    sources = [path.read_text() for path in sorted(folder.rglob("*.py"))]
    module = importlib.import_module(f"{package}.log_events")
    for comment, constant, _ in _CONSTANT.findall((folder / "log_events.py").read_text()):
        levels = sorted({_LEVELS.get(level, level) for source in sources for level in _levels(source, constant)})
        meaning = " ".join(line.removeprefix("#: ") for line in comment.splitlines()).replace("``", "`")
        if not levels or not meaning:
            raise ValueError(f"{package}.log_events.{constant} is never written or has no comment")
        yield LogEvent(getattr(module, constant), ", ".join(levels), meaning)


def _levels(source: str, constant: str) -> list[str]:
    """Return the methods of a logger that the source calls with this event."""
    called = re.findall(rf"\b(?:log|security_log|write)(?:\.(\w+))?\(\s*(?:log_events\.)?{constant}\b", source)
    # ``write`` stands for a method that the source has chosen before.
    chosen = re.findall(r"write = log\.(\w+) if .* else log\.(\w+)", source)
    return [level for name in called for level in ([name] if name else [each for pair in chosen for each in pair])]
