// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package attacks

import (
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/latchkey-dev/latchkey/test/conformance"
)

// Clients drop a session that is answered 401. So nobody who can keep a server from the API
// server may sign its users out, and no outage may.
var _ = Describe("A server that cannot reach the API server", func() {
	It("asks callers to try again, and signs nobody out", func(ctx SpecContext) {
		link, err := stack.Link(ctx, "server")
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(link.Close)
		replica, err := stack.Cluster.Server("cut-off", "--kubeconfig="+link.Kubeconfig)
		Expect(err).NotTo(HaveOccurred())
		Expect(replica.Start(ctx)).To(Succeed())
		DeferCleanup(replica.Stop)
		url, err := replica.RESTURL()
		Expect(err).NotTo(HaveOccurred())
		ca, err := stack.RESTAuthority(ctx)
		Expect(err).NotTo(HaveOccurred())
		face, err := conformance.Direct(url, ca)
		Expect(err).NotTo(HaveOccurred())
		tenants := conformance.Tenants{Admin: api}
		known, err := tenants.NewUser(ctx, "outage-known")
		Expect(err).NotTo(HaveOccurred())
		fresh, err := tenants.NewUser(ctx, "outage-fresh")
		Expect(err).NotTo(HaveOccurred())
		secrets := face.Coder + "/users/me/secrets"
		_, err = stack.Server.Stop()
		Expect(err).NotTo(HaveOccurred(), "the replica that is cut off is the active one")
		DeferCleanup(func(ctx SpecContext) {
			_, err := replica.Stop()
			Expect(err).NotTo(HaveOccurred())
			startServer(ctx)
		})
		Eventually(ctx, func() int { return call(ctx, face, known, "GET", secrets, "").Status }).Should(Equal(http.StatusOK))

		link.Cut()
		bad := conformance.Account{Token: "not-a-token"}
		for what, request := range map[string]struct {
			account           conformance.Account
			method, url, body string
		}{
			"a token that is not known, coder":         {fresh, "GET", secrets, ""},
			"a token that is not known, a write":       {fresh, "POST", secrets, `{"name":"n","value":"v"}`},
			"a token that is not known, golem":         {fresh, "GET", face.Golem + "/envs/" + fresh.ID + "/agent-secrets", ""},
			"a token that is not known, elsewhere":     {fresh, "GET", url + "/apis", ""},
			"a bad token, of which nobody can know it": {bad, "GET", secrets, ""},
			"a write of a token that is known":         {known, "POST", secrets, `{"name":"n","value":"v"}`},
			"a right that nobody can be asked for":     {known, "GET", face.Golem + "/envs/" + fresh.ID + "/agent-secrets", ""},
			"a user whom nobody can look up":           {known, "GET", face.Coder + "/users/outage-nobody/secrets", ""},
		} {
			got := call(ctx, face, request.account, request.method, request.url, request.body)
			Expect(got.Status).To(Equal(http.StatusServiceUnavailable), "%s: %s", what, got.Body)
			Expect(got.Header.Get("Retry-After")).NotTo(BeEmpty(), what)
		}

		link.Mend()
		Eventually(ctx, func() int { return call(ctx, face, fresh, "GET", secrets, "").Status }).Should(Equal(http.StatusOK))
		Expect(call(ctx, face, bad, "GET", secrets, "").Status).To(Equal(http.StatusUnauthorized), "once it is known to be bad")
	})
})
