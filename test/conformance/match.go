// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// expand returns a body as text, {"$repeat":[s,n]} turned into n times s.
func expand(raw json.RawMessage) string {
	if len(raw) == 0 || string(raw) == "null" {
		return ""
	}
	var v any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return string(raw)
	}
	out, err := json.Marshal(repeated(v))
	if err != nil {
		return string(raw)
	}
	return string(out)
}

func repeated(v any) any {
	switch x := v.(type) {
	case map[string]any:
		if pair, ok := x["$repeat"].([]any); ok && len(pair) == 2 {
			text, ok1 := pair[0].(string)
			n, ok2 := pair[1].(json.Number)
			count, err := n.Int64()
			if ok1 && ok2 && err == nil {
				return strings.Repeat(text, int(count))
			}
		}
		out := make(map[string]any, len(x))
		for k := range maps.Keys(x) {
			out[k] = repeated(x[k])
		}
		return out
	case []any:
		out := make([]any, 0, len(x))
		for _, e := range x {
			out = append(out, repeated(e))
		}
		return out
	default:
		return v
	}
}

// judge compares an answer with what the case expects.
func (c CoderCase) judge(got Answer) error {
	if got.Status != c.Expect.Status {
		return fmt.Errorf("status is %d, want %d", got.Status, c.Expect.Status)
	}
	if got.Status != 204 && got.Header.Get("Content-Type") != "application/json; charset=utf-8" {
		return fmt.Errorf("Content-Type is %q", got.Header.Get("Content-Type"))
	}
	var body struct {
		Message     string                           `json:"message"`
		Detail      string                           `json:"detail"`
		Validations []struct{ Field, Detail string } `json:"validations"`
	}
	if got.Status >= 300 {
		if err := json.Unmarshal(got.Body, &body); err != nil {
			return fmt.Errorf("the error is not JSON: %w", err)
		}
	}
	if want := c.Expect.DetailContains; want != nil {
		texts := []string{body.Message + " " + body.Detail}
		if c.Expect.Field != nil {
			texts = nil
			for _, v := range body.Validations {
				if v.Field == *c.Expect.Field {
					texts = append(texts, v.Detail)
				}
			}
		}
		contains := func(part string) bool {
			return slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(s, part) })
		}
		if !contains(*want) || !contains(c.DetailAlso) {
			return fmt.Errorf("no error on %v contains %q", c.Expect.Field, *want)
		}
	}
	if c.ExpectMessage != "" && body.Message != c.ExpectMessage {
		return fmt.Errorf("message is %q, want %q", body.Message, c.ExpectMessage)
	}
	var fields []string
	for _, v := range body.Validations {
		fields = append(fields, v.Field)
	}
	if c.ExpectFieldsInOrder != nil && !slices.Equal(fields, c.ExpectFieldsInOrder) {
		return fmt.Errorf("fields are %v, want %v", fields, c.ExpectFieldsInOrder)
	}
	return c.judgeBody(got.Body)
}

func (c CoderCase) judgeBody(body []byte) error {
	if c.ExpectNamesInOrder != nil {
		var list []struct{ Name string }
		if err := json.Unmarshal(body, &list); err != nil {
			return err
		}
		var names []string
		for _, e := range list {
			names = append(names, e.Name)
		}
		if !slices.Equal(names, c.ExpectNamesInOrder) {
			return fmt.Errorf("names are %v, want %v", names, c.ExpectNamesInOrder)
		}
	}
	if len(c.Expect.BodyIncludes) == 0 {
		return nil
	}
	var want, is any
	if err := errors.Join(json.Unmarshal(c.Expect.BodyIncludes, &want), json.Unmarshal(body, &is)); err != nil {
		return err
	}
	return includes("body", repeated(want), is)
}

// includes tells where is lacks something of want.
func includes(at string, want, is any) error {
	switch w := want.(type) {
	case map[string]any:
		i, ok := is.(map[string]any)
		if !ok {
			return fmt.Errorf("%s is no object", at)
		}
		for k, v := range w {
			got, present := i[k]
			if v == "$absent" {
				if present {
					return fmt.Errorf("%s.%s is there", at, k)
				}
				continue
			}
			if !present {
				return fmt.Errorf("%s.%s is missing", at, k)
			}
			if err := includes(at+"."+k, v, got); err != nil {
				return err
			}
		}
		return nil
	case []any:
		i, ok := is.([]any)
		if !ok || len(i) != len(w) {
			return fmt.Errorf("%s has not %d elements", at, len(w))
		}
		for k := range w {
			if err := includes(fmt.Sprintf("%s[%d]", at, k), w[k], i[k]); err != nil {
				return err
			}
		}
		return nil
	default:
		if want != is {
			return fmt.Errorf("%s is not %v", at, want)
		}
		return nil
	}
}
