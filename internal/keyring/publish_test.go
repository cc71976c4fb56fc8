// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package keyring

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/latchkey-dev/latchkey/internal/policy/limits"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

func TestPublishWritesNothingThatIsThere(t *testing.T) {
	a, b := newKey(t, epoch), newKey(t, epoch.Add(time.Hour))
	data, err := (&Store{}).publishedData([]KeyInfo{a.Info(), b.Info()})
	if err != nil {
		t.Fatal(err)
	}
	published := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: PublicKeysName, Namespace: ourNamespace, Labels: map[string]string{LabelPublicKeys: "true"}},
		Data:       data,
	}
	// In the other order: what is published does not depend on it.
	if err := readOnly(answers{configMap: published}).Publish(t.Context(), []KeyInfo{b.Info(), a.Info()}); err != nil {
		t.Errorf("Publish() = %v", err)
	}
	published.Labels, published.Data = nil, map[string]string{"theirs": "x"}
	if err := readOnly(answers{configMap: published}).Publish(t.Context(), []KeyInfo{a.Info()}); !errors.Is(err, ErrForeign) {
		t.Errorf("Publish() over a foreign config map = %v, want ErrForeign", err)
	}
	if err := readOnly(answers{}).Publish(t.Context(), nil); !errors.Is(err, ErrNoKey) {
		t.Errorf("Publish() of no keys = %v, want ErrNoKey", err)
	}
}

func TestPublishedData(t *testing.T) {
	a, b := newKey(t, epoch), newKey(t, epoch.Add(time.Hour))
	store := &Store{Version: "v1.2.3", Limits: limits.Of(limits.DefaultUser(), limits.DefaultAgent())}
	data, err := store.publishedData([]KeyInfo{a.Info(), b.Info()})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(data["public.b64"])
	if err != nil {
		t.Fatal(err)
	}
	public, err := seal.ParsePublicKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	if public.ID() != b.ID || data["key-id"] != b.ID {
		t.Errorf("published key %s under the id %s, want the newest, %s", public.ID(), data["key-id"], b.ID)
	}
	var list []PublishedKey
	if err := json.Unmarshal([]byte(data["keys.json"]), &list); err != nil {
		t.Fatal(err)
	}
	want := []PublishedKey{
		{ID: b.ID, Created: b.Created, Public: b.Private.Public().Bytes()},
		{ID: a.ID, Created: a.Created, Public: a.Private.Public().Bytes()},
	}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Errorf("keys.json (-want +got):\n%s", diff)
	}
	const wantLimits = `{"user":{"secrets":50,"valueBytes":204800,"envValueBytes":24576},` +
		`"agent":{"secrets":500,"valueBytes":65536,"totalValueBytes":921600},"bundleBytes":983040}`
	if diff := cmp.Diff([]string{wantLimits, "v1.2.3"}, []string{data["limits.json"], data["version"]}); diff != "" {
		t.Errorf("limits.json and version (-want +got):\n%s", diff)
	}
	for _, value := range data {
		if shows(value, a.Private.Bytes()) || shows(value, b.Private.Bytes()) {
			t.Error("a private key is published")
		}
	}
}
