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

// Internal are the annotations for Latchkey's internal use, on both kinds. Only
// Latchkey writes them: the values of other authors are ignored, and their absence,
// too, whatever the verb. Otherwise anyone could hide an object, block another user's
// update, have an object deleted, or use another user's right.
var Internal = []string{
	v1alpha1.AnnotationCanonicalPath,
	v1alpha1.AnnotationCommitted,
	v1alpha1.AnnotationPending,
	v1alpha1.AnnotationSourceApproval,
	v1alpha1.AnnotationUpdatedAt,
}

// Latchkey has the user names of Latchkey's own processes.
type Latchkey struct {
	// Server and Controller are the user names of the two commands.
	Server, Controller string
}

// Wrote reports whether the author of a request is one of Latchkey's processes.
func (l Latchkey) Wrote(req admission.Request) bool {
	name := req.UserInfo.Username
	return name != "" && (name == l.Server || name == l.Controller)
}

// Annotations sets the internal annotations of an object: those that admission decided
// ("" for none), else those that Latchkey itself sends (own), else the stored ones. A
// new object has only those decided, so annotations in a manifest from a backup do no
// harm and are no reason to refuse it. is are the annotations that were sent, was the
// stored ones. It returns all resulting annotations.
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
