# Swaps two containers that share one veth and puts the old one back unless the new one stays up and is confirmed.
#
# Changes: which of the two runs; after confirmation also which of them starts on boot.
# To confirm: create the file swap.ok within two minutes. To undo by hand: stop "new", start "old".
# Reads the state as flags or as text, so it does for every RouterOS version from 7.19 on.

:local old "old"
:local new "new"
:local token "swap.ok"
:local patience 120
:local reason ""

# how many containers of this name are up, or at rest
:local up do={
  :local who $1
  :return [:len [/container/find where name=$who and (running or healthy or status="running")]]
}
:local atRest do={
  :local who $1
  :return [:len [/container/find where name=$who and (stopped or status="stopped")]]
}
:local stop do={
  :local who $1
  :local rest $2
  :do { /container/stop [find where name=$who] } on-error={ :log info "swap: $who was not running" }
  :local waited 0
  :while ([$rest $who] = 0 and $waited < 60) do={
    :delay 1s
    :set waited ($waited + 1)
  }
  :if ([$rest $who] = 0) do={ :error "$who does not stop" }
}

:log info "swap: $old gives way to $new"
:do {
  $stop $old $atRest
  /container/start [find where name=$new]
  :delay 5s
  :for i from=1 to=10 do={
    :if ([$up $new] = 0) do={ :error "$new does not stay up" }
    :delay 1s
  }
  :local waited 0
  :while ([:len [/file/find where name=$token]] = 0) do={
    :if ($waited >= $patience) do={ :error "nobody confirmed" }
    :if ([$up $new] = 0) do={ :error "$new went down" }
    :delay 1s
    :set waited ($waited + 1)
  }
} on-error={
  :set reason "the new container is not kept"
}

/container
:if ($reason = "") do={
  set [find where name=$new] start-on-boot=yes
  set [find where name=$old] start-on-boot=no
  :log info "swap: $new is kept"
} else={
  :do { $stop $new $atRest } on-error={ :log warning "swap: $new does not stop" }
  start [find where name=$old]
  :log warning "swap: rolled back, $reason"
}
