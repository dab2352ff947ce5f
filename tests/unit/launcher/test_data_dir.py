"""The data folder: its lock, its files, and a full disk."""

import errno
import os
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from deploy.credentials import generate
from deploy.failure import LaunchError, explain_os_error
from launcher import ports, state, stored_credentials
from launcher.data_dir import DataDir
from launcher.state import NOTHING_RUNS, RunningProcess, State


@pytest.fixture
def data_dir(tmp_path: Path) -> DataDir:
    folder = DataDir(tmp_path / "data")
    folder.open()
    return folder


def test_secrets_are_generated_once_and_readable_by_the_owner_only(data_dir: DataDir) -> None:
    first = stored_credentials.load_or_create(data_dir)
    assert stored_credentials.load_or_create(data_dir) == first == stored_credentials.load(data_dir)
    assert (data_dir.path / stored_credentials.FILE).stat().st_mode & 0o777 == 0o600
    assert data_dir.path.stat().st_mode & 0o777 == 0o700


def test_systems_share_no_secret() -> None:
    one, other = generate(), generate()
    assert one.postgres_password != other.postgres_password
    assert one.code_keys != other.code_keys
    assert not set(one.token_keys.values()) & set(other.token_keys.values())
    assert not set(one.role_passwords.values()) & set(other.role_passwords.values())


def test_missing_secret_is_added_and_the_others_stay(data_dir: DataDir) -> None:
    first = stored_credentials.load_or_create(data_dir)
    stored = data_dir.read_json(stored_credentials.FILE)
    assert stored is not None
    del stored["token_keys"]["checks"]
    data_dir.write_json(stored_credentials.FILE, stored)
    second = stored_credentials.load_or_create(data_dir)
    assert second.token_keys["checks"] != first.token_keys["checks"]
    assert second.token_keys["gateway"] == first.token_keys["gateway"]
    assert second.postgres_password == first.postgres_password


def test_owner_is_visible_to_other_processes_while_the_lock_is_held(tmp_path: Path) -> None:
    holder = DataDir(tmp_path / "data")
    looker = DataDir(tmp_path / "data")
    assert looker.owner() is None
    holder.open()
    assert looker.owner() == os.getpid()
    with pytest.raises(LaunchError, match="already running"):
        looker.open()
    holder.close()
    assert looker.owner() is None


def test_existing_folder_keeps_its_permissions(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    DataDir(tmp_path).open()
    assert tmp_path.stat().st_mode & 0o777 == 0o755


def test_full_disk_is_reported_before_any_file_is_created(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage(NamedTuple):
        free: int

    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(free=60 * 2**20))
    with pytest.raises(LaunchError, match="is full: 60 MB are free and FastCheck needs at least 200 MB"):
        DataDir(tmp_path / "data").open()


def test_failed_write_keeps_the_old_content_and_no_temporary_file(
    data_dir: DataDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    data_dir.write_json("small.json", {"a": 1})

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LaunchError, match=r"small\.json: the disk is full"):
        data_dir.write_json("small.json", {"a": 2})
    assert data_dir.read_json("small.json") == {"a": 1}
    assert not list(data_dir.path.glob(".small*"))


@pytest.mark.parametrize(
    ("number", "reason"),
    [(errno.ENOSPC, "the disk is full"), (errno.EACCES, "permission is denied"), (errno.EROFS, "read-only")],
)
def test_os_error_is_explained_in_one_sentence(number: int, reason: str) -> None:
    sentence = str(explain_os_error(OSError(number, "x"), "write to /x"))
    assert sentence.startswith("FastCheck cannot write to /x: ")
    assert reason in sentence


def test_ports_are_stored_and_distinct(data_dir: DataDir) -> None:
    claims = ports.Claims()
    first = ports.choose(data_dir, ["gateway", "postgres", "redis"], gateway=None, claims=claims)
    assert len(set(first.values())) == 3
    claims.release()
    claims = ports.Claims()
    assert ports.choose(data_dir, ["gateway", "postgres", "redis"], gateway=None, claims=claims) == first
    claims.release()


def test_systems_that_start_concurrently_get_different_ports(data_dir: DataDir, tmp_path: Path) -> None:
    """Neither system listens yet, so the port looks free to both, and granian would let both bind it."""
    other = DataDir(tmp_path / "other")
    other.open()
    one, two = ports.Claims(), ports.Claims()
    first = ports.choose(data_dir, ["gateway"], gateway=None, claims=one)
    second = ports.choose(other, ["gateway"], gateway=None, claims=two)
    assert first["gateway"] != second["gateway"]
    with pytest.raises(LaunchError, match="is taken"):
        ports.choose(other, ["gateway"], gateway=first["gateway"], claims=two)
    one.release()
    assert ports.choose(other, ["gateway"], gateway=first["gateway"], claims=two) == first
    two.release()
    other.close()


def test_state_is_read_as_it_was_written(data_dir: DataDir) -> None:
    written = State(
        ready=True,
        gateway_url="http://127.0.0.1:8000",
        postgres_url="postgresql://postgres:x@127.0.0.1:1/postgres",
        redis_url="redis://:x@127.0.0.1:2/0",
        processes=(RunningProcess("checks-web", 7, 8, "http://127.0.0.1:3"), RunningProcess("checks-relay", 9, 10)),
    )
    state.write(data_dir, written)
    assert state.read(data_dir) == written
    assert written.public()["processes"] == [
        {"name": "checks-web", "pid": 7, "url": "http://127.0.0.1:3"},
        {"name": "checks-relay", "pid": 9},
    ]


def test_state_without_a_supervisor_is_empty(data_dir: DataDir) -> None:
    state.write(data_dir, State(ready=True, gateway_url="http://x", postgres_url=None, redis_url=None))
    data_dir.close()
    assert state.now(data_dir) == NOTHING_RUNS
