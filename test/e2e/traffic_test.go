// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/test/conformance"
)

// traffic are users who write and read their secrets through REST without a pause, while
// a spec does things to Latchkey.
type traffic struct {
	callers []*caller
	cancel  context.CancelFunc
	done    sync.WaitGroup
}

// caller is one of them. What it was told it remembers.
type caller struct {
	user conformance.Account
	face conformance.Face
	// values are what it was told is stored, by name.
	values map[string]string
	// unsure are names of which it was not told: the connection broke.
	unsure map[string]bool
	// refused are answers that it should not have got.
	refused []string
	// requests and broken count the requests, and those without an answer.
	requests, broken int
	// slowest is how long the slowest answer took.
	slowest time.Duration
}

// kept is how many secrets each caller has at a time, below the limit of a user.
const kept = 12

// startTraffic starts callers, each a new user, half of them on each face.
func startTraffic(ctx context.Context, purpose string, callers int) *traffic {
	GinkgoHelper()
	running, cancel := context.WithCancel(context.Background())
	t := &traffic{cancel: cancel}
	for i := range callers {
		t.callers = append(t.callers, &caller{
			face: []conformance.Face{direct, aggregated}[i%2], user: newUser(ctx, fmt.Sprintf("%s-%d", purpose, i)), values: map[string]string{}, unsure: map[string]bool{},
		})
	}
	for _, c := range t.callers {
		t.done.Go(func() { c.call(running) })
	}
	DeferCleanup(func() {
		cancel()
		t.done.Wait()
	})
	return t
}

// call makes requests until ctx ends, but completes the one that it has begun.
func (c *caller) call(ctx context.Context) {
	for i := 0; ctx.Err() == nil; i++ {
		name := fmt.Sprintf("s-%d", i)
		value := fmt.Sprintf("%s%d", canary, i)
		if !c.try(name, http.MethodPost, "", http.StatusCreated, fmt.Sprintf(`{"name":%q,"value":%q,"env_name":"S_%d"}`, name, value, i)) {
			continue
		}
		c.values[name] = value
		if !c.try(name, http.MethodGet, name, http.StatusOK, "") {
			continue
		}
		if c.try(name, http.MethodPatch, name, http.StatusOK, fmt.Sprintf(`{"value":"%s-changed"}`, value)) {
			c.values[name] = value + "-changed"
		}
		if len(c.values)+len(c.unsure) > kept {
			oldest := slices.MinFunc(slices.Collect(maps.Keys(c.values)), func(a, b string) int { return number(a) - number(b) })
			if c.try(oldest, http.MethodDelete, oldest, http.StatusNoContent, "") {
				delete(c.values, oldest)
			}
		}
	}
}

func number(name string) (n int) {
	_, _ = fmt.Sscanf(name, "s-%d", &n)
	return n
}

// try makes a request about a secret and reports whether it was answered as it should be.
// Without an answer, nobody knows what became of that secret.
func (c *caller) try(about, method, name string, want int, body string) bool {
	c.requests++
	began := time.Now()
	answer, err := tryAsk(context.Background(), c.face, c.user, method, mySecrets(c.face, name), body)
	if c.face.Aggregated && answer.Status == http.StatusServiceUnavailable && !bytes.HasPrefix(answer.Body, []byte(`{"message"`)) {
		// Not our words: the API server says so of its own connection to a server.
		err = errors.New("the API server's connection broke")
	}
	switch {
	case err != nil:
		c.broken++
		if method != http.MethodGet {
			c.unsure[about] = true
			delete(c.values, about)
		}
	case answer.Status != want:
		c.refused = append(c.refused, fmt.Sprintf("%s %s %s after %s: %d %s", time.Now().Format("15:04:05.000"), method, about, time.Since(began), answer.Status, answer.Body))
		c.unsure[about] = true
		delete(c.values, about)
	default:
		c.slowest = max(c.slowest, time.Since(began))
		return true
	}
	return false
}

// end ends the traffic and checks that every request was answered, but for broken
// connections, and that nothing is lost that was acknowledged. No more requests than mayRefuse
// were refused.
func (t *traffic) end(ctx context.Context, what string, mayRefuse int) {
	GinkgoHelper()
	t.cancel()
	t.done.Wait()
	var requests, broken int
	var slowest time.Duration
	var refused []string
	for _, c := range t.callers {
		requests, broken, slowest = requests+c.requests, broken+c.broken, max(slowest, c.slowest)
		refused = append(refused, c.refused...)
	}
	AddReportEntry("REST requests during "+what, fmt.Sprintf("%d, of which %d without an answer; the slowest took %.2f s",
		requests, broken, slowest.Seconds()), ReportEntryVisibilityNever)
	Expect(len(refused)).To(BeNumerically("<=", mayRefuse), "requests that were answered with an error: %v", refused)
	Expect(requests).To(BeNumerically(">", 100), "there was traffic")
	Expect(broken).To(BeNumerically("<", requests/10), "a connection that broke was made again")
	for _, c := range t.callers {
		Eventually(ctx, func(g Gomega) {
			bundle := &corev1.Secret{}
			g.Expect(api.Get(ctx, client.ObjectKey{Namespace: c.user.Namespace, Name: v1alpha1.BundleUserEnv}, bundle)).To(Succeed())
			for name, value := range c.values {
				g.Expect(bundle.Data).To(HaveKeyWithValue(fmt.Sprintf("S_%d", number(name)), []byte(value)), "%s of %s", name, c.user.Namespace)
			}
			for key := range bundle.Data {
				name := fmt.Sprintf("s-%s", key[2:])
				g.Expect(c.values[name] != "" || c.unsure[name]).To(BeTrue(), "%s of %s was deleted", name, c.user.Namespace)
			}
		}, 30*time.Second).Should(Succeed())
	}
}

var _ = Describe("REST traffic", func() {
	It("goes on while servers are added and killed, and nothing is lost", func(ctx SpecContext) {
		before := *deployment(ctx, serverName).Spec.Replicas
		scale(ctx, serverName, 3)
		DeferCleanup(func(ctx SpecContext) { scale(ctx, serverName, before) })
		t := startTraffic(ctx, "killed", 4)
		for i := range 6 {
			ready := slices.DeleteFunc(podsOf(ctx, deployment(ctx, serverName)), func(p corev1.Pod) bool { return !isReady(&p) })
			victim := &ready[rand.IntN(len(ready))] //nolint:gosec // which one it is, is no secret
			grace := [...]client.GracePeriodSeconds{
				0,  // by force: its token ends at once, its process goes on until the kubelet hears of it
				1,  // killed before it is done
				60, // in good order
			}[i%3]
			By(fmt.Sprintf("deleting %s with %d s of grace", victim.Name, grace))
			Expect(api.Delete(ctx, victim, grace)).To(Succeed())
			// One at a time: with no server left, connections are refused, and nothing is shown.
			Eventually(ctx, func(g Gomega) {
				serving := slices.DeleteFunc(podsOf(ctx, deployment(ctx, serverName)), func(p corev1.Pod) bool {
					return !isReady(&p) || p.UID == victim.UID
				})
				g.Expect(serving).To(HaveLen(3))
			}).Should(Succeed())
		}
		// A server that is deleted by force cannot finish what it works on: one request of each caller, two times.
		t.end(ctx, "six kills", 2*len(t.callers))
	})
})
