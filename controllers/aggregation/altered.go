// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package aggregation

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// corrections is how often an object is corrected within correctionsPer. What comes
	// back all the same is meant, such as by a platform that keeps webhooks away from
	// its own namespaces.
	corrections    = 10
	correctionsPer = time.Hour

	// corrector is the field manager that makes corrections. It owns nothing afterwards.
	corrector = "latchkey-repair"
)

// clientSideAppliers begin the field managers of installers that do not use server-side
// apply, such as helm, Flux's helm-controller and Terraform's provider of Helm: what they
// write is what somebody declares.
var clientSideAppliers = []string{"helm", "terraform", "argocd", "kubectl-client-side-apply"}

// content returns the part of an object that somebody declares: without the fields that
// Latchkey or cert-manager maintain.
func content(o *unstructured.Unstructured) map[string]any {
	all := o.DeepCopy().Object
	unstructured.RemoveNestedField(all, "spec", "caBundle")
	eachHook(all, func(_ string, hook map[string]any) {
		unstructured.RemoveNestedField(hook, "clientConfig", "caBundle")
		unstructured.RemoveNestedField(hook, "clientConfig", "service", "path")
	})
	return map[string]any{"spec": all["spec"], "webhooks": all["webhooks"]}
}

// eachHook calls yield with each webhook of an object and its name.
func eachHook(object map[string]any, yield func(name string, hook map[string]any)) {
	hooks, _ := object["webhooks"].([]any)
	for _, h := range hooks {
		if hook, ok := h.(map[string]any); ok {
			name, _ := hook["name"].(string)
			yield(name, hook)
		}
	}
}

// holds reports whether an object still has the content that was declared.
func (k saved) holds(o *unstructured.Unstructured) bool {
	return equality.Semantic.DeepEqual(content(k.Object), content(o))
}

// declares reports whether an object differs from k because somebody declared something
// else: by creating it, by apply, or as the one who declared k. Whoever edits, patches or
// replaces declares nothing. Field owners have times in whole seconds: a second declaration within
// the same second does not count as one.
func (k saved) declares(o *unstructured.Unstructured) bool {
	if o.GetUID() != k.uid {
		return true
	}
	for _, m := range o.GetManagedFields() {
		declarer := m.Operation == metav1.ManagedFieldsOperationApply || m.Manager == k.Owner || slices.ContainsFunc(clientSideAppliers, func(name string) bool { return strings.HasPrefix(strings.ToLower(m.Manager), name) })
		if declarer && m.Subresource == "" && m.Manager != corrector && !slices.ContainsFunc(k.fields, func(was metav1.ManagedFieldsEntry) bool {
			return was.Manager == m.Manager && was.Operation == m.Operation && was.Subresource == "" && was.Time.Equal(m.Time)
		}) {
			return true
		}
	}
	return false
}

// correct gives an object that somebody altered the content back that was declared, with
// its field owners.
func (r *Reconciler) correct(ctx context.Context, k saved, there *unstructured.Unstructured, now time.Time) error {
	kind, name := there.GetKind(), there.GetName()
	log := ctrl.LoggerFrom(ctx).WithValues("kind", kind, "name", name)
	switch {
	case k.holds(there):
		altered.WithLabelValues(kind, name).Set(0)
		return r.disown(ctx, k, there)
	case leaves(there) || k.declares(there):
		return nil // r.Seen hears of it, too
	case !r.Seen.mayCorrect(name, now):
		altered.WithLabelValues(kind, name).Set(1)
		log.Info("An object was altered again and again, and is left as it is: apply what it should be, with Helm or by server-side apply")
		return nil
	}
	was, wanted := there.DeepCopy(), k.Object.DeepCopy().Object
	keepMaintained(wanted, there.Object)
	for _, part := range []string{"spec", "webhooks"} {
		if v, ok := wanted[part]; ok {
			there.Object[part] = v
		}
	}
	if err := r.patch(ctx, there, was); err != nil {
		return fmt.Errorf("correct %s %s: %w", kind, name, err)
	}
	log.Info("Corrected an object that somebody altered")
	if !k.holds(there) { // a default that the API server has only now
		r.Seen.accept(there)
	}
	return r.disown(ctx, k, there)
}

// disown gives a corrected object its field owners back: the corrector would be in the way
// of the next apply.
func (r *Reconciler) disown(ctx context.Context, k saved, there *unstructured.Unstructured) error {
	if !corrected(there) {
		return nil
	}
	was := there.DeepCopy()
	there.SetManagedFields(slices.DeleteFunc(slices.Clone(k.fields), byCorrector))
	if err := r.patch(ctx, there, was); err != nil {
		return fmt.Errorf("restore the field owners of %s %s: %w", there.GetKind(), there.GetName(), err)
	}
	return nil
}

// patch writes an object over the version that was read. A patch needs a right that the
// controller has with every choice of the chart.
func (r *Reconciler) patch(ctx context.Context, to, from *unstructured.Unstructured) error {
	return r.Live.Patch(ctx, to, client.MergeFromWithOptions(from, client.MergeFromWithOptimisticLock{}), client.FieldOwner(corrector))
}

func byCorrector(m metav1.ManagedFieldsEntry) bool { return m.Manager == corrector }

// corrected reports whether an object was corrected and does not have its field owners back.
func corrected(o *unstructured.Unstructured) bool {
	return slices.ContainsFunc(o.GetManagedFields(), byCorrector)
}

// keepMaintained takes over from an object what Latchkey and cert-manager maintain in it.
func keepMaintained(wanted, there map[string]any) {
	take := func(to, from map[string]any, fields ...string) {
		if v, ok, _ := unstructured.NestedFieldCopy(from, fields...); ok {
			_ = unstructured.SetNestedField(to, v, fields...) // only where a field before is no map
		}
	}
	if insecure, _, _ := unstructured.NestedBool(wanted, "spec", "insecureSkipTLSVerify"); !insecure {
		take(wanted, there, "spec", "caBundle")
	}
	eachHook(wanted, func(name string, hook map[string]any) {
		eachHook(there, func(other string, was map[string]any) {
			if name == other {
				take(hook, was, "clientConfig", "caBundle")
				take(hook, was, "clientConfig", "service", "path")
			}
		})
	})
}

// mayCorrect reports whether an object may be corrected now, and counts it.
func (s *Seen) mayCorrect(name string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	recent := slices.DeleteFunc(s.corrected[name], func(t time.Time) bool { return now.Sub(t) >= correctionsPer })
	may := len(recent) < corrections
	if may {
		recent = append(recent, now)
	}
	if s.corrected == nil {
		s.corrected = map[string][]time.Time{}
	}
	s.corrected[name] = recent
	return may
}
