// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package bundler

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
)

func TestReconcile_AForeignSecret_BlocksAndIsTriedAgain(t *testing.T) {
	c := newCluster(t)
	c.add(t, "a", canary)
	c.add(t, "b", "x", asFile)
	c.writeErr = apierrors.NewInvalid(schemaKind, "latchkey-user-env", nil)
	for _, name := range []string{"latchkey-user-env", "latchkey-user-files"} {
		c.live[name] = &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name, ResourceVersion: "3"}, Type: corev1.SecretTypeOpaque, Data: map[string][]byte{"A": []byte(canary)}}
	}
	r := c.reconciler()
	for range 2 {
		_, result, err := c.reconcile(t, r)
		if err != nil || result.RequeueAfter != retryBlocked {
			t.Fatalf("Reconcile = %+v, %v, want another try in a minute", result, err)
		}
		for _, name := range []string{"a", "b"} {
			if reason := c.objects[name].Status.Conditions[0].Reason; reason != v1alpha1.ReasonBundleBlocked {
				t.Errorf("%s is %s, want %s", name, reason, v1alpha1.ReasonBundleBlocked)
			}
		}
	}
	c.writeErr = nil
	clear(c.live)
	writes, result, err := c.reconcile(t, r)
	want := []string{"create latchkey-user-env", "create latchkey-user-files", "status a Projected", "status b Projected"}
	if diff := cmp.Diff(want, writes); diff != "" || err != nil || result.RequeueAfter != 0 {
		t.Errorf("Reconcile = %+v, %v, writes (-want +got):\n%s", result, err, diff)
	}
}

// TestReconcile_ARefusedWrite_IsSaidWithoutItsText holds for answers of every kind.
func TestReconcile_ARefusedWrite_IsSaidWithoutItsText(t *testing.T) {
	for name, tt := range map[string]struct {
		err  error
		want string
	}{
		"a quota":               {apierrors.NewForbidden(secrets, "x", errors.New("exceeded quota: q, requested: "+canary)), "the API server answered Forbidden, by a resource quota"},
		"a policy":              {apierrors.NewForbidden(secrets, "x", errors.New("ValidatingAdmissionPolicy 'p' denied request: "+canary)), "the API server answered Forbidden, by an admission policy"},
		"a policy of 422":       {apierrors.NewInvalid(schemaKind, canary, nil), "the API server answered Invalid"},
		"a webhook":             {&apierrors.StatusError{ErrStatus: metav1.Status{Code: http.StatusTeapot, Message: `admission webhook "w" denied the request: ` + canary}}, "the API server answered code 418, by an admission webhook"},
		"a webhook that quotes": {&apierrors.StatusError{ErrStatus: metav1.Status{Code: http.StatusForbidden, Reason: canary, Message: canary}}, "the API server answered code 403"},
		"a webhook's outage":    {apierrors.NewInternalError(errors.New(`failed calling webhook "w": ` + canary)), "the API server answered InternalError, since an admission webhook does not answer"},
		"a size":                {apierrors.NewRequestEntityTooLargeError(canary), "the API server answered RequestEntityTooLarge"},
		"an overload":           {apierrors.NewTooManyRequests(canary, 1), "the API server answered TooManyRequests"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			c.add(t, "a", canary)
			c.writeErr = tt.err
			writes, result, err := c.reconcile(t, c.reconciler())
			if diff := cmp.Diff([]string{"create latchkey-user-env", "status a BundleRefused"}, writes); diff != "" || err != nil || result.RequeueAfter != retrySoonest {
				t.Errorf("Reconcile = %+v, %v, writes (-want +got):\n%s", result, err, diff)
			}
			want := "Secret latchkey-user-env could not be written: " + tt.want + "; what it holds stays as it is, and it is tried again"
			if got := c.objects["a"].Status.Conditions[0].Message; got != want {
				t.Errorf("message %q, want %q", got, want)
			}
			if all := strings.Join(c.events, " "); strings.Contains(all, canary) || !strings.Contains(all, "BundleRefused") {
				t.Errorf("events %q", all)
			}
		})
	}
}

