"""Run mutation tests of one module: ``python -m tools.mutants services/balance/service.py`` (or a dotted name).

mutmut changes a copy of the repository in ``.cache/mutants``, one mistake at a time, and runs the tests that
``tools/mutants.toml`` names for the module. Tests on real servers share one PostgreSQL and one Valkey.
"""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from tests.support import servers

ROOT: Final = Path(__file__).resolve().parents[1]
WORK: Final = ROOT / ".cache" / "mutants"
MAP: Final = ROOT / "tools" / "mutants.toml"
PACKAGES: Final = ("auditor", "benchmarks", "cli", "common", "deploy", "launcher", "services", "tools")
#: Texts for people and for logs: a changed word is no mistake that a test should notice.
NOT_MUTATED: Final = (
    r"_?log\.\w+\(",
    r"logger\.\w+\(",
    r"raise \w+\($",
    r"raise \w+\(f?\"",
    r"^\s*f?\".* .*\"\s*$",
    r"TypeVar|Final\[|cast\(",
)
#: Exit codes of mutmut for a mutant that the tests noticed: failed, internal error, interrupted, timed out.
_KILLED: Final = frozenset({1, 3, 24, -24, 36, 152, 255})


@dataclass(frozen=True, slots=True)
class Result:
    """The mutants of one module by name, and those that no test noticed."""

    total: int
    survivors: Sequence[str]

    @property
    def killed(self) -> int:
        return self.total - len(self.survivors)

    @property
    def share(self) -> float:
        """Return the part of the mutants that tests noticed, 1 if there is no mutant."""
        return self.killed / self.total if self.total else 1.0


def path_of(module: str) -> str:
    """Return the path of a module that is given as a path or as a dotted name; raise ValueError if there is none."""
    path = module if module.endswith(".py") else module.replace(".", "/") + ".py"
    if not (ROOT / path).is_file():
        raise ValueError(f"There is no module {module}.")
    return path


def tests_of(path: str) -> list[str]:
    """Return the tests that cover a module; raise ValueError if none are named for it."""
    named = tomllib.loads(MAP.read_text())
    fitting = [prefix for prefix in named if path == prefix or path.startswith(prefix.rstrip("/") + "/")]
    if not fitting:
        raise ValueError(f"tools/mutants.toml names no tests for {path}.")
    tests: list[str] = named[max(fitting, key=len)]["tests"]
    return tests


def result_of(meta: str) -> Result:
    """Read mutmut's record of a module; a mutant that no test runs counts as a survivor."""
    codes: dict[str, int | None] = json.loads(meta)["exit_code_by_key"]
    return Result(len(codes), [name for name, code in codes.items() if code not in _KILLED])


def prepare(path: str, tests: Sequence[str], only: str | None) -> Path:
    """Copy the repository into a new folder and configure mutmut there; return the folder."""
    folder = WORK / path.removesuffix(".py").replace("/", ".")
    shutil.rmtree(folder, ignore_errors=True)
    listing = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listing, check=True, capture_output=True, text=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    with (folder / "pyproject.toml").open("a") as file:
        file.write(_configuration(path, tests, only))
    return folder


def _configuration(path: str, tests: Sequence[str], only: str | None) -> str:
    settings: dict[str, object] = {
        "source_paths": PACKAGES,
        "only_mutate": [path],
        "do_not_mutate_patterns": NOT_MUTATED,
        "also_copy": ["docs", "Makefile", "README.md", "requirements.txt"],
        "pytest_add_cli_args": ["-p", "no:xdist", "--no-header", *(["-k", only] if only else [])],
        "pytest_add_cli_args_test_selection": tests,
        "use_git_change_detection": False,
        "timeout_multiplier": 5.0,
        "timeout_constant": 10.0,
    }
    # JSON writes these values as TOML does.
    return "\n[tool.mutmut]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())


def run(path: str, tests: Sequence[str], children: int, only: str | None) -> Result:
    """Run all mutants of a module and return the result; raise RuntimeError when the tests fail without a mutant."""
    folder = prepare(path, tests, only)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with servers.started() if any("integration" in test for test in tests) else nullcontext() as shared:
        if shared:
            environment[servers.VARIABLE] = shared.folder
        command = [sys.executable, "-m", "mutmut", "run", f"--max-children={children}"]
        subprocess.run(command, cwd=folder, env=environment, check=False)
    meta = folder / "mutants" / f"{path}.meta"
    if not meta.exists():
        raise RuntimeError("mutmut did not finish: do the tests pass without a mutant?")
    return result_of(meta.read_text())


def diff_of(path: str, name: str) -> str:
    """Return what a mutant changes, as a diff."""
    folder = WORK / path.removesuffix(".py").replace("/", ".")
    command = [sys.executable, "-m", "mutmut", "show", name]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout


@click.command()
@click.argument("module")
@click.option("--children", default=2, show_default=True, help="Mutants that are tested at the same time.")
@click.option("--only", help="An expression for pytest's -k, to use some of the tests.")
@click.option("--diffs/--no-diffs", default=True, show_default=True, help="Show what each survivor changes.")
def main(module: str, *, children: int, only: str | None, diffs: bool) -> None:
    """Test the tests of MODULE: make one mistake at a time in it and list those that no test notices."""
    try:
        path = path_of(module)
        result = run(path, tests_of(path), children, only)
    except (ValueError, RuntimeError) as error:
        raise click.ClickException(str(error)) from error
    for name in result.survivors:
        click.echo(f"survived: {name}")
        if diffs:
            changed = [line for line in diff_of(path, name).splitlines() if line[:1] in "+-" and line[:3] != "+++"]
            click.echo("\n".join(f"    {line}" for line in changed if line[:3] != "---"))
    click.echo(f"{path}: {result.killed} of {result.total} mutants killed ({result.share:.0%})")


if __name__ == "__main__":
    main()
