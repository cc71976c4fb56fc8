// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package attacks

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/internal/admissionport"
	"github.com/latchkey-dev/latchkey/test/framework"
)

const hookName = "usersecrets.latchkey.dev"

// newTenant makes a namespace.
func newTenant(ctx context.Context) string {
	GinkgoHelper()
	ns := framework.Namespace("")
	Expect(api.Create(ctx, ns)).To(Succeed())
	return ns.Name
}

// forged is the question of somebody who pretends that an administrator creates a
// UserSecret.
func forged(tenant string, spec v1alpha1.UserSecretSpec) *admissionv1.AdmissionRequest {
	GinkgoHelper()
	raw, err := json.Marshal(framework.UserSecret(tenant, "forged", spec))
	Expect(err).NotTo(HaveOccurred())
	return &admissionv1.AdmissionRequest{
		UID: "forged", Operation: admissionv1.Create, Namespace: tenant, Name: "forged",
		UserInfo: authenticationv1.UserInfo{Username: "admin", Groups: []string{"system:masters"}},
		Object:   runtime.RawExtension{Raw: raw},
	}
}

// pathOf returns the path of a hook, as the API server has it.
func pathOf(ctx context.Context, webhook string) string {
	GinkgoHelper()
	path, err := stack.HookPath(ctx, webhook)
	Expect(err).NotTo(HaveOccurred())
	return path
}

// counted returns a counter or gauge of the server.
func counted(ctx context.Context, name string, labels ...string) float64 {
	GinkgoHelper()
	metrics, err := stack.Server.Metrics(ctx)
	Expect(err).NotTo(HaveOccurred())
	sum, _ := metrics.Sum(name, labels...)
	return sum
}

var _ = Describe("A neighbour on the network who reaches the admission port", func() {
	// It asks whether anybody may read a Secret, which only admission answers.
	question := func(tenant string) *admissionv1.AdmissionRequest {
		return forged(tenant, v1alpha1.UserSecretSpec{ValueFrom: &v1alpha1.ValueSource{SecretKeyRef: v1alpha1.SecretKeyRef{Name: "s", Key: "k"}}})
	}

	It("learns nothing without the path, and the same from every attempt", func(ctx SpecContext) {
		tenant := newTenant(ctx)
		right := pathOf(ctx, hookName)
		segment := strings.Split(right, "/")[1]
		asked := counted(ctx, "controller_runtime_webhook_requests_total")
		refused := counted(ctx, "latchkey_admission_refused_total", "reason", "path")

		guesses := []string{
			"/", "/admit-usersecret", "/admit-agentsecret", "/inject-pod", "/mutate", "/validate", "/healthz", "/metrics",
			"/" + segment, "/" + segment + "/", "/" + segment + "/metrics", "//admit-usersecret", right + "/",
			"/" + segment[:len(segment)-1] + "/admit-usersecret", "/" + segment[1:] + "/admit-usersecret",
			"/" + segment[:len(segment)-1] + "0/admit-usersecret", "/" + strings.ToUpper(segment) + "/admit-usersecret",
			"/" + segment + "/../admit-usersecret", "/x" + right, "/" + strings.Repeat("a", len(segment)) + "/admit-usersecret",
		}
		var want framework.Answer
		for i, path := range guesses {
			got, err := stack.Ask(ctx, stack.Server, path, question(tenant))
			Expect(err).NotTo(HaveOccurred())
			got.Header.Del("Date")
			if i == 0 {
				want = got
			}
			Expect(got.Code).To(Equal(http.StatusNotFound), path)
			Expect(got).To(Equal(want), path)
		}
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodOptions} {
			for _, path := range []string{"/admit-usersecret", right} {
				got, err := stack.Knock(ctx, stack.Server, method, path, http.NoBody)
				Expect(err).NotTo(HaveOccurred())
				got.Header.Del("Date")
				Expect(got).To(Equal(want), "%s with the path: %t", method, path == right)
			}
		}
		Expect(counted(ctx, "controller_runtime_webhook_requests_total")).To(Equal(asked), "no hook was asked")
		Expect(counted(ctx, "latchkey_admission_refused_total", "reason", "path")).To(Equal(refused + float64(len(guesses)) + 10))

		By("control: the path itself leads to the hook")
		got, err := stack.Ask(ctx, stack.Server, right, question(tenant))
		Expect(err).NotTo(HaveOccurred())
		Expect(got.Code).To(Equal(http.StatusOK))
		Expect(string(got.Body)).To(ContainSubstring(`"allowed":true`))
		By("control: the API server's own question is answered")
		Expect(api.Create(ctx, framework.UserSecret(tenant, "a", v1alpha1.UserSecretSpec{Value: v1alpha1.WriteOnlyString("v")}))).To(Succeed())
	})

	It("is answered before a byte of the body is read", func(ctx SpecContext) {
		for _, path := range []string{"/admit-usersecret", "/inject-pod", "/anything"} {
			never, end := io.Pipe() // nothing is ever written into it
			got, err := stack.Knock(ctx, stack.Server, http.MethodPost, path, never)
			Expect(err).NotTo(HaveOccurred())
			Expect(got.Code).To(Equal(http.StatusNotFound))
			Expect(end.Close()).To(Succeed())
		}
	})

	It("cannot fill the memory with bodies, and nobody with the path can either", func(ctx SpecContext) {
		tenant, right := newTenant(ctx), pathOf(ctx, hookName)
		large := func(bytes int) *admissionv1.AdmissionRequest {
			r := question(tenant)
			r.UserInfo.UID = strings.Repeat("a", bytes)
			return r
		}
		outcomes := make(chan string, 64)
		send := func(path string, request *admissionv1.AdmissionRequest) {
			answer, err := stack.Ask(ctx, stack.Server, path, request)
			outcomes <- fmt.Sprint(answer.Code, " ", err)
		}
		for name, tt := range map[string]struct {
			path    string
			request *admissionv1.AdmissionRequest
			reason  string
			want    []string
		}{
			"large bodies without the path": {"/admit-usersecret", large(6_900_000), "path", []string{"404 <nil>"}},
			"bodies above the limit":        {right, large(6_900_000), "size", []string{"413 <nil>"}},
			"the largest bodies, in turn":   {right, large(admissionport.MaxBody - 4096), "", []string{"200 <nil>"}},
		} {
			By(name)
			before := counted(ctx, "latchkey_admission_refused_total")
			const flood = 12
			for range flood {
				go send(tt.path, tt.request)
			}
			for range flood {
				Expect(<-outcomes).To(BeElementOf(tt.want), name)
			}
			// What is refused is counted, and what is counted was not judged.
			if tt.reason != "" {
				Expect(counted(ctx, "latchkey_admission_refused_total")).To(Equal(before+flood), name)
			}
			Expect(stack.Server.Ready(ctx)).To(Succeed())
		}
	})
})

