"""The round trips and commits of each flow, as the service's README states them."""

from collections.abc import Callable

import pytest

from common.db.engine import Database
from tests.integration.checks.checks_system import ChecksSystem, wrong_code
from tests.support.costs import Cost, counted


def _cost(system: ChecksSystem, act: Callable[[], object]) -> Cost:
    balance: Database = system.balance.context.db
    with counted(system.context.db, balance) as cost:
        act()
        return cost()


def test_each_flow_costs_what_the_readme_says(system: ChecksSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    creator = system.new_user(100_000)
    checks = [system.create(creator) for _ in range(8)]
    path = "/fastcheck/{fastcheck}/code"
    costs = {
        "create": _cost(system, lambda: system.try_create(creator)),
        "create with a key": _cost(system, lambda: system.try_create(creator, key="k")),
        "wrong code": _cost(system, lambda: system.accept(creator, checks[0], wrong_code(checks[0]))),
        "wrong code with a key": _cost(
            system, lambda: system.accept(creator, checks[6], wrong_code(checks[6]), key="w")
        ),
        "unknown number": _cost(
            system, lambda: system.accept(creator, {"fastcheck": "0000-0000-0000", "code": "0000"})
        ),
        "preview": _cost(system, lambda: system.preview(creator, checks[0])),
        "new code": _cost(system, lambda: system.call(creator, "POST", path.format(**checks[1]))),
        "new code with a key": _cost(system, lambda: system.call(creator, "POST", path.format(**checks[1]), key="k")),
        "active": _cost(system, lambda: system.active(creator)),
        "history": _cost(system, lambda: system.history(creator)),
    }
    # These start the acknowledger, which writes in its own thread: they run last, and its writes are not counted.
    acknowledged: list[object] = []
    monkeypatch.setattr(system.context.acknowledger, "acknowledge", acknowledged.append)
    costs |= {
        "accept": _cost(system, lambda: system.accept(creator, checks[2])),
        "accept with a key": _cost(system, lambda: system.accept(creator, checks[3], key="k")),
        "cancel": _cost(system, lambda: system.cancel(creator, checks[4])),
        "cancel with a key": _cost(system, lambda: system.cancel(creator, checks[5], key="k")),
    }
    assert len(acknowledged) == 4
    assert costs == {
        "create": (3, 3),
        "create with a key": (3, 3),
        "wrong code": (4, 1),
        "wrong code with a key": (5, 1),
        "unknown number": (4, 1),
        "preview": (2, 1),
        "new code": (3, 1),
        "new code with a key": (5, 1),
        "active": (1, 0),
        "history": (1, 0),
        "accept": (4, 2),
        "accept with a key": (4, 2),
        "cancel": (4, 2),
        "cancel with a key": (6, 2),
    }
