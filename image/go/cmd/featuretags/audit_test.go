package main

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"tailscale.com/feature/featuretags"
	"tailscale.com/util/set"
)

const (
	featuresPath = "../../../features.txt"
	omittedPath  = "../../../omitted.txt"
)

// Each function below tells what is wrong with a pair of lists, so that the tests can show it on lists that are wrong.

// missing are features that those on the list need without being on it themselves.
func missing(features []featuretags.FeatureTag) []featuretags.FeatureTag {
	needed := set.Set[featuretags.FeatureTag]{}
	for _, feature := range features {
		needed.AddSet(featuretags.Requires(feature))
	}
	for _, feature := range features {
		needed.Delete(feature)
	}
	return slices.Sorted(maps.Keys(needed))
}

// unreviewed are upstream's features that are on neither list.
func unreviewed(lists ...[]entry) []featuretags.FeatureTag {
	left := maps.Clone(featuretags.Features)
	for _, entries := range lists {
		for _, e := range entries {
			delete(left, e.feature)
		}
	}
	return slices.Sorted(maps.Keys(left))
}

// twice are features that are named more than once, on one list or on both.
func twice(lists ...[]entry) []featuretags.FeatureTag {
	seen, found := set.Set[featuretags.FeatureTag]{}, set.Set[featuretags.FeatureTag]{}
	for _, entries := range lists {
		for _, e := range entries {
			if seen.Contains(e.feature) {
				found.Add(e.feature)
			}
			seen.Add(e.feature)
		}
	}
	return slices.Sorted(maps.Keys(found))
}

func read(t *testing.T) (features, omitted []entry) {
	t.Helper()
	features, err := readFeatures(featuresPath)
	if err != nil {
		t.Fatal(err)
	}
	omitted, err = readList(omittedPath, 1)
	if err != nil {
		t.Fatal(err)
	}
	return features, omitted
}

func TestTheAllowlistIsClosedInEveryFlavour(t *testing.T) {
	features, _ := read(t)
	for _, flavour := range flavours {
		if absent := missing(kept(features, flavour)); len(absent) > 0 {
			t.Errorf("flavour %s: what is on the list needs %v, which is not", flavour, absent)
		}
	}
}

func TestEveryFeatureOfUpstreamHasBeenReviewed(t *testing.T) {
	features, omitted := read(t)
	if names := unreviewed(features, omitted); len(names) > 0 {
		t.Errorf("read what %v do, and put each into features.txt or omitted.txt", names)
	}
	if names := twice(features, omitted); len(names) > 0 {
		t.Errorf("%v are listed twice", names)
	}
	for _, e := range omitted {
		if _, known := featuretags.Features[e.feature]; !known {
			t.Errorf("omitted.txt: Tailscale has no feature %q any more", e.feature)
		}
	}
}

func TestTheAuditSeesWhatIsWrong(t *testing.T) {
	if found := missing([]featuretags.FeatureTag{"advertiseroutes"}); !slices.Equal(found, []featuretags.FeatureTag{"c2n"}) {
		t.Errorf("advertiseroutes alone lacks %v", found)
	}
	if found := missing([]featuretags.FeatureTag{"advertiseexitnode"}); !slices.Contains(found, "c2n") {
		t.Errorf("what is needed by way of something else is not seen: %v", found)
	}
	features, omitted := read(t)
	if found := unreviewed(features[1:], omitted); !slices.Equal(found, []featuretags.FeatureTag{features[0].feature}) {
		t.Errorf("a feature that is on no list is not seen: %v", found)
	}
	if found := twice(features, append(omitted, features[0])); !slices.Equal(found, []featuretags.FeatureTag{features[0].feature}) {
		t.Errorf("a feature that is on both lists is not seen: %v", found)
	}
}

func TestTheTagsOmitAllButTheList(t *testing.T) {
	features, omitted := read(t)
	for _, flavour := range flavours {
		tags, err := buildTags(featuresPath, flavour)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(tags, "ts_include_cli") {
			t.Errorf("flavour %s has no command line", flavour)
		}
		for _, e := range features {
			wanted := e.scope == "all" || e.scope == flavour
			if e.feature.IsOmittable() && slices.Contains(tags, e.feature.OmitTag()) == wanted {
				t.Errorf("flavour %s: %s is wanted: %v; its tags are %s", flavour, e.feature, wanted, strings.Join(tags, ","))
			}
		}
		for _, e := range omitted {
			if !slices.Contains(tags, e.feature.OmitTag()) {
				t.Errorf("flavour %s has %s, which is on the list of omitted ones", flavour, e.feature)
			}
		}
	}
	if _, err := buildTags(featuresPath, "tiny"); err == nil {
		t.Error("a flavour that does not exist has tags")
	}
}
