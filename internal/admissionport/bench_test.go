// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package admissionport_test

import (
	"fmt"
	"net/http"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/latchkey-dev/latchkey/internal/admissionport"
)

// large returns an object's JSON, as large and with as many parts as it may be: spec,
// and metadata with elements as items of a list and a text up to size.
func large(spec, list, item string, elements, size int) []byte {
	object := fmt.Sprintf(`{"metadata":{"name":"a","namespace":"alice",%q:[%s],"annotations":{"a":"%%s"}},"spec":%s}`,
		list, strings.TrimSuffix(strings.Repeat(item+",", elements), ","), spec)
	return fmt.Appendf(nil, object, strings.Repeat("a", max(0, size-len(object))))
}

// largest are the questions that cost most of those that are let in.
func largest(tb testing.TB, p *port) map[string]func() (hook string, body []byte) {
	const half = admissionport.MaxBody/2 - 4096
	const manager = `{"manager":"kubectl","operation":"Update","apiVersion":"latchkey.dev/v1alpha1","fieldsType":"FieldsV1","fieldsV1":{"f:spec":{"f:value":{},"f:envName":{}}}}`
	agentType := `"path":["a"],"secretType":{"type":"Str"}`
	user, agent := p.seal(tb, "UserSecret", "value"), p.seal(tb, "AgentSecret", `"value"`)
	return map[string]func() (string, []byte){
		"usersecret/owners": func() (string, []byte) {
			return admissionport.UserSecretHook, body(tb,
				large(`{"name":"a","value":"value"}`, "ownerReferences", "{}", 12_000, half),
				large(`{"name":"a","sealedValue":"`+user+`"}`, "ownerReferences", "{}", 12_000, half))
		},
		"usersecret/managers": func() (string, []byte) {
			return admissionport.UserSecretHook, body(tb,
				large(`{"name":"a","value":"value"}`, "managedFields", manager, 2_250, half),
				large(`{"name":"a","sealedValue":"`+user+`"}`, "managedFields", manager, 2_250, half))
		},
		"agentsecret/owners": func() (string, []byte) {
			return admissionport.AgentSecretHook, body(tb,
				large(`{`+agentType+`,"value":"value"}`, "ownerReferences", "{}", 12_000, half),
				large(`{`+agentType+`,"sealedValue":"`+agent+`"}`, "ownerReferences", "{}", 12_000, half))
		},
		"agentsecret/managers": func() (string, []byte) {
			return admissionport.AgentSecretHook, body(tb,
				large(`{`+agentType+`,"value":"value"}`, "managedFields", manager, 2_250, half),
				large(`{`+agentType+`,"sealedValue":"`+agent+`"}`, "managedFields", manager, 2_250, half))
		},
		"pod/mounts": func() (string, []byte) {
			mount := `{"name":"v","mountPath":"/a"},`
			spec := `{"containers":[{"name":"c","volumeMounts":[` + strings.TrimSuffix(strings.Repeat(mount, 16_500), ",") + `]}]}`
			return admissionport.PodHook, body(tb, large(spec, "finalizers", `"a"`, 1, 2*half), nil)
		},
		"pod/volumes": func() (string, []byte) {
			spec := `{"containers":[{"name":"c"}],"volumes":[` + strings.TrimSuffix(strings.Repeat("{},", 24_800), ",") + `]}`
			return admissionport.PodHook, body(tb, large(spec, "finalizers", `"a"`, 1, 2*half), nil)
		},
	}
}

// BenchmarkLargestReview measures the largest questions that are let in, from the bytes
// of the question to those of the answer. heap-MB is how much memory was in use at the
// most while one was answered at a time.
func BenchmarkLargestReview(b *testing.B) {
	ctrl.SetLogger(logr.Discard())
	p := newPort(b)
	for name, make := range largest(b, p) {
		b.Run(name, func(b *testing.B) {
			hook, question := make()
			if len(question) > admissionport.MaxBody || len(question) < admissionport.MaxBody*9/10 {
				b.Fatalf("the question has %d bytes", len(question))
			}
			debug.FreeOSMemory()
			stop, peak := watchHeap()
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				if answer := p.ask(hook, question); answer.Code != http.StatusOK || !strings.Contains(answer.Body.String(), `"allowed":`) {
					b.Fatalf("the answer is %d %.200s", answer.Code, answer.Body)
				}
			}
			b.StopTimer()
			close(stop)
			b.ReportMetric(float64(<-peak)/1e6, "heap-MB")
		})
	}
}

// watchHeap looks at the heap until it is stopped.
func watchHeap() (stop chan struct{}, peak chan uint64) {
	stop, peak = make(chan struct{}), make(chan uint64, 1)
	go func() {
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		var most uint64
		for {
			metrics.Read(sample)
			most = max(most, sample[0].Value.Uint64())
			select {
			case <-tick.C:
			case <-stop:
				peak <- most
				return
			}
		}
	}()
	return stop, peak
}

// BenchmarkOrdinaryReview measures what the port adds to an ordinary question: the hook
// alone, and through the port.
func BenchmarkOrdinaryReview(b *testing.B) {
	ctrl.SetLogger(logr.Discard())
	p := newPort(b)
	containers := strings.TrimSuffix(strings.Repeat(`{"name":"c","image":"i","env":[{"name":"A","value":"`+strings.Repeat("a", 200)+`"}],"volumeMounts":[{"name":"v","mountPath":"/a"}]},`, 8), ",")
	question := body(b, []byte(`{"metadata":{"name":"a"},"spec":{"containers":[`+containers+`]}}`), nil)
	for name, handler := range map[string]http.Handler{"hook": p.hooks[admissionport.PodHook], "port": p} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				if answer := p.askOf(handler, admissionport.PodHook, question); answer.Code != http.StatusOK {
					b.Fatal(answer.Code)
				}
			}
		})
	}
}
