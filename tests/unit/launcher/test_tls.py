"""The CA and the certificates of a system, and the settings that its processes get."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from common.http.client.client import TlsFiles
from deploy.certificates import Authority
from deploy.credentials import generate
from deploy.environment import system_settings
from deploy.failure import LaunchError
from deploy.services import AUDITOR, SERVICES
from launcher.auditor_process import auditor_process
from launcher.data_dir import DataDir
from launcher.embedded.stunnel import MAX_SOCKET_PATH_BYTES, Backend
from launcher.processes import Process, operator_ports, service_processes
from launcher.tls import LIFETIME, WARNING, Tls, ca_file

PORTS = {
    name: 20_000 + number
    for number, name in enumerate(
        ("postgres", "redis", AUDITOR, *(service.name for service in SERVICES), *operator_ports(SERVICES, 2))
    )
}
ADDRESSES = {name: f"127.0.0.1:{port}" for name, port in PORTS.items()}
#: A URL of a protocol that has a variant with TLS.
URL = re.compile(r"(http|redis|amqp|postgresql)[a-z+0-9]*://")


@pytest.fixture
def data_dir(tmp_path: Path) -> DataDir:
    return DataDir(tmp_path)


def renewed(data_dir: DataDir, user: dict[str, str] | None = None) -> Tls:
    return Tls.renewed(data_dir, frozenset(ADDRESSES.values()), user or {})


def processes(data_dir: DataDir, user: dict[str, str] | None = None) -> list[Process]:
    tls, secrets = renewed(data_dir, user), generate()
    settings = system_settings(secrets, ADDRESSES, public_url="https://127.0.0.1:8000", user=user or {})
    return [
        *service_processes(settings, PORTS, data_dir, replicas=2, tls=tls),
        auditor_process(secrets, PORTS, data_dir, settings, tls),
    ]


def certificate(files: TlsFiles) -> x509.Certificate:
    assert files.certificate is not None
    return x509.load_pem_x509_certificate(files.certificate.read_bytes())


def test_no_process_gets_a_url_without_tls(data_dir: DataDir) -> None:
    for process in processes(data_dir):
        urls = {name: value for name, value in process.launch.env.items() if URL.match(value)}
        assert urls
        for name, value in urls.items():
            files = f"sslrootcert={data_dir.path}/tls/ca.pem&sslcert={data_dir.path}/tls/"
            is_secure = value.startswith(("https://", "rediss://")) or f"?sslmode=verify-full&{files}" in value
            assert is_secure, f"{process.name}: {name}"


def test_each_kind_of_process_has_a_certificate_of_its_own(data_dir: DataDir) -> None:
    holders = {
        process.name.removesuffix("-2"): process.launch.env["FASTCHECK_TLS_CERT"] for process in processes(data_dir)
    }
    assert holders == {name: f"{data_dir.path}/tls/{name}.pem" for name in holders}
    assert len(holders) > len(SERVICES)


def test_only_web_processes_for_browsers_and_banks_serve_clients_without_a_certificate(data_dir: DataDir) -> None:
    web = [process for process in processes(data_dir) if "granian" in process.launch.command]
    assert all(any(option.startswith("--ssl-certificate=") for option in process.launch.command) for process in web)
    is_open = {process.name for process in web if "--ssl-client-verify" not in process.launch.command}
    assert is_open == {"gateway-web", "gateway-web-2", "sandbox_bank-web"}


def test_urls_of_other_servers_stay_as_the_user_has_set_them(data_dir: DataDir) -> None:
    user = {
        "FASTCHECK_BROKER_URL": "redis://:password@redis.example:6379/0",
        "FASTCHECK_BALANCE_DATABASE_URL": "postgresql+psycopg2://role:password@db.example/fastcheck_balance",
    }
    worker = next(process for process in processes(data_dir, user) if process.name == "balance-worker")
    assert {name: worker.launch.env[name] for name in user} == user


def test_own_files_and_those_of_the_system_exclude_each_other(data_dir: DataDir) -> None:
    with pytest.raises(LaunchError, match="remove FASTCHECK_TLS_CA from the environment"):
        renewed(data_dir, {"FASTCHECK_TLS_CA": "/etc/ca.pem"})


def test_certificates_are_renewed_and_the_ca_is_kept(data_dir: DataDir) -> None:
    first = renewed(data_dir)
    ca, number = ca_file(data_dir.path).read_bytes(), certificate(first.files("balance-web")).serial_number
    assert certificate(first.files("balance-web")).serial_number == number
    second = renewed(data_dir)
    assert ca_file(data_dir.path).read_bytes() == ca
    renewed_certificate = certificate(second.files("balance-web"))
    assert renewed_certificate.serial_number != number
    renewed_certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(ca))
    assert renewed_certificate.not_valid_after_utc <= datetime.now(UTC) + LIFETIME


def test_ca_that_would_end_before_its_certificates_is_replaced(data_dir: DataDir) -> None:
    with time_machine.travel(datetime.now(UTC) - timedelta(days=365) + LIFETIME, tick=False):
        renewed(data_dir)
        ca = ca_file(data_dir.path).read_bytes()
    assert renewed(data_dir).ca.read_bytes() != ca


def test_operator_is_warned_once_before_the_certificates_end(data_dir: DataDir) -> None:
    tls = renewed(data_dir)
    assert tls.warning_of_expiry() is None
    with time_machine.travel(tls.expires_at - WARNING, tick=False):
        assert "restart FastCheck before" in (tls.warning_of_expiry() or "")
        assert tls.warning_of_expiry() is None


def test_certificate_of_a_worker_cannot_identify_a_server(data_dir: DataDir) -> None:
    tls = renewed(data_dir)
    usages = {
        name: set(certificate(tls.files(name)).extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
        for name in ("balance-worker", "operator", "balance-web", "stunnel")
    }
    client, server = {ExtendedKeyUsageOID.CLIENT_AUTH}, {ExtendedKeyUsageOID.SERVER_AUTH}
    assert usages["balance-worker"] == usages["operator"] == client
    assert usages["balance-web"] == usages["stunnel"] == client | server


def test_keys_are_readable_to_their_owner_only(data_dir: DataDir) -> None:
    processes(data_dir)
    keys = list((data_dir.path / "tls").glob("*.key"))
    assert len(keys) > len(SERVICES)
    assert {key.stat().st_mode & 0o777 for key in keys} == {0o600}
    assert (data_dir.path / "tls").stat().st_mode & 0o777 == 0o700


def test_bank_bundle_holds_the_public_cas_and_the_own_one(data_dir: DataDir) -> None:
    payments = next(process for process in processes(data_dir) if process.name == "payments-web")
    bundle = Path(payments.launch.env["FASTCHECK_BANK_CA_BUNDLE"]).read_bytes()
    assert ca_file(data_dir.path).read_bytes() in bundle
    assert bundle.count(b"BEGIN CERTIFICATE") > 50


def test_authority_is_loaded_with_its_key() -> None:
    authority = Authority.create("FastCheck")
    loaded = Authority.load(authority.pem, authority.key_pem)
    issued = x509.load_pem_x509_certificate(loaded.issue("balance", ["127.0.0.1"]).certificate)
    issued.verify_directly_issued_by(authority.certificate)


def test_data_folder_with_a_path_too_long_for_sockets_is_rejected() -> None:
    Backend("redis", 1, "/" + "a" * (MAX_SOCKET_PATH_BYTES - 1), ())
    with pytest.raises(LaunchError, match="choose a data folder with a shorter path"):
        Backend("redis", 1, "/" + "a" * MAX_SOCKET_PATH_BYTES, ())
