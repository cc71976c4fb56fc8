// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package attacks

import (
	"context"
	"net/http"
	"os"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/latchkey-dev/latchkey/test/conformance"
)

// What the coder command line asks besides secrets: who somebody is, and a key.
var _ = Describe("Someone who asks for accounts", Ordered, func() {
	var (
		face             conformance.Face
		victim, stranger conformance.Account
	)

	ask := func(ctx context.Context, method, path, token string) conformance.Answer {
		GinkgoHelper()
		header := http.Header{}
		if token != "" {
			header.Set("Coder-Session-Token", token)
		}
		got, err := face.Do(ctx, method, face.Coder+path, header, "")
		Expect(err).NotTo(HaveOccurred())
		return got
	}

	BeforeAll(func(ctx SpecContext) {
		url, err := stack.Server.RESTURL()
		Expect(err).NotTo(HaveOccurred())
		ca, err := stack.RESTAuthority(ctx)
		Expect(err).NotTo(HaveOccurred())
		face, err = conformance.Direct(url, ca)
		Expect(err).NotTo(HaveOccurred())
		tenants := conformance.Tenants{Admin: api}
		victim, err = tenants.NewUser(ctx, "account-victim")
		Expect(err).NotTo(HaveOccurred())
		stranger, err = tenants.NewUser(ctx, "account-stranger")
		Expect(err).NotTo(HaveOccurred())
		for _, a := range []conformance.Account{victim, stranger} {
			Eventually(ctx, func() int { return ask(ctx, http.MethodGet, "/users/me", a.Token).Status }).Should(Equal(http.StatusOK))
		}
	})

	It("learns nothing of a user whose secrets they may not see", func(ctx SpecContext) {
		for _, key := range []string{victim.Name, victim.ID} {
			got := ask(ctx, http.MethodGet, "/users/"+key, stranger.Token)
			Expect(got.Status).To(Equal(http.StatusNotFound), string(got.Body))
			Expect(string(got.Body)).NotTo(ContainSubstring(victim.ID))
			// The control: it is the caller that makes the difference.
			Expect(ask(ctx, http.MethodGet, "/users/"+key, victim.Token).Status).To(Equal(http.StatusOK))
		}
	})

	It("gets no key but the token that they hold, and nobody keeps that", func(ctx SpecContext) {
		got := ask(ctx, http.MethodPost, "/users/me/keys", stranger.Token)
		Expect(got.Status).To(Equal(http.StatusCreated))
		Expect(string(got.Body)).To(ContainSubstring(stranger.Token))
		Expect(got.Header.Get("Cache-Control")).To(Equal("no-store"))
		for _, token := range []string{"", "made-up-token", stranger.Token + "x"} {
			refused := ask(ctx, http.MethodPost, "/users/me/keys", token)
			Expect(refused.Status).To(Equal(http.StatusUnauthorized))
			if token != "" {
				Expect(string(refused.Body)).NotTo(ContainSubstring(token))
			}
		}
		Expect(ask(ctx, http.MethodPost, "/users/"+victim.Name+"/keys", stranger.Token).Status).To(Equal(http.StatusNotFound))
		log, err := os.ReadFile(stack.Server.Log())
		Expect(err).NotTo(HaveOccurred())
		Expect(string(log)).NotTo(ContainSubstring(stranger.Token))
	})

	It("does not get past authentication, or out of the dialect, by an unusual path", func(ctx SpecContext) {
		for _, path := range []string{
			"", "/", "/workspaces", "/users", "/users//secrets", "/users/me/../" + victim.Name + "/secrets", "/../../openapi/v3",
			"/%2e%2e/%2e%2e/metrics", "/buildinfo/../users/me", "/users/first/../me", "/users%2Fme",
		} {
			for _, token := range []string{"", stranger.Token} {
				got := ask(ctx, http.MethodGet, path, token)
				Expect(got.Status).To(BeElementOf(http.StatusNotFound, http.StatusUnauthorized), path)
				Expect(strings.TrimSpace(string(got.Body))).To(HavePrefix(`{"message":`), path)
			}
		}
		for _, path := range []string{"/users/me", "/users/me/secrets", "/deployment/user-secrets/capabilities"} {
			Expect(ask(ctx, http.MethodGet, path, "").Status).To(Equal(http.StatusUnauthorized), path)
			Expect(ask(ctx, http.MethodGet, path, stranger.Token).Status).To(Equal(http.StatusOK), path)
		}
	})
})
