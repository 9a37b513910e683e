// Featuretags prints the Go build tags of a flavour of the image, separated by commas.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
)

func main() {
	path := flag.String("features", "", "the allowlist, features.txt")
	flavour := flag.String("flavour", "default", "one of "+strings.Join(flavours, ", "))
	flag.Parse()

	tags, err := buildTags(*path, *flavour)
	if err != nil {
		fmt.Fprintln(os.Stderr, "featuretags:", err)
		os.Exit(1)
	}
	fmt.Println(strings.Join(tags, ","))
}
