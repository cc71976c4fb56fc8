// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package typedvalue

import (
	"encoding/json"
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const vectorsFile = "../../test/conformance/testdata/golem-vectors.json"

// vector is a case of the contract; the kind http is not for this package.
type vector struct {
	Kind, Name string
	Type       json.RawMessage
	Valid      bool

	// Kind value.
	Value, Output json.RawMessage
	Errors        []string

	// Kind type.
	Echoed json.RawMessage
}

func vectors(t testing.TB, kind string) []vector {
	t.Helper()
	text, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	var all, ofKind []vector
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	for _, v := range all {
		if v.Kind == kind {
			ofKind = append(ofKind, v)
		}
	}
	if len(ofKind) == 0 {
		t.Fatalf("no vectors of kind %s", kind)
	}
	return ofKind
}

func mustParse(t testing.TB, text string) *Type {
	t.Helper()
	typ, err := ParseType([]byte(text))
	if err != nil {
		t.Fatalf("ParseType(%s): %v", text, err)
	}
	return typ
}

// sameJSON compares as the contract does: numbers as numbers.
func sameJSON(t testing.TB, got, want []byte) string {
	t.Helper()
	return cmp.Diff(normalJSON(t, want), normalJSON(t, got))
}

func normalJSON(t testing.TB, text []byte) any {
	t.Helper()
	v, err := decode("test", text, len(text), 10_000)
	if err != nil {
		t.Fatal(err)
	}
	var normal func(v any) any
	normal = func(v any) any {
		switch v := v.(type) {
		case json.Number:
			if n := readNumber(v); n.class == classFloat {
				if n.float == float64(int64(n.float)) {
					return strconv.FormatInt(int64(n.float), 10)
				}
				return strconv.FormatFloat(n.float, 'e', -1, 64)
			}
			return v.String()
		case []any:
			for i := range v {
				v[i] = normal(v[i])
			}
		case map[string]any:
			for k := range v {
				v[k] = normal(v[k])
			}
		}
		return v
	}
	return normal(v)
}

// quotesValue says that the reference's wording holds a part of the value, so
// that ours differs.
func quotesValue(problem string) bool {
	for _, quoting := range []string{
		"is not within the range", "Cannot convert", "a char", "Input ", "Invalid input",
		"The length of types", "Unit variant", "Unknown key", "found abc",
	} {
		if strings.Contains(problem, quoting) {
			return true
		}
	}
	return false
}

func TestValueVectors(t *testing.T) {
	verbatim := 0
	for _, v := range vectors(t, "value") {
		t.Run(v.Name, func(t *testing.T) {
			typ := mustParse(t, string(v.Type))
			got, err := Check(typ, v.Value)
			if v.Valid {
				if err != nil {
					t.Fatalf("Check(%s): %v", v.Value, err)
				}
				if diff := sameJSON(t, got, v.Output); diff != "" {
					t.Errorf("Check(%s) differs (-want +got):\n%s", v.Value, diff)
				}
				return
			}
			var mismatch *MismatchError
			if !errors.As(err, &mismatch) {
				t.Fatalf("Check(%s) = %s, %v; want a MismatchError", v.Value, got, err)
			}
			if len(mismatch.Problems) != len(v.Errors) {
				t.Fatalf("got problems %q, want as many as in %q", mismatch.Problems, v.Errors)
			}
			for i, want := range v.Errors {
				if quotesValue(want) {
					continue
				}
				verbatim++
				// Items of lists have a place here that they lack there.
				if got := mismatch.Problems[i]; got != want && !strings.HasSuffix(got, "]: "+want) {
					t.Errorf("problem %q, want %q", got, want)
				}
			}
		})
	}
	if verbatim < 30 {
		t.Errorf("compared %d wordings, want at least 30", verbatim)
	}
}

func TestTypeVectors(t *testing.T) {
	for _, v := range vectors(t, "type") {
		t.Run(v.Name, func(t *testing.T) {
			typ, err := ParseType(v.Type)
			if !v.Valid {
				if err == nil {
					t.Fatalf("ParseType(%s) is accepted", v.Type)
				}
				return
			}
			if err != nil {
				t.Fatalf("ParseType(%s): %v", v.Type, err)
			}
			got, err := json.Marshal(typ)
			if err != nil {
				t.Fatal(err)
			}
			if diff := sameJSON(t, got, v.Echoed); diff != "" {
				t.Errorf("echo differs (-want +got):\n%s", diff)
			}
		})
	}
}
