// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/layout"
	slsa "github.com/in-toto/attestation/go/predicates/provenance/v1"
	intoto "github.com/in-toto/attestation/go/v1"
	"google.golang.org/protobuf/encoding/protojson"
)

// provenanceOf reads a statement and its predicate as their own library does.
func provenanceOf(t *testing.T, file string) (*intoto.Statement, *slsa.Provenance) {
	t.Helper()
	statement, predicate := &intoto.Statement{}, &slsa.Provenance{}
	if err := protojson.Unmarshal(read(t, file), statement); err != nil {
		t.Fatal(err)
	}
	text, err := protojson.Marshal(statement.GetPredicate())
	if err != nil {
		t.Fatal(err)
	}
	if err := protojson.Unmarshal(text, predicate); err != nil {
		t.Fatal(err)
	}
	if err := statement.Validate(); err != nil {
		t.Error(err)
	}
	if err := predicate.Validate(); err != nil {
		t.Error(err)
	}
	return statement, predicate
}

func TestProvenance_OfAnImage_NamesTheImageAndHowItWasMade(t *testing.T) {
	output := built(t, "--platform", "linux/amd64")
	statement, predicate := provenanceOf(t, output+"/latchkey-linux-amd64.intoto.json")
	root, err := layout.ImageIndexFromPath(output + "/latchkey-image")
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := root.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	subject := statement.GetSubject()[0]
	if statement.GetPredicateType() != "https://slsa.dev/provenance/v1" || subject.GetName() != testTag ||
		subject.GetDigest()["sha256"] != manifest.Manifests[0].Digest.Hex {
		t.Errorf("the statement is a %s about %v, want one about %s", statement.GetPredicateType(), subject, manifest.Manifests[0].Digest)
	}
	parameters := predicate.GetBuildDefinition().GetExternalParameters().AsMap()
	if parameters["version"] != "v1.2.3" || parameters["platform"] != "linux/amd64" || parameters["tag"] != testTag {
		t.Errorf("parameters %v", parameters)
	}
	if version := predicate.GetRunDetails().GetBuilder().GetVersion()["go"]; !strings.HasPrefix(version, "go1.") {
		t.Errorf("it was built by Go %q", version)
	}
	if deps := predicate.GetBuildDefinition().GetResolvedDependencies(); len(deps) != 0 {
		t.Errorf("it depends on %v, want nothing: the sources are in no repository and have no modules", deps)
	}
}

func TestProvenance_OfARepository_NamesItsCommit(t *testing.T) {
	folder := source(t)
	for _, args := range [][]string{
		{"init", "-q"}, {"add", "-A"},
		{"-c", "user.name=a", "-c", "user.email=a@example.invalid", "commit", "-q", "-m", "first"},
	} {
		if out, err := exec.CommandContext(t.Context(), "git", append([]string{"-C", folder}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v: %s", args, err, out)
		}
	}
	head, err := git(t.Context(), folder, "rev-parse", "HEAD")
	if err != nil {
		t.Fatal(err)
	}
	output := filepath.Join(t.TempDir(), "dist")
	if err := run(t.Context(), []string{"--source", folder, "--output", output, "--tag", testTag, "--platform", "linux/amd64"}); err != nil {
		t.Fatal(err)
	}
	_, predicate := provenanceOf(t, output+"/latchkey-linux-amd64.intoto.json")
	deps := predicate.GetBuildDefinition().GetResolvedDependencies()
	if len(deps) != 1 || deps[0].GetDigest()["gitCommit"] != head || deps[0].GetAnnotations().AsMap()["modified"] != false {
		t.Errorf("it depends on %v, want commit %s alone, as it is", deps, head)
	}
}

func TestMaterials_OfModules_AreGoSumsDigests(t *testing.T) {
	info := &debug.BuildInfo{Deps: []*debug.Module{
		{Path: "example.invalid/a", Version: "v1.0.0+incompatible", Sum: "h1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="},
		{Path: "example.invalid/b", Version: "v1.0.0", Replace: &debug.Module{Path: "example.invalid/c", Version: "v2.0.0"}},
	}}
	got, err := materials(info)
	if err != nil || len(got) != 2 {
		t.Fatalf("materials = %v, %v", got, err)
	}
	if got[0].GetUri() != "pkg:golang/example.invalid/a@v1.0.0%2Bincompatible" ||
		got[0].GetDigest()["dirHash"] != "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f" || got[0].Validate() != nil {
		t.Errorf("the first is %v", got[0])
	}
	if got[1].GetName() != "example.invalid/c" || len(got[1].GetDigest()) != 0 {
		t.Errorf("the second is %v, want what replaces it", got[1])
	}
	info.Deps[0].Sum = "h1:?"
	if _, err := materials(info); err == nil {
		t.Error("a sum that cannot be read is taken")
	}
}
