"""The layout of the repository: folders, file names, sizes, and where SQL may be."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SERVICES = sorted(path.name for path in (ROOT / "services").iterdir() if (path / "__init__.py").exists())

#: A file name means the same in every service. A flat service has the files of a capability beside those of the root.
ROOT_FILES = {
    "__init__.py", "app.py", "clients.py", "config.py", "context.py", "errors.py", "log_events.py", "metrics.py",
    "models.py", "rights.py", "worker.py",
}  # fmt: skip
CAPABILITY_FILES = {
    "__init__.py", "handlers.py", "models.py", "repository.py", "routes.py", "schemas.py", "service.py", "tasks.py",
}  # fmt: skip
#: A capability alone has these: they are never shared at the root.
ENTRY_POINTS = {"handlers.py", "routes.py", "service.py", "tasks.py"}
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 70

SOURCES = [
    path
    for folder in ("auditor", "benchmarks", "cli", "common", "deploy", "launcher", "services", "tests", "tools")
    for path in sorted((ROOT / folder).rglob("*.py"))
]


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_services_of_the_design_exist() -> None:
    assert SERVICES == ["accounts", "balance", "checks", "gateway", "payments", "sandbox_bank", "webhooks"]


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_a_readme_and_the_common_files(service: str) -> None:
    folder = ROOT / "services" / service
    for name in ("README.md", "app.py", "config.py", "context.py"):
        assert (folder / name).is_file(), f"services/{service}/{name} is missing"


def _is_flat(folder: Path) -> bool:
    return (folder / "routes.py").is_file()


@pytest.mark.parametrize("service", SERVICES)
def test_service_is_flat_or_consists_of_capabilities(service: str) -> None:
    """A service has its routes at its root, or one package per capability. A mixture of both is rejected.

    In a package of a capability, and at the root of a service that consists of them, every module has a name that
    means the same everywhere. A module of another name must be documented in the service's README: in a package as
    ``package/module.py``, at the root, where it holds what several capabilities share, as ``module.py``.
    """
    folder = ROOT / "services" / service
    packages = [path.parent for path in folder.glob("*/__init__.py") if path.parent.name != "migrations"]
    if _is_flat(folder):
        mixed = [
            _name(path)
            for package in packages
            for path in package.rglob("*.py")
            if path.name in ("routes.py", "service.py")
        ]
        assert not mixed, f"services/{service} is flat and has capabilities: {mixed}"
        return
    readme = (folder / "README.md").read_text()
    unknown = {path.name for path in folder.glob("*.py")} - ROOT_FILES
    misplaced = {name for name in unknown if name in ENTRY_POINTS or f"`{name}`" not in readme}
    assert not misplaced, f"services/{service} consists of capabilities; these belong to one of them: {misplaced}"
    for package in packages:
        for path in package.glob("*.py"):
            documented = f"`{package.name}/{path.name}`" in readme
            assert path.name in CAPABILITY_FILES or documented, f"{_name(path)} has no row in the README"


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_files_and_functions_are_small(path: Path) -> None:
    source = path.read_text()
    assert source.count("\n") <= MAX_FILE_LINES, f"{_name(path)} wants to be two files"
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            assert lines <= MAX_FUNCTION_LINES, f"{_name(path)}: {node.name} has {lines} lines"


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_every_module_has_a_docstring(path: Path) -> None:
    empty = not path.read_text().strip()
    assert empty or "migrations/env.py" in _name(path) or ast.get_docstring(ast.parse(path.read_text()))


def _strings_with_sql(path: Path) -> list[str]:
    statement = re.compile(r"^\s*(SELECT\s.+\sFROM|INSERT INTO|UPDATE \w+\s+SET|DELETE FROM|WITH \w+ AS)\s", re.DOTALL)
    return [
        node.value[:60]
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and statement.match(node.value)
    ]


@pytest.mark.parametrize("service", SERVICES)
def test_sql_is_in_repositories_only(service: str) -> None:
    for path in (ROOT / "services" / service).rglob("*.py"):
        if "migrations" not in path.parts and "repository" not in path.name and "repositories" not in path.parts:
            assert not _strings_with_sql(path), f"{_name(path)} holds SQL: {_strings_with_sql(path)}"


@pytest.mark.parametrize("service", SERVICES)
def test_routes_contain_no_try_and_no_transaction(service: str) -> None:
    paths = sorted((ROOT / "services" / service).rglob("routes.py"))
    assert paths
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            assert not isinstance(node, ast.Try), f"{_name(path)}:{node.lineno} catches: errors are rendered centrally"
            if isinstance(node, ast.Attribute):
                opens = node.attr in ("transaction", "autocommit")
                assert not opens, f"{_name(path)}:{node.lineno} opens a transaction"


@pytest.mark.parametrize("service", SERVICES)
def test_migrations_form_one_chain(service: str) -> None:
    """Each revision follows exactly one other: no branches, no gaps."""
    folder = ROOT / "services" / service / "migrations" / "versions"
    parents: dict[str, str | None] = {}
    for path in sorted(folder.glob("*.py")):
        values = {
            target.id: ast.literal_eval(node.value)
            for node in ast.parse(path.read_text()).body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name) and target.id in ("revision", "down_revision")
        }
        assert path.name.startswith(f"{values['revision']}_"), f"{_name(path)} is not named for its revision"
        parents[values["revision"]] = values["down_revision"]
    ordered = sorted(parents)
    assert [parents[revision] for revision in ordered] == [None, *ordered][: len(ordered)]


def test_import_creates_no_client_engine_or_application() -> None:
    """Clients, engines and applications are made when a process starts, never because a module was read."""
    makers = {
        "Database",
        "HttpClient",
        "create_engine",
        "create_service",
        "create_celery",
        "Celery",
        "Redis",
        "from_url",
    }
    for folder in ("common", "services"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.parse(path.read_text()).body:
                value = getattr(node, "value", None)
                if isinstance(node, ast.Assign | ast.AnnAssign | ast.Expr) and isinstance(value, ast.Call):
                    called = getattr(value.func, "id", getattr(value.func, "attr", ""))
                    assert called not in makers, f"{_name(path)}:{node.lineno} makes a {called} at import"
