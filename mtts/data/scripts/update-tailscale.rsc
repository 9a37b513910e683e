# The updater of mtts: keeps the node of a router current without mtts, run by the router's own scheduler.
#
# It asks the registry which release the image is for this router's platform, and where that is another one than the
# container's comment records, unpacks it in the other slot beside the running container, stops that one, starts the
# new one and watches it. The old one is removed only after the new one has served for a while; else it serves again.
#
# Changes: the two containers of the node, and its own comment, which names a release that did not work here.
# Undo: /system/scheduler/remove and /system/script/remove of what carries the comment mtts:updater.
# Needs: read, write, test; device-mode must allow scheduler, fetch and container. Holds no secret, so the image must
#   be public. Times are counted, so that a wrong clock does not matter to it; to TLS it does.
# Cannot: compute a digest, or read those in an answer's header. The index is believed as TLS brought it, its own digest
#   is not recorded, and a tag that names a single manifest is not understood. Nor can it ask the tailnet whether the
#   node is the same one as before: it goes by the container's state, and by its log where `logging` is on.
# mtts fills in what stands in double braces, in the words of one RouterOS version: made anew after an upgrade.

:local me {{me}}
:local node {{node}}
:local image {{image}}
:local platforms {{platforms}}

:local up {"starting"; "starting-with-healthcheck"; "running"; "healthy"; "unhealthy"}
:local rest {"stopped"}
:local failing {"download/extract failed"; "error"}

# get without a property gives all that the version has, so that one script serves the state as text and as flags.
:local row do={
  :local found [:toarray ""]
  :do {:set found [/container/get $1]} on-error={}
  :return $found
}
:local comment do={
  :local text ""
  :do {:set text [:tostr [/container/get $1 comment]]} on-error={}
  :return $text
}
:local shows do={
  :local row [:toarray ""]
  :do {:set row [/container/get $1]} on-error={}
  :foreach state in=$2 do={
    :if ([:tostr ($row->$state)] = "true" || [:tostr ($row->"status")] = $state) do={:return true}
  }
  :return false
}
# What follows $2 in $1, up to the next blank.
:local word do={
  :local at [:find $1 $2]
  :if ([:typeof $at] != "num") do={:return ""}
  :local text [:pick $1 ($at + [:len $2]) [:len $1]]
  :local end [:find $text " "]
  :if ([:typeof $end] = "num") do={:set text [:pick $text 0 $end]}
  :return $text
}
:local ask do={
  :local reply [/tool/fetch url=$1 http-header-field=$2 {{check}}output=user as-value]
  :return [:deserialize from=json options=json.no-string-conversion value=($reply->"data")]
}
# The digest in the index $1 for the first of the platforms $2 that it has.
:local choose do={
  :foreach platform in=$2 do={
    :foreach entry in=($1->"manifests") do={
      :local name (($entry->"platform"->"os") . "/" . ($entry->"platform"->"architecture"))
      :if ([:len [:tostr ($entry->"platform"->"variant")]] > 0) do={
        :set name ($name . "/" . ($entry->"platform"->"variant"))
      }
      :local digest [:tostr ($entry->"digest")]
      :if ($name = $platform && [:len $digest] = 71 && $digest ~ "^sha256:[0-9a-f]+\$") do={:return $digest}
    }
  }
  :error "the registry shows no index with this router's platform"
}
# The container's last line about the tailnet.
:local line do={
  :local found [{{log}}/find where {{mine}}message~"Switching ipn state"]
  :if ([:len $found] = 0) do={:return ""}
  :return ($found->([:len $found] - 1))
}
# Has $1 show one of the states $2, by a start or a stop ($3), within so many fifths of a second ($4).
:local bring do={
  :local left $4
  :while ($left > 0) do={
    :local row [:toarray ""]
    :do {:set row [/container/get $1]} on-error={}
    :foreach state in=$2 do={
      :if ([:tostr ($row->$state)] = "true" || [:tostr ($row->"status")] = $state) do={:return true}
    }
    :if ($3 = "start" && $left % 10 = 0) do={:do {/container/start $1} on-error={}}
    :if ($3 = "stop" && $left = $4) do={:do {/container/stop $1} on-error={}}
    :delay 200ms
    :set left ($left - 1)
  }
  :return false
}
:local remove do={
  :local left 60
  :while ([:len [/container/find where .id=$1]] > 0 && $left > 0) do={
    :if ($left % 10 = 0) do={:do {/container/remove $1} on-error={}}
    :delay 1s
    :set left ($left - 1)
  }
  :if ($left = 0) do={:error "a container does not go away"}
}

