#!/bin/sh
# Starts a node: prepares the container and becomes tailscaled, while a helper beside it logs in or applies settings.
#
# The environment is the one truth. Names are those of Tailscale's own container:
#   TS_AUTHKEY                a key, or file:PATH of one; TS_AUTH_KEY and TAILSCALE_KEY mean the same. A file in the
#                             state directory is for one login: it is deleted after it
#   TS_LOGIN_SERVER           control server, unless it is Tailscale's; also TAILSCALE_SERVER_URL
#   TS_HOSTNAME               name in the tailnet; also TAILSCALE_HOSTNAME
#   TS_ROUTES                 subnets to advertise, with commas between them; none when empty or unset
#   TS_TAGS                   tags to ask for at the login
#   TS_ACCEPT_DNS             true: take DNS settings from the tailnet (false)
#   TS_EXTRA_ARGS             further options of `tailscale up`, which win over the variables above
#   TS_TAILSCALED_EXTRA_ARGS  further options of tailscaled
#   TS_STATE_DIR, TS_SOCKET   /var/lib/tailscale, /var/run/tailscale/tailscaled.sock
#   TS_USERSPACE              true: without a network interface (false, unless there is no /dev/net/tun)
#   TS_AUTH_ONCE              false: log in at every start, keeping the key file (true)
#   TS_SERVE_CONFIG           JSON file for `tailscale serve`, where the image has it
# tailscaled itself reads some more, such as TS_LOG_VERBOSITY, TS_DEBUG_FIREWALL_MODE and PORT.
#
# Nothing here ends the container: a node that cannot log in says so and tries again, ever less often.
set -uf

readonly TUN=/dev/net/tun
readonly LOGIN_S=60 FIRST_RETRY_S=5 LAST_RETRY_S=600
# Options of `tailscale up`: what `tailscale set` lacks, what may be or name a secret, and what is decided here.
readonly LOGIN_ONLY='advertise-tags|login-server|host-routes'
readonly SECRET='auth-key|authkey|client-secret|id-token|client-id|audience'
readonly OURS='reset|force-reauth|timeout|json|qr|qr-format'

say() { echo "entrypoint: $*" >&2; }

# The value of a variable that is true or false, by its name.
is_true() {
  eval "value=\${$1:-false}"
  # shellcheck disable=SC2154  # eval gave it
  case $value in 1 | t | T | true | True | TRUE) ;; *) return 1 ;; esac
}

check_booleans() {
  for name in TS_ACCEPT_DNS TS_AUTH_ONCE TS_USERSPACE; do
    eval "value=\${$name:-false}"
    case $value in
      1 | t | T | true | True | TRUE | 0 | f | F | false | False | FALSE) ;;
      *) say "$name is '$value', neither true nor false: taken as false" ;;
    esac
  done
}

refuse_unsupported() {
  for name in TS_CLIENT_ID TS_CLIENT_SECRET TS_ID_TOKEN TS_AUDIENCE TS_SOCKS5_SERVER TS_OUTBOUND_HTTP_PROXY_LISTEN \
    TS_DEST_IP TS_EXPERIMENTAL_DEST_DNS_NAME TS_TAILNET_TARGET_IP TS_TAILNET_TARGET_FQDN TS_KUBE_SECRET \
    TS_ENABLE_HEALTH_CHECK TS_ENABLE_METRICS TS_LOCAL_ADDR_PORT TS_HEALTHCHECK_ADDR_PORT TS_METRICS_ADDR_PORT \
    TS_EXPERIMENTAL_VERSIONED_CONFIG_DIR; do
    eval "value=\${$name:-}"
    [ -n "$value" ] || continue
    case $name in
      TS_CLIENT_SECRET) hint='; an OAuth client secret goes into TS_AUTHKEY, with TS_TAGS' ;;
      TS_CLIENT_ID | TS_ID_TOKEN | TS_AUDIENCE) hint='; log in by TS_AUTHKEY' ;;
      *HEALTH* | TS_LOCAL_ADDR_PORT) hint='; the health check of this image is the command /healthcheck.sh' ;;
      *) hint= ;;
    esac
    say "$name is not supported by this image and has no effect$hint"
  done
}

