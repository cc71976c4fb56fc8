// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	dto "github.com/prometheus/client_model/go"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/test/conformance"
	"github.com/latchkey-dev/latchkey/test/framework"
)

// freeLabels are those whose values are too many to list, with the form of them.
var freeLabels = map[string]string{
	"code":   "^[2-5][0-9][0-9]$",
	"key_id": "^([0-9a-f]{16}|unknown)$",
}

// ownPrefix is what Latchkey's own metrics begin with.
const ownPrefix = "latchkey_"

var _ = Describe("The metrics", Ordered, func() {
	var endpoints map[string]framework.Metrics
	var texts []string

	BeforeAll(func(ctx SpecContext) {
		// Something of everything: a secret of each kind by kubectl's way and by REST, one
		// that is refused, a pod, and a workload. All have a word in their names that must
		// not be seen again.
		tenants := conformance.Tenants{Admin: api}
		user, err := tenants.NewUser(ctx, "marker-user")
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(emptyTenants, []string{user.Namespace})
		create(ctx,
			framework.UserSecret(user.Namespace, "marker-secret", v1alpha1.UserSecretSpec{
				EnvName: "MARKER_VARIABLE", FilePath: "~/marker-file", Value: v1alpha1.WriteOnlyString(canary),
			}),
			framework.AgentSecret(user.Namespace, "marker-agent", text, quoted(canary), "markerPath"))
		Expect(api.Create(ctx, framework.UserSecret(user.Namespace, "marker-refused", v1alpha1.UserSecretSpec{
			EnvName: "MARKER_VARIABLE", Value: v1alpha1.WriteOnlyString(canary),
		}))).NotTo(Succeed())
		settled(ctx, user.Namespace)
		face := restFace(ctx, server)
		header := http.Header{"Authorization": {"Bearer " + user.Token}}
		Eventually(ctx, func() (int, error) {
			got, err := face.Do(ctx, http.MethodPost, face.Coder+"/users/me/secrets", header, `{"name":"marker-rest","value":"`+canary+`"}`)
			return got.Status, err
		}).Should(Or(Equal(http.StatusCreated), Equal(http.StatusConflict)))
		for _, path := range []string{"/users/marker-user/secrets/marker-rest", "/users/me/secrets/marker-absent", "/users/marker-nobody/secrets"} {
			_, err := face.Do(ctx, http.MethodGet, face.Coder+path, header, "")
			Expect(err).NotTo(HaveOccurred())
		}

		allowMetrics(ctx, user.Namespace)
		rest, err := face.Do(ctx, http.MethodGet, strings.TrimSuffix(face.Golem, "/v1")+"/metrics", header, "")
		Expect(err).NotTo(HaveOccurred())
		Expect(rest.Status).To(Equal(http.StatusOK), "%s", rest.Body)
		endpoints = map[string]framework.Metrics{}
		texts = []string{string(rest.Body)}
		endpoints["REST"], err = framework.ParseMetrics(strings.NewReader(string(rest.Body)))
		Expect(err).NotTo(HaveOccurred())
		for _, p := range []*framework.Process{controller, server} {
			endpoints[p.Name()], err = p.Metrics(ctx)
			Expect(err).NotTo(HaveOccurred())
			text, err := p.MetricsText(ctx)
			Expect(err).NotTo(HaveOccurred())
			texts = append(texts, text)
		}
	})

	It("of Latchkey itself are those of the manual page", func() {
		documented := documentedMetrics()
		found := map[string]metric{}
		for where, families := range endpoints {
			for name, family := range families {
				if strings.HasPrefix(name, ownPrefix) {
					m := metricOf(family)
					Expect(documented).To(HaveKey(name), "%s of %s is not documented", name, where)
					Expect(m.kind).To(Equal(documented[name].kind), name)
					if len(family.GetMetric()) > 0 {
						Expect(m.labels).To(Equal(documented[name].labels), name)
					}
					found[name] = m
				}
			}
		}
		for name := range documented {
			Expect(found).To(HaveKey(name), "%s is documented and nowhere to be seen", name)
		}
	})

	It("of Latchkey itself have labels from small sets", func() {
		documented := documentedMetrics()
		for _, families := range endpoints {
			for name, family := range families {
				if !strings.HasPrefix(name, ownPrefix) {
					continue
				}
				for _, series := range family.GetMetric() {
					for _, label := range series.GetLabel() {
						if form, free := freeLabels[label.GetName()]; free {
							Expect(label.GetValue()).To(MatchRegexp(form), name)
							continue
						}
						Expect(documented[name].values).To(ContainElement(label.GetValue()), name)
					}
				}
			}
		}
	})

	It("show nothing that a tenant wrote", func() {
		Expect(texts).To(HaveLen(3))
		for _, text := range texts {
			Expect(text).To(ContainSubstring("go_goroutines"), "it is what it should be")
			for _, word := range []string{"marker", canary} {
				Expect(strings.Contains(strings.ToLower(text), strings.ToLower(word))).To(BeFalse(), word)
			}
		}
	})
})

