// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package attacks

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sync/errgroup"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/test/conformance"
)

// trickle sends n requests whose bodies come a byte at a time, and returns when all of
// them are under way. Done waits for their ends, or brings them about (cut), and returns how
// many were answered what; 0 stands for those that were not answered.
func trickle(ctx SpecContext, f conformance.Face, a conformance.Account, url string, n int) (done func(cut bool) map[int]int) {
	GinkgoHelper()
	ending, end := context.WithCancel(ctx)
	var all, begun sync.WaitGroup
	var mu sync.Mutex
	answers := map[int]int{}
	for range n {
		begun.Add(1)
		all.Go(func() {
			sent := sync.OnceFunc(begun.Done)
			defer sent()
			slow, body := io.Pipe()
			defer slow.Close() // a pipe's never fails
			go drip(ending, body)
			traced := httptrace.WithClientTrace(ending, &httptrace.ClientTrace{WroteHeaders: sent})
			r, err := http.NewRequestWithContext(traced, http.MethodPost, url, slow)
			if err != nil {
				return
			}
			r.ContentLength = 1000
			r.Header = http.Header{"Authorization": {"Bearer " + a.Token}, "Content-Type": {"application/json"}}
			status := 0
			answer, err := f.Client.Do(r)
			if err == nil {
				status = answer.StatusCode
				_ = answer.Body.Close()
			} else {
				GinkgoWriter.Println("not answered:", err)
			}
			mu.Lock()
			defer mu.Unlock()
			answers[status]++
		})
	}
	begun.Wait()
	return func(cut bool) map[int]int {
		if cut {
			end()
		}
		all.Wait()
		end()
		return answers
	}
}

// drip writes a byte now and then.
func drip(ctx context.Context, body *io.PipeWriter) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			_ = body.CloseWithError(ctx.Err())
			return
		case <-tick.C:
			if _, err := body.Write([]byte(" ")); err != nil {
				return
			}
		}
	}
}

