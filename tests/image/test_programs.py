"""Every program of the built image runs, on each architecture: natively or under qemu-user."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.image.emulation import emulated
from tests.image.world import PATH, REPOSITORY, World, await_that

pytestmark = pytest.mark.image

ARCHITECTURES: Final = ("amd64", "arm64", "arm-v7")
PORT: Final = 8080

APPLETS: Final = {
    "[": "[ 1 -lt 2 ] && echo yes",
    "ash": "ash -c 'echo $((6 * 7))'",
    "basename": "basename /a/b",
    "cat": "cat /etc/passwd",
    "chmod": "touch f; chmod 600 f; stat -c %a f",
    "chown": "touch f; chown 0:0 f; stat -c %u f",
    "cp": "echo x >f; cp f g; cat g",
    "cut": "echo a:b | cut -d : -f 2",
    "date": "date -u -d @0 +%Y",
    "dd": "echo abc | dd bs=1 count=2 2>/dev/null",
    "df": "df /",
    "dirname": "dirname /a/b",
    "dmesg": "dmesg >/dev/null; echo asked",
    "du": "du -s /etc",
    "echo": "/bin/echo x",
    "env": "env",
    "false": "false || echo no",
    "find": "find /etc -name passwd",
    "free": "free",
    "grep": "grep -E '^ro+t' /etc/passwd",
    "head": "head -n 1 /etc/passwd",
    "hostname": "hostname",
    "id": "id -u",
    # qemu-user knows no answer about neighbours, and waits for one where there are any.
    "ip": "ip -o addr show dev lo; ip route; ip rule; timeout 5 ip neigh; ip link show dev lo",
    "kill": "sleep 60 & kill $!; wait $!; echo $?",
    "killall": "killall -l",
    "ln": "echo x >f; ln -s f l; readlink l",
    "ls": "ls -l /etc/passwd",
    "mkdir": "mkdir -p d/e; ls d",
    "mknod": "mknod p p; ls p",
    "mktemp": "mktemp",
    "mount": "mount",
    "mv": "echo x >f; mv f h; cat h",
    "nc": "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc 127.0.0.1 $PORT",
    "netstat": "netstat -tln",
    "nslookup": "nslookup -type=a name.example 127.0.0.1 | grep -c Server",
    "od": "echo a | od -c",
    "pidof": "pidof nobody || echo none",
    "ping": "ping -c 1 127.0.0.1",
    "ping6": "ping6 -c 1 ::1",
    "printf": "/usr/bin/printf '%s' x",
    "ps": "ps",
    "pwd": "/bin/pwd",
    "readlink": "readlink -f /etc/passwd",
    "rm": "touch f; rm f; ls f 2>/dev/null || echo gone",
    "rmdir": "mkdir r; rmdir r; ls r 2>/dev/null || echo gone",
    "sed": "echo a | sed s/a/b/",
    "seq": "seq 3",
    "sh": "sh -c 'echo x'",
    "sha256sum": "echo x | sha256sum",
    "sleep": "sleep 0; echo slept",
    "sort": "printf 'b\\na\\n' | sort",
    "stat": "stat -c %s /etc/passwd",
    "sync": "sync; echo done",
    "sysctl": "sysctl -n net.ipv4.ip_forward",
    "tail": "tail -n 1 /etc/passwd",
    "tee": "echo x | tee f",
    "test": "test -e /etc/passwd && echo yes",
    "timeout": "timeout 5 echo x",
    "top": "top -b -n 1",
    "touch": "touch t; ls t",
    "tr": "echo a | tr a b",
    "traceroute": "traceroute -m 1 127.0.0.1",
    "traceroute6": "traceroute6 -m 1 ::1",
    "true": "true && echo yes",
    "umount": "umount /nowhere 2>/dev/null || echo refused",
    "uname": "uname -m",
    "uniq": "printf 'a\\na\\n' | uniq",
    "uptime": "uptime",
    "watch": "timeout 1 watch -n 5 -t echo x; echo watched",
    "wc": "wc -l /etc/passwd",
    "wget": "wget -q -O - http://127.0.0.1:$PORT/",
    "which": "which sh",
    "xargs": "echo a | xargs echo",
}
"""A command line for each applet, which prints something where it works."""

FAULTS: Final = ("not found", "Usage:", "Segmentation fault", "uncaught target signal")
"""What the shell, an applet or the emulator says where it does not."""


class Box:
    """One architecture's root file system in a network of its own, with a web server on the loopback interface."""

    def __init__(self, architecture: str, directory: Path, rootfs: Path, world: World) -> None:
        self.architecture, self.world, self._root = architecture, world, directory / "root"
        self.world.add_namespace("box")
        (directory / "served").mkdir()
        web = ("-m", "http.server", "--bind", "127.0.0.1", "--directory", str(directory / "served"), str(PORT))
        self.world.serve("box", sys.executable, *web)
        subprocess.run(("/bin/cp", "-a", rootfs, self._root), check=True)
        await_that("the web server answers", lambda: self.run("nc 127.0.0.1 $PORT </dev/null").returncode == 0)

    def run(self, line: str) -> subprocess.CompletedProcess[str]:
        """A line of shell inside, with a process table, devices and a directory for what it makes."""
        script = (
            'mount -t proc proc "$0/proc" && mount -t tmpfs tmpfs "$0/dev" && mount -t tmpfs tmpfs "$0/tmp"'
            ' && mknod -m 666 "$0/dev/null" c 1 3 && exec chroot "$0" /bin/sh -c "cd /tmp; $1"'
        )
        enter = ("/sbin/ip", "netns", "exec", self.world.namespace("box"))
        unshare = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script, str(self._root), line)
        return subprocess.run(
            (*enter, *unshare), env={"PATH": PATH, "PORT": str(PORT)}, capture_output=True, text=True, check=False
        )


