"""TLS to the broker.

Set in every case: without options kombu verifies no certificate of a ``rediss://`` server, and no host name of an
``amqps://`` server.
"""

import ssl
from collections.abc import Mapping

from common.core.settings import TlsSettings


def broker_options(url: str, settings: TlsSettings) -> Mapping[str, object] | None:
    """Return Celery's ``broker_use_ssl``, which is None for a URL without TLS.

    The certificate and the host name of the server are verified, with the CAs of the machine if the settings name none.
    """
    files = (settings.tls_ca, settings.tls_cert, settings.tls_key)
    ca, certificate, key = (str(file) if file else None for file in files)
    if url.startswith("rediss://"):
        return {
            "ssl_cert_reqs": ssl.CERT_REQUIRED,
            "ssl_check_hostname": True,
            "ssl_ca_certs": ca,
            "ssl_certfile": certificate,
            "ssl_keyfile": key,
        }
    if url.startswith("amqps://"):
        return {
            "cert_reqs": ssl.CERT_REQUIRED,
            # kombu replaces None by the host name of the URL.
            "server_hostname": None,
            "ca_certs": ca,
            "certfile": certificate,
            "keyfile": key,
        }
    return None
