"""A web process behind granian's TLS serves only callers with a certificate of the system's CA."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from common.core.errors import ServiceUnavailable
from common.http.client.client import HttpClient, TlsFiles
from deploy.certificates import Authority, Certificate
from deploy.commands import ServerTls, web_command
from deploy.credentials import generate
from deploy.environment import process_environment, system_settings
from deploy.services import BY_NAME, SERVICES
from launcher.children import Child, Launch
from launcher.ports import HOST
from tests.support.eventually import eventually
from tests.support.servers import free_ports
from tests.support.system import ROOT

Files = Callable[[str, Certificate], tuple[Path, Path]]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """``files(name, certificate)``: write a certificate and its key; return their paths."""

    def write(name: str, issued: Certificate) -> tuple[Path, Path]:
        certificate, key = tmp_path / f"{name}.pem", tmp_path / f"{name}.key"
        certificate.write_bytes(issued.certificate)
        key.write_bytes(issued.key)
        return certificate, key

    return write


@pytest.fixture
def authority() -> Authority:
    return Authority.create("FastCheck")


@pytest.fixture
def ca(authority: Authority, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    path.write_bytes(authority.pem)
    return path


@pytest.fixture
def url(cache_url: str, tmp_path: Path, files: Files, authority: Authority, ca: Path) -> Iterator[str]:
    """A web process that requires client certificates. It needs no database, so it is the gateway's."""
    port = next(free_ports())
    addresses = dict.fromkeys(("postgres", "redis", *(each.name for each in SERVICES)), f"{HOST}:{port}")
    user = {"FASTCHECK_CACHE_URL": cache_url}
    settings = system_settings(generate(), addresses, public_url=f"http://{HOST}:{port}", user=user)
    certificate, key = files("server", authority.issue("gateway", [HOST]))
    command = web_command(BY_NAME["gateway"], host=HOST, port=port, tls=ServerTls(certificate, key, ca))
    child = Child(
        Launch(
            name="gateway-web",
            command=[sys.executable, *command],
            env=process_environment(BY_NAME["gateway"], settings),
            log=tmp_path / "gateway-web.log",
            cwd=ROOT,
        )
    )
    yield f"https://{HOST}:{port}"
    child.ask_to_stop()
    eventually(lambda: child.poll() is not None)
    child.end_group()


def _status(url: str, tls: TlsFiles) -> int:
    return HttpClient(url, timeout_seconds=5, max_connections=1, tls=tls).request("GET", "/healthz", headers={}).status


def test_only_a_certificate_of_the_systems_ca_is_served(url: str, files: Files, authority: Authority, ca: Path) -> None:
    trusted = TlsFiles(ca, *files("checks", authority.issue("checks", ["checks"])))

    def served() -> bool:
        try:
            return _status(url, trusted) == 200
        except ServiceUnavailable:
            return False

    eventually(served, timeout=60)
    foreign = Authority.create("foreign")
    for tls in (TlsFiles(ca), TlsFiles(ca, *files("foreign", foreign.issue("checks", ["checks"])))):
        with pytest.raises(ServiceUnavailable):
            _status(url, tls)
    assert _status(url, trusted) == 200
