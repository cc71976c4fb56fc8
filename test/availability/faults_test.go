// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package availability

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/internal/server/active"
	"github.com/latchkey-dev/latchkey/test/conformance"
	"github.com/latchkey-dev/latchkey/test/framework"
)

// face returns a server's own port.
func face(ctx context.Context, p *replica) conformance.Face {
	GinkgoHelper()
	ca, err := stack.RESTAuthority(ctx)
	Expect(err).NotTo(HaveOccurred())
	url, err := p.RESTURL()
	Expect(err).NotTo(HaveOccurred())
	f, err := conformance.Direct(url, ca)
	Expect(err).NotTo(HaveOccurred())
	return f
}

// roles returns the active server and the one that stands by.
func roles(ctx context.Context) (holder, standby *replica) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		lease := &coordinationv1.Lease{}
		g.Expect(stack.Client.Get(ctx, client.ObjectKey{Namespace: framework.SystemNamespace, Name: active.LeaseName}, lease)).To(Succeed())
		g.Expect(lease.Spec.HolderIdentity).NotTo(BeNil())
		holder = nil
		for i, s := range servers {
			if strings.HasPrefix(*lease.Spec.HolderIdentity, s.peers.Address()+"/") {
				holder, standby = s, servers[1-i]
			}
		}
		g.Expect(holder).NotTo(BeNil())
	}).Should(Succeed())
	return holder, standby
}

// user makes a user with one secret and returns their credentials.
func user(ctx context.Context, name string) http.Header {
	GinkgoHelper()
	me, err := conformance.Tenants{Admin: stack.Client}.NewUser(ctx, name)
	Expect(err).NotTo(HaveOccurred())
	header := http.Header{"Authorization": {"Bearer " + me.Token}}
	for _, s := range servers {
		f := face(ctx, s)
		Eventually(ctx, func() (int, error) {
			got, err := f.Do(ctx, http.MethodGet, f.Coder+"/users/me/secrets", header, "")
			return got.Status, err
		}).Should(Equal(http.StatusOK))
	}
	f := face(ctx, servers[0])
	got, err := f.Do(ctx, http.MethodPost, f.Coder+"/users/me/secrets", header, `{"name":"s","value":"v"}`)
	Expect(err).NotTo(HaveOccurred())
	Expect(got.Status).To(Equal(http.StatusCreated), string(got.Body))
	return header
}

// goOn waits until reads and writes are answered again.
func goOn(ctx context.Context, t *traffic) {
	GinkgoHelper()
	for _, kind := range []string{"read", "write"} {
		before := t.answered(kind)
		Eventually(ctx, func() int { return t.answered(kind) }).Should(BeNumerically(">", before+20))
	}
}

func report(fault string, stalls map[string]stall) {
	for _, kind := range []string{"read", "write", "discovery"} {
		AddReportEntry(fault+", "+kind, stalls[kind].String(), ReportEntryVisibilityAlways)
	}
}