# --- the container

# This node forwards between the router and the tailnet. Where /proc/sys is read-only it has to be right already.
enable_forwarding() {
  for name in net.ipv4.ip_forward net.ipv6.conf.all.forwarding; do
    [ "$(sysctl -n "$name" 2>/dev/null)" = 1 ] && continue
    sysctl -w "$name=1" >/dev/null 2>&1 || say "$name is not 1 and cannot be set: the node will not forward"
  done
}

has_tun() {
  [ -e "$TUN" ] || { mkdir -p "${TUN%/*}" && mknod -m 0600 "$TUN" c 10 200; } 2>/dev/null
  [ -e "$TUN" ] && (: <>"$TUN") 2>/dev/null # there may be a device without a driver
}

# --- settings, one option a line

# Options of TS_EXTRA_ARGS as --name or --name=value, `--name value` too.
extra_options() {
  wants='' place=0
  for word in ${TS_EXTRA_ARGS:-}; do
    place=$((place + 1))
    if [ -n "$wants" ]; then
      echo "--$wants=$word"
      wants=
      continue
    fi
    name=${word#-}
    name=${name#-}
    case $word in
      -*=*) echo "--$name" ;;
      -*)
        case $name in
          accept-risk | advertise-routes | advertise-tags | audience | auth-key | authkey | client-id | client-secret | \
            exit-node | hostname | id-token | login-server | netfilter-mode | operator | qr-format | timeout)
            wants=$name ;;
          *) echo "--$name" ;;
        esac ;;
      *) say "TS_EXTRA_ARGS: word $place is no option and has no effect" ;; # not shown: it may be a key
    esac
  done
  [ -z "$wants" ] || say "TS_EXTRA_ARGS: --$wants lacks its value and has no effect"
}

# Standard input without the options that TS_EXTRA_ARGS names too: they win, and the tool takes no option twice.
unless_extra() {
  names=$(extra_options 2>/dev/null | sed 's/=.*//; s/[^a-z0-9-]//g' | tr '\n' '|')
  grep -Ev "^(${names}--)(=|\$)"
}

# The tool takes no blanks beside the commas of a list.
without_blanks() { printf %s "$1" | tr -d ' \t\r\n'; }

# All that `tailscale set` knows, so that what is taken out of the environment goes back to its default.
lasting_settings() {
  accept_dns=false
  is_true TS_ACCEPT_DNS && accept_dns=true
  routes=$(without_blanks "${TS_ROUTES:-}")
  unless_extra <<END
--hostname=$hostname
--accept-dns=$accept_dns
--advertise-routes=$routes
--accept-routes=false
--advertise-exit-node=false
--exit-node=
--exit-node-allow-lan-access=false
--shields-up=false
--snat-subnet-routes=true
--stateful-filtering=false
--netfilter-mode=on
END
  extra_options 2>/dev/null | grep -Ev "^--($LOGIN_ONLY|$SECRET|$OURS)(=|\$)"
}

# What only a login can change.
login_settings() {
  {
    [ -z "$server" ] || echo "--login-server=$server"
    [ -z "${TS_TAGS:-}" ] || echo "--advertise-tags=$(without_blanks "$TS_TAGS")"
  } | unless_extra
  extra_options 2>/dev/null | grep -E "^--($LOGIN_ONLY)(=|\$)"
}

check_extra_options() {
  case ${TS_EXTRA_ARGS:-} in
    *[\"\']*) say "TS_EXTRA_ARGS: quotes stay as they are: words end at blanks, and no value can hold one" ;;
  esac
  # The option's name alone: its value may be a secret.
  for name in $(extra_options | sed 's/=.*//' | grep -E "^--($SECRET|$OURS)\$"); do
    case $name in
      --auth-key | --authkey) say "TS_EXTRA_ARGS: $name has no effect: a key goes into TS_AUTHKEY" ;;
      *) say "TS_EXTRA_ARGS: $name has no effect: this image logs in by TS_AUTHKEY, and when it has to" ;;
    esac
  done
}

