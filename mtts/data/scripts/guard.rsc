# The guard of mtts: swaps the two containers of a node on the router itself, and goes back to the old one unless the
# new one is confirmed in time.
#
# Changes: stops and starts the two containers below, kills one that does not stop in time, and writes marks into the
#   new one's comment; once confirmed, hands start-on-boot over from the old one to the new one. Keeps a copy of the
#   node's state meanwhile, and puts it back only if the old one does not stay up without it.
# Undo: stop the new container, start the old one. It lives in memory only: after a reboot it is gone, and the old
#   container boots.
# Needs: read, write. Holds no secret. Times are counted, so that a wrong clock does not matter.
# mtts fills in what stands in double braces.

:local old {{old}}
:local new {{new}}
:local staged {{staged}}
:local armed ($staged . {{armed}})
:local confirmed {{confirmed}}

:local comment do={
  :local text ""
  :do {:set text [:tostr [/container/get $1 comment]]} on-error={}
  :return $text
}

# get without a property gives all that the version has, so that one script serves the state as text and as flags.
:local shows do={
  :local row [:toarray ""]
  :do {:set row [/container/get $1]} on-error={}
  :foreach state in=$2 do={
    :if ([:tostr ($row->$state)] = "true" || [:tostr ($row->"status")] = $state) do={:return true}
  }
  :return false
}
:local up {"starting"; "starting-with-healthcheck"; "running"; "healthy"; "unhealthy"}
:local held {"starting"; "starting-with-healthcheck"; "running"; "healthy"; "unhealthy"; "stopping"}

# Where this version has a command for that; another one would not understand the script.
:local kill do={ {{kill}} }

:local confirm do={
  :do {/file/remove {{copy}}} on-error={}
  :if ({{handover}}) do={
    :do {/container/set $1 start-on-boot={{boots}}} on-error={}
    # One that somebody took for their own meanwhile stays as they have it.
    :local said ""
    :do {:set said [:tostr [/container/get $2 comment]]} on-error={}
    :if ($said = {{retired}} || [:pick $said 0 ([:len {{retired}}] + 1)] = ({{retired}} . " ")) do={
      :do {/container/set $2 start-on-boot=no comment={{retired}}} on-error={}
    }
  }
}

# The new one may bring the state into a form that the old one cannot read. What does not fit, or is not read as a
# whole, has no copy. It lies beside the state, and the content does not leave the router. One that is there already is
# of an attempt that was cut off: it may be the only one that the old one can read.
:local keep do={
  :local is false
  :do {
    /file/get {{copy}} size
    :set is true
  } on-error={}
  :local size [:tonum [/file/get {{state}} size]]
  :if (!$is && ([/system/resource/get free-hdd-space] - $size) > {{reserve}}) do={
    /file/add name={{copy}} contents=[/file/get {{state}} contents]
    :if ([:tonum [/file/get {{copy}} size]] != $size) do={/file/remove {{copy}}}
  }
}

:if ({{rehearsal}}) do={
  # Proves that it is understood here, outlives the session that started it, and sees both containers as they are.
  :delay {{outlive}}
  :if ([:pick [$comment $new] 0 [:len $staged]] = $staged && [$shows $old $up] && ![$shows $new $held]) do={
    /container/set $new comment=$armed
  }
} else={
  :local why ""
  :if ([$comment $new] = $armed) do={
    :do {/container/stop $old} on-error={}
    :local left {{stop}}
    :while ([$shows $old $held] && $left > 0) do={
      :delay 200ms
      :set left ($left - 1)
    }
    :if ($left = 0) do={:do {$kill $old} on-error={}}
    :set left {{dying}}
    :while ([$shows $old $held] && $left > 0) do={
      :delay 200ms
      :set left ($left - 1)
    }
    :if ($left = 0) do={:set why "stop-stuck"}
    :if ($why = "" && {{keeps}}) do={:do {$keep} on-error={}}

    :set left {{start}}
    # A veth that is not free yet refuses a start, or fails it later: it is repeated every two seconds.
    :while ($why = "" && ![$shows $new $up] && $left > 0) do={
      :if ($left % 10 = 0) do={:do {/container/start $new} on-error={}}
      :delay 200ms
      :set left ($left - 1)
    }

    :set left {{patience}}
    :local down 0
    :local settled false
    :while ($why = "" && !$settled) do={
      :local said [$comment $new]
      :if ([:typeof [:find $said $confirmed]] = "num") do={
        $confirm $new $old
        :set settled true
      } else={
        :if ([$shows $new $up]) do={:set down 0} else={:set down ($down + 1)}
        # Should a restart policy bring back what was stopped: they have the same identity.
        :if ($down = 0 && [$shows $old $up]) do={:do {/container/stop $old} on-error={}}
        :if ($left = 0) do={:set why "unconfirmed"}
        :if ($down > 3) do={:set why "unhealthy"}
        :if ([:typeof [:find $said " abort"]] = "num") do={:set why "aborted"}
        :if ($why = "") do={:delay 1s}
        :set left ($left - 1)
      }
    }

    :if ($why != "") do={
      :if ([:typeof [:find [$comment $new] $confirmed]] = "num") do={
        $confirm $new $old
      } else={
        :do {/container/set $new comment=($staged . " failed=" . $why)} on-error={}
        :do {/container/stop $new} on-error={}
        :set left {{stop}}
        :while ([$shows $new $held] && $left > 0) do={
          :delay 200ms
          :set left ($left - 1)
        }
        :if ($left = 0) do={:do {$kill $new} on-error={}}
        :set left {{return}}
        :local steady 0
        :local starts 0
        :local newer ""
        :local restored false
        # A state that is gone altogether cannot be read by anything.
        :do {/file/get {{state}} size} on-error={
          :do {
            /file/add name={{state}} contents=[/file/get {{copy}} contents]
            :set restored true
          } on-error={}
        }
        :while ($steady < 5 && $left > 0) do={
          :if ([$shows $old $up]) do={:set steady ($steady + 1)} else={
            :set steady 0
            # Down again after each of four starts: perhaps it cannot read what the new one made of the state.
            :if ($starts = 4 && !$restored && ![$shows $old $held]) do={
              :do {
                :local before [/file/get {{copy}} contents]
                :local after [/file/get {{state}} contents]
                :if ($before != "" && $before != $after && [:len $after] = [:tonum [/file/get {{state}} size]]) do={
                  /file/set {{state}} contents=$before
                  :set newer $after
                  :set restored true
                }
              } on-error={}
            }
            # Never beside one that does not stop: they have the same identity.
            :if (![$shows $new $held]) do={
              :do {
                /container/start $old
                :set starts ($starts + 1)
              } on-error={}
            }
          }
          :delay 2s
          :set left ($left - 1)
        }
        :if ($steady = 5) do={
          :do {/file/remove {{copy}}} on-error={}
          :local failed ($staged . " failed=" . $why)
          :if ([$comment $new] = $failed) do={
            :if ($restored) do={:set failed ($failed . " restored")}
            :do {/container/set $new comment=($failed . " back")} on-error={}
          }
        } else={
          # It was not the state.
          :if ($newer != "" && ![$shows $old $held]) do={:do {/file/set {{state}} contents=$newer} on-error={}}
          # One that nobody confirmed is better than none.
          :if (![$shows $old $held]) do={:do {/container/start $new} on-error={}}
        }
      }
    }
  }
}
