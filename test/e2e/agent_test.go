// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/test/conformance"
)

const agentDir = "/run/latchkey/agent"

var _ = Describe("An agent environment's pod", Ordered, func() {
	var environment conformance.Account
	var pod *corev1.Pod
	var smtp string // its id

	BeforeAll(func(ctx SpecContext) {
		environment = newNamespace(ctx, "agent", injected, labels{v1alpha1.LabelEnvironment: tenantName("agent")})
		Expect(conformance.Tenants{Admin: api}.GrantEditor(ctx, environment)).To(Succeed())
		apply(ctx, fmt.Sprintf(`
apiVersion: latchkey.dev/v1alpha1
kind: AgentSecret
metadata: {name: db-password, namespace: %s}
spec:
  path: [db, password]
  secretType: {type: Str}
  value: %spassword
`, environment.Namespace, canary))
		awaitReady(ctx, &v1alpha1.AgentSecret{ObjectMeta: metav1.ObjectMeta{Namespace: environment.Namespace, Name: "db-password"}})
		smtp = postTyped(ctx, direct, environment, fmt.Sprintf(`{"path":["smtp"],
			"secretType":{"type":"Record","fields":[{"name":"host","typ":{"type":"Str"}},{"name":"port","typ":{"type":"U16"}}]},
			"secretValue":{"host":"%shost","port":587}}`, canary))
		postTyped(ctx, aggregated, environment, `{"path":["retry","delays"],
			"secretType":{"type":"List","inner":{"type":"F64"}},"secretValue":[0.5,1,2]}`)
		postTyped(ctx, aggregated, environment, `{"path":["unset"],"secretType":{"type":"Bool"}}`)
		pod = newPod(ctx, environment.Namespace, "agent", newSpec(as(1000, 1000, home)), nil)
		awaitPod(ctx, pod)
	})

	It("has all values in one typed document", func(ctx SpecContext) {
		Eventually(ctx, func(g Gomega) {
			text, err := tryIn(ctx, pod, "main", "cat", agentDir+"/secrets.json")
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(text).To(MatchJSON(fmt.Sprintf(`{
				"db": {"password": "%spassword"}, "retry": {"delays": [0.5, 1, 2]}, "smtp": {"host": "%shost", "port": 587}
			}`, canary, canary)))
		}, 30*time.Second).Should(Succeed())
		Expect(mode(ctx, pod, agentDir+"/secrets.json")).To(Equal("440 0:1000"))
	})

	It("has each value as a file and as a variable", func(ctx SpecContext) {
		Expect(in(ctx, pod, "cat", agentDir+"/db.password")).To(Equal(canary + "password"))
		Expect(in(ctx, pod, "cat", agentDir+"/retry.delays")).To(MatchJSON(`[0.5,1,2]`))
		env := variables(ctx, pod, "main")
		Expect(env).To(HaveKeyWithValue("DB_PASSWORD", canary+"password"))
		Expect(env["SMTP"]).To(MatchJSON(fmt.Sprintf(`{"host":"%shost","port":587}`, canary)))
		Expect(env["RETRY_DELAYS"]).To(MatchJSON(`[0.5,1,2]`))
	})

	It("sees a new revision in the document, without a restart", func(ctx SpecContext) {
		changed := time.Now()
		answer := ask(ctx, aggregated, environment, http.MethodPatch, aggregated.Golem+"/agent-secrets/"+smtp,
			fmt.Sprintf(`{"currentRevision":0,"secretValue":{"op":"set","value":{"host":"%shost","port":25}}}`, canary))
		Expect(answer.Status).To(Equal(http.StatusOK), string(answer.Body))
		Eventually(ctx, func(ctx context.Context) (string, error) {
			return tryIn(ctx, pod, "main", "cat", agentDir+"/secrets.json")
		}, 2*time.Minute).Should(ContainSubstring(`"port":25`))
		report("a typed value changed through REST, until the running container reads it", time.Since(changed))
	})
})

// postTyped creates an agent secret through REST and returns its id.
func postTyped(ctx context.Context, f conformance.Face, environment conformance.Account, body string) string {
	GinkgoHelper()
	var created struct{ ID string }
	Eventually(ctx, func(g Gomega) { // every replica learns of a new environment through a watch of its own
		answer, err := tryAsk(ctx, f, environment, http.MethodPost, f.Golem+"/envs/"+environment.ID+"/agent-secrets", body)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(answer.Status).To(Equal(http.StatusOK), string(answer.Body))
		g.Expect(json.Unmarshal(answer.Body, &created)).To(Succeed())
	}).Should(Succeed())
	return created.ID
}
