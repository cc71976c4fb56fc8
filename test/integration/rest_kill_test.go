// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/test/conformance"
)

// burst is what was asked of two replicas while one of them was killed.
type burst struct {
	mu sync.Mutex
	// values are what a secret may have: that of the last acknowledged write, and
	// those of the writes after it that nobody answered.
	values map[string][]string
	// created are those whose creation was acknowledged.
	created map[string]bool
	acks    int
}

func (b *burst) record(name, value string, acknowledged, creation bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !acknowledged {
		b.values[name] = append(b.values[name], value)
		return
	}
	b.acks++
	b.values[name] = []string{value}
	b.created[name] = b.created[name] || creation
}

func (b *burst) acknowledged() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.acks
}

var _ = Describe("A replica that is killed amid a burst of writes", func() {
	const secrets, writers = 40, 8

	It("loses nothing that was acknowledged and leaves nothing half done", func(ctx SpecContext) {
		replica, err := cluster.Server("killed")
		Expect(err).NotTo(HaveOccurred())
		Expect(replica.Start(ctx)).To(Succeed())
		DeferCleanup(replica.Stop)
		faces := []conformance.Face{restFace(ctx, server), restFace(ctx, replica)}
		tenants := conformance.Tenants{Admin: api}

		for round, moment := range []int{3, 17, 41} { // acknowledged writes before the kill
			me, err := tenants.NewUser(ctx, fmt.Sprintf("killed-%d", round))
			Expect(err).NotTo(HaveOccurred())
			header := http.Header{"Authorization": {"Bearer " + me.Token}}
			for _, f := range faces {
				Eventually(ctx, func() (int, error) {
					got, err := f.Do(ctx, http.MethodGet, f.Coder+"/users/me/secrets", header, "")
					return got.Status, err
				}).Should(Equal(http.StatusOK))
			}
			b := &burst{values: map[string][]string{}, created: map[string]bool{}}
			var next atomic.Int64
			var running sync.WaitGroup
			for range writers {
				running.Go(func() {
					for n := next.Add(1); n <= secrets; n = next.Add(1) {
						f := faces[n%2]
						name := fmt.Sprintf("burst-%d", n)
						got, err := f.Do(ctx, http.MethodPost, f.Coder+"/users/me/secrets", header,
							fmt.Sprintf(`{"name":%q,"value":"first","env_name":"BURST_%d","file_path":"~/burst/%d"}`, name, n, n))
						b.record(name, "first", err == nil && got.Status == http.StatusCreated, true)
						got, err = f.Do(ctx, http.MethodPatch, f.Coder+"/users/me/secrets/"+name, header, `{"value":"second"}`)
						b.record(name, "second", err == nil && got.Status == http.StatusOK, false)
					}
				})
			}
			Eventually(ctx, b.acknowledged).WithTimeout(time.Minute).Should(BeNumerically(">=", moment))
			Expect(replica.Kill()).To(Succeed())
			running.Wait()

			got, err := faces[0].Do(ctx, http.MethodGet, faces[0].Coder+"/users/me/secrets", header, "")
			Expect(err).NotTo(HaveOccurred())
			var listed []struct{ Name string }
			Expect(json.Unmarshal(got.Body, &listed)).To(Succeed())
			names := map[string]bool{}
			for _, s := range listed {
				names[s.Name] = true
			}
			for name := range b.created {
				Expect(names).To(HaveKey(name), "its creation was acknowledged")
			}
			Eventually(ctx, func(g Gomega) {
				env, files := &corev1.Secret{}, &corev1.Secret{}
				g.Expect(api.Get(ctx, client.ObjectKey{Namespace: me.Namespace, Name: v1alpha1.BundleUserEnv}, env)).To(Succeed())
				g.Expect(api.Get(ctx, client.ObjectKey{Namespace: me.Namespace, Name: v1alpha1.BundleUserFiles}, files)).To(Succeed())
				g.Expect(env.Data).To(HaveLen(len(listed)))
				g.Expect(files.Data).To(HaveLen(len(listed)))
				for name := range names {
					var n int
					_, err := fmt.Sscanf(name, "burst-%d", &n)
					g.Expect(err).NotTo(HaveOccurred())
					value := string(env.Data[fmt.Sprintf("BURST_%d", n)])
					g.Expect(slices.Contains(b.values[name], value)).To(BeTrue(), "%s is %q, and may be one of %q", name, value, b.values[name])
				}
			}).Should(Succeed())
			AddReportEntry("round", fmt.Sprintf("killed after %d writes, %d were acknowledged in all, %d of %d secrets are there",
				moment, b.acknowledged(), len(listed), secrets), ReportEntryVisibilityAlways)
			Expect(replica.Start(ctx)).To(Succeed())
		}
	})
})
