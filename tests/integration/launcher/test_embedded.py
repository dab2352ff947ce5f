"""The embedded servers: they run as any user, and their secrets are not visible to others."""

import grp
import json
import os
import pwd
import subprocess
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import redis

from deploy.failure import LaunchError
from launcher.embedded import binaries
from launcher.embedded import user as user_module
from launcher.embedded.binaries import postgres_bin, valkey_server
from launcher.embedded.user import ACCOUNT, ServerFolder, ServerUser, reachable_by_others, server_user
from tests.support.servers import Servers
from tests.support.system import RunningSystem

OTHER_USER = ServerUser(uid=65534, gid=65534)


def test_program_below_a_private_folder_is_unreachable_for_others(tmp_path: Path) -> None:
    program = tmp_path / "home" / "bin" / "program"
    program.parent.mkdir(parents=True)
    program.touch(mode=0o755)
    tmp_path.joinpath("home").chmod(0o700)
    assert not reachable_by_others(program)
    assert reachable_by_others(Path("/bin/sh"))


def test_binaries_below_a_private_folder_are_copied_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "cache"
    monkeypatch.setattr(binaries, "CACHE", cache)
    monkeypatch.setattr(binaries, "reachable_by_others", lambda _path: False)
    programs = (postgres_bin(OTHER_USER) / "postgres", postgres_bin(OTHER_USER) / "initdb", valkey_server(OTHER_USER))
    for program in programs:
        assert program.is_relative_to(cache)
        assert program.stat().st_mode & 0o777 == 0o755
        assert subprocess.run([program, "--version"], capture_output=True, check=True).stdout
    assert len(list(cache.iterdir())) == 2, "an incomplete copy was left"
    made = programs[0].stat().st_mtime_ns
    assert postgres_bin(OTHER_USER) / "postgres" == programs[0]
    assert programs[0].stat().st_mtime_ns == made


def test_binaries_of_the_wheels_are_used_without_root() -> None:
    assert "site-packages" in str(postgres_bin(None))
    assert "site-packages" in str(valkey_server(None))


def test_file_of_a_server_is_readable_by_the_server_only(tmp_path: Path) -> None:
    folder = ServerFolder(tmp_path / "redis", server_user())
    folder.create()
    folder.write("valkey.conf", "requirepass x\n")
    folder.write("valkey.conf", "requirepass y\n")
    file = tmp_path / "redis" / "valkey.conf"
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("requirepass y\n", 0o600)
    owner = server_user()
    assert file.stat().st_uid == (owner.uid if owner else os.geteuid())
    assert Path(folder.seen_as).joinpath("valkey.conf").read_text() == "requirepass y\n"
    folder.close()


def test_servers_do_not_run_as_root_and_their_command_lines_contain_no_password(test_servers: Servers) -> None:
    connection = psycopg2.connect(test_servers.postgres_url("postgres"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'")
        (checkpointer,) = cursor.fetchone() or (0,)
    connection.close()
    client = redis.Redis.from_url(test_servers.redis_url(0), decode_responses=True)
    valkey = client.info("server")["process_id"]
    client.close()
    for pid in (checkpointer, valkey):
        process = Path("/proc") / str(pid)
        assert process.stat().st_uid != 0
        command = process.joinpath("cmdline").read_text()
        assert test_servers.postgres_password not in command
        assert test_servers.redis_password not in command


def test_servers_reject_connections_without_a_password(test_servers: Servers) -> None:
    with pytest.raises(psycopg2.OperationalError, match=r"password authentication failed|no password supplied"):
        psycopg2.connect(f"postgresql://postgres@127.0.0.1:{test_servers.postgres_port}/postgres")
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=test_servers.redis_port).ping()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts servers as another user")
def test_servers_of_root_have_an_account_of_their_own() -> None:
    user = server_user()
    assert user is not None
    entry = pwd.getpwuid(user.uid)
    assert entry.pw_name == ACCOUNT
    assert user.uid not in (0, pwd.getpwnam("nobody").pw_uid)
    assert entry.pw_shell.endswith("nologin")
    assert grp.getgrgid(user.gid).gr_name == ACCOUNT
    assert server_user() == user


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes owners")
def test_data_of_a_version_that_ran_the_servers_as_nobody_is_handed_over(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("not the server's")
    folder = tmp_path / "postgres"
    (folder / "base" / "1").mkdir(parents=True)
    (folder / "base" / "1" / "2601").write_bytes(b"")
    (folder / "link").symlink_to(outside)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, OTHER_USER.uid, OTHER_USER.gid, follow_symlinks=False)
    user = server_user()
    assert user is not None
    ServerFolder(folder, user).create()
    assert {path.lstat().st_uid for path in (folder, *folder.rglob("*"))} == {user.uid}
    assert outside.stat().st_uid == 0


def test_account_that_cannot_be_created_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(user_module, "ACCOUNT", "fastcheck-that-is-missing")
    monkeypatch.setattr(user_module, "_CREATE", ("/nonexistent/useradd", "fastcheck-that-is-missing"))
    with pytest.raises(LaunchError, match="create a user for it, `/nonexistent/useradd fastcheck-that-is-missing`"):
        server_user()


def test_account_is_never_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(user_module, "ACCOUNT", "root")
    with pytest.raises(LaunchError, match="is root"):
        server_user()


def test_no_secret_of_a_running_system_is_readable_to_others(system: RunningSystem) -> None:
    assert system.data_dir.stat().st_mode & 0o077 == 0
    secret = [system.data_dir / name for name in ("credentials.json", "redis/valkey.conf")]
    assert all(path.stat().st_mode & 0o077 == 0 for path in secret), [oct(path.stat().st_mode) for path in secret]
    assert (system.data_dir / "postgres").stat().st_mode & 0o077 == 0
    for process in system.processes:
        assert Path(f"/proc/{process['pid']}/environ").stat().st_mode & 0o077 == 0
        command = Path(f"/proc/{process['pid']}/cmdline").read_bytes().decode()
        assert not [word for word in _secrets(system) if word in command]


def _secrets(system: RunningSystem) -> list[str]:
    def values(content: Any) -> list[str]:
        return [content] if isinstance(content, str) else [each for item in content.values() for each in values(item)]

    return [each for each in values(json.loads((system.data_dir / "credentials.json").read_text())) if len(each) > 8]
