"""Settings that change after the login, and the container round the daemon."""

import pytest

from tests.image.stage import Stage
from tests.image.test_entrypoint_login import DEFAULTS


def with_routes(routes: str) -> str:
    return DEFAULTS.replace("--advertise-routes=", f"--advertise-routes={routes}")


def logged_in(stage: Stage, **environ: str) -> Stage:
    stage.give_key()
    stage.environ |= environ
    stage.start()
    return stage


def test_changed_routes_are_applied_without_a_login(stage: Stage) -> None:
    run = logged_in(stage).start(TS_ROUTES="192.0.2.0/24")
    assert run.calls == [f"set {with_routes('192.0.2.0/24')}"]


def test_an_option_that_is_gone_goes_back_to_its_default(stage: Stage) -> None:
    logged_in(stage, TS_EXTRA_ARGS="--accept-routes --snat-subnet-routes=false")
    run = stage.start(TS_EXTRA_ARGS="")
    assert run.calls == [f"set {DEFAULTS}"]
    assert stage.start(TS_EXTRA_ARGS="").calls == []


def test_settings_that_are_refused_are_tried_again_and_never_stamped(stage: Stage) -> None:
    logged_in(stage)
    stamp = (stage.state_dir / "settings.applied").read_text()
    run = stage.start(*["no such network"] * 4, TS_ROUTES="nonsense")
    assert run.log.count("the settings cannot be applied: no such network") == 4
    assert (stage.state_dir / "settings.applied").read_text() == stamp


def test_an_identity_from_elsewhere_needs_no_key(stage: Stage) -> None:
    stage.have_identity()
    run = stage.start(TS_AUTHKEY=f"file:{stage.key_file}", TS_HOSTNAME="gate", TS_LOGIN_SERVER="https://hs.example.net")
    assert run.calls == ["set " + DEFAULTS.replace("--hostname=", "--hostname=gate")]


def test_a_key_that_is_not_needed_is_deleted_once_the_node_is_running(stage: Stage) -> None:
    logged_in(stage)
    stage.give_key()
    stage.put("backend", "Running")
    run = stage.start()
    assert run.calls == []
    assert not stage.key_file.exists()


def test_a_key_stays_while_the_node_is_not_running_yet(stage: Stage) -> None:
    logged_in(stage)
    stage.give_key()
    stage.put("backend", "Starting")
    run = stage.start()
    assert run.calls == []
    assert stage.key_file.exists()


def test_new_tags_wait_for_a_new_login_and_the_rest_is_applied(stage: Stage) -> None:
    logged_in(stage, TS_TAGS="tag:old")
    run = stage.start(TS_TAGS="tag:new", TS_ROUTES="192.0.2.0/24")
    assert run.calls == [f"set {with_routes('192.0.2.0/24')}"]
    assert "takes a new login" in run.log
    again = stage.start(TS_TAGS="tag:new", TS_ROUTES="192.0.2.0/24")
    assert again.calls == []
    assert "takes a new login" in again.log


def test_a_node_that_was_stopped_by_hand_stays_stopped(stage: Stage) -> None:
    logged_in(stage)
    stage.put("backend", "Stopped")
    run = stage.start(TS_ROUTES="192.0.2.0/24")
    assert "the node is stopped" in run.log
    assert not [call for call in run.calls if call.startswith("up")]


def test_the_serve_file_is_given_to_the_tool_with_the_nodes_name(stage: Stage) -> None:
    config = stage.state_dir / "serve.json"
    config.write_text('{"Web": {"${TS_CERT_DOMAIN}:443": {}}}')
    logged_in(stage, TS_SERVE_CONFIG=str(config))
    assert stage.lines("served") == ['{"Web": {"node.example.ts.net:443": {}}}']
    assert stage.start().calls == []
    config.write_text('{"Web": {}}')
    assert stage.start().calls[-1] == "serve set-raw"
    assert stage.lines("served") == ['{"Web": {}}']