# A span of time in seconds, as the lock's comment has it.
:local seconds do={
  :local text [:tostr $1]
  :local total 0
  :foreach unit in={"w"; "d"} do={
    :local at [:find $text $unit]
    :if ([:typeof $at] = "num") do={
      :local worth 86400
      :if ($unit = "w") do={:set worth 604800}
      :set total ($total + [:tonum [:pick $text 0 $at]] * $worth)
      :set text [:pick $text ($at + 1) [:len $text]]
    }
  }
  :set total ($total + [:tonum [:pick $text 0 2]] * 3600 + [:tonum [:pick $text 3 5]] * 60)
  :return ($total + [:tonum [:pick $text 6 8]])
}
# Whether the run $1 has the router to itself, at the uptime $2, or could have: it takes the lock where $3 is "take". One
# run at a time writes to a router: mtts and this script hold the same lock. Nobody holds it after a restart, after the
# longest that its holder may need, or where it is of an earlier run of this script. Only one script can have its name,
# so that of two that take it at once the add of one fails.
:local lock do={
  :foreach id in=[/system/script/find where name="mtts-lock"] do={
    :local said ""
    :do {:set said ([:tostr [/system/script/get $id comment]] . " ")} on-error={}
    :local words [:toarray ""]
    :foreach name in={" run="; " uptime="; " longest="} do={
      :local text ""
      :local at [:find $said $name]
      :if ([:typeof $at] = "num") do={
        :set text [:pick $said ($at + [:len $name]) [:len $said]]
        :set text [:pick $text 0 [:find $text " "]]
      }
      :set words ($words , $text)
    }
    :local age 0
    :if ([:typeof [:tonum ($words->1)]] = "num") do={:set age ($2 - [:tonum ($words->1)])}
    :local longest [:tonum ($words->2)]
    :if ([:typeof $longest] != "num") do={:set longest 86400}
    :if (($words->0) != $1 && $age >= 0 && $age <= $longest) do={:return false}
    :if ($3 = "take") do={:do {/system/script/remove $id} on-error={}}
  }
  :if ($3 != "take") do={:return true}
  :local isTaken false
  :do {
    /system/script/add name="mtts-lock" policy=read source="# The updater writes to this router." \
      comment=("mtts:lock by=updater/0 on=router run=" . $1 . " uptime=" . $2 . " longest={{longest}}")
    :set isTaken true
  } on-error={}
  :return $isTaken
}

