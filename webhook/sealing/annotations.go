// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package sealing

import (
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
)

// Internal are the annotations by which Latchkey speaks to itself, on both kinds.
// Nobody else writes them: what others send is neither taken nor missed, whichever verb
// brings it. Else somebody could hide an object, block another's update, have one
// deleted, or use a right that was somebody else's.
var Internal = []string{
	v1alpha1.AnnotationCanonicalPath,
	v1alpha1.AnnotationCommitted,
	v1alpha1.AnnotationPending,
	v1alpha1.AnnotationSourceApproval,
	v1alpha1.AnnotationUpdatedAt,
}

// Latchkey are the user names of Latchkey's own processes.
type Latchkey struct {
	// Server and Controller are those of the two commands.
	Server, Controller string
}

// Wrote reports whether the author of a request is one of Latchkey's processes.
func (l Latchkey) Wrote(req admission.Request) bool {
	name := req.UserInfo.Username
	return name != "" && (name == l.Server || name == l.Controller)
}

// Annotations gives an object the internal annotations that it is to have: those that
// admission decided, "" for none; else what Latchkey itself sends (own); else what was
// stored. A new object has none but those decided, so what comes along with a manifest
// out of a backup does no harm and is no reason to refuse it. Is are the annotations
// that were sent, was those stored. It returns all annotations that there will be.
func (r *Review) Annotations(is, was, decided map[string]string, own bool) map[string]string {
	want := maps.Clone(is)
	if want == nil {
		want = map[string]string{}
	}
	for _, name := range Internal {
		text, known := decided[name]
		switch {
		case known:
		case own:
			continue
		default:
			text = was[name]
		}
		if text == "" {
			delete(want, name)
		} else {
			want[name] = text
		}
	}
	switch {
	case maps.Equal(is, want):
	case len(want) == 0:
		r.Remove("/metadata/annotations")
	case is == nil:
		r.Set("/metadata/annotations", want)
	default:
		for _, name := range slices.Sorted(slices.Values(Internal)) {
			was, had := is[name]
			now, has := want[name]
			switch {
			case has && (!had || was != now):
				r.Set(annotationPath(name), now)
			case had && !has:
				r.Remove(annotationPath(name))
			}
		}
	}
	return want
}

func annotationPath(name string) string {
	return "/metadata/annotations/" + strings.ReplaceAll(name, "/", "~1")
}