@pytest.fixture(scope="module", params=ARCHITECTURES)
def box(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    directory = tmp_path_factory.mktemp("box")
    rootfs = REPOSITORY / f"build/image/{request.param}/rootfs-default"
    assert rootfs.is_dir(), "there is no image: `make image` builds it"
    world = World(directory, rootfs)
    try:
        with emulated(request.param):
            yield Box(request.param, directory, rootfs, world)
    finally:
        world.close()


def applets(architecture: str) -> set[str]:
    links = (REPOSITORY / f"build/image/{architecture}/busybox.links").read_text().splitlines()
    return {link.rpartition("/")[2] for link in links}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_applet_of_the_image_has_a_trial(architecture: str) -> None:
    assert applets(architecture) == set(APPLETS)


def test_every_applet_works(box: Box) -> None:
    """In one shell, since starting one is the slowest part of it all under emulation."""
    lines = [f"mkdir {number}; cd {number}; {line}\ncd /tmp" for number, line in enumerate(APPLETS.values())]
    done = box.run(
        # The marker is in two pieces, as `ps` shows the whole script.
        "\n".join(f"echo '=''= {name}'\n{{ {line}\n}} 2>&1" for name, line in zip(APPLETS, lines, strict=True))
    )
    said = dict(part.split("\n", 1) for part in done.stdout.split("== ")[1:])
    assert list(said) == list(APPLETS)
    faults = {name: text for name, text in said.items() if not text.strip() or any(sign in text for sign in FAULTS)}
    assert faults == {}


def test_iptables_takes_the_rules_that_tailscaled_makes(box: Box) -> None:
    """Those of upstream's linuxfw/iptables_runner.go, in both families; emulation passes on no netfilter sockets."""
    unmarked, masks = "! --mark 0x0/0xff0000 -j CONNMARK", "--nfmask 0xff0000 --ctmask 0xff0000"
    rules = [
        "-A FORWARD -i tailscale0 -j MARK --set-mark 0x40000/0xff0000",
        "-A FORWARD -m mark --mark 0x40000/0xff0000 -j ACCEPT",
        "-A FORWARD -o tailscale0 -m conntrack ! --ctstate ESTABLISHED,RELATED -j DROP",
        "-A INPUT -p udp --dport 41641 -j ACCEPT",
        "-t nat -A POSTROUTING -m mark --mark 0x40000/0xff0000 -j MASQUERADE",
        f"-t mangle -A PREROUTING -m conntrack --ctstate RELATED -m connmark {unmarked} --restore-mark {masks}",
        f"-t mangle -A OUTPUT -m conntrack --ctstate NEW -m mark {unmarked} --save-mark {masks}",
    ]
    for program in ("iptables", "ip6tables"):
        assert box.run(f"{program} --version").stdout.startswith(f"{program} v1.8.")
        if box.architecture == "amd64":
            done = box.run(" && ".join(f"{program} --wait {rule}" for rule in rules) + f" && {program} -S")
            assert done.returncode == 0, done.stderr
            assert "-A FORWARD -i tailscale0 -j MARK" in done.stdout


def test_tailscaled_starts_and_tells_its_state(box: Box) -> None:
    """Without an interface and without a control server: what emulation is able to do."""
    line = (
        "tailscaled --state=mem: --socket=/tmp/s --tun=userspace-networking 2>/tmp/log & daemon=$!;"
        " until [ -S /tmp/s ]; do sleep 1; done;"
        " tailscale version; tailscale --socket=/tmp/s status; kill $daemon; wait $daemon; echo ended $?"
    )
    said = box.run(line).stdout
    assert said.splitlines()[0].count(".") == 2, said
    assert "Logged out." in said
    assert said.endswith("ended 0\n")
