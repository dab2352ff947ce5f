"""The round trips and commits of each flow, as the service's README states them."""

from collections.abc import Callable

import requests

from services.payments.polling.tasks import poll_topups
from tests.integration.payments.conftest import MakeSystem
from tests.integration.payments.servers import TIMEOUT, System
from tests.integration.payments.test_refunds import credited, refund
from tests.support.costs import Cost, counted
from tests.support.eventually import eventually


def cost(system: System, action: Callable[[], object]) -> Cost:
    with counted(system.context.db) as cost_so_far:
        action()
        return cost_so_far()


def test_each_flow_costs_what_the_readme_says(make_system: MakeSystem) -> None:
    system = make_system(with_balance=True)
    system.plan(["notify_lost"])
    user = system.user()
    for _ in range(2):  # opens the connections
        user.start(key="warm")
    topup, returned = user.start(), user.start()
    user.pay(returned)
    confirmed, noted = system.confirmation(topup), system.confirmation(topup, "AUTHORIZED")
    path = f"{system.url}/topup/{returned['transactionID']}/return"
    costs = {
        "start": cost(system, user.post_topup),
        "start with a key": cost(system, lambda: user.post_topup(key="k")),
        "start repeated": cost(system, lambda: user.post_topup(key="k")),
        "notification that confirms": cost(system, lambda: system.notify(confirmed)),
        "another notification": cost(system, lambda: system.notify(noted)),
        "one top-up": cost(system, lambda: user.topup(topup)),
        "return that confirms": cost(system, lambda: requests.get(path, allow_redirects=False, timeout=TIMEOUT)),
    }
    assert costs == {
        "start": (2, 2),
        "start with a key": (5, 2),
        "start repeated": (3, 1),
        "notification that confirms": (6, 1),
        "another notification": (3, 1),
        "one top-up": (1, 0),
        "return that confirms": (8, 2),
    }
    system.plan()
    _, refundable = credited(system)
    eventually(lambda: not system.bank_rows("SELECT 1 FROM deliveries WHERE due_at IS NOT NULL"))
    system.bank_rows("UPDATE payments SET faults = '{notify_lost}' RETURNING 1")
    assert cost(system, lambda: refund(system, refundable)) == (22, 5)


def test_poll_costs_what_the_readme_says(make_system: MakeSystem) -> None:
    system = make_system()
    user = system.user()
    for _ in range(5):
        user.start()
    soon = system.later(seconds=20)
    poll_topups(soon)
    context = system.later(seconds=80)
    with counted(context.db) as cost_so_far:
        poll_topups(context)
        assert cost_so_far() == (1 + 5, 1), "one statement claims the batch, one reads each top-up"
