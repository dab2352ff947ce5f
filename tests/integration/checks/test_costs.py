"""What each flow costs: the round trips and commits that the service's README states."""

from collections.abc import Callable

import pytest

from common.db.engine import Database
from tests.integration.checks.world import World, wrong_code
from tests.support.costs import Cost, counted


def _cost(world: World, act: Callable[[], object]) -> Cost:
    balance: Database = world.balance.context.db
    with counted(world.context.db, balance) as cost:
        act()
        return cost()


def test_each_flow_costs_what_the_readme_says(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    anna = world.person(100_000)
    checks = [world.create(anna) for _ in range(8)]
    path = "/fastcheck/{fastcheck}/code"
    costs = {
        "create": _cost(world, lambda: world.try_create(anna)),
        "create with a key": _cost(world, lambda: world.try_create(anna, key="k")),
        "wrong code": _cost(world, lambda: world.accept(anna, checks[0], wrong_code(checks[0]))),
        "wrong code with a key": _cost(world, lambda: world.accept(anna, checks[6], wrong_code(checks[6]), key="w")),
        "unknown number": _cost(world, lambda: world.accept(anna, {"fastcheck": "0000-0000-0000", "code": "0000"})),
        "preview": _cost(world, lambda: world.preview(anna, checks[0])),
        "new code": _cost(world, lambda: world.call(anna, "POST", path.format(**checks[1]))),
        "new code with a key": _cost(world, lambda: world.call(anna, "POST", path.format(**checks[1]), key="k")),
        "active": _cost(world, lambda: world.active(anna)),
        "history": _cost(world, lambda: world.history(anna)),
    }
    # These start the acknowledger, which writes when it likes: they come last, and it is out of the count.
    acknowledged: list[object] = []
    monkeypatch.setattr(world.context.acknowledger, "acknowledge", acknowledged.append)
    costs |= {
        "accept": _cost(world, lambda: world.accept(anna, checks[2])),
        "accept with a key": _cost(world, lambda: world.accept(anna, checks[3], key="k")),
        "cancel": _cost(world, lambda: world.cancel(anna, checks[4])),
        "cancel with a key": _cost(world, lambda: world.cancel(anna, checks[5], key="k")),
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
