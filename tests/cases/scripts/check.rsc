# Asks a registry which image a tag stands for and remembers it; says whether that has changed since the last time.
#
# Changes: the file "image.digest". Undo: remove that file.

:local registry "registry.example"
:local repository "team/app"
:local tag "stable"
:local memory "image.digest"

:if ([/system/script/job/print count-only as-value where script=[:jobname]] > 1) do={
  :log warning "check: another one is under way"
  :error "already running"
}

:local token ""
:onerror e in={
  :local reply [/tool fetch url="https://$registry/token\?scope=repository:$repository:pull" \
    as-value output=user]
  :if (($reply->"status") = "finished") do={
    :set token ([:deserialize from=json value=($reply->"data")]->"token")
  }
} do={
  :log error "check: no token: $e"
}
:if ([:typeof $token] != "str" || [:len $token] = 0) do={ :error "no token" }

:local digest ""
:local answer [/tool fetch url="https://$registry/v2/$repository/manifests/$tag" as-value \
  http-header-field="Authorization: Bearer $token,Accept: application/vnd.oci.image.index.v1+json" \
  output=user-with-headers]
:local headers [:convert transform=lc ($answer->"http-headers")]
:local key "docker-content-digest: "
:local start [:find $headers $key]
:if ([:typeof $start] != "nil") do={
  :local rest [:pick $headers ($start + [:len $key]) [:len $headers]]
  :local end [:find $rest ";"]
  :if ([:typeof $end] = "nil") do={ :set end [:len $rest] }
  :set digest [:pick $rest 0 $end]
}
:if ([:len $digest] = 0) do={ :error "no digest" }

:local before ""
/file
:if ([:len [find where name=$memory]] > 0) do={ :set before [get [find where name=$memory] contents] }
:if ($digest = $before) do={
  :put "unchanged"
} else={
  :if ($before = "") do={ add name=$memory contents=$digest } else={ set [find where name=$memory] contents=$digest }
  :put "now $digest"
}
