"""TLS for a whole system: its CA, a certificate for each kind of process, and the URLs that use them.

The CA is stored in the data folder. Certificates are issued anew at each start and are valid for ``LIFETIME``.
"""

import os
import re
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Self
from urllib.parse import quote, urlencode

import certifi

from common.core.clock import format_utc
from common.http.client.client import TlsFiles
from deploy.certificates import Authority, Certificate
from deploy.commands import ServerTls
from deploy.failure import LaunchError, explain_os_error
from launcher.data_dir import DataDir
from launcher.ports import HOST

#: A system that runs for longer must be restarted, which renews its certificates.
LIFETIME: Final = timedelta(days=90)
#: Time before the end of the certificates at which the operator is asked to restart the system.
WARNING: Final = timedelta(days=14)

#: The names under which the servers of the system are reached.
NAMES: Final = (HOST, "localhost")
#: Web processes that browsers and banks call, which have no certificate of the system.
PUBLIC: Final = ("gateway-web", "sandbox_bank-web")
#: The holders of certificates that are no service: the launcher itself, and commands of the operator.
LAUNCHER: Final = "launcher"
OPERATOR: Final = "operator"

#: Servers that are no web process.
_SERVERS: Final = ("stunnel", "gateway-proxy")

SETTINGS: Final = ("FASTCHECK_TLS_CA", "FASTCHECK_TLS_CERT", "FASTCHECK_TLS_KEY")
_BUNDLE_SETTINGS: Final = ("FASTCHECK_BANK_CA_BUNDLE", "FASTCHECK_SANDBOX_BANK_CA_BUNDLE")

_URL: Final = re.compile(r"(http|redis|postgresql(?:\+psycopg2)?)://((?:[^/@]*@)?)([^/@?]+)([^?]*)$")


def folder(data_dir: Path) -> Path:
    """Return the folder of the certificates of the system in a data folder."""
    return data_dir / "tls"


def ca_file(data_dir: Path) -> Path:
    """Return the file of the CA's certificate, which clients of the gateway need."""
    return folder(data_dir) / "ca.pem"