# --- the stamp: which settings the node has, so that a restart without changes writes nothing and asks nobody

# The stamp for what only a login can change, in $1, and the settings as they are to be.
stamp_of() {
  printf '%s\n' "$1" | sed -n 's/^./login &/p'
  lasting_settings | sed 's/^/set /'
  [ -z "${TS_SERVE_CONFIG:-}" ] || sha256sum 2>/dev/null <"$TS_SERVE_CONFIG" | sed 's/^/serve /'
}

write_stamp() {
  [ "$1" != "$(cat "$stamp" 2>/dev/null)" ] || return 0
  (umask 077 && printf '%s\n' "$1" >"$stamp.new" && mv "$stamp.new" "$stamp") || say "$stamp cannot be written"
}

# --- the helper

cli() { tailscale "--socket=$socket" "$@"; }

# `tailscale COMMAND… OPTION…`, options from standard input.
cli_with_options() {
  while IFS= read -r option; do set -- "$@" "$option"; done
  cli "$@" 2>&1 </dev/null
}

# The line of what the tool said that tells why; how it is used is none.
reason() {
  case $1 in
    *USAGE*) echo "$1" | sed -n '/./{p;q;}' ;;
    *) echo "$1" | tail -n 1 ;;
  esac
}

# Whether there is a key, which blanks alone are not.
has_key() {
  case $key in
    file:*) grep -q '[^[:space:]]' "${key#file:}" 2>/dev/null ;;
    *[![:space:]]*) ;;
    *) return 1 ;;
  esac
}

# Whether the key is a file for one login.
is_one_use() {
  case $key in "file:$state_dir/"*) ;; *) return 1 ;; esac
  is_persistent && $login_once
}

is_persistent() {
  case " ${TS_TAILSCALED_EXTRA_ARGS:-} " in *-state=mem:* | *"-state mem:"*) return 1 ;; esac
}

drop_key() {
  is_one_use && [ -e "${key#file:}" ] || return 0
  if rm -f "${key#file:}" 2>/dev/null; then
    say "the key file is deleted: it has done its work"
  else
    say "${key#file:} cannot be deleted: delete it"
  fi
}

# One try. $1 is --force-reauth where tailscaled has an identity that is not valid any more.
log_in() {
  if ! has_key; then
    say "there is no auth key${key:+ in ${key#file:}}: visit the address that follows to log in"
    # Without a deadline, and so once: every other login would make another address.
    { echo --timeout=0s; login_settings; lasting_settings; } | cli_with_options up --reset >&2
    return
  fi
  case $key in
    file:*) file=${key#file:} ;;
    *)
      file=$run_dir/authkey
      (umask 077 && printf '%s\n' "$key" >"$file")
      ;;
  esac
  said=$({ echo "--timeout=${LOGIN_S}s"; echo "--auth-key=file:$file"; login_settings; lasting_settings; } \
    | cli_with_options up --reset "$@")
  status=$?
  [ "$file" != "$run_dir/authkey" ] || rm -f "$file"
  [ "$status" -eq 0 ] && return
  case $said in
    *"timeout waiting"*)
      say "no login within $LOGIN_S s: is ${server:-the control server of Tailscale} reachable from here," \
        "and does it accept this node?" ;;
    *) say "the login failed: $(reason "$said")" ;;
  esac
  return "$status"
}

apply_serve() {
  [ -n "${TS_SERVE_CONFIG:-}" ] || return 0
  domain=$(cli status --json --peers=false | sed -n '/"CertDomains": \[/{n;s/.*"\(.*\)".*/\1/p;}')
  # shellcheck disable=SC2016  # the placeholder as it stands in the file
  said=$(sed "s/\${TS_CERT_DOMAIN}/$domain/g" "$TS_SERVE_CONFIG" | cli serve set-raw 2>&1) && return
  say "TS_SERVE_CONFIG cannot be applied; is this the flavour of the image that has serve?" \
    "$(reason "$said")"
  return 1
}

