// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/latchkey-dev/latchkey/test/conformance"
)

// What a running server makes of bodies that are made to hurt it. The decoders' own
// tests have the cases one by one.
var _ = Describe("A body that is too much", Ordered, func() {
	const senders, megabytes = 24, 32

	var (
		face   conformance.Face
		header http.Header
		url    string
	)

	BeforeAll(func(ctx SpecContext) {
		face = restFace(ctx, server)
		me, err := conformance.Tenants{Admin: api}.NewUser(ctx, "much")
		Expect(err).NotTo(HaveOccurred())
		header, url = http.Header{"Authorization": {"Bearer " + me.Token}}, face.Coder+"/users/me/secrets"
		Eventually(ctx, func() (int, error) {
			got, err := face.Do(ctx, http.MethodGet, url, header, "")
			return got.Status, err
		}).Should(Equal(http.StatusOK))
	})

	DescribeTable("is refused, from many at once, and does not stay in memory",
		func(ctx SpecContext, path, begin, more string) {
			before := memory(ctx)
			var wg sync.WaitGroup
			failures := make([]error, senders)
			for i := range senders {
				wg.Go(func() {
					body := io.MultiReader(strings.NewReader(begin), io.LimitReader(endless(more), megabytes<<20))
					request, err := http.NewRequestWithContext(ctx, http.MethodPost, url+path, body)
					if err != nil {
						failures[i] = err
						return
					}
					request.Header = header.Clone()
					response, err := face.Client.Do(request)
					if err != nil {
						return // the server may hang up on who goes on sending
					}
					defer func() { _ = response.Body.Close() }()
					switch response.StatusCode {
					case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusTooManyRequests:
					default:
						failures[i] = fmt.Errorf("answer %s", response.Status)
					}
				})
			}
			wg.Wait()
			Expect(failures).To(HaveEach(BeNil()))
			grown := memory(ctx) - before
			AddReportEntry("memory", fmt.Sprintf("%d MiB were sent at once; the server's memory grew by %.0f MiB", senders*megabytes, grown))
			Expect(grown).To(BeNumerically("<", senders*megabytes/3))
			got, err := face.Do(ctx, http.MethodGet, url, header, "")
			Expect(err).NotTo(HaveOccurred())
			Expect(strings.TrimSpace(string(got.Body))).To(Equal("[]"), "nothing was stored")
		},
		Entry("a value without end", "", `{"name":"n","value":"`, "x"),
		Entry("nesting without end", "", `{"name":`, "["),
		Entry("a file without end", "/batch", `{"format":"env","content":"`, `A=1\n`),
	)

	// The API server hangs up on a client that still sends when it has the answer.
	It("is answered 413 through the API server as well, whatever the client's HTTP", func(ctx SpecContext) {
		through, err := conformance.Aggregated(cluster.Config.Host, cluster.Config.CAData)
		Expect(err).NotTo(HaveOccurred())
		Eventually(ctx, func() (int, error) {
			got, err := through.Do(ctx, http.MethodGet, through.Coder+"/users/me/secrets", header, "")
			return got.Status, err
		}).Should(Equal(http.StatusOK))
		common, is := through.Client.Transport.(*http.Transport)
		Expect(is).To(BeTrue())
		body := `{"name":"n","value":"` + strings.Repeat("x", 4<<20) + `"}`
		for _, version := range []int{1, 2} {
			for range 20 {
				transport := common.Clone()
				transport.DisableKeepAlives = true
				transport.ForceAttemptHTTP2 = version == 2
				client := &http.Client{Transport: transport}
				request, err := http.NewRequestWithContext(ctx, http.MethodPost, through.Coder+"/users/me/secrets", strings.NewReader(body))
				Expect(err).NotTo(HaveOccurred())
				request.Header = header.Clone()
				response, err := client.Do(request)
				Expect(err).NotTo(HaveOccurred())
				answer, err := io.ReadAll(response.Body)
				Expect(errors.Join(err, response.Body.Close())).To(Succeed())
				Expect(response.StatusCode).To(Equal(http.StatusRequestEntityTooLarge), "%s", answer)
				Expect(string(answer)).To(ContainSubstring("too large"))
			}
		}
	})
})

// memory is what the server's process has from the system, in MiB.
func memory(ctx SpecContext) float64 {
	GinkgoHelper()
	metrics, err := server.Metrics(ctx)
	Expect(err).NotTo(HaveOccurred())
	bytes, ok := metrics.Sum("go_memstats_sys_bytes")
	Expect(ok).To(BeTrue())
	return bytes / (1 << 20)
}

// endless repeats a text.
type endless string

func (e endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = e[i%len(e)]
	}
	return len(p), nil
}
