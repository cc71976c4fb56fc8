// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package ui

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestUsage_AnOldContainer_IsMendedInItsNamespace holds that a command which is copied from
// the page acts on the namespace that it shows.
func TestUsage_AnOldContainer_IsMendedInItsNamespace(t *testing.T) {
	const secret = `{"apiVersion":"latchkey.dev/v1alpha1","kind":"UserSecret","metadata":{"name":"t","namespace":"alice","generation":1},
"spec":{"name":"t","envName":"T","sealedValue":"lk1.0123456789abcdef.AA"},
"status":{"env":{"secretName":"latchkey-user-env","key":"T"},"value":{"changedAt":"2026-01-02T00:00:00.000000Z"},
"conditions":[{"type":"Ready","status":"True","reason":"Projected","message":"","lastTransitionTime":"2026-01-02T00:00:00Z","observedGeneration":1}]}}`
	const pods = `{"apiVersion":"v1","kind":"PodList","items":[{"metadata":{"name":"web-1-a","namespace":"alice","creationTimestamp":"2026-01-01T00:00:00Z",
"labels":{"pod-template-hash":"1"},"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web-1","uid":"u","controller":true}]},
"spec":{"containers":[{"name":"app","image":"app","envFrom":[{"secretRef":{"name":"latchkey-user-env"}}]}]},
"status":{"phase":"Running","containerStatuses":[{"name":"app","state":{"running":{"startedAt":"2026-01-01T00:00:00Z"}}}]}}]}`
	s := newStandOn(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		answer := secret
		if strings.HasSuffix(r.URL.Path, "/pods") {
			answer = pods
		}
		_, _ = io.WriteString(w, answer)
	})
	s.open(t)
	for _, path := range []string{"/ns/alice/usage/t", "/ns/alice/remove/t"} {
		answer, text := s.do(t, http.MethodGet, path, "", s.member(nil))
		if answer.StatusCode != http.StatusOK || !strings.Contains(text, "<code>kubectl rollout restart deploy/web -n alice</code>") {
			t.Errorf("%s: %d %s", path, answer.StatusCode, text)
		}
	}
}
