// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package leak_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-dev/latchkey/internal/leak"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

const canary = `canary-7741 "<quoted>" \ end`

func quoted(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func gzipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	return b.String()
}

func zipped(text string) string {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	f, err := w.Create("original")
	if err != nil {
		panic(err)
	}
	_, _ = f.Write([]byte(text))
	_ = w.Close()
	return b.String()
}

func TestIn_UsualSpellings_AreFound(t *testing.T) {
	manifest := func(value string) string { return `{"kind":"UserSecret","spec":{"value":` + quoted(value) + `}}` }
	std, raw := base64.StdEncoding.EncodeToString, base64.RawURLEncoding.EncodeToString
	for name, spell := range map[string]func(value string) string{
		"as it is":                     func(v string) string { return v },
		"in a text":                    func(v string) string { return "the token is " + v + ", keep it" },
		"with a line end":              func(v string) string { return v + "\n" },
		"in JSON":                      manifest,
		"in JSON in JSON":              func(v string) string { return quoted(manifest(v)) },
		"in a YAML block":              func(v string) string { return "spec:\n  value: |\n    " + strings.ReplaceAll(v, " ", "\n    ") + "\n" },
		"in base64":                    func(v string) string { return std([]byte(v)) },
		"in base64 for URLs":           func(v string) string { return raw([]byte(v + "??>>")) },
		"in base64 of a manifest":      func(v string) string { return std([]byte(manifest(v))) },
		"in base64 behind other words": func(v string) string { return "data/abc" + std([]byte("x: "+v)) },
		"in base64 on several lines":   func(v string) string { s := std([]byte(v)); return s[:10] + "\n" + s[10:] },
		"in base64 twice":              func(v string) string { return std([]byte(std([]byte(v)))) },
		"in base64 in a native Secret": func(v string) string { return `{"data":{"a":"` + std([]byte(v)) + `"}}` },
		"in hexadecimal":               func(v string) string { return hex.EncodeToString([]byte(v)) },
		"in a URL":                     func(v string) string { return "https://u:" + url.PathEscape(v) + "@host" },
		"compressed, as some tools do": func(v string) string { return std([]byte(gzipped(manifest(v)))) },
		"in an archive, as others do":  func(v string) string { return std([]byte(zipped(manifest(v)))) },
		"in escapes of four digits": func(v string) string {
			var s strings.Builder
			for _, r := range v {
				fmt.Fprintf(&s, `\u%04x`, r)
			}
			return s.String()
		},
		"in one of many long fields":    func(v string) string { return strings.Repeat("abcdefghij0123456789/+ ", 2000) + manifest(v) },
		"in a list of words as base64":  func(v string) string { return strings.Repeat("word ", 50) + std([]byte(v)) },
		"with other spaces than it has": func(v string) string { return strings.ReplaceAll(v, " ", "\t\n") },
	} {
		t.Run(name, func(t *testing.T) {
			f := leak.Of(seal.ValueOf(canary))
			if !f.In(spell(canary)) {
				t.Errorf("not found in %q", spell(canary))
			}
			if f.In(spell("another-value of some length")) {
				t.Error("found where it is not")
			}
		})
	}
}

func TestOf_ShortValues_AreNotLookedFor(t *testing.T) {
	text := "a true 1 null postgres production localhost 1234567 hunter2"
	for word := range strings.FieldsSeq(text) {
		if leak.Of(seal.ValueOf(word)).In(text) {
			t.Errorf("%q is looked for, and is in many texts", word)
		}
	}
	for _, value := range []string{"hunter22", "12345678", "correcthorsebattery", "a b c d-e f g h"} {
		if !leak.Of(seal.ValueOf(value)).In("x " + value) {
			t.Errorf("%q is not looked for", value)
		}
	}
	if leak.Of().In("anything") || leak.Of(seal.Value{}).In("") {
		t.Error("nothing is found")
	}
}

func TestOfJSON_Leaves_AreLookedForUnlessTheyArePublic(t *testing.T) {
	f := leak.OfJSON(seal.ValueOf(`{"host":"db-1.internal","pin":41111111,"mode":"read-only-1","list":[["deep-secret-1"]],"ok":true}`),
		[]byte(`{"cases":["read-only-1"],"type":"Enum"}`))
	for text, want := range map[string]bool{
		"host: db-1.internal": true, "41111111": true, "the deep-secret-1": true, "read-only-1": false, "true": false, "host": false,
	} {
		if got := f.In(text); got != want {
			t.Errorf("In(%q) = %t, want %t", text, got, want)
		}
	}
	if str := leak.OfJSON(seal.ValueOf(`"canary-7741"`), nil); !str.In(base64.StdEncoding.EncodeToString([]byte("canary-7741"))) {
		t.Error("a string is not found without its quotes")
	}
}

// Twice the text or twice the values must not cost four times as much.
func TestIn_LargeTexts_CostGrowsWithTheirLength(t *testing.T) {
	many := func(n int) (value, text string) {
		var items []string
		for i := range n {
			items = append(items, fmt.Sprintf("%q", fmt.Sprintf("aaaaaaaaaaaaaaaa%06d", i)))
		}
		return "[" + strings.Join(items, ",") + "]", strings.Repeat("a", 20*n)
	}
	for name, text := range map[string]func(int) string{
		"letters":  func(n int) string { return strings.Repeat("a", n) },
		"escapes":  func(n int) string { return strings.Repeat(`\`, n) },
		"percents": func(n int) string { return strings.Repeat("%41", n/3) },
		"base64":   func(n int) string { return strings.Repeat("QUFB", n/4) },
	} {
		cost := func(n int) float64 {
			f, in, least := leak.Of(seal.ValueOf(canary)), text(n), time.Hour
			for range 5 {
				start := time.Now()
				f.In(in)
				least = min(least, time.Since(start))
			}
			return float64(least)
		}
		if small, large := cost(32<<10), cost(128<<10); large > 24*small {
			t.Errorf("%s: four times the text cost %.1f times as much", name, large/small)
		}
	}
	value, text := many(3000)
	if leak.OfJSON(seal.ValueOf(value), nil).In(text) {
		t.Error("found where it is not")
	}
}

func FuzzIn(f *testing.F) {
	f.Add("canary-7741", "x canary-7741", true)
	f.Add("canary-7741", "UEsDBA==", false)
	f.Add("canary-7741", `\u00`, false)
	f.Add("canary-7741", "H4sIAAAAAAAA", false)
	f.Add("0000000\xca", " ", false) // no UTF-8, beside white space
	f.Fuzz(func(t *testing.T, value, text string, _ bool) {
		finder := leak.Of(seal.ValueOf(value))
		if finder != nil && !finder.In(text+value) {
			t.Error("a value is not found as it is")
		}
	})
}
