"""``fastcheck up`` that cannot start: one sentence on stderr, exit code 1, and no change."""

import os
import socket
from pathlib import Path

import pytest

from launcher.data_dir import DataDir
from tests.support.system import fastcheck


def error_of_up(*arguments: str) -> str:
    """Run ``up``, which must fail, and return its one line on stderr."""
    result = fastcheck("up", *arguments)
    assert result.returncode == 1
    assert result.stdout == ""
    (sentence,) = result.stderr.splitlines()
    return sentence


def test_up_reports_a_system_that_already_runs_in_the_folder(tmp_path: Path) -> None:
    first = DataDir(tmp_path / "data")
    first.open()
    try:
        assert (
            error_of_up("--data-dir", str(tmp_path / "data"))
            == f"A FastCheck is already running in {tmp_path / 'data'}."
        )
    finally:
        first.close()


def test_up_reports_a_port_that_is_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        error = error_of_up("--data-dir", str(tmp_path / "data"), "--port", str(port))
    assert error == f"Port {port} is taken by another program: free it, or choose another with --port."


def test_up_reports_a_file_in_place_of_the_data_folder(tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_text("mine")
    error = error_of_up("--data-dir", str(file))
    assert error == f"FastCheck cannot write to the data folder {file}: a file is in the way."
    assert file.read_text() == "mine"


def test_up_reports_a_folder_without_write_permission(tmp_path: Path) -> None:
    if os.geteuid() == 0:  # root can write everywhere except where the kernel forbids it
        folder = Path("/sys")
    else:
        folder = tmp_path
        folder.chmod(0o500)
    error = error_of_up("--data-dir", str(folder / "data"))
    assert error == f"FastCheck cannot write to the data folder {folder / 'data'}: permission is denied."


def test_up_reports_damaged_secrets_and_keeps_the_file(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "credentials.json").write_text('{"postgres_pass')
    assert error_of_up("--data-dir", str(folder)) == f"{folder / 'credentials.json'} is damaged: it is not JSON."
    assert (folder / "credentials.json").read_text() == '{"postgres_pass'


@pytest.mark.parametrize("command", ["status", "down"])
def test_status_and_down_report_that_nothing_runs(tmp_path: Path, command: str) -> None:
    result = fastcheck(command, "--data-dir", str(tmp_path))
    assert (result.returncode, result.stdout) == (0, f"No FastCheck runs in {tmp_path}.\n")
    assert list(tmp_path.iterdir()) == [], "the command created a file"
