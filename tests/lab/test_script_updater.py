"""A script of the kind that compares digests by itself, with a registry that a test plays."""

from pathlib import Path

from mtts.lab.call import Call
from mtts.lab.device import Device
from mtts.lab.reply import Reply, failure
from tests.lab.desk import ask, logged, make_device, printed, printed_in_time

CHECK = (Path(__file__).parents[1] / "cases" / "scripts" / "check.rsc").read_text(encoding="utf-8")


def with_registry(device: Device, digest: str, *, token: str = '{"token":"t0ken"}') -> list[str]:
    """Answers what the script fetches; the addresses and headers that it asked with."""
    asked = []

    def fetch(call: Call) -> Reply:
        args = call.command.args
        asked.append(" ".join(args[name] for name in ("url", "http-header-field") if name in args))
        if args["output"] == "user":
            return Reply(rows=[{"status": "connecting"}, {"status": "finished", "data": token}])
        headers = f"Server: x; y;Docker-Content-Digest: {digest};Content-Length: 5"
        return Reply(rows=[{"status": "finished", "data": "{}", "http-headers": headers}])

    device.menu("/tool").verbs["fetch"] = fetch
    return asked


def test_a_digest_is_found_remembered_and_compared() -> None:
    device = make_device()
    asked = with_registry(device, "sha256:aa11")
    assert printed(device, CHECK) == "now sha256:aa11"
    assert printed(device, CHECK) == "unchanged"
    assert device.files.read("image.digest") == b"sha256:aa11"
    with_registry(device, "sha256:bb22")
    assert printed(device, CHECK) == "now sha256:bb22"
    accept = "Accept: application/vnd.oci.image.index.v1+json"
    assert asked[:2] == [
        "https://registry.example/token?scope=repository:team/app:pull",
        f"https://registry.example/v2/team/app/manifests/stable Authorization: Bearer t0ken,{accept}",
    ]


def test_a_registry_that_refuses_is_an_error_in_the_log_and_changes_nothing() -> None:
    device = make_device()

    def refuse(_call: Call) -> Reply:
        raise failure("Status 404, Not Found")

    device.menu("/tool").verbs["fetch"] = refuse
    assert printed(device, CHECK) == "no token"
    assert logged(device) == ["check: no token: failure: Status 404, Not Found", "script error: no token"]
    assert not device.files.entries


async def test_two_checks_at_once_are_one_too_many() -> None:
    device = make_device()
    with_registry(device, "sha256:aa11")
    ask(device, "/system/script/add", name="check", source=f":delay 1s\n{CHECK}\n:delay 30s")
    ask(device, "/execute", script="/system/script/run check")
    await device.clock.advance(5)
    second = ":do { /system/script/run check } on-error={ :put refused }"
    assert await printed_in_time(device, second, 5) == "refused"


def test_a_version_before_7_13_cannot_read_it() -> None:
    assert printed(make_device("7.12.1"), CHECK).startswith("bad command name jobname (line 10 column")
