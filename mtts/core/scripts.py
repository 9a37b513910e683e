"""RouterOS commands for people to paste: to let mtts in, to do what a plan says, to leave an updater on a router.

Pure. Every text goes through the one escaper, and none is a secret: where one is needed there is a place for it
between two quotes, and nothing is done while that is empty.
"""

import re
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Final

from mtts.core.changes import (
    AwaitHealthy,
    AwaitPull,
    Change,
    PlaceKey,
    ProveImage,
    RetireKey,
    headline,
    quote,
    routeros_command,
)
from mtts.core.inventory import NodeSpec, Router, TlsMode
from mtts.core.plan import Plan
from mtts.core.text import printable
from mtts.core.updater import INTERVAL, POLICY, START_DATE, TAG, script_name, start_time

POLICIES: Final = "api,read,write,test"
"""The least that mtts needs: the API, reading, writing, and `/execute` for the guard."""

_GROUP: Final = "mtts"
_CERTIFICATE: Final = "mtts-api"
_LEAST_PASSWORD: Final = 12
_LINE: Final = re.compile(r"[^\n]*\n")


def bootstrap_script(router: Router) -> str:
    """What lets mtts log in to a router: user, group, and the API service with a certificate."""
    user, group = quote(router.username), quote(_GROUP)
    return _text(
        f"# Lets mtts log in to {_remark(router.name)}. Paste it into its terminal, as a user with all rights.",
        f"# It makes the user {_remark(router.username)}, who has the policies {POLICIES} and no others,",
        "# and has the API answer. Run again it changes nothing that is there.",
        "# Better still: let the user in from mtts' own address only (/user/set ... address=...).",
        "{",
        "  # Write a password between the quotes, the same one that the inventory points to.",
        '  :local password ""',
        f"  :if ([:len $password] < {_LEAST_PASSWORD}) do={{",
        f'    :error "first write a password of at least {_LEAST_PASSWORD} characters between the quotes"',
        "  }",
        f"  :if ([:len [/user/group/find where name={group}]] = 0) do={{",
        f"    /user/group/add name={group} policy={POLICIES}",
        "  }",
        f"  :if ([:len [/user/find where name={user}]] = 0) do={{",
        f"    /user/add name={user} group={group} password=$password",
        "  }",
        *_service(router),
        "}",
        *(_afterwards(router)),
    )


def _service(router: Router) -> Iterator[str]:
    port = f" port={router.port}" if router.port is not None else ""
    if router.tls is TlsMode.OFF:
        yield f"  /ip/service/set api disabled=no{port}"
        return
    if router.tls in (TlsMode.PINNED, TlsMode.CA):
        name = quote(_CERTIFICATE)
        yield f"  :if ([:len [/certificate/find where name={name}]] = 0) do={{"
        yield (
            f"    /certificate/add name={name} common-name={quote(router.host)}"
            f" subject-alt-name={_alt_name(router.host)}"
            " days-valid=3650 key-size=2048 key-usage=digital-signature,key-encipherment,tls-server"
        )
        yield f"    /certificate/sign {name}"
        yield "  }"
        yield f"  /ip/service/set api-ssl certificate={name} disabled=no{port}"
        return
    yield f"  /ip/service/set api-ssl disabled=no{port}"


def _afterwards(router: Router) -> Iterator[str]:
    if router.tls is TlsMode.PINNED:
        yield f"# Then, beside the inventory: mtts trust {_remark(router.name)}"
    yield f"# To see what is still missing: mtts check {_remark(router.name)}"


def _alt_name(host: str) -> str:
    try:
        return quote(f"IP:{ip_address(host)}")
    except ValueError:
        return quote(f"DNS:{host}")


def provision_script(plan: Plan) -> str:
    """What a deploy would do to one node, for people who do it by hand; waits and proofs are said in words."""
    return _text(
        f"# Deploys node {_remark(plan.node)} on {_remark(plan.router)} (RouterOS {_remark(plan.routeros)}).",
        "# Paste it piece by piece: it has to wait in two places, and nothing goes back by itself.",
        *(line for change in plan.changes for line in ("", *_step(change))),
        *(("", "# Nothing is left to do.") if not plan.changes else ()),
    )


def _step(change: Change) -> Iterator[str]:
    why = f": {_remark(change.why)}" if change.why else ""
    yield f"# {_remark(headline(change))}{why}"
    match change:
        case PlaceKey(file=file):
            yield "{"
            yield "  # Write the auth key between the quotes."
            yield '  :local key ""'
            yield '  :if ($key = "") do={:error "first write the auth key between the quotes"}'
            yield f"  /file/add name={quote(file)} contents=$key"
            yield "}"
        case RetireKey():
            yield f':do {{{routeros_command(change)}}} on-error={{:put "the image deleted it already"}}'
        case AwaitPull():
            yield "# STOP here until /container/print shows it as stopped, with its image unpacked."
        case AwaitHealthy():
            yield "# STOP here until its log says: Switching ipn state ... -> Running."
        case ProveImage():
            yield "# Compare its image-id with what mtts status shows."
        case _:
            yield routeros_command(change)


def updater_script(router: str, node: NodeSpec, source: str) -> str:
    """The commands that put an updater on a router, or in the place of an earlier one."""
    name, own = quote(script_name(node)), f'comment~"^{TAG}"'
    return _text(
        f"# Has {_remark(router)} keep its node {_remark(node.name)} current by itself. Made for its RouterOS:",
        "# make it anew after an upgrade. Load it with /import, or paste it into a terminal, as a user with",
        f"# the policies {POLICY}, whom it runs as and who must stay.",
        f"# Undo: /system/scheduler/remove {name}; /system/script/remove {name}",
        f"/system/scheduler/remove [find where name={name} and {own}]",
        f"/system/script/remove [find where name={name} and {own}]",
        f"/system/script/add name={name} comment={quote(TAG)} policy={POLICY} dont-require-permissions=no \\",
        f"  source={_source(source)}",
        f"/system/scheduler/add name={name} comment={quote(TAG)} policy={POLICY} on-event={name} \\",
        f"  start-date={START_DATE} start-time={start_time(router, node)} interval={INTERVAL}",
    )


def _source(text: str) -> str:
    """A script, whole lines, as the value of a property; blanks that begin a joined line would be lost."""
    lines = [quote(line)[1:-1] for line in _LINE.findall(text)]
    return '"' + "\\\n    ".join(f"\\_{line[1:]}" if line.startswith(" ") else line for line in lines) + '"'


def _remark(text: str) -> str:
    """A text in a comment, which ends with its line: a backslash there would join the next one to it."""
    return printable(text).replace("\\", "/")


def _text(*lines: str) -> str:
    return "\n".join(lines) + "\n"
