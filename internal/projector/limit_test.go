// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package projector_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/latchkey-dev/latchkey/internal/projector"
)

// manyFiles is a content of n files.
func manyFiles(n int) projector.Content {
	c := both
	c.Files = nil
	for i := range n {
		c.Files = append(c.Files, projector.File{Key: fmt.Sprintf("key-%d", i), Path: fmt.Sprintf("~/.config/app-%d/token", i)})
	}
	return c
}

func TestProjectManyFiles(t *testing.T) {
	tooMany := "latchkey: only the first 100 files are at paths of their own, all are in the live directory"
	for name, tc := range map[string]struct {
		files, wantMounted int
		wantWarnings       []string
	}{
		"50 secrets":           {50, 50, []string{asOfStart}},
		"as many as there fit": {projector.MaxFiles, projector.MaxFiles, []string{asOfStart}},
		"one more":             {projector.MaxFiles + 1, projector.MaxFiles, []string{tooMany, asOfStart}},
		"very many":            {2000, projector.MaxFiles, []string{tooMany, asOfStart}},
	} {
		t.Run(name, func(t *testing.T) {
			pod := parsePod(t, `spec: {containers: [{name: app, $root}, {name: helper, $root, env: [{name: HOME, value: /h}]}]}`)
			content := manyFiles(tc.files)
			want := parsePod(t, `spec: {containers: [
				{name: app, $root, envFrom: [$agentEnv, $userEnv], volumeMounts: [$userMount, $agentMount]},
				{name: helper, $root, env: [{name: HOME, value: /h}], envFrom: [$agentEnv, $userEnv], volumeMounts: [$userMount, $agentMount]}],
				volumes: [$userVolume, $agentVolume, $netrcVolume]}`)
			files := &want.Spec.Volumes[2].Projected.Sources[0].DownwardAPI.Items
			item := (*files)[0]
			*files = nil
			for _, f := range content.Files[:tc.wantMounted] {
				item.Path = f.Key
				*files = append(*files, item)
				for i, home := range []string{"/root", "/h"} {
					m := want.Spec.Containers[i].VolumeMounts[0]
					m.Name, m.MountPath, m.SubPath = "latchkey-user-paths", home+f.Path[1:], f.Key
					want.Spec.Containers[i].VolumeMounts = append(want.Spec.Containers[i].VolumeMounts, m)
				}
			}
			got := projector.Project(pod, content, projector.Options{})
			if diff := cmp.Diff(want, got.Pod); diff != "" {
				t.Errorf("pod (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.wantWarnings, got.Warnings); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
			checkIdempotent(t, got.Pod, content, projector.Options{})
		})
	}
}

func TestWarningsAreFewAndShort(t *testing.T) {
	content := userFiles
	for i := range 40 {
		content.Files = append(content.Files, projector.File{
			Key: "k", Path: strings.Repeat("~/ü\x01\U0001F511\xff", 30) + fmt.Sprint(i),
		})
	}
	pod := parsePod(t, `metadata: {annotations: {latchkey.dev/inject: maybe, latchkey.dev/home: nowhere}}
spec: {containers: [{name: app}, {name: helper}]}`)
	long := "/" + strings.Repeat("very-long/", 30)
	got := projector.Project(pod, content, projector.Options{UserDir: long, DefaultHome: long})
	if len(got.Warnings) != 17 {
		t.Errorf("%d warnings, want 16 and one that says that there are more", len(got.Warnings))
	}
	seen := map[string]bool{}
	for _, w := range got.Warnings {
		if len(w) >= 120 || !utf8.ValidString(w) || strings.ContainsFunc(w, func(r rune) bool { return r < ' ' }) {
			t.Errorf("warning %q is not short printable text", w)
		}
		if !strings.HasPrefix(w, "latchkey: ") {
			t.Errorf("warning %q does not say who warns", w)
		}
		if seen[w] {
			t.Errorf("warning %q is there twice", w)
		}
		seen[w] = true
	}
	if !seen["latchkey: there is more of this kind that is not listed"] {
		t.Errorf("warnings do not say that there are more: %q", got.Warnings)
	}
}

// TestWarningsAreWhole makes sure that no sentence is cut short, even with paths as long as they are printed.
func TestWarningsAreWhole(t *testing.T) {
	long := "/" + strings.Repeat("long/", 60) + "way/to/the/home"
	pod := parsePod(t, `spec: {hostUsers: true, containers: [
		{name: app, workingDir: `+long+`/w, env: [{name: HOME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}],
			volumeMounts: [{name: v, mountPath: `+long+`/mounted}, {name: v, mountPath: `+long+`/above/x}, {name: v, mountPath: `+long+`/ro, readOnly: true}]}],
		volumes: [{name: v, emptyDir: {}}, {name: latchkey-agent, emptyDir: {}}]}`)
	content := files("a", "~/mounted", "b", "~/above", "c", "~/ro/x", "d", long+"/w", "e", "~/.e", "f", long+"/.e",
		"g", long+"/proc/..", "h", long+strings.Repeat("x", 256), "i", "/etc/hosts", "j", long+"\x7f")
	content.AgentFiles = projector.AgentFilesBundle
	got := projector.Project(pod, content, projector.Options{DefaultHome: long})
	quoted := `"...` + long[len(long)-40:] + `"`
	want := []string{
		"latchkey: the pod has a volume named latchkey-agent of its own: files are left out",
		`latchkey: file "...` + (long + "/proc/..")[len(long)-32:] + `" left out: path contains a .. segment`,
		`latchkey: file "...` + strings.Repeat("x", 40) + `" left out: path has a segment longer than 255 bytes`,
		`latchkey: file "/etc/hosts" left out: path is reserved for the container's own use`,
		`latchkey: file "...` + long[len(long)-39:] + `\x7f" left out: path is not printable text`,
		`latchkey: HOME is not literal: ~/ is ` + quoted + `; set annotation latchkey.dev/home`,
		`latchkey: file "~/mounted" left out: left to the pod, which mounts that path`,
		`latchkey: file "~/above" left out: the pod mounts something below it`,
		`latchkey: file "~/ro/x" left out: it lies in a read-only volume of the pod`,
		`latchkey: file "...` + (long + "/w")[len(long)-38:] + `" left out: it is the home or working directory`,
		`latchkey: file "...` + (long + "/.e")[len(long)-37:] + `" left out: the path of another secret is in the way`,
		readable,
		asOfStart,
	}
	if diff := cmp.Diff(want, got.Warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

func BenchmarkProject(b *testing.B) {
	pod := parsePod(b, `spec: {
		initContainers: [{name: init}],
		containers: [{name: app, volumeMounts: [$token, {name: home, mountPath: /root}]}, {name: helper, volumeMounts: [$token]}],
		volumes: [{name: kube-api-access, projected: {}}, {name: home, persistentVolumeClaim: {claimName: c}}]}`)
	for _, n := range []int{0, 50, projector.MaxFiles} {
		content := manyFiles(n)
		projected := projector.Project(pod, content, projector.Options{}).Pod
		b.Run(fmt.Sprintf("secrets=%d/first", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				projector.Project(pod, content, projector.Options{})
			}
		})
		b.Run(fmt.Sprintf("secrets=%d/again", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				projector.Project(projected, content, projector.Options{})
			}
		})
	}
}