class Tls:
    """The certificates of one system; ``addresses`` are the ``host:port`` of its servers."""

    def __init__(self, data_dir: DataDir, addresses: frozenset[str]) -> None:
        self._folder = folder(data_dir.path)
        self.ca = ca_file(data_dir.path)
        self._addresses = addresses
        self._authority: Authority | None = None
        self._has_warned = False
        self._public = frozenset(PUBLIC)
        self.expires_at = datetime.max.replace(tzinfo=UTC)

    @classmethod
    def renewed(cls, data_dir: DataDir, addresses: frozenset[str], user: Mapping[str, str]) -> Self:
        """Replace the certificates of the last start; raises LaunchError. The caller holds the lock of the folder."""
        taken = [name for name in SETTINGS if name in user]
        if taken:
            raise LaunchError(f"--tls sets {', '.join(SETTINGS)}: remove {', '.join(taken)} from the environment.")
        tls = cls(data_dir, addresses)
        now = datetime.now(UTC)
        try:
            tls._folder.mkdir(mode=0o700, exist_ok=True)
            for file in tls._folder.glob("*"):
                if file.name not in ("ca.pem", "ca.key"):
                    file.unlink()
            tls._authority = tls._load_or_create_authority(now)
            tls.expires_at = now + LIFETIME
            tls._write_bundle(user.get("FASTCHECK_BANK_CA_BUNDLE"))
            tls.files(OPERATOR)
        except OSError as error:
            raise explain_os_error(error, f"write to {tls._folder}") from error
        return tls

    def files(self, name: str) -> TlsFiles:
        """Return the files of a holder; issue its certificate if it has none since the last start."""
        files = TlsFiles(self.ca, self._folder / f"{name}.pem", self._folder / f"{name}.key")
        if self._authority is not None and files.certificate and files.key and not files.key.exists():
            issued = self._issue(name)
            _write(files.certificate, issued.certificate, mode=0o644)
            _write(files.key, issued.key, mode=0o600)
        return files

    def server(self, name: str) -> ServerTls:
        """Return the files of a server. Only those for browsers and banks accept clients without a certificate."""
        files = self.files(name)
        if files.certificate is None or files.key is None:
            raise ValueError("no certificate was issued")
        return ServerTls(files.certificate, files.key, None if name in self._public else self.ca)

    def proxy(self, name: str) -> ServerTls:
        """Return the files of the proxy before the gateway, whose web process then requires a certificate."""
        self._public = self._public - {"gateway-web"}
        return self.server(name)

    def environment(self, name: str, environment: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of a process, in which URLs of the system's own servers use TLS."""
        files = self.files(name)
        return {
            **{variable: self.setting(value, files) for variable, value in environment.items()},
            **dict(zip(SETTINGS, map(str, (files.ca, files.certificate, files.key)), strict=True)),
            **dict.fromkeys(_BUNDLE_SETTINGS, str(self._bundle)),
        }

    def setting(self, url: str, files: TlsFiles) -> str:
        """Return a URL as a setting: PostgreSQL's files are in the URL, those of other servers in the settings."""
        match = _URL.match(url)
        if match is None or match[3] not in self._addresses:
            return url
        scheme, user, address, rest = match.groups()
        if not scheme.startswith("postgresql"):
            return f"{scheme}s://{user}{address}{rest}"
        parameters = {"sslmode": "verify-full", "sslrootcert": files.ca, "sslcert": files.certificate}
        return f"{url}?{urlencode({**parameters, 'sslkey': files.key}, quote_via=quote, safe='/')}"

    def client_url(self, url: str, name: str = OPERATOR) -> str:
        """Return a URL with everything that a client needs to connect as ``name``."""
        files = self.files(name)
        secured = self.setting(url, files)
        if not secured.startswith("rediss:"):
            return secured
        parameters = {"ssl_ca_certs": files.ca, "ssl_certfile": files.certificate, "ssl_keyfile": files.key}
        return f"{secured}?{urlencode({**parameters, 'ssl_cert_reqs': 'required'}, quote_via=quote, safe='/')}"

    def client_context(self) -> ssl.SSLContext:
        """Return the context with which the launcher calls web processes."""
        files = self.files(LAUNCHER)
        context = ssl.create_default_context(cafile=files.ca)
        if files.certificate and files.key:
            context.load_cert_chain(files.certificate, files.key)
        return context

    def warning_of_expiry(self) -> str | None:
        """Return once, ``WARNING`` before the end of the certificates, what the operator has to do."""
        if self._has_warned or datetime.now(UTC) < self.expires_at - WARNING:
            return None
        self._has_warned = True
        return f"The certificates end at {format_utc(self.expires_at)}: restart FastCheck before, which renews them."

    @property
    def _bundle(self) -> Path:
        return self._folder / "public-and-own-cas.pem"

    def _write_bundle(self, given: str | None) -> None:
        """Write the CAs that payments trusts as signers of banks: the public ones and this system's."""
        _write(self._bundle, Path(given or certifi.where()).read_bytes() + b"\n" + self.ca.read_bytes(), mode=0o644)

    def _issue(self, name: str) -> Certificate:
        if self._authority is None:
            raise ValueError("only the launcher issues certificates")
        is_server = name.endswith("-web") or name in _SERVERS
        return self._authority.issue(name, NAMES if is_server else (), expires_at=self.expires_at)

    def _load_or_create_authority(self, now: datetime) -> Authority:
        """Return the stored CA, unless it ends before certificates that it would sign now."""
        key = self._folder / "ca.key"
        if key.exists() and self.ca.exists():
            authority = Authority.load(self.ca.read_bytes(), key.read_bytes())
            if authority.certificate.not_valid_after_utc > now + LIFETIME:
                return authority
        authority = Authority.create("FastCheck")
        _write(key, authority.key_pem, mode=0o600)
        _write(self.ca, authority.pem, mode=0o644)
        return authority


def secured_environment(tls: Tls | None, name: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a process: with ``tls`` that of :meth:`Tls.environment`, else as it is."""
    return tls.environment(name, environment) if tls else dict(environment)


def _write(path: Path, content: bytes, *, mode: int) -> None:
    """Replace a file; it has its mode before it has content."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
