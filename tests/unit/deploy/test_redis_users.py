"""The rules of the users of Redis follow from who publishes and who subscribes."""

import hashlib

from deploy import redis_users
from deploy.credentials import generate


def keys_of(rules: str) -> list[str]:
    return [word for word in rules.split() if word.startswith(("~", "%"))]


def test_keys_of_each_user() -> None:
    users = redis_users.users(generate().redis_passwords)
    assert {name: keys_of(rules) for name, rules in users.items()} == {
        "balance": ["~balance.*", "%W~checks.acknowledgements*", "%W~payments.acknowledgements*"],
        "checks": ["~checks.*", "%W~balance.events*", "%W~webhooks.events*"],
        "payments": ["~payments.*", "%W~balance.events*", "%W~webhooks.events*"],
        "webhooks": ["~webhooks.*", "%W~checks.acknowledgements*", "%W~payments.acknowledgements*"],
        "gateway": ["~verified:*", "~rate:*", "~barrier:*"],
    }


def test_rules_begin_with_nothing_and_hold_no_password() -> None:
    passwords = generate().redis_passwords
    for name, rules in redis_users.users(passwords).items():
        on, hashed, *others = rules.split()
        assert (on, hashed) == ("on", f"#{hashlib.sha256(passwords[name].encode()).hexdigest()}")
        assert others[0] == "resetkeys"
        assert "resetchannels" in others
        granted = others[others.index("-@all") + 1 :]
        assert all(command.startswith("+") and "@" not in command for command in granted)
        assert not {"+flushdb", "+flushall", "+keys", "+config", "+acl", "+eval", "+publish"} & set(granted)


def test_password_is_quoted_in_the_url() -> None:
    assert redis_users.url("checks", "a/b@c", "h:1", 0) == "redis://checks:a%2Fb%40c@h:1/0"
