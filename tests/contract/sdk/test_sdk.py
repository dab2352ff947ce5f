"""The SDKs: their generated code is that of the current document, they compile strictly, and they move money."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from tests.support.npm import folder_with_packages, run
from tests.support.system import RunningSystem
from tools import sdk

HERE = Path(__file__).parent
PYTHON_SDK = sdk.SDK / "python"


def content(folder: Path) -> dict[str, str]:
    """Return the text of every Python file in a folder."""
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*.py")}


def test_stored_document_is_that_of_the_code() -> None:
    assert json.loads(sdk.DOCUMENT.read_text()) == json.loads(sdk.document()), "run `make sdk`"


def test_generated_python_code_is_that_of_the_document(tmp_path: Path) -> None:
    sdk.generate_python(sdk.DOCUMENT, tmp_path / "generated")
    assert content(sdk.PYTHON) == content(tmp_path / "generated"), "run `make sdk`"


def test_async_client_is_that_of_the_sync_client() -> None:
    assert sdk.ASYNC_CLIENT.read_text() == sdk.async_client(sdk.CLIENT.read_text()), "run `make sdk`"


def test_every_operation_for_users_has_a_method() -> None:
    operations = {
        operation["operationId"]
        for path, item in json.loads(sdk.DOCUMENT.read_text())["paths"].items()
        for operation in item.values()
        if not path.startswith("/bank/") and not path.endswith(("/return", "/healthz", "/qr.svg"))
    }
    called = sdk.CLIENT.read_text()
    typescript = (sdk.SDK / "typescript" / "src" / "client.ts").read_text()
    for name in operations:
        snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
        assert f"{snake}.sync_detailed(" in called, name
        assert f"  {name}(" in typescript or f"  async {name}(" in typescript, name


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the wheel of the Python SDK is installed."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    shutil.copytree(PYTHON_SDK, source, ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
    run(*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, source, folder=folder)
    (wheel,) = folder.glob("*.whl")
    run(*pip, "install", "--no-deps", "--target", folder / "site", wheel, folder=folder)
    return folder / "site"


@pytest.mark.parametrize("flow", ["flow_sync.py", "flow_async.py"])
def test_wheel_is_typed_and_moves_money(system: RunningSystem, installed: Path, tmp_path: Path, flow: str) -> None:
    shutil.copy(HERE / flow, tmp_path)
    run(sys.executable, "-m", "mypy", "--strict", "--config-file=", flow, folder=tmp_path, MYPYPATH=str(installed))
    assert run(sys.executable, flow, system.gateway_url, folder=tmp_path, PYTHONPATH=str(installed)) == "accepted\n"


def test_tests_of_the_python_sdk_pass() -> None:
    run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "pyproject.toml", folder=PYTHON_SDK)


@pytest.fixture(scope="module")
def typescript() -> Path:
    """A folder with the TypeScript SDK, its locked packages, and the flow; it stays for the next run."""
    folder = folder_with_packages(sdk.SDK / "typescript", ["tsconfig.json", "src", "test"])
    shutil.copy(HERE / "flow.ts", folder / "test" / "flow.ts")
    shutil.rmtree(folder / "dist", ignore_errors=True)
    run(folder / "node_modules" / ".bin" / "tsc", "--project", "tsconfig.json", folder=folder)
    return folder


def test_generated_typescript_code_is_that_of_the_document(typescript: Path, tmp_path: Path) -> None:
    sdk.generate_typescript(sdk.DOCUMENT, tmp_path / "api.ts", typescript)
    assert sdk.TYPESCRIPT.read_text() == (tmp_path / "api.ts").read_text(), "run `make sdk`"


def test_tests_of_the_typescript_sdk_pass(typescript: Path) -> None:
    tests = sorted((typescript / "dist" / "test").glob("*.test.js"))
    assert len(tests) == 2
    run("node", "--test", *tests, folder=typescript)


def test_typescript_sdk_moves_money(system: RunningSystem, typescript: Path) -> None:
    assert run("node", "dist/test/flow.js", system.gateway_url, folder=typescript) == "accepted\n"


def test_typescript_sdk_has_no_run_time_dependencies() -> None:
    package = json.loads((sdk.SDK / "typescript" / "package.json").read_text())
    assert "dependencies" not in package
    assert package["type"] == "module"
