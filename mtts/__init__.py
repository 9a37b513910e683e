"""mtts deploys and updates a small Tailscale container on a fleet of MikroTik RouterOS routers."""

__version__ = "0.1.0"