var _ = Describe("A tenant editor", func() {
	It("cannot make admission read a value of countless parts, and is told why", func(ctx SpecContext) {
		tenant := newTenant(ctx)
		list := func(n int) *v1alpha1.AgentSecret {
			return framework.AgentSecret(tenant, "list", `{"type":"List","inner":{"type":"U8"}}`, "["+strings.Repeat("1,", n)+"1]", "list")
		}
		err := api.Create(ctx, list(150_000))
		Expect(err).To(MatchError(ContainSubstring("at most 50000 can be admitted")))
		Expect(err.Error()).NotTo(ContainSubstring("/admit-"), "the path is nobody's business")
		Expect(apierrors.IsNotFound(api.Get(ctx, client.ObjectKey{Namespace: tenant, Name: "list"}, &v1alpha1.AgentSecret{}))).To(BeTrue())
		By("control: a smaller one is stored")
		Expect(api.Create(ctx, list(5_000))).To(Succeed())
	})

	It("cannot read the path, nor can anybody see it in logs and metrics", func(ctx SpecContext) {
		secret := &corev1.Secret{}
		key := client.ObjectKey{Namespace: framework.SystemNamespace, Name: admissionport.SecretName}
		Expect(api.Get(ctx, key, secret)).To(Succeed())
		state, ok := admissionport.ParseState(secret.Data)
		Expect(ok).To(BeTrue())

		out, err := stack.Kubectl.Run(ctx, "", "get", "mutatingwebhookconfigurations", "latchkey", "--as=mallory", "--as-group=system:authenticated")
		Expect(err).To(MatchError(ContainSubstring("orbidden")), out)
		By("control: an administrator can")
		out, err = stack.Kubectl.Run(ctx, "", "get", "mutatingwebhookconfigurations", "latchkey", "--output=yaml")
		Expect(err).NotTo(HaveOccurred())
		Expect(out).To(ContainSubstring(pathOf(ctx, hookName)))

		for _, process := range []*framework.Process{stack.Controller, stack.Server} {
			text, err := process.MetricsText(ctx)
			Expect(err).NotTo(HaveOccurred())
			Expect(text).NotTo(ContainSubstring(string(state.Current.Reveal())))
			Expect(process.Log()).To(BeARegularFile())
			Expect(logOf(process)).NotTo(ContainSubstring(string(state.Current.Reveal())))
		}
	})
})
