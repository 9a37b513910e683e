"""What a router's own settings say of certificates, on which every pull depends (F03).

They belong to the whole router and are told by `mtts check` and behind a pull that failed over them; never changed.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mtts.core.changes import quote
from mtts.core.errors import Problem
from mtts.core.facts import ContainerRow
from mtts.core.preflight import Check, Level
from mtts.core.values import is_true
from mtts.core.version import Version

TRUST_MENU: Final = "/certificate/settings"
CHECKED: Final = "check-certificate"
"""Of a container, from RouterOS 7.20 on."""

_VERIFIED_SINCE: Final = Version(7, 20)
"""Before, a container has no setting that has its registry's certificate checked."""

_STORES: Final[Mapping[str, str]] = {"builtin-trust-store": "default", "builtin-trust-anchors": "trusted"}
"""The roots that RouterOS brings along, with what has them used: from 7.21 on, and in 7.19 and 7.20; none before."""

_TRUSTING: Final = frozenset({"all", "trusted", "container"})
_REVOCATION: Final = re.compile(r"\bcrl\b", re.IGNORECASE)
_DISTRUST: Final = re.compile(r"\b(ssl|tls|x509|certificate|untrusted|not trusted)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Trust:
    """The settings as one router shows them."""

    version: Version
    settings: Mapping[str, str]
    """/certificate/settings; empty where the router does not show it."""
    containers: Sequence[ContainerRow] = ()
    """Of the node, with `check-certificate`."""


def check_trust(trust: Trust) -> Iterator[Check]:
    """Revocation lists, the built-in roots, and what is checked at all."""
    settings = trust.settings
    if not settings:
        yield Check("trust", Level.WARNING, f"the router does not show {TRUST_MENU}")
        return
    lists = f"crl-use={_word(settings, 'crl-use')} crl-download={_word(settings, 'crl-download')}"
    if is_true(settings.get("crl-use", "")):
        said = f"{lists}: a pull fails where the revocation list of an issuer is not there"
        yield _warning("revocation", said, f"{TRUST_MENU}/set crl-use=no")
    else:
        yield Check("revocation", Level.OK, lists)
    yield from _check_store(trust)
    yield from _check_containers(trust.containers)


def _check_store(trust: Trust) -> Iterator[Check]:
    name = next((one for one in _STORES if one in trust.settings), None)
    if name is None:  # RouterOS 7.18 brings no roots along
        return
    value = trust.settings[name]
    users = trust.settings.get("current-defaults", "container") if value == "default" else value
    if _TRUSTING & set(users.split(",")) or trust.version < _VERIFIED_SINCE:
        yield Check("trust-store", Level.OK, f"{name}={value}")
        return
    said = f"{name}={value}: containers are pulled by certificates alone that somebody imported"
    yield _warning("trust-store", said, f"{TRUST_MENU}/set {name}={'all' if value == 'default' else _STORES[name]}")


def _check_containers(containers: Iterable[ContainerRow]) -> Iterator[Check]:
    for row in containers:
        value = row.props.get(CHECKED)
        if value is None:
            continue
        if is_true(value):
            yield Check("verification", Level.OK, f"{row.label}: {CHECKED}=yes")
        else:
            said = f"{row.label}: {CHECKED}=no, so that nothing proves the registry that it is pulled from"
            yield _warning("verification", said, f"/container/set [find name={quote(row.name)}] {CHECKED}=yes")


def hint_of_pull(said: str, router: str) -> str | None:
    """Which setting helps against a pull that failed in these words; None where they speak of something else."""
    if _REVOCATION.search(said):
        return f"{TRUST_MENU}/set crl-use=no, or have the router fetch the lists: crl-download=yes"
    if _DISTRUST.search(said):
        return (
            f"mtts check {router} shows what the router trusts: {TRUST_MENU} builtin-trust-store"
            " (builtin-trust-anchors before RouterOS 7.21); its clock counts as well"
        )
    return None


def _word(settings: Mapping[str, str], name: str) -> str:
    return "yes" if is_true(settings.get(name, "")) else "no"


def _warning(name: str, said: str, hint: str) -> Check:
    return Check(name, Level.WARNING, said, Problem("trust-settings", said, hint))
