package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"tailscale.com/feature/featuretags"
	"tailscale.com/util/set"
)

// The flavours of the image. `plain` has the features of `default`; what differs is that it is not packed.
var flavours = []string{"default", "plain", "serve"}

// An entry is one line of features.txt or omitted.txt.
type entry struct {
	scope   string // "all" or "serve"; empty in omitted.txt
	feature featuretags.FeatureTag
	reason  string
}

// readList reads a file of lines that have leading columns before the reason. Comments and empty lines count for nothing.
func readList(path string, columns int) ([]entry, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var entries []entry
	for number, line := range strings.Split(string(text), "\n") {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		words := strings.Fields(line)
		if len(words) <= columns {
			return nil, fmt.Errorf("%s:%d: a feature without a reason: %q", path, number+1, line)
		}
		found := entry{feature: featuretags.FeatureTag(words[columns-1]), reason: strings.Join(words[columns:], " ")}
		if columns > 1 {
			found.scope = words[0]
		}
		entries = append(entries, found)
	}
	return entries, nil
}

// readFeatures reads the allowlist.
func readFeatures(path string) ([]entry, error) {
	entries, err := readList(path, 2)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if e.scope != "all" && e.scope != "serve" {
			return nil, fmt.Errorf("%s: %s is for %q; known are all and serve", path, e.feature, e.scope)
		}
		if _, known := featuretags.Features[e.feature]; !known {
			return nil, fmt.Errorf("%s: Tailscale has no feature %q", path, e.feature)
		}
	}
	return entries, nil
}

// kept tells which features of the allowlist a flavour has.
func kept(entries []entry, flavour string) []featuretags.FeatureTag {
	var features []featuretags.FeatureTag
	for _, e := range entries {
		if e.scope == "all" || e.scope == flavour {
			features = append(features, e.feature)
		}
	}
	return features
}

// buildTags are the tags that leave out everything but the allowlist and, by upstream's own table, what it needs.
func buildTags(path, flavour string) ([]string, error) {
	if !slices.Contains(flavours, flavour) {
		return nil, fmt.Errorf("no flavour %q; there are %s", flavour, strings.Join(flavours, ", "))
	}
	entries, err := readFeatures(path)
	if err != nil {
		return nil, err
	}
	keep := set.Set[featuretags.FeatureTag]{}
	for _, feature := range kept(entries, flavour) {
		keep.AddSet(featuretags.Requires(feature))
	}
	var tags []string
	if keep.Contains(featuretags.CLI) {
		tags = append(tags, "ts_include_cli")
	}
	for feature := range featuretags.Features {
		if feature.IsOmittable() && !keep.Contains(feature) {
			tags = append(tags, feature.OmitTag())
		}
	}
	slices.Sort(tags)
	return tags, nil
}
