"""The NetworkPolicies of the Helm chart allow the calls of the design and no others."""

from typing import Any, Final

from tests.architecture.helm_objects import by_file, expected_processes, objects

#: Who calls whom, beside the servers: the edges of the design. A bank calls the gateway.
CALLS: Final = {
    ("gateway-web", "accounts-web"),
    ("gateway-web", "balance-web"),
    ("gateway-web", "checks-web"),
    ("gateway-web", "payments-web"),
    ("gateway-web", "webhooks-web"),
    ("webhooks-web", "checks-web"),
    ("webhooks-web", "payments-web"),
    ("checks-web", "balance-web"),
    ("checks-worker", "balance-web"),
    ("payments-web", "balance-web"),
    ("payments-worker", "balance-web"),
}
SANDBOX_CALLS: Final = {
    ("payments-web", "sandbox-bank-web"),
    ("payments-worker", "sandbox-bank-web"),
    ("sandbox-bank-web", "gateway-web"),
}
#: Processes that call hosts outside of the cluster.
TO_THE_INTERNET: Final = {"payments-web", "payments-worker", "webhooks-web", "webhooks-worker"}


def component(selector: dict[str, Any]) -> str:
    """Return what a selector of pods selects: a process, or a server."""
    labels: dict[str, str] = selector["matchLabels"]
    if "cnpg.io/cluster" in labels:
        return "postgres"
    if labels["app.kubernetes.io/name"] == "fastcheck-rabbitmq":
        return "rabbitmq"
    assert labels["app.kubernetes.io/instance"] == "fastcheck"
    return labels["app.kubernetes.io/component"]


def edges(name: str, direction: str) -> set[tuple[str, str, int]]:
    """Return who calls whom on which port, by the rules of one direction. Networks are written in CIDR."""
    found = set()
    for policy_name, policy in objects(name, "NetworkPolicy").items():
        if policy_name == "default":
            continue
        spec = policy["spec"]
        assert spec["policyTypes"] == ["Ingress", "Egress"]
        own = component(spec["podSelector"])
        for rule in spec[direction]:
            peers = rule.get("to" if direction == "egress" else "from", [{"anyone": True}])
            for peer in peers:
                other = (
                    component(peer["podSelector"])
                    if "podSelector" in peer
                    else peer["ipBlock"]["cidr"]
                    if "ipBlock" in peer
                    else peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
                    if "namespaceSelector" in peer
                    else "anyone"
                )
                pair = (own, other) if direction == "egress" else (other, own)
                found |= {(*pair, port["port"]) for port in rule["ports"]}
    return found


def expected_edges(name: str) -> set[tuple[str, str, int]]:
    """Return the calls of the design between processes, and from processes to servers."""
    calls = CALLS | (SANDBOX_CALLS if name == "small" else set())
    postgres, broker, cache = {
        "small": (("postgres", 5432), ("valkey", 6379), ("valkey", 6379)),
        "ha": (("postgres", 5432), ("rabbitmq", 5672), ("valkey", 6379)),
        "external": (("10.20.0.0/24", 5432), ("10.20.1.0/24", 5672), ("10.20.2.0/24", 6379)),
    }[name]
    found = {(caller, called, 8000) for caller, called in calls}
    for process, (owner, _) in expected_processes(name).items():
        if owner != "gateway" and not process.endswith("-scheduler"):
            found.add((process, *postgres))
        if process.endswith(("-worker", "-relay", "-scheduler")):
            found.add((process, *broker))
    found.add(("gateway-web", *cache))
    return found | {(job, *postgres) for job in objects(name, "Job")}


@by_file
def test_processes_may_call_what_the_design_calls_and_no_more(name: str) -> None:
    servers = {"postgres", "rabbitmq"}
    by_egress = {edge for edge in edges(name, "egress") if edge[2] != 53 and edge[0] not in servers}
    internet = {edge for edge in by_egress if edge[1] == "0.0.0.0/0"}
    assert internet == {(process, "0.0.0.0/0", 443) for process in TO_THE_INTERNET}
    assert by_egress - internet == expected_edges(name)


@by_file
def test_processes_and_servers_admit_their_callers_and_no_more(name: str) -> None:
    processes = {*expected_processes(name), *objects(name, "Job")}
    admitted = edges(name, "ingress")
    if name == "small":
        # The rule that admits all to the gateway has no peers.
        admitted |= {edge for edge in expected_edges(name) if edge[1] == "gateway-web"}
    external = {edge for edge in expected_edges(name) if "/" in edge[1]}
    assert {edge for edge in admitted if edge[0] in processes} == expected_edges(name) - external
    others = {edge for edge in admitted if edge[0] not in processes and edge[1] in processes}
    visitors = {("anyone" if name == "small" else "ingress-nginx", "gateway-web", 8000)}
    monitors = {("monitoring", process, 9000) for process in expected_processes(name)} if name == "ha" else set()
    assert others == visitors | monitors


@by_file
def test_what_no_policy_allows_is_denied(name: str) -> None:
    default = objects(name, "NetworkPolicy")["default"]["spec"]
    assert default["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in default
    assert "egress" not in default
    for process, pod in objects(name, "Deployment").items():
        labels = pod["spec"]["template"]["metadata"]["labels"]
        assert default["podSelector"]["matchLabels"].items() <= labels.items(), process


def test_banks_are_called_outside_of_private_networks_only() -> None:
    (rule,) = [
        rule
        for rule in objects("ha", "NetworkPolicy")["payments-worker"]["spec"]["egress"]
        if rule["ports"] == [{"port": 443}]
    ]
    assert {"10.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"} <= set(
        rule["to"][0]["ipBlock"]["except"]
    )
