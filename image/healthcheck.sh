#!/bin/sh
# Whether this node is in the tailnet: exits with 0 if it is, with 1 and a line that says why if it is not.
#
# Cheap, since it is asked often: the network interface that tailscaled makes has an address of the tailnet exactly while
# the node is logged in. `tailscale status` would unpack the command line tool, seconds of work for a small router; it is
# asked only where there is no such interface (TS_USERSPACE).
set -u

socket=${TS_SOCKET:-/var/run/tailscale/tailscaled.sock}
[ -S "$socket" ] || { echo "tailscaled is not running"; exit 1; }

if ip link show dev tailscale0 >/dev/null 2>&1; then
  # 100.64.0.0/10 and fd7a:115c:a1e0::/48
  ip -o addr show dev tailscale0 |
    grep -Eq ' (100\.(6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])\.|fd7a:115c:a1e0:)' ||
    { echo "tailscale0 has no address of the tailnet: not logged in"; exit 1; }
else
  tailscale "--socket=$socket" status --peers=false >/dev/null 2>&1 ||
    { echo "tailscaled is not in the tailnet"; exit 1; }
fi
