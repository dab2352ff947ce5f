"""Settings that are valid on a test system only."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from common.core.settings import HttpSettings, OptionalServiceUrl, ServiceUrl, Settings


def test_clock_offset_is_rejected_in_production() -> None:
    with pytest.raises(ValidationError, match="FASTCHECK_CLOCK_OFFSET_SECONDS"):
        Settings(environment="production", clock_offset_seconds=1)


def test_clock_offset_is_accepted_in_the_sandbox() -> None:
    assert Settings(environment="sandbox", clock_offset_seconds=1).clock_offset_seconds == 1


class Calling(HttpSettings):
    """Settings of a service that calls another one."""

    balance_url: ServiceUrl = "http://127.0.0.1:1"
    checks_url: OptionalServiceUrl = ""


@pytest.mark.parametrize("url", ["balance:80", "ftp://balance", "http://", "http://balance/path", "http://balance?x"])
def test_address_of_a_service_must_be_host_and_port(url: str) -> None:
    with pytest.raises(ValidationError, match="https://host:port"):
        Calling(balance_url=url)


def test_https_address_requires_the_ca(tmp_path: Path) -> None:
    for name in ("balance_url", "checks_url"):
        with pytest.raises(ValidationError, match=f"FASTCHECK_{name.upper()} is https, so FASTCHECK_TLS_CA"):
            Calling.model_validate({name: "https://host"})
    ca = tmp_path / "ca.pem"
    ca.touch()
    assert Calling(balance_url="https://balance", tls_ca=ca).tls_ca == ca


def test_client_certificate_and_key_are_set_together(tmp_path: Path) -> None:
    file = tmp_path / "file.pem"
    file.touch()
    for name in ("tls_cert", "tls_key"):
        with pytest.raises(ValidationError, match="FASTCHECK_TLS_CERT and FASTCHECK_TLS_KEY"):
            Calling.model_validate({name: file})


def test_tls_file_that_does_not_exist_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="tls_ca"):
        Calling(tls_ca=tmp_path / "missing.pem")
