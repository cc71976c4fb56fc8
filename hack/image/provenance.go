// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	slsa "github.com/in-toto/attestation/go/predicates/provenance/v1"
	intoto "github.com/in-toto/attestation/go/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"
)

const (
	// provenanceType is the media type of an in-toto statement.
	provenanceType = "application/vnd.in-toto+json"
	predicateType  = "https://slsa.dev/provenance/v1"
	// buildType says how to read the parameters: those of this command's flags.
	buildType  = "https://latchkey.dev/hack/image/v1"
	repository = "git+https://github.com/latchkey-dev/latchkey"
)

// newProvenance returns an in-toto statement of how the image of a platform was made:
// by what, from which sources and modules. There is no time in it, so that the same
// sources make the same one. It is not signed; who publishes the image signs.
func (o *options) newProvenance(ctx context.Context, platform v1.Platform, image v1.Image, binary string) ([]byte, error) {
	digest, err := image.Digest()
	if err != nil {
		return nil, err
	}
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return nil, fmt.Errorf("read what %s is made of: %w", binary, err)
	}
	external, err := structpb.NewStruct(map[string]any{"platform": platform.String(), "tag": o.tag, "version": o.version})
	if err != nil {
		return nil, err
	}
	materials, err := materials(info)
	if err != nil {
		return nil, err
	}
	if source := o.commit(ctx); source != nil {
		materials = append([]*intoto.ResourceDescriptor{source}, materials...)
	}
	goVersion, _, _ := strings.Cut(info.GoVersion, " ")
	predicate := &slsa.Provenance{
		BuildDefinition: &slsa.BuildDefinition{BuildType: buildType, ExternalParameters: external, ResolvedDependencies: materials},
		RunDetails:      &slsa.RunDetails{Builder: &slsa.Builder{Id: buildType, Version: map[string]string{"go": goVersion}}},
	}
	if err := predicate.Validate(); err != nil {
		return nil, fmt.Errorf("provenance: %w", err)
	}
	fields := &structpb.Struct{}
	if err := convert(predicate, fields); err != nil {
		return nil, err
	}
	statement := &intoto.Statement{
		Type:          intoto.StatementTypeUri,
		Subject:       []*intoto.ResourceDescriptor{{Name: o.tag, Digest: map[string]string{digest.Algorithm: digest.Hex}}},
		PredicateType: predicateType,
		Predicate:     fields,
	}
	if err := statement.Validate(); err != nil {
		return nil, fmt.Errorf("provenance: %w", err)
	}
	text, err := protojson.Marshal(statement)
	if err != nil {
		return nil, err
	}
	// protojson's white space is not the same each time.
	var one, out bytes.Buffer
	if err := errors.Join(json.Compact(&one, text), json.Indent(&out, one.Bytes(), "", "  ")); err != nil {
		return nil, err
	}
	return append(out.Bytes(), '\n'), nil
}

func convert(predicate *slsa.Provenance, fields *structpb.Struct) error {
	text, err := protojson.Marshal(predicate)
	if err != nil {
		return err
	}
	return protojson.Unmarshal(text, fields)
}

// materials are the modules that were linked, with go.sum's digests.
func materials(info *buildinfo.BuildInfo) ([]*intoto.ResourceDescriptor, error) {
	var out []*intoto.ResourceDescriptor
	for _, module := range info.Deps {
		if module.Replace != nil {
			module = module.Replace
		}
		r := &intoto.ResourceDescriptor{
			Name: module.Path,
			Uri:  "pkg:golang/" + module.Path + "@" + strings.ReplaceAll(module.Version, "+", "%2B"),
		}
		if sum, found := strings.CutPrefix(module.Sum, "h1:"); found {
			raw, err := base64.StdEncoding.DecodeString(sum)
			if err != nil {
				return nil, fmt.Errorf("the sum of %s: %w", module.Path, err)
			}
			r.Digest = map[string]string{string(intoto.AlgorithmDirHash): hex.EncodeToString(raw)}
		}
		out = append(out, r)
	}
	return out, nil
}

// commit describes the sources, if they are a clone of the repository: the commit, and
// whether something that it does not have was built.
func (o *options) commit(ctx context.Context) *intoto.ResourceDescriptor {
	head, err := git(ctx, o.source, "rev-parse", "HEAD")
	if err != nil {
		return nil
	}
	changes, err := git(ctx, o.source, "status", "--porcelain")
	if err != nil {
		return nil
	}
	annotations, err := structpb.NewStruct(map[string]any{"modified": changes != ""})
	if err != nil {
		return nil
	}
	return &intoto.ResourceDescriptor{
		Uri: repository, Digest: map[string]string{string(intoto.AlgorithmGitCommit): head}, Annotations: annotations,
	}
}

func git(ctx context.Context, folder string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "git", append([]string{"-C", folder}, args...)...).Output()
	return strings.TrimSpace(string(out)), err
}
