"""``fastcheck up`` where it cannot: one clear sentence, exit code 1, and nothing broken."""

import os
import socket
from pathlib import Path

import pytest

from launcher.data_dir import DataDir
from tests.support.system import fastcheck


def refusal(*arguments: str) -> str:
    """The one line on stderr of an ``up`` that must fail."""
    result = fastcheck("up", *arguments)
    assert result.returncode == 1
    assert result.stdout == ""
    (sentence,) = result.stderr.splitlines()
    return sentence


def test_a_second_system_in_the_same_folder(tmp_path: Path) -> None:
    first = DataDir(tmp_path / "data")
    first.open()
    try:
        assert (
            refusal("--data-dir", str(tmp_path / "data")) == f"A FastCheck is already running in {tmp_path / 'data'}."
        )
    finally:
        first.close()


def test_a_taken_port(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = refusal("--data-dir", str(tmp_path / "data"), "--port", str(port))
    assert said == f"Port {port} is taken by another program: free it, or choose another with --port."


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_text("mine")
    said = refusal("--data-dir", str(file))
    assert said == f"FastCheck cannot write to the data folder {file}: a file is in the way."
    assert file.read_text() == "mine"


def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    if os.geteuid() == 0:  # root may write everywhere but where the kernel itself says no
        folder = Path("/sys")
    else:
        folder = tmp_path
        folder.chmod(0o500)
    said = refusal("--data-dir", str(folder / "data"))
    assert said == f"FastCheck cannot write to the data folder {folder / 'data'}: permission is denied."


def test_damaged_secrets_are_not_replaced_by_new_ones(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "credentials.json").write_text('{"postgres_pass')
    assert refusal("--data-dir", str(folder)) == f"{folder / 'credentials.json'} is damaged: it is not JSON."
    assert (folder / "credentials.json").read_text() == '{"postgres_pass'


@pytest.mark.parametrize("command", ["status", "down"])
def test_where_nothing_runs(tmp_path: Path, command: str) -> None:
    result = fastcheck(command, "--data-dir", str(tmp_path))
    assert (result.returncode, result.stdout) == (0, f"No FastCheck runs in {tmp_path}.\n")
    assert list(tmp_path.iterdir()) == [], "looking changed something"
