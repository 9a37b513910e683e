"""The plan of `mtts login`: key, start or login anew, proof, and no key left behind."""

from dataclasses import replace

from mtts.core.changes import (
    AwaitHealthy,
    Change,
    RunInside,
    Start,
    Stop,
)
from mtts.core.dialect import Term
from mtts.core.environment import reauth_command
from mtts.core.errors import Problem
from mtts.core.facts import Facts
from mtts.core.inventory import NodeSpec, Router
from mtts.core.node_context import NodeContext, has_identity, keeps_key, place_key, retire_key
from mtts.core.plan import Plan, fingerprint, path_through_node
from mtts.core.preflight import place_of
from mtts.core.slots import bridge_down, not_deployed, slots_of, transaction_open


def plan_login(*, router: Router, node: NodeSpec, facts: Facts, reauth: bool) -> Plan:
    """A fresh login of a standing node with the inventory's key, proven, and no key left behind.

    A node without an identity reads the key at its start; one that has an identity is told to log in anew (`reauth`).
    """
    context = NodeContext(router, node, facts, None)
    problem = _cannot_login(context, reauth=reauth)
    plan = Plan(router.name, node.name, facts.resource.version_text, fingerprint(facts))
    place = place_of(router, node, facts, None)
    if problem is not None or isinstance(place, Problem):
        return replace(plan, refusals=(problem,) if problem else (place,) if isinstance(place, Problem) else ())
    (container,) = facts.containers_of(node.name)
    root, label = container.root_dir, f"container {container.label}"
    changes: list[Change] = [place_key(context, place)]
    if reauth and has_identity(context) and container.is_up:
        changes.append(RunInside(root, label, "logs in anew", reauth_command(node)))
    else:
        if container.is_up:
            changes.append(Stop(root, label, "the key is read at a start"))
        changes.append(Start(root, label, "to log in"))
    changes.append(AwaitHealthy(root, f"node {node.name}", "proves the login"))
    if not keeps_key(node):
        changes.append(retire_key(context, place))
    return replace(plan, changes=tuple(changes))


def _cannot_login(context: NodeContext, *, reauth: bool) -> Problem | None:
    router, node, facts = context.router, context.node, context.facts
    slots = slots_of(facts.containers, node.name)
    if isinstance(slots, Problem):
        return slots
    if slots.is_bridge_down:
        return bridge_down(router.name, node.name, slots)
    if slots.leftovers and slots.open_transaction is not None:
        return transaction_open(router.name, node.name)
    if slots.leftovers or slots.live is None or (slots.live.tag and slots.live.tag.adopted):
        return not_deployed(router.name, node.name)
    if node.auth_key is None:
        return Problem("auth-key-missing", f"node {node.name} has no auth key", "set `auth_key:` of the node")
    if reauth and context.dialect.word(Term.SHELL_COMMAND) is None:
        return Problem(
            "setting-unsupported",
            f"RouterOS {facts.version} runs no commands inside a container, so nothing can be told to log in anew",
            "delete the node in the tailnet's admin console; then mtts login without --reauth",
        )
    return path_through_node(router, facts)