# Brings a node that has an identity to its settings, without a login.
settle() {
  logins=$(login_settings)
  if [ -e "$stamp" ]; then
    logins=$(sed -n 's/^login //p' "$stamp")
    [ "$logins" = "$(login_settings)" ] ||
      say "login server or tags have changed, which takes a new login: \`tailscale up --force-reauth\`"
  fi
  wanted=$(stamp_of "$logins")
  [ "$wanted" = "$(cat "$stamp" 2>/dev/null)" ] && return
  if ! said=$(lasting_settings | cli_with_options set); then
    say "the settings cannot be applied: $(reason "$said")"
    return 1
  fi
  apply_serve && write_stamp "$wanted" # without a stamp the next start tries again
  say "the settings have changed and are applied"
}

# Success when there is nothing left to do.
step() {
  status=$(cli status --json --peers=false 2>/dev/null)
  state=$(echo "$status" | sed -n 's/^ *"BackendState": "\(.*\)",*$/\1/p')
  force=
  case $status in *'"HaveNodeKey": true'*) force=--force-reauth ;; esac
  case $state in
    '' | NoState)
      state= # still on its way
      return 1
      ;;
    NeedsLogin) ;;
    *)
      [ "$state" != Stopped ] || say "the node is stopped, by \`tailscale down\`: \`tailscale up\` starts it"
      if $login_once || ! has_key; then
        settle || return
        [ "$state" = Running ] && drop_key
        [ ! -e "${key#file:}" ] || ! is_one_use
        return
      fi
      force= ;;
  esac
  # shellcheck disable=SC2086  # an option or nothing
  log_in $force || return
  say "logged in"
  apply_serve && write_stamp "$(stamp_of "$(login_settings)")"
  drop_key
}

# $$ is the process that has become tailscaled.
helper() {
  if is_persistent && [ -s "$state_dir/tailscaled.state" ] && $login_once && ! has_key &&
    [ "$(stamp_of "$(login_settings)")" = "$(cat "$stamp" 2>/dev/null)" ]; then
    return # as it was: not worth unpacking the command line tool
  fi
  while [ ! -S "$socket" ]; do
    kill -0 $$ 2>/dev/null || return
    sleep 1
  done
  delay=$FIRST_RETRY_S
  until step; do
    kill -0 $$ 2>/dev/null || return
    [ -z "$state" ] || say "next try in $delay s"
    sleep "$delay"
    delay=$((delay * 2))
    [ "$delay" -le "$LAST_RETRY_S" ] || delay=$LAST_RETRY_S
  done
}

# --- main

key=${TS_AUTHKEY:-${TS_AUTH_KEY:-${TAILSCALE_KEY:-}}}
server=${TS_LOGIN_SERVER:-${TAILSCALE_SERVER_URL:-}}
hostname=${TS_HOSTNAME:-${TAILSCALE_HOSTNAME:-}}
state_dir=${TS_STATE_DIR:-/var/lib/tailscale}
state_dir=${state_dir%/} # as the key file's name begins
socket=${TS_SOCKET:-/var/run/tailscale/tailscaled.sock}
run_dir=${socket%/*}
stamp=$state_dir/settings.applied
: "${TS_AUTH_ONCE:=true}"
login_once=true
is_true TS_AUTH_ONCE || login_once=false
unset TS_AUTHKEY TS_AUTH_KEY TAILSCALE_KEY TS_BE_CLI # the daemon has no use for a key

mkdir -p "$state_dir" "$run_dir" || say "$state_dir or $run_dir cannot be made"
rm -f "$socket" # of an earlier run: whoever waits for it waits for the new one
check_booleans
refuse_unsupported
check_extra_options
enable_forwarding

tun=tailscale0
if is_true TS_USERSPACE; then
  tun=userspace-networking
elif ! has_tun; then
  say "$TUN is missing and cannot be made: going on without a network interface (TS_USERSPACE)"
  tun=userspace-networking
fi

helper &

# shellcheck disable=SC2086  # words, as in containerboot
exec tailscaled --no-logs-no-support --statedir="$state_dir" --state="$state_dir/tailscaled.state" \
  --socket="$socket" --tun="$tun" ${TS_TAILSCALED_EXTRA_ARGS:-}