func TestReconcile_ARefusedWrite_RestsAndHeals(t *testing.T) {
	c := newCluster(t)
	c.add(t, "a", canary)
	c.add(t, "b", "x")
	r := c.reconciler()
	if _, _, err := c.reconcile(t, r); err != nil {
		t.Fatal(err)
	}
	c.writeErr = apierrors.NewForbidden(secrets, "x", errors.New("exceeded quota"))
	c.add(t, "c", "y", asFile) // whose bundle is refused as well
	c.objects["a"].Spec.EnvName = "Z"
	look := func(wantWrites []string, wantOpens int, wantWait time.Duration) {
		t.Helper()
		writes, result, err := c.reconcile(t, r)
		if diff := cmp.Diff(wantWrites, writes); diff != "" || err != nil || c.opens != wantOpens || result.RequeueAfter != wantWait {
			t.Errorf("Reconcile = %+v, %v, opened %d, want %d and another try in %s, writes (-want +got):\n%s", result, err, c.opens, wantOpens, wantWait, diff)
		}
	}
	look([]string{"create latchkey-user-files", "patch latchkey-user-env -A Z", "status a BundleRefused", "status c BundleRefused"}, 2, time.Second)
	look(nil, 0, time.Second) // whatever woke it
	for _, wait := range []time.Duration{2, 4, 8, 16, 30, 30} {
		c.now = c.now.Add(30 * time.Second)
		look([]string{"create latchkey-user-files", "patch latchkey-user-env -A Z"}, 2, wait*time.Second)
	}
	c.objects["a"].Spec.EnvName = "ZZ" // a change is tried at once
	look([]string{"patch latchkey-user-env -A ZZ", "status a BundleRefused"}, 1, time.Second)
	c.writeErr, c.now = nil, c.now.Add(time.Second)
	look([]string{"patch latchkey-user-env -A ZZ", "status a Projected"}, 1, 29*time.Second)
	c.now = c.now.Add(29 * time.Second)
	look([]string{"create latchkey-user-files", "status c Projected"}, 1, 0)
	look(nil, 0, 0)
	if got := c.values(); got != "B=x ZZ="+canary+" c=y" {
		t.Errorf("the bundles have %s", got)
	}
}

func TestReconcile_ABundleThatIsChangedWhileItRests_IsTriedAtOnce(t *testing.T) {
	c := newCluster(t)
	c.add(t, "a", canary)
	r := c.reconciler()
	if _, _, err := c.reconcile(t, r); err != nil {
		t.Fatal(err)
	}
	c.writeErr = apierrors.NewForbidden(secrets, "x", errors.New("no"))
	status := c.objects["a"].Status
	c.add(t, "a", "new", func(u *v1alpha1.UserSecret) { u.Status = status })
	if _, _, err := c.reconcile(t, r); err != nil || c.objects["a"].Status.Env == nil {
		t.Fatalf("%v, status %+v, want it to say where the earlier value is", err, c.objects["a"].Status)
	}
	c.remove("latchkey-user-env")
	writes, _, err := c.reconcile(t, r)
	if diff := cmp.Diff([]string{"create latchkey-user-env", "status a BundleRefused"}, writes); diff != "" || err != nil {
		t.Errorf("%v, writes (-want +got):\n%s", err, diff)
	}
	if st := c.objects["a"].Status; st.Env != nil {
		t.Errorf("the status says that it landed at %v", st.Env)
	}
}

// TestReconcile_ABundleThatIsChangedOnItsWay_IsSaidAndRests has a policy change what is
// stored: each time another way, always the same way, and by leaving something out.
func TestReconcile_ABundleThatIsChangedOnItsWay_IsSaidAndRests(t *testing.T) {
	n := byte('0')
	for name, mutate := range map[string]func(*corev1.Secret){
		"each time another way": func(s *corev1.Secret) { n++; s.Data["A"] = []byte{n} },
		"always the same way":   func(s *corev1.Secret) { s.Data["A"] = append([]byte(nil), "fixed"...) },
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			c.add(t, "a", canary)
			c.add(t, "b", "x")
			c.mutate = mutate
			r := c.reconciler()
			writes, result, err := c.reconcile(t, r)
			want := []string{"create latchkey-user-env", "status a BundleRefused", "status b Projected"}
			if diff := cmp.Diff(want, writes); diff != "" || err != nil || result.RequeueAfter != time.Second {
				t.Errorf("%+v, %v, writes (-want +got):\n%s", result, err, diff)
			}
			for range 3 { // its own write wakes it
				if writes, _, err := c.reconcile(t, r); len(writes) > 0 || c.opens > 0 || err != nil {
					t.Errorf("the next look wrote %v, opened %d, %v", writes, c.opens, err)
				}
			}
			c.mutate, c.now = nil, c.now.Add(time.Second)
			if writes, _, err := c.reconcile(t, r); err != nil || len(writes) != 3 { // the bundle, and the status of both
				t.Errorf("without it, wrote %v, %v", writes, err)
			}
		})
	}
}

