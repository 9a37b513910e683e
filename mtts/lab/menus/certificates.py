"""`/certificate`: a store of certificates that are described, signed by themselves, or imported from files.

Nothing is encrypted with them: the lab's own TLS has certificates of its own. What a certificate authority would do
(ACME, SCEP, revocation) is not modelled.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING

from mtts.lab.call import Call
from mtts.lab.reply import DONE, Reply, failure, no_match
from mtts.lab.table import Singleton, Table, TableSpec
from mtts.lab.values import path_key, stamp

if TYPE_CHECKING:
    from mtts.lab.device import Device

DAYS_VALID = "365"
CERTIFICATE = TableSpec(
    "/certificate",
    required=("common-name",),
    settings={"days-valid": DAYS_VALID, "key-size": "2048", "key-usage": "", "trusted": "false"},
    booleans=frozenset({"trusted"}),
    unique=("name",),
    unique_text="certificate with such name already exists",
)


class CertificateTable(Table):
    """`/certificate`"""

    def __init__(self, device: Device) -> None:
        super().__init__(device, CERTIFICATE)
        self.verbs |= {"sign": self._sign, "import": self._import}

    def before_add(self, new: dict[str, str]) -> None:
        """A name is made up where none is given."""
        new.setdefault("name", f"cert{len(self.items) + 1}")

    def _sign(self, call: Call) -> Reply:
        for item in self.selected(call):
            if "fingerprint" in item.values:
                raise failure("already signed")
            item.values |= self._signature(item.values["name"], int(item.values["days-valid"]))
            item.values["private-key"] = "true"
        return DONE

    def _import(self, call: Call) -> Reply:
        path = path_key(call.command.args.get("file-name", ""))
        contents = self.device.files.read(path)
        if contents is None:
            raise no_match("file-name")
        if b"-----BEGIN CERTIFICATE-----" not in contents:
            return _counts(0)
        name = call.command.args.get("name") or f"{path.rpartition('/')[2]}_0"
        values = {"name": name, "common-name": name, "trusted": "true", "private-key": "false"}
        self.insert(values | self._signature(contents.decode("latin-1"), int(DAYS_VALID)))
        return _counts(1)

    def _signature(self, seed: str, days: int) -> dict[str, str]:
        now = self.device.wall
        return {
            "fingerprint": hashlib.sha256(seed.encode("utf-8", "surrogateescape")).hexdigest(),
            "invalid-before": stamp(now),
            "invalid-after": stamp(now + timedelta(days=days)),
        }


def _counts(certificates: int) -> Reply:
    row = {"certificates-imported": str(certificates), "private-keys-imported": "0", "files-imported": "1"}
    return Reply(rows=[row])


BUILTIN_TRUST = {
    "builtin-trust-anchors": "not-trusted",
    "builtin-trust-store": "default",
    "current-defaults": "fetch,mqtt,email,netwatch,container,lora,dns",
}
"""As exports and an API client show them: the first in 7.19 and 7.20, the others from 7.21 and 7.22 on."""


def make_settings(device: Device) -> Singleton:
    """`/certificate/settings`"""
    known = device.schema.menus["/certificate/settings"]["set"]
    stored = {"crl-download": "false", "crl-use": "false", "crl-store": "ram"}
    stored |= {name: value for name, value in BUILTIN_TRUST.items() if name in known}
    return Singleton(device, "/certificate/settings", stored, booleans=frozenset({"crl-download", "crl-use"}))