var _ = Describe("REST, by way of a replica that lives on", Ordered, func() {
	const took = 5 * time.Second

	// meet sends traffic at the standby while a fault happens to the active server.
	meet := func(ctx SpecContext, name string, fault func(holder *replica)) map[string]stall {
		GinkgoHelper()
		header := user(ctx, name)
		holder, standby := roles(ctx)
		f := face(ctx, standby)
		t := start(ctx, reads(f, header), writes(f, header), discovery(f, header))
		goOn(ctx, t)
		fault(holder)
		Eventually(ctx, func() *replica { now, _ := roles(ctx); return now }).Should(BeIdenticalTo(standby))
		goOn(ctx, t)
		stalls := t.end()
		report(name, stalls)
		return stalls
	}

	It("hands over in good order, and nothing is refused", func(ctx SpecContext) {
		var longest []time.Duration
		for round := range 5 {
			stalls := meet(ctx, fmt.Sprint("good-order-", round), func(holder *replica) {
				code, err := holder.Stop()
				Expect(err).NotTo(HaveOccurred())
				Expect(code).To(BeZero())
				Expect(holder.Launch(ctx)).To(Succeed())
			})
			for _, kind := range []string{"read", "write"} {
				Expect(stalls[kind].refused).To(BeZero(), kind)
				longest = append(longest, stalls[kind].longest)
			}
			for _, s := range servers {
				Expect(s.AwaitReady(ctx)).To(Succeed())
			}
		}
		slices.Sort(longest)
		AddReportEntry("hand-over", fmt.Sprint("median of the longest stalls ", longest[len(longest)/2]), ReportEntryVisibilityAlways)
		Expect(longest[len(longest)-1]).To(BeNumerically("<", time.Second), "how long exactly is the machine's")
	})

	It("is back after the active server was killed", func(ctx SpecContext) {
		stalls := meet(ctx, "killed", func(holder *replica) {
			Expect(holder.Kill()).To(Succeed())
			Expect(holder.Launch(ctx)).To(Succeed())
		})
		for _, s := range stalls {
			Expect(s.longest).To(BeNumerically("<", took))
		}
		for _, s := range servers {
			Expect(s.AwaitReady(ctx)).To(Succeed())
		}
	})

	DescribeTable("is back after the active server lost",
		func(ctx SpecContext, lost string, lose func(*replica) []*framework.Link) {
			var links []*framework.Link
			stalls := meet(ctx, "lost-"+lost, func(holder *replica) {
				links = lose(holder)
				for _, l := range links {
					l.Stall()
				}
			})
			for _, l := range links {
				l.Mend()
			}
			for _, s := range stalls {
				Expect(s.longest).To(BeNumerically("<", took))
			}
			for _, s := range servers {
				Expect(s.AwaitReady(ctx)).To(Succeed())
			}
		},
		Entry("its node, and every byte with it", "node", func(r *replica) []*framework.Link { return []*framework.Link{r.cluster, r.peers} }),
		Entry("its way to the API server", "way", func(r *replica) []*framework.Link { return []*framework.Link{r.cluster} }),
	)

	It("is back while the active server is paused, which answers nothing of before when it goes on", func(ctx SpecContext) {
		header := user(ctx, "old-news")
		holder, standby := roles(ctx)
		old, now := face(ctx, holder), face(ctx, standby)
		read := func(f conformance.Face) conformance.Answer {
			got, err := f.Do(ctx, http.MethodGet, f.Coder+"/users/me/secrets/new", header, "")
			if err != nil {
				return conformance.Answer{}
			}
			return got
		}
		read(old) // a connection that is open
		stalls := meet(ctx, "paused", func(holder *replica) { Expect(holder.Pause()).To(Succeed()) })
		for _, s := range stalls {
			Expect(s.longest).To(BeNumerically("<", took))
		}
		got, err := now.Do(ctx, http.MethodPost, now.Coder+"/users/me/secrets", header, `{"name":"new","value":"v"}`)
		Expect(err).NotTo(HaveOccurred())
		Expect(got.Status).To(Equal(http.StatusCreated))
		answers := make(chan conformance.Answer, 32)
		for range cap(answers) {
			go func() { answers <- read(old) }()
		}
		Expect(holder.Resume()).To(Succeed())
		for range cap(answers) {
			Expect((<-answers).Status).To(Or(Equal(http.StatusOK), Equal(http.StatusServiceUnavailable), BeZero()), "never 404")
		}
		Eventually(ctx, func() int { return read(old).Status }).Should(Equal(http.StatusOK))
		Expect(holder.AwaitReady(ctx)).To(Succeed())
		again, _ := roles(ctx)
		Expect(again).To(BeIdenticalTo(standby), "who slept has not taken the Lease from who has it")
	})
})

var _ = Describe("REST, after the API server was away", Ordered, func() {
	outages := []time.Duration{time.Second, time.Second, 4 * time.Second}
	// Beside other suites, the machine decides how long two seconds of work take. What is told
	// apart then is a server that follows from one whose watches back off, which takes up to a minute.
	within := 10 * time.Second
	if long() {
		outages = append(outages, 10*time.Second, time.Minute, 10*time.Second)
		within = 2 * time.Second
	}

	It("answers again within two seconds of the API server, the second time too", func(ctx SpecContext) {
		header := user(ctx, "outage")
		for i, outage := range outages {
			_, standby := roles(ctx)
			f := face(ctx, standby)
			t := start(ctx, reads(f, header), writes(f, header), discovery(f, header))
			goOn(ctx, t)
			server, err := stack.APIServer()
			Expect(err).NotTo(HaveOccurred())
			Expect(server.Kill(ctx)).To(Succeed())
			<-time.After(outage)
			Expect(server.Start(ctx)).To(Succeed())
			Expect(server.AwaitReady(ctx)).To(Succeed())
			back, counts := time.Now(), map[string]int{"read": t.answered("read"), "write": t.answered("write")}
			for kind, before := range counts {
				Eventually(ctx, func() int { return t.answered(kind) }).Should(BeNumerically(">", before), kind)
			}
			took := time.Since(back)
			report(fmt.Sprintf("%d: API server away for %s, back %s after it", i, outage, took.Round(10*time.Millisecond)), t.end())
			Expect(took).To(BeNumerically("<", within))
		}
	})
})