def test_a_serve_file_that_is_refused_is_tried_again_at_the_next_start(stage: Stage) -> None:
    config = stage.state_dir / "serve.json"
    config.write_text("{}")
    stage.put("no-serve", "unknown subcommand: serve")
    run = logged_in(stage, TS_SERVE_CONFIG=str(config)).start()
    assert run.log.count("TS_SERVE_CONFIG cannot be applied") == 1
    assert "unknown subcommand: serve" in run.log
    (stage.desk / "no-serve").unlink()
    assert stage.start().calls[-1] == "serve set-raw"
    assert stage.start().calls == []


def test_forwarding_is_switched_on(stage: Stage) -> None:
    stage.start()
    assert stage.lines("sysctl-writes") == ["net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"]


def test_forwarding_that_is_on_is_not_written(stage: Stage) -> None:
    for name in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
        stage.put(f"sysctl/{name}", "1")
    stage.start()
    assert stage.lines("sysctl-writes") == []


def test_read_only_sysctls_are_told_and_not_fatal(stage: Stage) -> None:
    stage.put("sysctl/read-only", "")
    stage.give_key()
    run = stage.start()
    assert "net.ipv4.ip_forward is not 1 and cannot be set" in run.log
    assert "logged in" in run.log


def test_a_missing_tun_device_is_made(stage: Stage) -> None:
    stage.tun.unlink()
    stage.tun.parent.rmdir()
    run = stage.start()
    assert stage.lines("devices") == [f"-m 0600 {stage.tun} c 10 200"]
    assert "--tun=tailscale0" in run.daemon_argv


@pytest.mark.parametrize("reason", ["no device", "asked for"])
def test_without_tun_device_it_runs_in_userspace(stage: Stage, reason: str) -> None:
    if reason == "no device":
        stage.tun.unlink()
        (stage.desk / "no-devices").touch()
        run = stage.start()
        assert "is missing and cannot be made" in run.log
    else:
        run = stage.start(TS_USERSPACE="true")
    assert "--tun=userspace-networking" in run.daemon_argv


@pytest.mark.parametrize(
    "name",
    [
        *("TS_CLIENT_ID", "TS_CLIENT_SECRET", "TS_ID_TOKEN", "TS_AUDIENCE", "TS_SOCKS5_SERVER", "TS_DEST_IP"),
        *("TS_OUTBOUND_HTTP_PROXY_LISTEN", "TS_TAILNET_TARGET_IP", "TS_TAILNET_TARGET_FQDN", "TS_KUBE_SECRET"),
        *("TS_EXPERIMENTAL_DEST_DNS_NAME", "TS_ENABLE_HEALTH_CHECK", "TS_ENABLE_METRICS", "TS_LOCAL_ADDR_PORT"),
        *("TS_HEALTHCHECK_ADDR_PORT", "TS_METRICS_ADDR_PORT", "TS_EXPERIMENTAL_VERSIONED_CONFIG_DIR"),
    ],
)
def test_a_variable_that_is_not_supported_is_told_without_its_value(stage: Stage, name: str) -> None:
    stage.give_key()
    run = stage.start(**{name: "canary"})
    assert f"{name} is not supported by this image" in run.log
    assert "canary" not in run.log
    assert "logged in" in run.log


@pytest.mark.parametrize("name", ["TS_ACCEPT_DNS", "TS_AUTH_ONCE", "TS_USERSPACE"])
def test_what_is_neither_true_nor_false_is_told_once(stage: Stage, name: str) -> None:
    stage.give_key()
    assert stage.start(**{name: "maybe"}).log.count(f"{name} is 'maybe', neither true nor false") == 1


def test_patterns_in_options_are_not_files(stage: Stage) -> None:
    stage.give_key()
    run = stage.start(TS_EXTRA_ARGS="--exit-node=auto:*")
    assert run.calls[0].endswith(" --exit-node=auto:*")
    assert "logged in" in run.log
