// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/latchkey-dev/latchkey/internal/admissionport"
	"github.com/latchkey-dev/latchkey/internal/certs"
	"github.com/latchkey-dev/latchkey/internal/keyring"
	"github.com/latchkey-dev/latchkey/test/framework"
)

// In a namespace of its own, a process finds nothing of what the others have made.
var _ = Describe("A process that starts in an empty namespace", func() {
	var namespace string

	BeforeEach(func(ctx SpecContext) {
		namespace = newTenant(ctx)
		for _, command := range []string{"controller", "server"} {
			grant(ctx, command, namespace)
		}
	})

	It("as a server is alive, and ready when there are a key, a certificate and a path", func(ctx SpecContext) {
		fresh, err := cluster.Server("server-fresh", "--namespace="+namespace)
		Expect(err).NotTo(HaveOccurred())
		Expect(fresh.Launch(ctx)).To(Succeed())
		DeferCleanup(fresh.Kill)
		Eventually(ctx, fresh.Live).Should(Succeed())
		Eventually(ctx, fresh.Ready).Should(MatchError(And(
			ContainSubstring("[+]caches ok"), ContainSubstring("[-]keys failed"), ContainSubstring("[-]certificate failed"))))

		store := &keyring.Store{Reader: api, Writer: api, Namespace: namespace}
		_, err = store.EnsureFirst(ctx, time.Now())
		Expect(err).NotTo(HaveOccurred())
		Eventually(ctx, fresh.Ready).Should(MatchError(And(
			ContainSubstring("[+]keys ok"), ContainSubstring("[-]certificate failed"))))
		Consistently(ctx, fresh.Ready).ShouldNot(Succeed())

		create(ctx, servingCertificate(namespace))
		Eventually(ctx, fresh.Ready).Should(MatchError(And(
			ContainSubstring("[+]certificate ok"), ContainSubstring("[-]path failed"))))
		Consistently(ctx, fresh.Ready).ShouldNot(Succeed())

		path := framework.Secret(namespace, admissionport.SecretName, nil)
		path.Data = admissionport.State{Current: admissionport.NewSegment(), Since: time.Now()}.Data()
		create(ctx, path)
		Eventually(ctx, fresh.Ready).Should(Succeed())
	})

	It("as a controller is alive, and ready when there is a key", func(ctx SpecContext) {
		// Another one seems to lead, so this one must not make a key.
		holder, seconds, since := "somebody-else", int32(3600), metav1.NowMicro()
		create(ctx, &coordinationv1.Lease{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "latchkey-controller"},
			Spec: coordinationv1.LeaseSpec{
				HolderIdentity: &holder, LeaseDurationSeconds: &seconds, AcquireTime: &since, RenewTime: &since,
			},
		})
		fresh, err := cluster.Controller("controller-fresh", "--namespace="+namespace)
		Expect(err).NotTo(HaveOccurred())
		Expect(fresh.Launch(ctx)).To(Succeed())
		DeferCleanup(fresh.Kill)
		Eventually(ctx, fresh.Live).Should(Succeed())
		Eventually(ctx, fresh.Ready).Should(MatchError(And(ContainSubstring("[+]caches ok"), ContainSubstring("[-]keys failed"))))
		store := &keyring.Store{Reader: api, Writer: api, Namespace: namespace}
		Expect(store.Load(ctx)).To(BeEmpty())
		_, err = store.EnsureFirst(ctx, time.Now())
		Expect(err).NotTo(HaveOccurred())
		Eventually(ctx, fresh.Ready).Should(Succeed())
	})
})

// grant gives the service account of a command in another namespace what it has in
// Latchkey's own.
func grant(ctx context.Context, command, namespace string) {
	GinkgoHelper()
	role := &rbacv1.Role{}
	Expect(api.Get(ctx, client.ObjectKey{Namespace: framework.SystemNamespace, Name: "latchkey-" + command}, role)).To(Succeed())
	at := metav1.ObjectMeta{Namespace: namespace, Name: role.Name}
	create(ctx,
		&rbacv1.Role{ObjectMeta: at, Rules: role.Rules},
		&rbacv1.RoleBinding{
			ObjectMeta: at,
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
			Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: framework.SystemNamespace, Name: role.Name}},
		})
}

// servingCertificate is what the controller would make.
func servingCertificate(namespace string) *corev1.Secret {
	GinkgoHelper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	Expect(err).NotTo(HaveOccurred())
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	Expect(err).NotTo(HaveOccurred())
	der, err := x509.MarshalPKCS8PrivateKey(private)
	Expect(err).NotTo(HaveOccurred())
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})
	return framework.Secret(namespace, certs.SecretName, values{
		corev1.TLSCertKey:       string(public),
		corev1.TLSPrivateKeyKey: string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		"ca.crt":                string(public),
	})
}
