"""An embedded Valkey, which speaks Redis's protocol: the broker and the gateway's cache."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote

import redis

from launcher.children import Launch
from launcher.embedded.binaries import valkey_server
from launcher.embedded.stunnel import Backend
from launcher.embedded.user import ServerFolder, server_user

CONFIGURATION_FILE: Final = "valkey.conf"

#: A full broker must reject writes instead of evicting (noeviction), and keep its data after a kill (AOF).
SETTINGS: Final = {
    "bind": "127.0.0.1",
    "protected-mode": "yes",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "maxmemory": "256mb",
    "maxmemory-policy": "noeviction",
    "save": '""',
    "databases": "16",
    "tcp-backlog": "128",  # what an ordinary kernel allows; more only makes a warning
    "tcp-keepalive": "60",
    "daemonize": "no",
    "supervised": "no",
    "loglevel": "notice",
}


class EmbeddedRedis:
    """One server; the supervisor starts and stops it by :meth:`launch`."""

    def __init__(
        self,
        folder: Path,
        *,
        port: int,
        password: str,
        log: Path,
        users: Mapping[str, str] | None = None,
        settings: dict[str, str] | None = None,
        secured: Callable[[str], str] | None = None,
    ) -> None:
        """``password`` is the administrator's; ``users`` are the rules of further users, by name.

        With ``secured``, which adds TLS to a URL, the server listens on a Unix socket only, for stunnel.
        """
        self.port = port
        self._password = password
        self._log = log
        self._users = users or {}
        self._settings = {**SETTINGS, **(settings or {})}
        self._secured = secured
        self._user = server_user()
        self._binary = valkey_server(self._user)
        self._folder = ServerFolder(folder, self._user)

    def prepare(self) -> None:
        """Write the configuration with the passwords, which must not be visible on the command line."""
        self._folder.create()
        settings = {
            **self._settings,
            "port": str(self.port),
            "requirepass": self._password,
            "dir": self._folder.seen_as,
        }
        if self._secured:
            settings |= {"port": "0", "unixsocket": self._socket, "unixsocketperm": "700"}
        lines = [*settings.items(), *(("user", f"{name} {rules}") for name, rules in self._users.items())]
        self._folder.write(CONFIGURATION_FILE, "".join(f"{name} {value}\n" for name, value in lines))

    def launch(self) -> Launch:
        """Return the start command."""
        return Launch(
            name="redis",
            command=[str(self._binary), f"{self._folder.seen_as}/{CONFIGURATION_FILE}"],
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
            log=self._log,
            user=self._user,
            pass_fds=self._folder.pass_fds,
        )

    def is_ready(self) -> bool:
        """Return whether the server responds and has loaded its data."""
        client = redis.Redis.from_url(self.url(0), socket_timeout=2, socket_connect_timeout=2)
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
        finally:
            client.close()

    def url(self, number: int) -> str:
        """Return the administrator's URL of a numbered database."""
        url = f"redis://:{quote(self._password)}@127.0.0.1:{self.port}/{number}"
        return self._secured(url) if self._secured else url

    def backend(self) -> Backend:
        """Return the server as stunnel reaches it."""
        return Backend("redis", self.port, self._socket, self._folder.pass_fds)

    @property
    def _socket(self) -> str:
        return f"{self._folder.seen_as}/valkey.sock"
