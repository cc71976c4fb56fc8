// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/claim"
)

// An update that gives up one claim for another may lose the other, and then needs
// the first one back. Until it knows, it holds both: annotations name what the
// object gave up (claim.OfUser reads them), so that nobody else is given it. The
// last write of an update that won takes them away; an update that lost takes them
// away with the write that restores the fields.

// holdFor is how long an update may take from its write to its last one. A hold
// that is older belongs to a replica that died.
const holdFor = time.Minute

var holdAnnotations = []string{v1alpha1.AnnotationHeldEnvName, v1alpha1.AnnotationHeldFilePath, v1alpha1.AnnotationHeldSince}

// hold makes after hold what it gives up and may need again; it tells whether there
// is anything.
func hold(before, after *v1alpha1.UserSecret, p proposal, now time.Time) bool {
	held := map[string]string{}
	if before.Spec.EnvName != after.Spec.EnvName && before.Spec.EnvName != "" {
		held[v1alpha1.AnnotationHeldEnvName] = before.Spec.EnvName
	}
	if before.Spec.FilePath != after.Spec.FilePath && before.Spec.FilePath != "" {
		held[v1alpha1.AnnotationHeldFilePath] = before.Spec.FilePath
	}
	gains := slices.ContainsFunc(p.holder.Claims, func(c claim.Claim) bool { return !p.before.holder.Has(c) })
	if len(held) == 0 || (!gains && !p.grows()) {
		return false
	}
	held[v1alpha1.AnnotationHeldSince] = now.UTC().Format(time.RFC3339Nano)
	if after.Annotations == nil {
		after.Annotations = map[string]string{}
	}
	for _, name := range holdAnnotations {
		delete(after.Annotations, name)
		if v, ok := held[name]; ok {
			after.Annotations[name] = v
		}
	}
	return true
}

// holding tells whether an update of u is under way.
func holding(u *v1alpha1.UserSecret, now time.Time) bool {
	since, err := time.Parse(time.RFC3339Nano, u.Annotations[v1alpha1.AnnotationHeldSince])
	return err == nil && now.Sub(since) < holdFor
}

// forgotten tells whether u still has annotations of an update that is over.
func forgotten(u *v1alpha1.UserSecret, now time.Time) bool {
	return slices.ContainsFunc(holdAnnotations, func(name string) bool { return u.Annotations[name] != "" }) && !holding(u, now)
}

// release gives up for good what u held.
func release(ctx context.Context, w client.Writer, u *v1alpha1.UserSecret) error {
	none := map[string]any{}
	for _, name := range holdAnnotations {
		none[name] = nil
	}
	err := annotate(ctx, w, u, none)
	if apierrors.IsNotFound(err) {
		return nil // deleted after the update, and the claims with it
	}
	if err != nil {
		return fmt.Errorf("finish the update: %w", refused("release what UserSecret held", err))
	}
	return nil
}

// unhold returns the JSON patch that removes what an object holds.
func unhold(live *v1alpha1.UserSecret) []map[string]any {
	var patch []map[string]any
	for _, name := range holdAnnotations {
		if _, ok := live.Annotations[name]; ok {
			patch = append(patch, setMember("/metadata/annotations/"+strings.ReplaceAll(name, "/", "~1"), true, nil)...)
		}
	}
	return patch
}
