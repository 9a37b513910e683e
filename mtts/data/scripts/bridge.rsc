# The bridgehead of mtts: has a node run from the flash again, after a power cut where it served from memory; or in
# place, where the flash holds one release only and somebody allowed that.
#
# Changes: in place, removes the old container first. Adds the one container below and starts it, as long as no
#   container of the node starts by itself; in place, as long as there is no other one. Takes one that the router could
#   not pull away again, and tries anew every minute.
# Undo: /system/scheduler/remove the entry that runs this. mtts removes it as soon as the flash holds the node.
# Needs: read, write. Holds no secret. Never touches the node's state directory.
# mtts fills in what stands in double braces.

:local owned {{owned}}
:local staged {{staged}}
:local mine {{mine}}

:local replaced {{replaced}}
:local left {{stop}}
:if ($replaced != "") do={
  :do {/container/stop $replaced} on-error={}
  # Removed as soon as it is stopped, and bootable until then; directory and room are free when it is gone.
  :while ([:len [/container/find where .id=$replaced]] > 0 && $left > 0) do={
    :do {/container/remove $replaced} on-error={}
    :delay 1s
    :set left ($left - 1)
  }
  # One that cannot be removed serves on.
  :do {/container/start $replaced} on-error={}
}

:local try 0
:local done false
:while (!$done) do={
  :local boots false
  :local id ""
  :local found [:toarray ""]
  :foreach one in=[/container/find] do={
    :local row [/container/get $one]
    :local said [:tostr ($row->"comment")]
    :if ($said = $owned || [:pick $said 0 ([:len $owned] + 1)] = "$owned ") do={
      :local stays ([:tostr ($row->"deleting")] != "true" && [:tostr ($row->"status")] != "deleting")
      :if ($stays && [:tostr ($row->"start-on-boot")] = "true") do={:set boots true}
      :if ([:typeof [:find "$said " $mine]] = "num") do={
        :set id $one
        :set found $row
      } else={
        # In place, a later run of mtts put another one there, and sees to the node.
        :if ($stays && $replaced != "") do={:set boots true}
      }
    }
  }
  :if ($boots) do={
    :set done true
  } else={
    :if ($id = "") do={
      :set try ($try + 1)
      # By digest where the router takes that, else by tag.
      :if ($try % 2 = 1) do={
        :do {/container/add remote-image={{pinned}} comment=$staged {{settings}}} on-error={}
      } else={
        :do {/container/add remote-image={{image}} comment=$staged {{settings}}} on-error={}
      }
    } else={
      :local status [:tostr ($found->"status")]
      :if ($status = "error" || [:tostr ($found->"download/extract failed")] = "true") do={
        :do {/container/remove $id} on-error={}
      } else={
        :if ($status = "running" || [:tostr ($found->"running")] = "true" || \
             [:tostr ($found->"healthy")] = "true" || [:tostr ($found->"unhealthy")] = "true") do={
          :set done true
        } else={
          :do {/container/start $id} on-error={}
        }
      }
    }
    :if (!$done) do={:delay {{pause}}}
  }
}
