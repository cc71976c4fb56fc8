// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/test/framework"
)

// canary is part of every value that the specs use. It is looked for in one spec, and
// once more when all have run.
const canary = "hunter2-canary"

var _ = Describe("A value", func() {
	for name, flags := range map[string][]string{
		"kubectl apply":               nil,
		"kubectl apply --server-side": {"--server-side"},
	} {
		It("that came with "+name+" is in native Secrets and nowhere else", func(ctx SpecContext) {
			tenant, since := newTenant(ctx), revision(ctx)
			apply(ctx, userManifest(tenant, "token", "envName: TOKEN\nfilePath: ~/token\nvalue: "+canary)+
				agentManifest(tenant, "password", "path: [db, password]\nsecretType: {type: Str}\nvalue: "+canary), flags...)
			Eventually(ctx, condition(userSecret(tenant, "token"))).Should(Equal("True Projected"))
			Eventually(ctx, condition(agentSecret(tenant, "password"))).Should(Equal("True Projected"))
			apply(ctx, userManifest(tenant, "token", "envName: TOKEN\nvalue: "+canary+"-2"), flags...)
			Eventually(ctx, data(tenant, v1alpha1.BundleUserEnv)).Should(Equal(values{"TOKEN": canary + "-2"}))

			found, err := findCanary(ctx, since)
			Expect(err).NotTo(HaveOccurred())
			Expect(found.elsewhere).To(BeEmpty())
			for _, bundle := range []string{v1alpha1.BundleUserEnv, v1alpha1.BundleUserFiles, v1alpha1.BundleAgentEnv, v1alpha1.BundleAgentFiles} {
				Expect(found.homes).To(HaveKey("/registry/secrets/"+tenant+"/"+bundle), "the search finds what is there")
			}
			Expect(run(ctx, "get", "latchkey,events", "--namespace", tenant, "--output", "yaml", "--show-managed-fields")).
				NotTo(ContainSubstring(canary))
		})
	}

	It("that is an object leaves none of its keys behind", func(ctx SpecContext) {
		tenant := newTenant(ctx)
		typed := "path: [p]\nsecretType: {type: Variant, cases: [{name: left, typ: {type: Bool}}, {name: right, typ: {type: Bool}}]}\n"
		apply(ctx, agentManifest(tenant, "side", typed+"value: {left: true}"))
		for _, flags := range [][]string{nil, {"--server-side", "--force-conflicts"}} {
			apply(ctx, agentManifest(tenant, "side", typed+"value: {right: true}"), flags...)
			out := run(ctx, "get", "asec", "side", "--namespace", tenant, "--output", "yaml", "--show-managed-fields")
			Expect(out).To(ContainSubstring("fieldsV1"), "there are managers to look at")
			Expect(out).NotTo(Or(ContainSubstring("f:left"), ContainSubstring("f:right")))
		}
	})

	It("that is refused is in no message and no log", func(ctx SpecContext) {
		tenant, since := newTenant(ctx), revision(ctx)
		typed := "path: [p]\nsecretType: {type: Record, fields: [{name: port, typ: {type: U16}}]}\n"
		for _, bad := range []string{
			userManifest(tenant, "a", "value: ["+canary+"]"),
			userManifest(tenant, "b", "value: {"+canary+": "+canary+"}"),
			userManifest(tenant, "c", "value: \""+canary+`\0"`),
			userManifest(tenant, "d", "value: "+strings.Repeat(canary, 2000)),
			userManifest(tenant, "e", "sealedValue: "+canary),
			userManifest(tenant, "f", "value: "+canary+"\nsealedValue: "+canary),
			userManifest(tenant, "g", "value: "+canary+"\nenvName: PATH"),
			agentManifest(tenant, "h", typed+"value: {port: "+canary+"}"),
			agentManifest(tenant, "i", typed+"value: "+canary),
			agentManifest(tenant, "j", typed+"value: {"+canary+": 1}"),
			agentManifest(tenant, "k", typed+"value: {port: 1}\nsealedValue: "+canary),
			agentManifest(tenant, "l", "path: [p]\nsecretType: {type: Enum, cases: [a]}\nvalue: "+canary),
		} {
			for _, flags := range [][]string{{"--validate=false"}, {"--validate=false", "--server-side"}} {
				err := tryApply(ctx, bad, flags...)
				Expect(err).To(HaveOccurred(), bad)
				Expect(err.Error()).NotTo(ContainSubstring(canary))
			}
		}
		found, err := findCanary(ctx, since)
		Expect(err).NotTo(HaveOccurred())
		Expect(found.elsewhere).To(BeEmpty())
	})
})

// sightings are the places where the canary was seen.
type sightings struct{ homes, elsewhere map[string]bool }

// revision returns etcd's present one.
func revision(ctx context.Context) int64 {
	GinkgoHelper()
	now, err := cluster.Etcd.Revision(ctx)
	Expect(err).NotTo(HaveOccurred())
	return now
}

// findCanary looks for the canary in all that etcd holds or has held since a revision,
// in all logs, in the audit log, and in the metrics.
func findCanary(ctx context.Context, since int64) (sightings, error) {
	found := sightings{homes: map[string]bool{}, elsewhere: map[string]bool{}}
	needles := framework.CanaryForms(canary)
	err := cluster.Etcd.Visit(ctx, since, func(e framework.Entry) {
		for _, needle := range needles {
			switch {
			case !bytes.Contains(e.Value, needle) && !bytes.Contains(e.Key, needle):
			case bytes.HasPrefix(e.Key, []byte("/registry/secrets/")):
				found.homes[string(e.Key)] = true
			default:
				found.elsewhere[string(e.Key)] = true
			}
		}
	})
	if err != nil {
		return found, err
	}
	logs, err := cluster.Logs()
	if err != nil {
		return found, err
	}
	places := map[string][]byte{}
	for _, path := range logs {
		if places[filepath.Base(path)], err = os.ReadFile(path); err != nil {
			return found, err
		}
	}
	for _, p := range []*framework.Process{controller, server} {
		text, err := p.MetricsText(ctx)
		if err != nil {
			return found, err
		}
		places["metrics of "+p.Name()] = []byte(text)
	}
	for place, text := range places {
		for _, needle := range needles {
			if i := bytes.Index(text, needle); i >= 0 {
				found.elsewhere[fmt.Sprintf("%s: …%s…", place, text[max(0, i-100):min(len(text), i+50)])] = true
			}
		}
	}
	return found, nil
}
