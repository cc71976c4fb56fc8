// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package sealer

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/latchkey-dev/latchkey/internal/seal/sealtest"
)

func TestParseKeys_EveryFormThatIsPublished_HasTheNewestFirst(t *testing.T) {
	newest, _ := sealtest.NewKey(t)
	older, _ := sealtest.NewKey(t)
	list, err := json.Marshal([]map[string]any{{"id": "x", "public": newest.Bytes()}, {"id": "y", "public": older.Bytes()}})
	if err != nil {
		t.Fatal(err)
	}
	single := base64.StdEncoding.EncodeToString(newest.Bytes())
	indented := "  keys.json: '" + string(list) + "'\n  public.b64: " + single + "\n"
	for name, tt := range map[string]struct {
		text string
		want []string
	}{
		"the ConfigMap":              {"apiVersion: v1\nkind: ConfigMap\ndata:\n" + indented, []string{newest.ID(), older.ID()}},
		"one without the list":       {"data: {public.b64: " + single + "}\n", []string{newest.ID()}},
		"keys.json":                  {string(list) + "\n", []string{newest.ID(), older.ID()}},
		"public.b64":                 {single + "\n", []string{newest.ID()}},
		"nothing":                    {"", nil},
		"another ConfigMap":          {"data: {a: b}\n", nil},
		"an empty list":              {"[]", nil},
		"a list with what is no key": {`[{"public":"AAAA"}]`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			keys, err := ParseKeys([]byte(tt.text))
			if tt.want == nil {
				if !errors.Is(err, ErrKeys) {
					t.Errorf("ParseKeys: %v, want ErrKeys", err)
				}
				return
			}
			if err != nil || keys.Newest.ID() != newest.ID() {
				t.Fatalf("ParseKeys: %v", err)
			}
			if diff := cmp.Diff(tt.want, keys.IDs); diff != "" {
				t.Errorf("ids (-want +got):\n%s", diff)
			}
		})
	}
}
