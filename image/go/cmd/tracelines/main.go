// Tracelines puts files and lines back into a stack trace of an image whose
// tailscaled has no tables of them (see image/drop_lines.py):
//
//	go run ./cmd/tracelines PLAIN <TRACE
//
// PLAIN is the tailscaled of the flavour plain, of the same release and
// architecture. What is no stack trace passes through unchanged.
package main

import (
	"bufio"
	"debug/elf"
	"debug/gosym"
	"fmt"
	"io"
	"log"
	"os"
	"regexp"
	"strconv"
)

// The two lines of a frame, as the Go runtime prints them: the function, with
// its arguments or with the goroutine that it was started by, then where in it.
var (
	function = regexp.MustCompile(`^(?:created by )?(\S+?)(?:\([^()]*\))?(?: in goroutine \d+)?$`)
	place    = regexp.MustCompile(`^\t\?:0 \+0x([0-9a-f]+)(.*)$`)
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: tracelines PLAIN <TRACE")
	}
	table, err := read(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	if err := rewrite(os.Stdout, os.Stdin, table); err != nil {
		log.Fatal(err)
	}
}

// read returns the functions of an executable that has its tables.
func read(path string) (*gosym.Table, error) {
	file, err := elf.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, lines := file.Section(".text"), file.Section(".gopclntab")
	if text == nil || lines == nil {
		return nil, fmt.Errorf("%s: packed, or no Go program", path)
	}
	data, err := lines.Data()
	if err != nil {
		return nil, err
	}
	return gosym.NewTable(nil, gosym.NewLineTable(data, text.Addr))
}

func rewrite(out io.Writer, in io.Reader, table *gosym.Table) error {
	name := ""
	scanner := bufio.NewScanner(in)
	for scanner.Scan() {
		line := scanner.Text()
		if found := place.FindStringSubmatch(line); found != nil {
			if known := table.LookupFunc(name); known != nil {
				offset, err := strconv.ParseUint(found[1], 16, 64)
				if err != nil {
					return err
				}
				// The offset is that of where a call returns to, the line that of the call before it.
				file, number, _ := table.PCToLine(known.Entry + max(offset, 1) - 1)
				line = fmt.Sprintf("\t%s:%d +0x%s%s", file, number, found[1], found[2])
			}
		}
		name = ""
		if found := function.FindStringSubmatch(line); found != nil {
			name = found[1]
		}
		fmt.Fprintln(out, line)
	}
	return scanner.Err()
}
