// Package logfilter keeps verbose lines out of a log, as Tailscale's own log uploader would, which the image lacks.
//
// Tailscale marks a line that is not for everybody by "[v1] ", "[v2] " or "[v\x00JSON]N" anywhere in it, N being a digit.
// Its uploader takes the mark off and keeps lines above the wished level away from stderr. Without the uploader every
// line is printed, marks, NUL bytes and all, and a router's log has room for few.
package logfilter

import (
	"bytes"
	"io"
	"strconv"
)

var marks = []struct {
	text  []byte
	level int
}{
	{[]byte("[v1] "), 1},
	{[]byte("[v2] "), 2},
}

var jsonMark = []byte("[v\x00JSON]")

// A Writer passes on lines up to a level, without their marks. One call of Write is one line, as package log has it.
type Writer struct {
	out   io.Writer
	level int
}

// New returns a Writer for lines up to verbosity, a number as in TS_LOG_VERBOSITY. What is no such number is 0.
func New(out io.Writer, verbosity string) *Writer {
	level, err := strconv.Atoi(verbosity)
	if err != nil || level < 0 {
		level = 0
	}
	return &Writer{out: out, level: level}
}

// Write passes line on, or drops it; to the caller both are success.
func (w *Writer) Write(line []byte) (int, error) {
	level, clean := split(line)
	if level > w.level {
		return len(line), nil
	}
	if _, err := w.out.Write(clean); err != nil {
		return 0, err
	}
	return len(line), nil
}

// split tells the level of a line and what remains without its mark. line itself is not changed.
func split(line []byte) (level int, clean []byte) {
	for _, mark := range marks {
		if bytes.Contains(line, mark.text) {
			return mark.level, bytes.ReplaceAll(line, mark.text, nil)
		}
	}
	before, after, found := bytes.Cut(line, jsonMark)
	if found && len(after) > 0 && '0' <= after[0] && after[0] <= '9' {
		return int(after[0] - '0'), append(bytes.Clone(before), after[1:]...)
	}
	return 0, line
}
