"""The embedded servers: they run as any user, and their secrets are not visible to others."""

import os
import subprocess
from pathlib import Path

import psycopg2
import pytest
import redis

from launcher.embedded import binaries
from launcher.embedded.binaries import postgres_bin, valkey_server
from launcher.embedded.user import ServerFolder, ServerUser, reachable_by_others, server_user
from tests.support.servers import Servers

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
