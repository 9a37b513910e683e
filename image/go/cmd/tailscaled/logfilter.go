//go:build mtts_overlay

// This file alone is no program: image/build-tailscale lays the files of tailscale.com/cmd/tailscaled beside it, by an
// overlay of the go command, straight from the module cache. So the program is upstream's, plus what is here.

package main

import (
	"log"
	"os"

	"mtts.org/image/logfilter"
)

// Upstream forbids its own way of reading variables before main, hence os.Getenv.
func init() {
	log.SetOutput(logfilter.New(os.Stderr, os.Getenv("TS_LOG_VERBOSITY")))
}
