"""What a container needs before it can be added, in the words of each RouterOS version."""

from dataclasses import dataclass

from mtts.lab.fleet import Lab
from mtts.lab.images import build_image
from mtts.lab.router import LabRouter
from tests.lab.talker import Heard, Talker

VERSIONS = ("7.18.2", "7.19.6", "7.20.8", "7.21.5", "7.22.3", "7.23.3", "7.24")
STATE = "mtts/state"


@dataclass(frozen=True, slots=True)
class Ground:
    """A router with veth, environment, mount and state directory, and the image to put on it."""

    lab: Lab
    router: LabRouter
    talker: Talker
    base: str = ""

    def word(self, name: str) -> str:
        """How this router's version calls something."""
        version = self.router.device.version
        new = {"envs": (7, 20, 0), "mounts": (7, 21, 0)}
        names = {"envs": ("envlist", "envlists"), "mounts": ("mounts", "mountlists"), "column-envs": ("name", "list")}
        names["column-mounts"] = ("name", "list")
        return names[name][version >= new[name.removeprefix("column-")]]

    async def lay(self, *, key: str | None = None, veth: str = "veth1") -> None:
        """Make veth, lists and directories; put an auth key where the image looks for it."""
        say = self.talker.say
        state = f"{self.base}{STATE}"
        self.router.device.files.make_directory(state)
        await say("/interface/veth/add", f"=name={veth}", "=address=172.20.0.2/30", "=gateway=172.20.0.1")
        for name, value in {"TS_AUTHKEY": "file:/var/lib/tailscale/authkey", "TS_HOSTNAME": self.router.name}.items():
            await say("/container/envs/add", f"={self.word('column-envs')}=ts", f"=key={name}", f"=value={value}")
        mount = (f"={self.word('column-mounts')}=ts", f"=src={state}", "=dst=/var/lib/tailscale")
        await say("/container/mounts/add", *mount)
        if key is not None:
            heard = await say("/file/add", f"=name={state}/authkey", f"=contents={key}")
            assert heard.trap is None, heard

    async def add(self, root: str = "mtts/a", *more: str, tag: str = "stable", veth: str = "veth1") -> Heard:
        """Add a container of the published image."""
        return await self.talker.say(
            "/container/add",
            f"=remote-image={self.lab.registry.address}/team/mikrotik-tailscale:{tag}",
            f"=interface={veth}",
            f"=root-dir={self.base}{root}",
            "=logging=yes",
            "=entrypoint=/entrypoint.sh",
            f"={self.word('envs')}=ts",
            f"={self.word('mounts')}=ts",
            *more,
        )

    async def print(self, number: int = 0) -> dict[str, str]:
        """One container's row."""
        return (await self.talker.say("/container/print")).rows[number]

    async def state(self, number: int = 0) -> str:
        """What a container's row says it is doing, in either way of saying it."""
        row = await self.print(number)
        flags = ("downloading/extracting", "download/extract failed", "stopped", "starting", "running", "stopping")
        return row.get("status") or next(flag for flag in (*flags, "deleting") if row.get(flag) == "true")

    async def do(self, command: str, number: int = 1) -> Heard:
        """Start, stop, remove, … by `.id`."""
        return await self.talker.say(f"/container/{command}", f"=.id=*{number:X}")

    async def run(self, *, key: str | None = None) -> None:
        """A container from nothing to running."""
        await self.lay(key=key)
        heard = await self.add()
        assert heard.trap is None, heard
        await self.lab.clock.advance(5)
        assert (await self.do("start")).trap is None
        await self.lab.clock.advance(10)


def publish(lab: Lab, version: str = "1.0", *, behaviour: str = "ok", tag: str = "stable") -> None:
    """Move a tag to a small image."""
    lab.registry.publish(build_image(version, behaviour=behaviour, extracted_bytes=400_000), tags=(tag,))
