// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package sealing

import (
	"bytes"
	"context"
	"crypto/hpke"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/manifest"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/sealer"
	"github.com/latchkey-dev/latchkey/internal/seal"
	"github.com/latchkey-dev/latchkey/internal/seal/sealtest"
)

// canary is a value that no message may show.
const canary = "canary-5e41"

func sealed(t *testing.T, key *seal.PublicKey) string {
	t.Helper()
	text, err := sealer.User("alice", "a").Seal(key, seal.ValueOf(canary))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// tree is a folder with files.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	root := os.DirFS(dir)
	err := fs.WalkDir(root, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(root, path)
		found[path] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

const head = "apiVersion: latchkey.dev/v1alpha1\nkind: UserSecret\nmetadata:\n  name: a\n  namespace: alice\n"

// answers stands for a cluster: by the name of an object, what it answers.
type answers struct {
	texts map[string]string
	errs  map[string]error
	asked []string
}

func (a *answers) Again(_ context.Context, namespace string, o *manifest.Object) (string, error) {
	a.asked = append(a.asked, namespace+"/"+o.Name)
	return a.texts[o.Name], a.errs[o.Name]
}

func TestReseal_ATree_ChangesTheScalarsAndSaysWhatItSkipped(t *testing.T) {
	older, _ := sealtest.NewKey(t)
	newest, _ := sealtest.NewKey(t)
	old, current, again := sealed(t, older), sealed(t, newest), sealed(t, newest)
	named := func(name, text string) string {
		return "# ключ\r\n" + strings.Replace(head, "name: a", "name: "+name, 1) + "spec: {envName: A, sealedValue: \"" + text + "\"} # x\r\n"
	}
	files := map[string]string{
		"a.yaml":              named("a", old),
		"sub/current.yml":     named("a", current),
		"sub/both.yaml":       named("current", current) + "---\n" + named("a", old) + "---\nkind: ConfigMap\n",
		"templates/x.yaml":    "kind: UserSecret\n{{ if x }}\n",
		"refused.yaml":        named("refused", old),
		"late.yaml":           named("late", old),
		"none.yaml":           head + "spec: {sealedValue: " + canary + "}\n",
		"elsewhere.json":      "{\"apiVersion\":\"latchkey.dev/v1alpha1\",\"kind\":\"UserSecret\",\"metadata\":{\"name\":\"a\"},\n\t\"spec\":{\"sealedValue\":\"" + old + "\"}}",
		".git/a.yaml":         named("a", old),
		"README.md":           named("a", old),
		"alias.yaml":          "x: &x " + old + "\n" + head + "spec: {sealedValue: *x}\n",
		"foreign/secret.yaml": "kind: Secret\n",
	}
	cluster := &answers{
		texts: map[string]string{"a": again, "late": old},
		errs:  map[string]error{"refused": apierrors.NewBadRequest("no")},
	}
	for _, check := range []bool{true, false} {
		dir := tree(t, files)
		var out bytes.Buffer
		r := Reseal{Paths: []string{dir}, Check: check, Namespace: "default", Keys: sealer.Keys{Newest: newest}, Cluster: cluster, Out: &out}
		if err := r.Run(t.Context()); cli.CodeOf(err) != cli.CodeNo {
			t.Fatal(err)
		}
		want := map[string]string{}
		for name, text := range files {
			if !check && (name == "a.yaml" || name == "sub/both.yaml" || name == "elsewhere.json") {
				text = strings.ReplaceAll(text, old, again)
			}
			want[name] = text
		}
		if diff := cmp.Diff(want, contents(t, dir)); diff != "" {
			t.Errorf("files (-want +got):\n%s", diff)
		}
		text := strings.ReplaceAll(out.String(), dir+string(filepath.Separator), "")
		wantOut := `a.yaml:2 UserSecret a resealed
alias.yaml:1 UserSecret a skipped: spec.sealedValue is an alias: change it where its anchor is, by hand
elsewhere.json:1 UserSecret a resealed
late.yaml:2 UserSecret late skipped: the cluster has it with this key still: try again when it has sealed its objects again
none.yaml:1 UserSecret a skipped: spec.sealedValue: not a sealed value: it must begin with lk1.; copy the whole text, or seal the value again
refused.yaml:2 UserSecret refused skipped: no
sub/both.yaml:10 UserSecret a resealed
templates/x.yaml:1 skipped: it is a template
3 resealed, 2 of the newest key already, 5 skipped
`
		if check {
			wantOut = `a.yaml:2 UserSecret a is sealed with an older key
alias.yaml:1 UserSecret a is sealed with an older key
elsewhere.json:1 UserSecret a is sealed with an older key
late.yaml:2 UserSecret late is sealed with an older key
none.yaml:1 UserSecret a skipped: spec.sealedValue: not a sealed value: it must begin with lk1.; copy the whole text, or seal the value again
refused.yaml:2 UserSecret refused is sealed with an older key
sub/both.yaml:10 UserSecret a is sealed with an older key
templates/x.yaml:1 skipped: it is a template
6 of an older key, 2 of the newest key already, 2 skipped
`
		}
		if diff := cmp.Diff(wantOut, filepath.ToSlash(text)); diff != "" {
			t.Errorf("output (-want +got):\n%s", diff)
		}
		if check && len(cluster.asked) > 0 {
			t.Errorf("a check asked the cluster for %v", cluster.asked)
		}
		info, err := os.Stat(filepath.Join(dir, "a.yaml"))
		if err != nil || info.Mode().Perm() != 0o640 {
			t.Errorf("the mode became %v (%v)", info.Mode(), err)
		}
	}
	if diff := cmp.Diff([]string{"alice/a", "default/a", "alice/late", "alice/refused", "alice/a"}, cluster.asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

func TestReseal_ClusterOutOfReach_Stops(t *testing.T) {
	older, _ := sealtest.NewKey(t)
	newest, _ := sealtest.NewKey(t)
	file := head + "spec: {sealedValue: " + sealed(t, older) + "}\n"
	dir := tree(t, map[string]string{"a.yaml": file, "b.yaml": file})
	cluster := &answers{errs: map[string]error{"a": errors.New("connection refused")}}
	r := Reseal{Paths: []string{dir}, Keys: sealer.Keys{Newest: newest}, Cluster: cluster, Out: &bytes.Buffer{}}
	if err := r.Run(t.Context()); err == nil || cli.CodeOf(err) == cli.CodeNo || len(cluster.asked) != 1 {
		t.Errorf("Run: %v after %d requests, want it to stop at the first", err, len(cluster.asked))
	}
}

func TestSeal_AManifest_HasSealedValuesThatOpenForTheirObjects(t *testing.T) {
	key, private := sealtest.NewKey(t)
	agent := "apiVersion: latchkey.dev/v1alpha1\nkind: AgentSecret\nmetadata: {name: b}\nspec:\n  path: [DB_password]\n" +
		"  secretType: {type: Record, fields: [{name: host, typ: {type: Str}}]}\n  value:\n    host: " + canary + " # mine\n  envName: B\n"
	file := "# top\n" + head + "spec:\n  value: " + canary + " # mine\n---\n" + agent
	dir := tree(t, map[string]string{"m.yaml": file})
	path := filepath.Join(dir, "m.yaml")
	var out, notices bytes.Buffer
	s := Seal{Path: path, Namespace: "alice", Key: key, Out: &out, Err: &notices}
	if err := s.Run(); err != nil {
		t.Fatal(err, notices.String())
	}
	if got := contents(t, dir)["m.yaml"]; got != file {
		t.Errorf("the file changed to %q", got)
	}
	if got := notices.String(); got != "2 values sealed with key "+key.ID()+"\n" {
		t.Errorf("notices %q", got)
	}
	if strings.Contains(out.String()+notices.String(), canary) {
		t.Error("the output has the value")
	}
	objects, _ := manifest.Read(out.Bytes())
	for i, want := range []string{canary, `{"host":"` + canary + `"}`} {
		found := sealer.Look(objects[i], "alice")
		parsed, err := seal.Parse(objects[i].SealedValue)
		if err != nil {
			t.Fatal(err)
		}
		info, err := found.Target.Context.Info()
		if err != nil {
			t.Fatal(err)
		}
		_, kdf, aead := seal.Suite()
		if value, err := hpke.Open(private, kdf, aead, info, parsed.Payload()); err != nil || string(value) != want {
			t.Errorf("object %d opens to %q, %v", i, value, err)
		}
		out2 := strings.ReplaceAll(out.String(), objects[i].SealedValue, "SEALED")
		out.Reset()
		out.WriteString(out2)
	}
	want := strings.Replace(strings.Replace(file, "value: "+canary, "sealedValue: SEALED", 1), "value:\n    host: "+canary, "sealedValue: SEALED", 1)
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("manifest (-want +got):\n%s", diff)
	}

	s.InPlace = true
	if err := s.Run(); err != nil {
		t.Fatal(err)
	}
	if got := contents(t, dir)["m.yaml"]; strings.Contains(got, canary) {
		t.Errorf("the file has the value still: %q", got)
	}
}

func TestSeal_WhatIsWrong_SealsNothingAndSaysWhy(t *testing.T) {
	key, _ := sealtest.NewKey(t)
	const fine = head + "spec: {value: " + canary + "}\n---\n"
	for name, tt := range map[string]struct{ file, namespace, want string }{
		"no namespace": {
			strings.ReplaceAll(head, "  namespace: alice\n", "") + "spec: {value: x}\n", "",
			"F:1 UserSecret a: metadata.namespace is missing, for which the value is sealed: set it, or choose one with -n\n",
		},
		"another namespace than -n": {head + "spec: {value: x}\n", "bob", "F:1 UserSecret a: metadata.namespace is alice, and -n says bob\n"},
		"two sources":               {fine + head + "spec: {value: " + canary + ", sealedValue: x}\n", "", "F:8 UserSecret a: spec: set exactly one of value, sealedValue and valueFrom\nspec.sealedValue: not a sealed value: it must begin with lk1.; copy the whole text, or seal the value again\n"},
		"a value that is no string": {fine + head + "spec: {value: 12345678}\n", "", "F:8 UserSecret a: spec.value: it must be a string: put it in quotes\n"},
		"a variable that is reserved": {
			fine + head + "spec: {value: " + canary + ", envName: PATH}\n", "", "F:8 UserSecret a: spec.envName: PATH is a reserved environment variable name\n",
		},
		"a value of another type": {
			fine + "apiVersion: latchkey.dev/v1alpha1\nkind: AgentSecret\nmetadata: {name: b, namespace: alice}\nspec: {path: [b], secretType: {type: U8}, value: " + canary + "}\n", "",
			"F:8 AgentSecret b: spec.value: value does not match type: [expected number, found string]\n",
		},
		"a template": {fine + "kind: UserSecret\n{{ x }}\n", "", "F:7 cannot be read: it is a template\n"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := tree(t, map[string]string{"m.yaml": tt.file})
			path := filepath.Join(dir, "m.yaml")
			var out, notices bytes.Buffer
			s := Seal{Path: path, InPlace: true, Namespace: tt.namespace, Key: key, Out: &out, Err: &notices}
			if err := s.Run(); cli.CodeOf(err) != cli.CodeRefused {
				t.Errorf("Run: %v, want it refused", err)
			}
			got := strings.ReplaceAll(notices.String(), path, "F")
			if diff := cmp.Diff(tt.want, got); diff != "" || out.Len() > 0 {
				t.Errorf("notices (-want +got):\n%s", diff)
			}
			if strings.Contains(got, canary) || contents(t, dir)["m.yaml"] != tt.file {
				t.Error("a value is shown, or the file was changed")
			}
		})
	}
}
