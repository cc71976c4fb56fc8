// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"errors"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/latchkey-dev/latchkey/internal/digest"
	"github.com/latchkey-dev/latchkey/internal/keyring"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

// The store of keys against a real API server, in a namespace of its own.
var _ = Describe("The store of sealing keys", func() {
	var store *keyring.Store

	BeforeEach(func(ctx SpecContext) {
		store = &keyring.Store{Reader: api, Writer: api, Namespace: newTenant(ctx)}
	})

	It("makes keys that are read back as they were, newest first", func(ctx SpecContext) {
		moment := time.Now()
		first, err := store.Create(ctx, moment)
		Expect(err).NotTo(HaveOccurred())
		second, err := store.Create(ctx, moment.Add(-time.Hour)) // the clock went back
		Expect(err).NotTo(HaveOccurred())
		loaded, err := store.Load(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(idsOf(loaded)).To(Equal([]string{second.ID, first.ID}))
		Expect(loaded[1].Created).To(Equal(first.Created))

		at := seal.Context{Kind: "UserSecret", Namespace: "a", Name: "b"}
		sealed, err := seal.Seal(first.Private.Public(), at, seal.ValueOf(canary))
		Expect(err).NotTo(HaveOccurred())
		value, err := loaded[1].Private.Open(at, sealed)
		Expect(err).NotTo(HaveOccurred())
		Expect(value.Equal(seal.ValueOf(canary))).To(BeTrue())
	})

	It("cannot have a key changed", func(ctx SpecContext) {
		k, err := store.Create(ctx, time.Now())
		Expect(err).NotTo(HaveOccurred())
		secret := native(ctx, store.Namespace, "latchkey-key-"+k.ID)
		secret.Data["private"] = []byte("other")
		Expect(api.Update(ctx, secret)).To(MatchError(ContainSubstring("immutable")))
	})

	It("ends with keys that all know, however many replicas make the first at once", func(ctx SpecContext) {
		const replicas = 8
		var group sync.WaitGroup
		found := make([][]keyring.Key, replicas)
		errs := make([]error, replicas)
		for i := range replicas {
			group.Go(func() { found[i], errs[i] = store.EnsureFirst(ctx, time.Now()) })
		}
		group.Wait()
		Expect(errors.Join(errs...)).NotTo(HaveOccurred())
		loaded, err := store.Load(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(loaded).NotTo(BeEmpty())
		for _, keys := range found {
			Expect(idsOf(loaded)).To(ContainElements(idsOf(keys)), "each was given keys that are stored")
			Expect(keys).NotTo(BeEmpty())
		}
		again, err := store.EnsureFirst(ctx, time.Now())
		Expect(err).NotTo(HaveOccurred())
		Expect(idsOf(again)).To(Equal(idsOf(loaded)), "and then there is a first one")
	})

	It("agrees on one key for digests, however many replicas make it at once", func(ctx SpecContext) {
		const replicas = 8
		var group sync.WaitGroup
		found := make([]digest.Key, replicas)
		errs := make([]error, replicas)
		for i := range replicas {
			group.Go(func() { found[i], errs[i] = store.EnsureDigestKey(ctx) })
		}
		group.Wait()
		Expect(errors.Join(errs...)).NotTo(HaveOccurred())
		for _, key := range found {
			Expect(key.Bytes()).To(Equal(found[0].Bytes()))
		}
	})

	It("does not use a Secret of somebody else's as the key for digests", func(ctx SpecContext) {
		create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: store.Namespace, Name: "latchkey-digest-key"},
			Data:       map[string][]byte{"key": make([]byte, 32)},
		})
		_, err := store.EnsureDigestKey(ctx)
		Expect(err).To(MatchError(keyring.ErrForeign))
	})

	It("deletes a key but the newest", func(ctx SpecContext) {
		first, err := store.Create(ctx, time.Now())
		Expect(err).NotTo(HaveOccurred())
		Expect(store.Delete(ctx, first.ID)).To(MatchError(keyring.ErrNewestKey))
		second, err := store.Create(ctx, time.Now())
		Expect(err).NotTo(HaveOccurred())
		Expect(store.Delete(ctx, first.ID)).To(Succeed())
		Expect(store.Delete(ctx, first.ID)).To(Succeed(), "gone already")
		loaded, err := store.Load(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(idsOf(loaded)).To(Equal([]string{second.ID}))
	})

	It("publishes the public halves, once", func(ctx SpecContext) {
		k, err := store.Create(ctx, time.Now())
		Expect(err).NotTo(HaveOccurred())
		publish := func(ctx context.Context) string {
			Expect(store.Publish(ctx, []keyring.KeyInfo{k.Info()})).To(Succeed())
			published := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: store.Namespace, Name: keyring.PublicKeysName}}
			Expect(api.Get(ctx, key(published), published)).To(Succeed())
			Expect(published.Data).To(HaveKeyWithValue(keyring.PublicKeyID, k.ID))
			return published.ResourceVersion
		}
		Expect(publish(ctx)).To(Equal(publish(ctx)))
	})

	It("loads what it can and names what it cannot", func(ctx SpecContext) {
		good, err := store.Create(ctx, time.Now())
		Expect(err).NotTo(HaveOccurred())
		broken := keyring.EncodeSecret(good, store.Namespace)
		broken.Name = "latchkey-key-mixed-up"
		create(ctx, broken)
		loaded, err := store.Load(ctx)
		Expect(err).To(MatchError(keyring.ErrBrokenKey))
		Expect(err).To(MatchError(ContainSubstring("latchkey-key-mixed-up")))
		Expect(idsOf(loaded)).To(Equal([]string{good.ID}))
	})
})

func idsOf(keys []keyring.Key) []string {
	ids := make([]string, 0, len(keys))
	for _, k := range keys {
		ids = append(ids, k.ID)
	}
	return ids
}
