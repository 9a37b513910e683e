"""Which module models which menu, and the few questions about menus that the rest of a router asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mtts.lab.call import Menu
from mtts.lab.menus import (
    certificates,
    container_listings,
    container_settings,
    containers,
    disks,
    files,
    interfaces,
    logs,
    network,
    packages,
    safe_mode,
    scheduler,
    scripts,
    system,
    tools,
    users,
)
from mtts.lab.table import Table

if TYPE_CHECKING:
    from mtts.lab.device import Device

Factory = Callable[["Device"], Menu]

FACTORIES: dict[str, Factory] = {
    "/": tools.Console,
    "/container": containers.ContainerTable,
    "/container/config": container_settings.ContainerConfig,
    "/container/envs": container_settings.EnvTable,
    "/container/layers": container_listings.Layers,
    "/container/log": container_listings.ContainerLog,
    "/container/mounts": container_settings.MountTable,
    "/disk": disks.DiskTable,
    "/disk/settings": disks.make_settings,
    "/file": files.FileMenu,
    "/interface/bridge": interfaces.BridgeTable,
    "/interface/bridge/port": interfaces.PortTable,
    "/interface/list": interfaces.ListTable,
    "/interface/list/member": interfaces.MemberTable,
    "/interface/veth": interfaces.VethTable,
    "/ip/address": network.AddressTable,
    "/ip/dns": network.Dns,
    "/ip/dns/static": lambda device: Table(device, network.DNS_STATIC),
    "/ip/firewall/filter": lambda device: network.FirewallTable(device, network.FILTER),
    "/ip/firewall/nat": lambda device: network.FirewallTable(device, network.NAT),
    "/ip/route": network.RouteTable,
    "/ip/service": network.ServiceTable,
    "/ipv6/address": network.Address6Table,
    "/ipv6/route": network.Route6Table,
    "/certificate": certificates.CertificateTable,
    "/certificate/settings": certificates.make_settings,
    "/log": logs.LogMenu,
    "/safe-mode": safe_mode.SafeMode,
    "/system": system.Power,
    "/system/clock": system.Clock,
    "/system/device-mode": system.DeviceMode,
    "/system/identity": system.make_identity,
    "/system/package": packages.PackageTable,
    "/system/package/update": packages.Update,
    "/system/resource": system.Resource,
    "/system/routerboard": system.make_routerboard,
    "/system/scheduler": scheduler.SchedulerTable,
    "/system/script": scripts.ScriptTable,
    "/system/script/job": scripts.JobMenu,
    "/tool": tools.Tool,
    "/user": users.make_users,
    "/user/active": users.ActiveUsers,
    "/user/group": users.make_groups,
}


def build_menu(device: Device, path: str) -> Menu:
    """A fresh menu in its factory state; one that nobody models refuses every command by itself."""
    factory = FACTORIES.get(path)
    return factory(device) if factory is not None else Menu(device, path)


def interface_names(device: Device) -> set[str]:
    """Every interface of a router: its ports, its bridges, its veths."""
    names = {"lo", *(f"ether{number}" for number in range(1, device.build.board.ethernet + 1))}
    for path in ("/interface/bridge", "/interface/veth"):
        names.update(item.values["name"] for item in device.table(path).items.values())
    return names
