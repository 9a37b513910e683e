package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestAListWithMistakesIsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"no reason":       "all dns\n",
		"unknown feature": "all teleport from here to there\n",
		"unknown flavour": "tiny dns names\n",
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "features.txt")
			if err := os.WriteFile(path, []byte("# a comment\n\n"+text), 0o600); err != nil {
				t.Fatal(err)
			}
			if entries, err := readFeatures(path); err == nil {
				t.Errorf("read as %v", entries)
			}
		})
	}
}

func TestAReasonIsTheRestOfTheLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "features.txt")
	if err := os.WriteFile(path, []byte("serve   acme   certificates, of course\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	entries, err := readFeatures(path)
	if err != nil {
		t.Fatal(err)
	}
	want := entry{scope: "serve", feature: "acme", reason: "certificates, of course"}
	if len(entries) != 1 || entries[0] != want {
		t.Errorf("read %v, not %v", entries, want)
	}
}
