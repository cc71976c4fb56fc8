// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package typedvalue

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// What stands in a value for a secret; none of it is in any type or wording.
const (
	canaryText   = "cAnArY-9f3a"
	canaryNumber = "7313131"
)

func leaks(message string) bool {
	return strings.Contains(message, canaryText) || strings.Contains(message, canaryNumber)
}

// withCanaries puts a canary into every string and number of a value, and into
// its keys where keys is set.
func withCanaries(v any, keys bool) any {
	switch v := v.(type) {
	case string:
		return canaryText + v
	case json.Number:
		if len(v.String())%2 == 0 {
			return json.Number(canaryNumber + ".5e300")
		}
		return json.Number("-" + canaryNumber)
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = withCanaries(v[i], keys)
		}
		return list
	case map[string]any:
		object := make(map[string]any, len(v))
		for key, member := range v {
			if keys {
				key = canaryText + key
			}
			object[key] = withCanaries(member, keys)
		}
		return object
	default:
		return v
	}
}

func checkForLeaks(t *testing.T, typ *Type, v any) {
	t.Helper()
	for _, keys := range []bool{false, true} {
		value, err := json.Marshal(withCanaries(v, keys))
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range [][]byte{value, value[:len(value)/2], append(value, value...)} {
			_, err := Check(typ, text)
			if err != nil && (leaks(err.Error()) || leaks(fmt.Sprintf("%+v %#v", err, err))) {
				t.Errorf("an error about %s holds a part of it: %v", text, err)
			}
		}
	}
}

func TestNoVectorLeaks(t *testing.T) {
	vs := vectors(t, "value")
	seen := make(map[string]bool)
	for _, typ := range vs {
		if seen[string(typ.Type)] {
			continue
		}
		seen[string(typ.Type)] = true
		parsed := mustParse(t, string(typ.Type))
		for _, v := range vs {
			value, err := decode("value", v.Value, MaxValueBytes, maxValueDepth)
			if err != nil {
				t.Fatal(err)
			}
			checkForLeaks(t, parsed, value)
		}
	}
}

func TestNoRandomValueLeaks(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // seeded, so that a failure can be seen again
	refused := 0
	for range 3000 {
		typ := mustParse(t, randomType(random, 4))
		value := randomValue(random, 4)
		checkForLeaks(t, typ, value)
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		var mismatch *MismatchError
		if _, err := Check(typ, text); errors.As(err, &mismatch) {
			refused++
		}
	}
	if refused < 1000 {
		t.Errorf("%d of 3000 values were refused: too few for this test to show anything", refused)
	}
}

// A type is no secret, but a client can confuse the two fields of a request.
func TestTypeErrorsDoNotLeakEither(t *testing.T) {
	for _, text := range []string{
		`{"type":"#"}`, `"#"`, `{"type":"Enum","cases":"#"}`, `{"type":"Enum","cases":[["#"]]}`,
		`{"type":"Handle","mode":"#","resource_id":1}`, `{"type":"Handle","mode":"Owned","resource_id":"#"}`,
		`{"type":"Record","fields":[{"name":"#","typ":"#"}]}`, `{"type":"Tuple","items":["#"]}`,
		`{"type":"Option","name":["#"]}`, `{"#":`, `#`, `"#`,
	} {
		_, err := ParseType([]byte(strings.ReplaceAll(text, "#", canaryText+canaryNumber)))
		if err == nil || leaks(err.Error()) {
			t.Errorf("ParseType(%s): %v; want an error without any of it", text, err)
		}
	}
}

func randomType(random *rand.Rand, depth int) string {
	k := kindBool + kind(random.IntN(int(kindCount-kindBool)))
	if depth == 0 {
		k = kindBool + kind(random.IntN(int(kindStr)))
	}
	inner := func() string { return randomType(random, depth-1) }
	members := map[kind]string{
		kindEnum:   `,"cases":["a","b"]`,
		kindFlags:  `,"names":["a","b","1","true"]`,
		kindHandle: `,"resource_id":1,"mode":"Owned"`,
	}[k]
	switch k {
	case kindOption, kindList:
		members = `,"inner":` + inner()
	case kindTuple:
		members = `,"items":[` + inner() + `,` + inner() + `]`
	case kindRecord:
		members = `,"fields":[{"name":"a","typ":` + inner() + `},{"name":"b","typ":` + inner() + `}]`
	case kindVariant:
		members = `,"cases":[{"name":"a","typ":` + inner() + `},{"name":"b"}]`
	case kindResult:
		members = `,"ok":` + inner()
	}
	return `{"type":"` + kindNames[k] + `"` + members + `}`
}

func randomValue(random *rand.Rand, depth int) any {
	choice := random.IntN(9)
	if depth == 0 {
		choice = random.IntN(5)
	}
	inner := func() any { return randomValue(random, depth-1) }
	switch choice {
	case 0:
		return nil
	case 1:
		return random.IntN(2) == 0
	case 2:
		return json.Number(fmt.Sprint(random.IntN(300) - 50))
	case 3:
		return json.Number(fmt.Sprint(random.NormFloat64()))
	case 4:
		return []string{"a", "b", "x/7", ""}[random.IntN(4)]
	case 5, 6:
		return []any{inner(), inner()}[:random.IntN(3)]
	case 7:
		return map[string]any{[]string{"a", "b", "ok", "err"}[random.IntN(4)]: inner()}
	default:
		return map[string]any{"a": inner(), "b": inner(), "ok": inner()}
	}
}
