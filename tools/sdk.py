"""Write the OpenAPI document and the generated part of the SDKs: ``python -m tools.sdk``.

``sdk/openapi.json`` is the public document of the code. openapi-python-client and openapi-typescript generate from it;
the second needs node and the locked npm packages of ``sdk/typescript``.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from tools.reference_pages import public_document

ROOT: Final = Path(__file__).resolve().parents[1]
SDK: Final = ROOT / "sdk"
DOCUMENT: Final = SDK / "openapi.json"
PYTHON: Final = SDK / "python" / "src" / "fastcheck" / "generated"
TYPESCRIPT: Final = SDK / "typescript" / "src" / "api.ts"
CLIENT: Final = SDK / "python" / "src" / "fastcheck" / "client.py"
ASYNC_CLIENT: Final = CLIENT.with_name("async_client.py")

#: How the module of the sync client becomes that of the async one.
_ASYNC: Final = (
    (r'^"""The sync client\. .*', '"""The async client, generated from ``client`` by ``tools/sdk.py``."""'),
    (r"class FastCheck:", "class AsyncFastCheck:"),
    (r"    def (?!__init__|_signed_in|session_id)", "    async def "),
    (r"(\w+)\.sync_detailed\(", r"await \1.asyncio_detailed("),
    (r"__(enter|exit)__", r"__a\1__"),
    (r"self\._transport\.close\(\)", "await self._transport.aclose()"),
    (r"self\.close\(\)", "await self.close()"),
    (r"httpx\.(BaseTransport|HTTPTransport)", r"httpx.Async\1"),
    (r"RetryTransport", "AsyncRetryTransport"),
)

_CONFIG: Final = SDK / "python" / "generator.yml"


def document() -> str:
    """Return the public document as JSON text, without the address of an installation."""
    content = public_document()
    content["servers"] = [{"url": "/"}]
    return json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def generate_python(openapi: Path, target: Path) -> None:
    """Generate the Python client into a new folder ``target``."""
    generator = Path(sys.executable).with_name("openapi-python-client")
    _run(
        generator, "generate", "--path", openapi, "--meta", "none", "--output-path", target,
        "--config", _CONFIG, "--fail-on-warning", "--overwrite",
    )  # fmt: skip


def async_client(source: str) -> str:
    """Return the async form of the module of the sync client."""
    for pattern, replacement in _ASYNC:
        source = re.sub(pattern, replacement, source)
    formatter = Path(sys.executable).with_name("ruff")
    arguments = [str(formatter), "format", "--config", str(ROOT / "pyproject.toml"), "-"]
    return subprocess.run(arguments, input=source, capture_output=True, text=True, check=True).stdout


def generate_typescript(openapi: Path, target: Path, npm_folder: Path) -> None:
    """Generate the types of the TypeScript client into the file ``target``, with the packages in ``npm_folder``."""
    _run(npm_folder / "node_modules" / ".bin" / "openapi-typescript", openapi, "-o", target)


def _run(*command: str | Path) -> None:
    # The generator would import the programs of this repository in place of its own.
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([str(part) for part in command], cwd=folder, env=environ, check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    """Write the document and both clients."""
    DOCUMENT.write_text(document())
    shutil.rmtree(PYTHON, ignore_errors=True)
    generate_python(DOCUMENT, PYTHON)
    ASYNC_CLIENT.write_text(async_client(CLIENT.read_text()))
    generate_typescript(DOCUMENT, TYPESCRIPT, SDK / "typescript")


if __name__ == "__main__":
    main()
