package main

import (
	"bytes"
	"os"
	"regexp"
	"runtime/debug"
	"testing"
)

//go:noinline
func trace() []byte { return debug.Stack() }

// This program is one that has its tables, and can take its own lines away.
func TestLinesComeBack(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	table, err := read(self)
	if err != nil {
		t.Fatal(err)
	}
	want := trace()
	without := regexp.MustCompile(`(?m)^\t\S+:\d+ \+0x`).ReplaceAll(want, []byte("\t?:0 +0x"))
	if bytes.Equal(want, without) {
		t.Fatalf("no frames in %s", want)
	}
	var got bytes.Buffer
	if err := rewrite(&got, bytes.NewReader(without), table); err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("got %s\nwant %s", &got, want)
	}
}

func TestWhatIsNoFrameStaysAsItIs(t *testing.T) {
	table, err := read("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	text := "2026/01/02 logtail started\nno.such.function(0x1)\n\t?:0 +0x1c\n\nmain.main()\n\t/a.go:1 +0x1\n"
	var got bytes.Buffer
	if err := rewrite(&got, bytes.NewBufferString(text), table); err != nil {
		t.Fatal(err)
	}
	if got.String() != text {
		t.Errorf("got %q", &got)
	}
}