:local isFree [$lock $me [$seconds [/system/resource/get uptime]] "look"]
:if ([:len [/system/script/job/find where script=$me]] > 1) do={:set isFree false}
:if ($isFree) do={:onerror problem in={
  # Which container is the node: of those that were verified the one that is up, else the latest.
  :local mine [:toarray ""]
  :local live ""
  :foreach id in=[/container/find] do={
    :local said [$comment $id]
    :if ([:pick ($said . " ") 0 ([:len $node] + 1)] = ($node . " ")) do={
      :set mine ($mine , $id)
      :local isStaged ([:typeof [:find $said " next="]] = "num")
      :local isVerified ([:typeof [:find $said " platform="]] = "num" || [:typeof [:find $said " v="]] = "num")
      :if ($isVerified && !$isStaged && ([:typeof $live] = "str" || [$shows $id $up] || ![$shows $live $up])) do={
        :set live $id
      }
    }
  }
  :if ([:typeof $live] = "str") do={:error "there is no container that mtts deployed"}
  :local record ([$comment $live] . " ")
  :if ([:typeof [:find $record " ram "]] = "num") do={:error "the node lives in memory: mtts update brings it back"}
  :if ([:typeof [:find $record " adopted "]] = "num") do={:error "the node was taken over by hand: use mtts update"}
  :local root [:tostr [/container/get $live root-dir]]
  :local slot [:pick $root ([:len $root] - 2) [:len $root]]
  :local other ""
  :if ($slot = "/a") do={:set other ([:pick $root 0 ([:len $root] - 1)] . "b")}
  :if ($slot = "/b") do={:set other ([:pick $root 0 ([:len $root] - 1)] . "a")}
  :if ($other = "") do={:error "the node is in no slot of mtts"}
  :if ([:pick $other 0 1] = "/") do={:set other [:pick $other 1 [:len $other]]}

  # What an interrupted update left is settled: the node serves, and nothing else of it is there.
  :local isOurs false
  :if ([:len $mine] > 1 || ![$shows $live $up]) do={
    :set isOurs [$lock $me [$seconds [/system/resource/get uptime]] "take"]
    :if (!$isOurs) do={:error "mtts holds the router"}
  }
  :if (![$shows $live $up]) do={
    :foreach id in=$mine do={:if ($id != $live) do={$bring $id $rest "stop" {{stop}}}}
    :log warning "$me: the node was down and is started"
    :if (![$bring $live $up "start" 50]) do={:error "the node does not start"}
    :delay 10s
    :if (![$shows $live $up]) do={:error "the node does not stay up"}
  }
  :foreach id in=$mine do={
    :if ($id != $live) do={
      :local said [$comment $id]
      :if ([$word $said " failed="] = "unhealthy") do={
        /system/script/set [find where name=$me] comment=("mtts:updater failed=" . [$word $said " platform="])
      }
      :if ([:tostr [/container/get $id start-on-boot]] = "true") do={/container/set $live start-on-boot=yes}
      $bring $id $rest "stop" {{stop}}
      $remove $id
    }
  }

  # Which release the image is now.
  :local accept "Accept: application/vnd.oci.image.index.v1+json\
    ,Accept: application/vnd.docker.distribution.manifest.list.v2+json\
    ,Accept: application/vnd.oci.image.manifest.v1+json\
    ,Accept: application/vnd.docker.distribution.manifest.v2+json"
  :local tokens {{tokens}}
  :if ($tokens != "") do={
    :local grant [$ask $tokens "Accept: application/json"]
    :local token [:tostr ($grant->"token")]
    :if ($token = "") do={:set token [:tostr ($grant->"access_token")]}
    :if ($token = "") do={:error "the registry gives no token"}
    :set accept ($accept . ",Authorization: Bearer " . $token)
  }
  :local latest [$choose [$ask {{index}} $accept] $platforms]
  :local held [$word [:tostr [/system/script/get [find where name=$me] comment]] " failed="]

  :if ($latest != [$word $record " platform="] && $latest != $held) do={
    :local manifest [$ask ({{manifests}} . $latest) $accept]
    :local config [:tostr ($manifest->"config"->"digest")]
    :local packed 0
    :foreach layer in=($manifest->"layers") do={:set packed ($packed + ($layer->"size"))}
    :local free [:tonum {{free}}]
    :if ([:typeof $free] = "num" && $free < ($packed * {{percent}} / 100 + {{reserve}})) do={
      :error "there is too little room for $latest"
    }
    # For people only; a registry that sends blobs from elsewhere may not let the router have it.
    :local version ""
    :do {
      :local about [$ask ({{blobs}} . $config) $accept]
      :set version [:tostr ($about->"config"->"Labels"->"org.opencontainers.image.version")]
    } on-error={}
    :if ([:len $version] > 60 || !($version ~ "^[A-Za-z0-9._+-]+\$")) do={:set version ""}

    :local swap ("up-" . [:pick $latest 7 15])
    :local release ""
    :if ($version != "") do={:set release (" v=" . $version)}
    :set release ($release . " platform=" . $latest)
    :if ([$word $record " with="] != "") do={:set release ($release . " with=" . [$word $record " with="])}
    :local staged ($node . " next=" . $swap . $release)
    :local verified ($node . $release . " tx=" . $swap)
    :if (!$isOurs) do={
      # The registry took its time, in which mtts may have been here.
      :if (![$lock $me [$seconds [/system/resource/get uptime]] "take"]) do={:error "mtts holds the router"}
      :local others 0
      :foreach id in=[/container/find] do={
        :if ($id != $live && [:pick ([$comment $id] . " ") 0 ([:len $node] + 1)] = ($node . " ")) do={
          :set others ($others + 1)
        }
      }
      :if ($others > 0 || ([$comment $live] . " ") != $record) do={:error "the node changed meanwhile"}
    }
    :local old [$row $live]

    # Stage: nothing of it is felt. Until it is unpacked whole it carries the bare tag, which anybody may clear away.
    :log info "$me: $latest is pulled"
    :do {
      :local kind [/file/get $other type]
      /file/remove $other
      :delay 2s
    } on-error={}
    :local new ""
    :local left 6
    :while ([:typeof $new] = "str" && $left > 0) do={
      :do {
        :set new [/container/add remote-image=$image root-dir=$other comment=$node start-on-boot=no {{name}}\
          interface=($old->"interface") hostname=($old->"hostname") logging=($old->"logging") \
          {{envs}}=($old->"{{envs}}") {{mounts}}=($old->"{{mounts}}")]
      } on-error={
        :set left ($left - 1)
        :delay 3s
      }
    }
    :if ([:typeof $new] = "str") do={:error "no container can be added beside the node"}
    :local why ""
    :do {
      :set left {{pull}}
      :local isWhole false
      :while (!$isWhole && $left > 0 && $why = "") do={
        :delay 1s
        :local now [$row $new]
        :set isWhole ([$shows $new $rest] && ([:tostr ($now->"image-id")] . [:tostr ($now->"arch")]) != "")
        :if ([$shows $new $failing]) do={:set why "it cannot be pulled"}
        :set left ($left - 1)
      }
      :if (!$isWhole && $why = "") do={:set why "its pull takes too long"}
      :if ($why = "") do={
        :local shown [:tostr ([$row $new]->"image-id")]
        :if ($shown = "" && [$choose [$ask {{index}} $accept] $platforms] != $latest) do={:set why "the tag moved"}
        :if ($shown != "" && $shown != $config && $shown != $latest) do={:set why "the tag moved"}
      }
      :if ($why = "") do={
        {{settings}}
        /container/set $new comment=$staged
      }
    } on-error={:set why "it cannot be staged"}
    :if ($why != "") do={
      $remove $new
      :error "$latest is not installed: $why"
    }

    # Swap, and watch: up without a break, and online where the log tells.
    :do {
      :local called [:tostr ([$row $new]->"name")]
      :local tells ([:tostr ($old->"logging")] = "true")
      :if (![$bring $live $rest "stop" {{stop}}]) do={:set why "stop-stuck"}
      :local before [$line $called]
      :if ($why = "" && ![$bring $new $up "start" 50]) do={:set why "unhealthy"}
      :local good 0
      :local down 0
      :set left ({{healthy}} + {{observe}})
      :while ($why = "" && $good < {{observe}}) do={
        :delay 1s
        :set left ($left - 1)
        :local isGood true
        :if ($tells) do={
          :local last [$line $called]
          :set isGood ($last != $before && [:typeof $last] != "str")
          :if ($isGood) do={:set isGood ([{{log}}/get $last message] ~ "-> Running")}
        }
        :if ([$shows $new $up]) do={:set down 0} else={
          :set down ($down + 1)
          :set isGood false
        }
        :if ($isGood) do={:set good ($good + 1)} else={:set good 0}
        :if ($down > 2 || $left <= 0) do={:set why "unhealthy"}
      }
      :if ($why = "") do={/container/set $new comment=$verified start-on-boot=($old->"start-on-boot")}
    } on-error={:set why "interrupted"}

    :if ($why = "") do={
      # Commit.
      :do {/container/set $live start-on-boot=no comment=$node} on-error={}
      :do {
        {{verified}}
      } on-error={}
      :log info "$me: $latest serves"
      $remove $live
    } else={
      # Back to the old one; one that is not proven is better than none.
      :do {/container/set $new comment=($staged . " failed=" . $why)} on-error={}
      $bring $new $rest "stop" {{stop}}
      :set left 12
      :while (![$bring $live $up "start" 50] && $left > 0) do={:set left ($left - 1)}
      :if ($left = 0) do={
        :if ([$shows $live $rest]) do={/container/start $new}
        :error "the node does not start again: $latest runs, $why"
      }
      :if ($why = "unhealthy") do={
        /system/script/set [find where name=$me] comment=("mtts:updater failed=" . $latest)
      }
      $remove $new
      :error "$latest is not kept: $why"
    }
  }
} do={
  :log warning "$me: $problem"
}
:foreach id in=[/system/script/find where name="mtts-lock"] do={
  :if ([$word ([:tostr [/system/script/get $id comment]] . " ") " run="] = $me) do={/system/script/remove $id}
}}
