// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package pod_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/bundle"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

const (
	benchTenants = 1000
	benchSecrets = 50
)

// workspace is a pod as users have them: a few containers, mounts and variables.
const workspace = `
apiVersion: v1
kind: Pod
metadata: {name: workspace, labels: {app: workspace}, creationTimestamp: null}
spec:
  securityContext: {runAsNonRoot: true, runAsUser: 1000, fsGroup: 1000}
  initContainers:
  - {name: prepare, image: registry.example/prepare:1, command: [sh, -c, prepare], volumeMounts: [{name: home, mountPath: /home/dev}]}
  - {name: proxy, image: registry.example/proxy:1, restartPolicy: Always}
  containers:
  - name: workspace
    image: registry.example/workspace:1
    env: [{name: HOME, value: /home/dev}, {name: A, value: a}, {name: B, value: b}]
    envFrom: [{configMapRef: {name: settings}}]
    volumeMounts: [{name: home, mountPath: /home/dev}, {name: tmp, mountPath: /tmp}]
    resources: {requests: {cpu: 100m, memory: 128Mi}, limits: {memory: 1Gi}}
  - {name: metrics, image: registry.example/metrics:1}
  volumes: [{name: home, persistentVolumeClaim: {claimName: home}}, {name: tmp, emptyDir: {}}]
`

// sealedSizes are the sizes of the values, in bytes: mostly tokens, a few keys and
// certificates.
var sealedSizes = []int{40, 40, 64, 64, 93, 128, 512, 1700, 3200, 4000}

// newFullStore has every tenant's secrets, each with a variable and a path, all
// with the status that the controller gives them.
func newFullStore(b *testing.B) *store {
	b.Helper()
	texts := make([]string, len(sealedSizes))
	for i, size := range sealedSizes {
		// Only its form matters: the handler has no key.
		payload := bytes.Repeat([]byte{0xa7}, seal.Overhead+size)
		texts[i] = "lk1.0123456789abcdef." + base64.RawURLEncoding.EncodeToString(payload)
		if got := bundle.SizeOf(texts[i]); got != size {
			b.Fatalf("a sealed value of %d bytes counts as %d", size, got)
		}
	}
	s := newStore()
	for t := range benchTenants {
		ns := namespace(map[string]string{v1alpha1.LabelUser: fmt.Sprintf("user-%d", t)})
		ns.Name = fmt.Sprintf("tenant-%d", t)
		s.add(ns)
		for i := range benchSecrets {
			name, env, file := fmt.Sprintf("secret-%d", i), fmt.Sprintf("SECRET_%d", i), fmt.Sprintf("~/.config/app-%d/token", i)
			since := fmt.Sprint(100*t + i)
			s.add(user(1_000_000+i, name, env, file,
				recorded(v1alpha1.ClaimName, name, since), recorded(v1alpha1.ClaimEnv, env, since), recorded(v1alpha1.ClaimFile, file, since),
				func(u *v1alpha1.UserSecret) {
					u.Namespace = ns.Name
					u.Spec.SealedValue = texts[i%len(texts)]
				}))
		}
	}
	return s
}

// BenchmarkAdmission measures one admission from the bytes of the API server's
// question to those of the answer; the network and TLS are not part of it.
func BenchmarkAdmission(b *testing.B) {
	ctrl.SetLogger(logr.Discard())
	objects := newFullStore(b)
	h := &admission.Webhook{Handler: handler(objects)}
	bodies := make([][]byte, benchTenants)
	for t := range bodies {
		req := review(b, workspace).AdmissionRequest
		req.Namespace = fmt.Sprintf("tenant-%d", t)
		body, err := json.Marshal(admissionv1.AdmissionReview{
			TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"}, Request: &req,
		})
		if err != nil {
			b.Fatal(err)
		}
		bodies[t] = body
	}
	for _, body := range bodies { // a server that has run for a while
		h.ServeHTTP(httptest.NewRecorder(), question(body))
	}
	for _, concurrent := range []int{1, 16} {
		b.Run(fmt.Sprintf("concurrent=%d", concurrent), func(b *testing.B) { benchAdmission(b, h, bodies, concurrent) })
		// As if a secret had changed before every pod.
		b.Run(fmt.Sprintf("concurrent=%d/changed", concurrent), func(b *testing.B) {
			benchAdmission(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				(&admission.Webhook{Handler: handler(objects)}).ServeHTTP(w, r)
			}), bodies, concurrent)
		})
	}
}

func question(body []byte) *http.Request {
	req := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	return req
}

func benchAdmission(b *testing.B, h http.Handler, bodies [][]byte, concurrent int) {
	took := make([]time.Duration, b.N)
	var next atomic.Int64
	var group sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for range concurrent {
		group.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= b.N {
					return
				}
				req := question(bodies[i*7919%len(bodies)])
				answer := httptest.NewRecorder()
				runtime.Gosched() // as a connection does that waits for its next request
				start := time.Now()
				h.ServeHTTP(answer, req)
				took[i] = time.Since(start)
				if !bytes.Contains(answer.Body.Bytes(), []byte(`"allowed":true`)) || answer.Body.Len() < 5000 {
					b.Errorf("not projected: %s", answer.Body)
					return
				}
			}
		})
	}
	group.Wait()
	b.StopTimer()
	slices.Sort(took)
	for _, percent := range []int{50, 99} {
		b.ReportMetric(float64(took[(len(took)-1)*percent/100].Microseconds())/1000, fmt.Sprintf("p%d-ms", percent))
	}
}
