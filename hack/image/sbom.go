// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx/v2/common"
	spdx "github.com/spdx/tools-golang/spdx/v2/v2_3"
)

// newSBOM returns an SPDX document of what a binary is made of, as the Go linker
// wrote it down in there.
func newSBOM(binary, version string, created time.Time) ([]byte, error) {
	content, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	info, err := buildinfo.Read(bytes.NewReader(content))
	if err != nil {
		return nil, fmt.Errorf("read what %s is made of: %w", binary, err)
	}
	sum := sha256.Sum256(content)
	digest := hex.EncodeToString(sum[:])
	main := newPackage(info.Main.Path, version)
	main.PackageFileName = program
	main.PrimaryPackagePurpose = "APPLICATION"
	main.PackageLicenseDeclared = "Apache-2.0"
	main.PackageChecksums = []common.Checksum{{Algorithm: common.SHA256, Value: digest}}
	document := &spdx.Document{
		SPDXVersion:       spdx.Version,
		DataLicense:       spdx.DataLicense,
		SPDXIdentifier:    "DOCUMENT",
		DocumentName:      filepath.Base(binary),
		DocumentNamespace: "https://latchkey.dev/spdx/" + filepath.Base(binary) + "-" + digest,
		CreationInfo: &spdx.CreationInfo{
			Created:  created.Format(time.RFC3339),
			Creators: []common.Creator{{CreatorType: "Organization", Creator: "The Latchkey Authors"}, {CreatorType: "Tool", Creator: "latchkey-hack-image"}},
		},
		Packages: []*spdx.Package{main},
		Relationships: []*spdx.Relationship{{
			RefA: common.MakeDocElementID("", "DOCUMENT"), RefB: common.MakeDocElementID("", string(main.PackageSPDXIdentifier)),
			Relationship: common.TypeRelationshipDescribe,
		}},
	}
	for _, p := range dependencies(info) {
		document.Packages = append(document.Packages, p)
		document.Relationships = append(document.Relationships, &spdx.Relationship{
			RefA: common.MakeDocElementID("", string(main.PackageSPDXIdentifier)), RefB: common.MakeDocElementID("", string(p.PackageSPDXIdentifier)),
			Relationship: common.TypeRelationshipDependsOn,
		})
	}
	var out bytes.Buffer
	err = json.Write(document, &out, json.Indent("  "))
	return out.Bytes(), err
}

// dependencies are the standard library and the modules that were linked.
func dependencies(info *debug.BuildInfo) []*spdx.Package {
	goVersion, _, _ := strings.Cut(info.GoVersion, " ")
	out := []*spdx.Package{newPackage("stdlib", strings.TrimPrefix(goVersion, "go"))}
	for _, module := range info.Deps {
		if module.Replace != nil {
			module = module.Replace
		}
		p := newPackage(module.Path, module.Version)
		if module.Sum != "" {
			p.PackageComment = "go.sum: " + module.Sum
		}
		out = append(out, p)
	}
	return out
}

// newPackage describes a Go module.
func newPackage(path, version string) *spdx.Package {
	return &spdx.Package{
		PackageName:             path,
		PackageSPDXIdentifier:   common.ElementID("Package-" + identifier(path+"-"+version)),
		PackageVersion:          version,
		PackageDownloadLocation: "NOASSERTION",
		PackageLicenseConcluded: "NOASSERTION",
		PackageLicenseDeclared:  "NOASSERTION",
		PackageCopyrightText:    "NOASSERTION",
		PackageExternalReferences: []*spdx.PackageExternalReference{{
			Category: common.CategoryPackageManager, RefType: common.TypePackageManagerPURL,
			Locator: "pkg:golang/" + path + "@" + strings.ReplaceAll(version, "+", "%2B"),
		}},
	}
}

// identifier spells text with the characters that SPDX allows in an identifier.
func identifier(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '-':
			return r
		}
		return '-'
	}, text)
}
