"""Run by the interpreter that has `routeros-api`: what its user sees of a lab router, as JSON on stdout."""

import json
import os
import sys

import routeros_api  # type: ignore[import-not-found]  # no dependency of mtts
from routeros_api.exceptions import RouterOsApiCommunicationError  # type: ignore[import-not-found]
from routeros_api.query import IsEqualQuery, OrQuery  # type: ignore[import-not-found]

ROUTER = json.loads(os.environ["LAB_ROUTER"])


def story(*, tls: bool) -> dict[str, object]:
    pool = routeros_api.RouterOsApiPool(
        ROUTER["host"],
        username=ROUTER["user"],
        password=ROUTER["password"],
        port=ROUTER["tls_port"] if tls else ROUTER["port"],
        plaintext_login=True,
        use_ssl=tls,
        ssl_verify=False,
        ssl_verify_hostname=False,
    )
    seen: dict[str, object] = {}
    try:
        api = pool.get_api()
        seen["identity"] = api.get_resource("/system/identity").get()[0]["name"]
        veths = api.get_resource("/interface/veth")
        seen["nothing"] = list(veths.get())
        veths.add(name="veth-ts", address="172.20.0.2/30", gateway="172.20.0.1", comment="größe=1")
        (found,) = veths.get(name="veth-ts")
        seen["added"] = [found["name"], found["address"], found["comment"]]
        veths.set(id=found["id"], comment="changed")
        seen["changed"] = [row["comment"] for row in veths.get()]
        seen["not found"] = list(veths.get(name="other"))
        one_or_other = OrQuery(IsEqualQuery("name", "veth-ts"), IsEqualQuery("name", "other"))
        either = veths.call("print", queries={}, additional_queries=(one_or_other,))
        seen["either"] = [row["name"] for row in either]
        pending = [api.get_resource(path).get_async() for path in ("/system/identity", "/ip/service")]
        seen["at once"] = [len(promise.get()) for promise in pending]
        veths.remove(id=found["id"])
        seen["left"] = list(veths.get())
        try:
            veths.remove(id=found["id"])
        except RouterOsApiCommunicationError as error:
            seen["error"] = error.original_message.decode()
        contents = api.get_binary_resource("/file")
        contents.call("add", {"name": b"blob", "contents": bytes(range(1, 256))})
        (row,) = contents.call("print", {}, {"name": b"blob"})
        seen["bytes survive"] = row["contents"] == bytes(range(1, 256))
        contents.call("remove", {"numbers": b"blob"})
    finally:
        pool.disconnect()
    return seen


json.dump({"plain": story(tls=False), "tls": story(tls=True)}, sys.stdout)
