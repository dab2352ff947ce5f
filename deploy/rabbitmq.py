"""Users and permissions of RabbitMQ, as a definitions file (``load_definitions``): one user per service.

All messages use the default exchange, on which RabbitMQ checks the permission on the exchange and not the queue. So a
sender is bound by its signature, not by a rule per queue; what it can read, declare and delete is bound here.
"""

import re
import secrets
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from deploy.redis_users import sends_to


def definitions(passwords: Mapping[str, str], vhost: str) -> dict[str, Any]:
    """Return the definitions of a virtual host; ``passwords`` is by service, of which the result has salted hashes."""
    return {
        "users": [_user(service, password) for service, password in passwords.items()],
        "vhosts": [{"name": vhost}],
        "permissions": [{"user": service, "vhost": vhost, **_permissions(service)} for service in passwords],
    }


def _user(name: str, password: str) -> dict[str, str]:
    salt = secrets.token_bytes(4)
    return {
        "name": name,
        "password_hash": b64encode(salt + sha256(salt + password.encode()).digest()).decode(),
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": "",
    }


def _permissions(service: str) -> dict[str, str]:
    own = rf"{service}\..*"
    # A sender declares the queue that it sends to, so that a message is not dropped before its reader's first start.
    declared = "|".join([own, *map(re.escape, sends_to(service))])
    return {"configure": f"^({declared})$", "write": rf"^(amq\.default|{own})$", "read": f"^{own}$"}
