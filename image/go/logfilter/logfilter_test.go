package logfilter

import (
	"bytes"
	"errors"
	"log"
	"testing"
)

func TestLinesAboveTheLevelAreDroppedAndMarksTakenOff(t *testing.T) {
	const stamp = "2026/11/21 10:00:00 "
	for _, c := range []struct {
		name, line, verbosity, want string
	}{
		{"an ordinary line", "Starting\n", "0", "Starting\n"},
		{"nothing", "", "0", ""},
		{"v1 at 0", "[v1] magicsock: x\n", "0", ""},
		{"v1 at 1", "[v1] magicsock: x\n", "1", "magicsock: x\n"},
		{"v1 behind a date and a prefix", stamp + "wgengine: [v1] x\n", "1", stamp + "wgengine: x\n"},
		{"v1 behind a date, at 0", stamp + "wgengine: [v1] x\n", "0", ""},
		{"v2 at 1", stamp + "[v2] x\n", "1", ""},
		{"v2 at 2", stamp + "[v2] x\n", "2", stamp + "x\n"},
		{"v1 at 9", "[v1] x\n", "9", "x\n"},
		{"JSON at 0", stamp + "[v\x00JSON]1{\"a\":1}\n", "0", ""},
		{"JSON at 1", stamp + "[v\x00JSON]1{\"a\":1}\n", "1", stamp + "{\"a\":1}\n"},
		{"JSON of level 0", "[v\x00JSON]0{}\n", "0", "{}\n"},
		{"JSON of level 3 at 2", "[v\x00JSON]3{}\n", "2", ""},
		{"a JSON mark without a level", "[v\x00JSON]{}\n", "0", "[v\x00JSON]{}\n"},
		{"a JSON mark at the very end", "[v\x00JSON]", "0", "[v\x00JSON]"},
		{"brackets that are no mark", "[v1]x [v3] x [version]\n", "0", "[v1]x [v3] x [version]\n"},
		{"the mark of a mark", "[RATELIMIT] format(\"[v1] x\")\n", "0", ""},
		{"several marks", "[v1] a [v1] b\n", "1", "a b\n"},
		{"no level given", "[v1] x\n", "", ""},
		{"a level that is no number", "[v1] x\n", "very", ""},
		{"a negative level", "Starting\n", "-1", "Starting\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			line := []byte(c.line)
			n, err := New(&out, c.verbosity).Write(line)
			if n != len(c.line) || err != nil {
				t.Errorf("Write returned %d, %v; to the caller a dropped line is written, too", n, err)
			}
			if out.String() != c.want {
				t.Errorf("passed on %q, not %q", out.String(), c.want)
			}
			if string(line) != c.line {
				t.Errorf("the caller's bytes became %q", line)
			}
		})
	}
}

func TestOneLineIsOneWrite(t *testing.T) {
	var out counter
	logger := log.New(New(&out, "1"), "node: ", log.LstdFlags)
	logger.Printf("[v1] two\nlines")
	logger.Printf("[v2] dropped")
	logger.Printf("plain")
	if out.writes != 2 {
		t.Errorf("%d writes for two lines", out.writes)
	}
}

func TestAnErrorOfTheLogIsPassedOn(t *testing.T) {
	if n, err := New(broken{}, "0").Write([]byte("x\n")); n != 0 || !errors.Is(err, errBroken) {
		t.Errorf("Write returned %d, %v", n, err)
	}
}

type counter struct{ writes int }

func (c *counter) Write(line []byte) (int, error) {
	c.writes++
	return len(line), nil
}

var errBroken = errors.New("broken")

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errBroken }
