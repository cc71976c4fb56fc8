// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/util/uuid"

	"github.com/latchkey-dev/latchkey/test/conformance"
	"github.com/latchkey-dev/latchkey/test/framework"
)

// What a caller can learn of a secret that is not theirs. The time that an answer
// takes is that of the requests it needs, so these are compared: they are stable
// where times are not.
var _ = Describe("Somebody else's secret", Ordered, func() {
	var (
		face                    conformance.Face
		owner, stranger, theirs conformance.Account
		present, absent         string // ids of agent secrets
		asking                  = http.Header{}
	)

	BeforeAll(func(ctx SpecContext) {
		face = restFace(ctx, server)
		tenants := conformance.Tenants{Admin: api}
		var err error
		owner, err = tenants.NewUser(ctx, "privacy-owner")
		Expect(err).NotTo(HaveOccurred())
		stranger, err = tenants.NewUser(ctx, "privacy-stranger")
		Expect(err).NotTo(HaveOccurred())
		theirs, err = tenants.NewEnvironment(ctx, "privacy-environment")
		Expect(err).NotTo(HaveOccurred())
		Expect(tenants.GrantEditor(ctx, theirs)).To(Succeed())
		asking.Set("Authorization", "Bearer "+stranger.Token)
		asking.Set("Content-Type", "application/json")

		made := http.Header{"Authorization": {"Bearer " + owner.Token}}
		Eventually(ctx, func() (int, error) {
			got, err := face.Do(ctx, http.MethodPost, face.Coder+"/users/me/secrets", made, `{"name":"present","value":"v"}`)
			return got.Status, err
		}).Should(Equal(http.StatusCreated))
		made.Set("Authorization", "Bearer "+theirs.Token)
		made.Set("Content-Type", "application/json")
		Eventually(ctx, func(g Gomega) {
			got, err := face.Do(ctx, http.MethodPost, face.Golem+"/envs/"+theirs.ID+"/agent-secrets", made,
				`{"path":["present"],"secretType":{"type":"Str"},"secretValue":"v"}`)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(got.Status).To(BeNumerically("<", 300), "%s", got.Body)
			var secret struct{ ID string }
			g.Expect(json.Unmarshal(got.Body, &secret)).To(Succeed())
			present = secret.ID
		}).Should(Succeed())
		absent = string(uuid.NewUUID())
		Eventually(ctx, func() (int, error) { // the stranger is known
			got, err := face.Do(ctx, http.MethodGet, face.Coder+"/users/me/secrets", asking, "")
			return got.Status, err
		}).Should(Equal(http.StatusOK))
	})

	// same sends one request for what is there and for what is not, and wants one
	// answer at one price. One before them, which is for neither, fills the caches
	// that do not depend on the name.
	same := func(ctx SpecContext, method, url, there, not, body string) {
		GinkgoHelper()
		first := string(uuid.NewUUID())
		_, err := face.Do(ctx, method, strings.ReplaceAll(url, "{}", first), asking, strings.ReplaceAll(body, "{}", first))
		Expect(err).NotTo(HaveOccurred())
		var answers [2]string
		var prices [2][]string
		for i, name := range []string{there, not} {
			mark, err := cluster.Audit.Now()
			Expect(err).NotTo(HaveOccurred())
			got, err := face.Do(ctx, method, strings.ReplaceAll(url, "{}", name), asking, strings.ReplaceAll(body, "{}", name))
			Expect(err).NotTo(HaveOccurred())
			Expect(got.Status).To(BeElementOf(http.StatusForbidden, http.StatusNotFound), "%s", got.Body)
			answers[i] = fmt.Sprint(got.Status, " ", strings.ReplaceAll(string(got.Body), name, "{}"))
			Expect(cluster.Audit.Flush(ctx, api)).To(Succeed())
			requests, err := cluster.Audit.Since(mark, byServer)
			Expect(err).NotTo(HaveOccurred())
			for _, r := range requests {
				prices[i] = append(prices[i], r.Verb+" "+r.Resource)
			}
			slices.Sort(prices[i]) // what is missing is looked up first, what is not visible last
		}
		Expect(answers[0]).To(Equal(answers[1]))
		Expect(prices[0]).To(Equal(prices[1]))
	}

	DescribeTable("of a user cannot be told from none",
		func(ctx SpecContext, method, path, body string) {
			same(ctx, method, face.Coder+"/users/"+owner.Name+"/secrets"+path, "present", "missing", body)
		},
		Entry("by reading it", http.MethodGet, "/{}", ""),
		Entry("by changing it", http.MethodPatch, "/{}", `{"value":"mine"}`),
		Entry("by deleting it", http.MethodDelete, "/{}", ""),
		Entry("by taking its name", http.MethodPost, "", `{"name":"{}","value":"mine"}`),
	)

	DescribeTable("of an environment cannot be told from none",
		func(ctx SpecContext, method, path, body string) {
			same(ctx, method, face.Golem+path, present, absent, body)
		},
		Entry("by reading it", http.MethodGet, "/agent-secrets/{}", ""),
		Entry("by changing it", http.MethodPatch, "/agent-secrets/{}", `{"currentRevision":0,"secretValue":{"op":"set","value":"mine"}}`),
		Entry("by deleting it", http.MethodDelete, "/agent-secret/{}?current_revision=0", ""),
	)
})

func byServer(r framework.Request) bool {
	return framework.ByServer(r) && r.Verb != "watch" && r.Resource != "leases"
}

// restFace returns a server's own port.
func restFace(ctx SpecContext, p *framework.Process) conformance.Face {
	GinkgoHelper()
	ca, err := cluster.RESTAuthority(ctx)
	Expect(err).NotTo(HaveOccurred())
	url, err := p.RESTURL()
	Expect(err).NotTo(HaveOccurred())
	face, err := conformance.Direct(url, ca)
	Expect(err).NotTo(HaveOccurred())
	return face
}
