"""A node's settings as the container's entrypoint is told them: variables, the login command, the serve file."""

import json
from collections.abc import Iterator
from typing import Final

from mtts.core.desired import KEY_FILE, RUN_DIR, SERVE_FILE, STATE_DIR, Wanted, list_name
from mtts.core.dialect import Dialect, Term
from mtts.core.inventory import NodeSpec
from mtts.core.node_context import keeps_key
from mtts.core.tag import Tag

_REAUTH_OPTIONS: Final = ("--force-reauth", "--reset")


def environment(node: NodeSpec) -> dict[str, str]:
    """The container's environment under containerboot's names, so that stock Tailscale images work too.

    No secret is in it: the key comes by file, once.
    """
    arguments = []
    if node.login_server:
        arguments.append(f"--login-server={node.login_server}")
    if node.accept_routes:
        arguments.append("--accept-routes")
    if node.exit_node:
        arguments.append("--advertise-exit-node")
    if not node.snat_subnet_routes:
        arguments.append("--snat-subnet-routes=false")
    if node.tags:
        arguments.append(f"--advertise-tags={','.join(node.tags)}")
    daemon_arguments = []
    if node.direct is not None:
        daemon_arguments.append(f"--port={node.direct}")
    if node.ephemeral:
        daemon_arguments.append("--state=mem:")
    variables = {
        "TS_ACCEPT_DNS": "true" if node.accept_dns else "false",
        "TS_AUTHKEY": f"file:{STATE_DIR}/{KEY_FILE}",
        # Where a login once is enough the image deletes the key file after it.
        "TS_AUTH_ONCE": "false" if keeps_key(node) else "true",
        "TS_EXTRA_ARGS": " ".join((*arguments, *node.extra_args)),
        "TS_HOSTNAME": node.hostname,
        "TS_ROUTES": ",".join(map(str, node.advertise_routes)),
        "TS_SERVE_CONFIG": f"{STATE_DIR}/{SERVE_FILE}" if node.serve else "",
        "TS_SOCKET": f"{RUN_DIR}/tailscaled.sock",
        "TS_STATE_DIR": STATE_DIR,
        "TS_TAILSCALED_EXTRA_ARGS": " ".join(daemon_arguments),
        "TS_USERSPACE": "false",
    }
    # Set but empty clears routes (containerboot's contract); the others are left out when they say nothing.
    said = {name: value for name, value in variables.items() if value or name == "TS_ROUTES"}
    return said | dict(node.env)


def reauth_command(node: NodeSpec) -> str:
    """A login anew inside the container, with every setting named: `up` refuses to drop those it is not told of."""
    settings = environment(node)
    words = (
        *("tailscale", "up", *_REAUTH_OPTIONS),
        f"--auth-key={settings['TS_AUTHKEY']}",
        f"--hostname={node.hostname}",
        f"--advertise-routes={settings['TS_ROUTES']}",
        f"--accept-dns={settings['TS_ACCEPT_DNS']}",
        # `up` takes no option twice. The others above have keys of their own and so are never among further arguments.
        *(word for word in settings.get("TS_EXTRA_ARGS", "").split() if _option(word) not in _REAUTH_OPTIONS),
    )
    return " ".join(words)


def _option(word: str) -> str:
    """The option that a word names, with two dashes; Go's flags know one or two."""
    name = word.partition("=")[0]
    return name if name.startswith("--") else f"-{name}"


def env_objects(node: NodeSpec, dialect: Dialect) -> Iterator[Wanted]:
    key = dialect.require(Term.ENV_LIST)
    for name, value in sorted(environment(node).items()):
        yield Wanted(
            "/container/envs",
            f"env {name}",
            {key: list_name(node), "key": name},
            {key: list_name(node), "key": name, "value": value, "comment": str(Tag(node.name))},
            why="a setting of the node",
        )


def serve_config(node: NodeSpec) -> str:
    """The JSON that TS_SERVE_CONFIG points at; containerboot puts the node's own name in."""
    web = {f"${{TS_CERT_DOMAIN}}:{port}": {"Handlers": {"/": {"Proxy": url}}} for port, url in node.serve.items()}
    config: dict[str, object] = {"TCP": {str(port): {"HTTPS": True} for port in node.serve}, "Web": web}
    return json.dumps({"Services": {node.service: config}} if node.service else config, sort_keys=True)