// allowMetrics lets the service account of an account see the metrics of the REST port.
func allowMetrics(ctx SpecContext, namespace string) {
	GinkgoHelper()
	role := &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "see-metrics"},
		Rules:      []rbacv1.PolicyRule{{NonResourceURLs: []string{"/metrics"}, Verbs: []string{"get"}}},
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "see-metrics"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: "caller"}},
	}
	create(ctx, role, binding)
	DeferCleanup(func(ctx SpecContext) {
		Expect(api.Delete(ctx, binding)).To(Succeed())
		Expect(api.Delete(ctx, role)).To(Succeed())
	})
}

// metric is what the manual page says of one.
type metric struct {
	kind   string
	labels []string
	// values are those that the labels may have, where the page lists them.
	values []string
}

func metricOf(family *dto.MetricFamily) metric {
	m := metric{kind: strings.ToLower(family.GetType().String())}
	for _, series := range family.GetMetric() {
		for _, label := range series.GetLabel() {
			if !slices.Contains(m.labels, label.GetName()) {
				m.labels = append(m.labels, label.GetName())
			}
		}
	}
	slices.Sort(m.labels)
	return m
}

var (
	// metricRow is a row of the table: name, type, labels, meaning.
	metricRow = regexp.MustCompile("(?m)^\\| `(" + ownPrefix + "[a-z_]+)` \\| ([a-z]+) \\| ([^|]*)\\| [^|]+\\|$")
	// labelOf is one label in it, with its values where they are listed.
	labelOf = regexp.MustCompile("^`([a-z_]+)`(?:: (.*))?$")
)

// documentedMetrics reads the table of docs/metrics.md.
func documentedMetrics() map[string]metric {
	GinkgoHelper()
	page, err := os.ReadFile(filepath.Join(cluster.Root, "docs", "metrics.md"))
	Expect(err).NotTo(HaveOccurred())
	all := map[string]metric{}
	for _, row := range metricRow.FindAllStringSubmatch(string(page), -1) {
		m := metric{kind: row[2]}
		for label := range strings.SplitSeq(strings.TrimSpace(row[3]), "; ") {
			if label == "" {
				continue
			}
			parts := labelOf.FindStringSubmatch(label)
			Expect(parts).NotTo(BeNil(), "%s: label %q cannot be read", row[1], label)
			m.labels = append(m.labels, parts[1])
			for value := range strings.SplitSeq(parts[2], ", ") {
				m.values = append(m.values, strings.Trim(value, "`"))
			}
		}
		slices.Sort(m.labels)
		all[row[1]] = m
	}
	Expect(len(all)).To(BeNumerically(">", 4), "the table is found")
	Expect(all).To(HaveLen(strings.Count(string(page), "\n| `"+ownPrefix)), "every row of the table can be read")
	return all
}