func TestReconcile_ARemovalThatIsRefused_LeavesNobodyDisabled(t *testing.T) {
	c := newCluster(t)
	c.add(t, "a", canary)
	r := c.reconciler()
	if _, _, err := c.reconcile(t, r); err != nil {
		t.Fatal(err)
	}
	c.objects["a"].Spec.Enabled = new(bool)
	c.deleteErr = apierrors.NewForbidden(secrets, "latchkey-user-env", errors.New("ValidatingAdmissionPolicy 'p' denied"))
	for range 2 {
		if _, _, err := c.reconcile(t, r); err != nil {
			t.Fatal(err)
		}
		st := c.objects["a"].Status
		if st.Conditions[0].Reason != v1alpha1.ReasonBundleRefused || st.Env == nil || !strings.HasPrefix(st.Conditions[0].Message, "the value is still in Secret latchkey-user-env") {
			t.Errorf("status %+v, want it to say that the value is still there", st)
		}
		c.now = c.now.Add(time.Minute)
	}
	c.deleteErr = nil
	writes, _, err := c.reconcile(t, r)
	if diff := cmp.Diff([]string{"delete latchkey-user-env", "status a Disabled"}, writes); diff != "" || err != nil {
		t.Errorf("%v, writes (-want +got):\n%s", err, diff)
	}
}

func TestReconcile_WritesThatFailOtherwise(t *testing.T) {
	terminating := apierrors.NewForbidden(secrets, "x", errors.New("namespace is being terminated"))
	terminating.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	namespaces := schema.GroupResource{Resource: "namespaces"}
	for name, tt := range map[string]struct {
		err     error
		wantErr string
	}{
		"a namespace that is being deleted needs nothing": {terminating, ""},
		"a namespace that is gone needs nothing":          {apierrors.NewNotFound(namespaces, "alice"), ""},
		"an API server that is not there is told as it is, and status waits": {
			errors.New("connection refused"), "write bundle latchkey-user-env: connection refused",
		},
		"a cache that is behind is no news": {
			apierrors.NewConflict(secrets, "x", errors.New(canary)), "write bundle latchkey-user-env: the API server refused: Conflict",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			c.add(t, "a", canary)
			c.writeErr = tt.err
			writes, _, err := c.reconcile(t, c.reconciler())
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != tt.wantErr {
				t.Errorf("Reconcile = %q, want %q", got, tt.wantErr)
			}
			if diff := cmp.Diff([]string{"create latchkey-user-env"}, writes); diff != "" {
				t.Errorf("writes (-want +got):\n%s", diff)
			}
			if err != nil && !errors.Is(err, tt.err) {
				t.Error("the error is lost to errors.Is")
			}
		})
	}
}

// TestReconcile_AnAnswerThatUsuallyPasses_IsToldWhenItStays: an admission webhook can
// answer with any code.
func TestReconcile_AnAnswerThatUsuallyPasses_IsToldWhenItStays(t *testing.T) {
	c := newCluster(t)
	c.add(t, "a", canary)
	c.writeErr = apierrors.NewConflict(secrets, "x", errors.New("no"))
	r := c.reconciler()
	for i := range patience {
		_, _, err := c.reconcile(t, r)
		if last := i == patience-1; (err == nil) != last || (len(c.objects["a"].Status.Conditions) > 0) != last {
			t.Errorf("try %d: %v, status %v", i, err, c.objects["a"].Status.Conditions)
		}
	}
}

func TestReconcile_AFailedDeletion_IsTriedAgain(t *testing.T) {
	c := newCluster(t)
	c.add(t, "a", canary)
	r := c.reconciler()
	if _, _, err := c.reconcile(t, r); err != nil {
		t.Fatal(err)
	}
	delete(c.objects, "a")
	c.deleteErr = apierrors.NewConflict(secrets, "latchkey-user-env", errors.New("changed"))
	if _, _, err := c.reconcile(t, r); !apierrors.IsConflict(err) {
		t.Errorf("Reconcile = %v, want the conflict", err)
	}
	c.deleteErr = nil
	if writes, _, err := c.reconcile(t, r); err != nil || len(writes) != 1 {
		t.Errorf("writes %v, %v, want the deletion", writes, err)
	}
}