var _ = Describe("Somebody who sends 205 requests that never end", Ordered, func() {
	const many = 205
	var (
		face            conformance.Face
		both            []conformance.Face
		stranger, owner conformance.Account
		other           conformance.Account
		round           int // so that each has names of its own
	)

	BeforeAll(func(ctx SpecContext) {
		both = faces(ctx)
		face = both[0]
		tenants := conformance.Tenants{Admin: api}
		var err error
		stranger, err = tenants.New(ctx, "fair-stranger", nil, nil)
		Expect(err).NotTo(HaveOccurred())
		owner, err = tenants.NewUser(ctx, "fair-owner")
		Expect(err).NotTo(HaveOccurred())
		other, err = tenants.New(ctx, "fair-other",
			map[string]string{v1alpha1.LabelUser: "fair-other", v1alpha1.LabelEnvironment: "fair-other"},
			map[string]string{v1alpha1.AnnotationSubjects: "system:serviceaccount:fair-other:caller"})
		Expect(err).NotTo(HaveOccurred())
		Expect(tenants.GrantEditor(ctx, other)).To(Succeed())
		Eventually(ctx, func() int {
			return call(ctx, both[1], other, "GET", both[1].Golem+"/envs/"+other.ID+"/agent-secrets", "").Status
		}).Should(Equal(http.StatusOK))
	})

	// work does what a tenant does, on a face, and wants no request refused.
	work := func(ctx SpecContext, f conformance.Face, round string) {
		GinkgoHelper()
		secrets := f.Coder + "/users/me/secrets"
		for i := range 10 {
			name := fmt.Sprint("s-", f.Name, "-", round, "-", i)
			for _, step := range []struct{ method, url, body string }{
				{"POST", secrets, `{"name":"` + name + `","value":"v"}`},
				{"PATCH", secrets + "/" + name, `{"value":"w"}`},
				{"GET", secrets, ""},
				{"DELETE", secrets + "/" + name, ""},
				{"GET", f.Golem + "/envs/" + other.ID + "/agent-secrets", ""},
			} {
				got := call(ctx, f, other, step.method, step.url, step.body)
				Expect(got.Status).To(BeNumerically("<", 300), "%s %s: %s", step.method, step.url, got.Body)
			}
		}
	}

	DescribeTable("does not keep another tenant's requests from being served",
		func(ctx SpecContext, who func() conformance.Account, url func() string, ends int) {
			done := trickle(ctx, face, who(), url(), many)
			round++
			for _, f := range both {
				work(ctx, f, strconv.Itoa(round))
			}
			answers := done(ends == 0)
			AddReportEntry("what the trickling requests were answered", fmt.Sprint(answers))
			if ends == 0 {
				Expect(answers).NotTo(HaveKey(http.StatusTooManyRequests))
				return
			}
			// The connection is closed half a second after the answer: a client that is still
			// writing then, and has not read, sees a broken pipe. On a slow machine the last
			// of them wait too long in their own line for the cluster's refusal.
			busy := answers[http.StatusTooManyRequests]
			Expect(answers[ends]+answers[0]+busy).To(Equal(many), "they end by themselves, without their bodies")
			Expect(answers[ends]).To(BeNumerically(">", many/4), "and are told why")
		},
		Entry("as a token without rights", func() conformance.Account { return stranger },
			func() string { return face.Coder + "/users/" + other.Name + "/secrets" }, http.StatusNotFound),
		Entry("as a token without rights, in the other dialect", func() conformance.Account { return stranger },
			func() string { return face.Golem + "/envs/" + other.ID + "/agent-secrets" }, http.StatusNotFound),
		Entry("as a token that is none", func() conformance.Account { return conformance.Account{Token: "none"} },
			func() string { return face.Coder + "/users/me/secrets" }, http.StatusUnauthorized),
		Entry("as a user with their own secrets", func() conformance.Account { return owner },
			func() string { return face.Coder + "/users/me/secrets" }, 0),
	)

	It("is told that a body is too slow", func(ctx SpecContext) {
		slow, body := io.Pipe()
		defer slow.Close() // a pipe's never fails
		go drip(ctx, body)
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, face.Coder+"/users/me/secrets", slow)
		Expect(err).NotTo(HaveOccurred())
		r.ContentLength = 1000
		r.Header.Set("Authorization", "Bearer "+owner.Token)
		answer, err := face.Client.Do(r)
		Expect(err).NotTo(HaveOccurred())
		defer answer.Body.Close() // it was read
		Expect(answer.StatusCode).To(Equal(http.StatusRequestTimeout))
	})

	It("is served as many that do end, all at once, and told to wait beyond the bound", func(ctx SpecContext) {
		var group errgroup.Group
		for range many {
			group.Go(func() error {
				got, err := face.Do(ctx, http.MethodPatch, face.Coder+"/users/me/secrets/missing",
					http.Header{"Coder-Session-Token": {owner.Token}}, `{"description":"d"}`)
				if err == nil && got.Status != http.StatusNotFound {
					err = fmt.Errorf("answered %d: %s", got.Status, got.Body)
				}
				return err
			})
		}
		Expect(group.Wait()).To(Succeed())

		// The first of them may end before the last has shaken hands.
		var done func(bool) map[int]int
		var begun sync.WaitGroup
		begun.Go(func() {
			defer GinkgoRecover()
			done = trickle(ctx, face, owner, face.Coder+"/users/me/secrets", 2*many)
		})
		Eventually(ctx, func(g Gomega) {
			got := call(ctx, face, owner, "PATCH", face.Coder+"/users/me/secrets/missing", `{"description":"d"}`)
			g.Expect(got.Status).To(Equal(http.StatusTooManyRequests))
			g.Expect(got.Header.Get("Retry-After")).NotTo(BeEmpty())
		}).Should(Succeed())
		work(ctx, face, "beyond")
		begun.Wait()
		Expect(done(false)).To(HaveKey(http.StatusTooManyRequests), "when the patience with their bodies ends")
		Eventually(ctx, func() int {
			return call(ctx, face, owner, "GET", face.Coder+"/users/me/secrets", "").Status
		}).Should(Equal(http.StatusOK), "it ends with the load")
	})
})
