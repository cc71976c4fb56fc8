// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package seal_test

import (
	"bytes"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"k8s.io/klog/v2/textlogger"
	"k8s.io/utils/dump"
	"sigs.k8s.io/yaml"

	"github.com/latchkey-dev/latchkey/internal/seal"
)

// holder has the Value where no printer may call its methods.
type holder struct {
	Exported   seal.Value
	unexported seal.Value
	pointer    *seal.Value
	list       []seal.Value
	byName     map[string]seal.Value
	any        any
}

func newHolder() *holder {
	v := seal.ValueOf(canary)
	return &holder{v, v, &v, []seal.Value{v}, map[string]seal.Value{"k": v}, v}
}

// leaks reports whether out shows the canary in any of the usual spellings.
func leaks(out string) bool {
	decimal := strings.Trim(fmt.Sprint([]byte(canary)), "[]")
	for _, spelling := range []string{
		canary,
		hex.EncodeToString([]byte(canary)),
		strings.ToUpper(hex.EncodeToString([]byte(canary))),
		base64.StdEncoding.EncodeToString([]byte(canary)),
		decimal,
		strings.ReplaceAll(decimal, " ", ", "),
		strings.Trim(fmt.Sprintf("%#v", []byte(canary)), "[]byte{}"),
		hex.Dump([]byte(canary))[10:40],
	} {
		if strings.Contains(out, spelling) {
			return true
		}
	}
	return false
}

func TestLeaksFindsALeak(t *testing.T) {
	b := []byte(canary)
	for _, out := range []string{canary, fmt.Sprint(b), fmt.Sprintf("%#v", b), fmt.Sprintf("%x", b), fmt.Sprintf("%X", b), dump.Pretty(b)} {
		if !leaks(out) {
			t.Errorf("leaks does not see the canary in %q", out)
		}
	}
}

func TestFmtPrintsNoValue(t *testing.T) {
	v := seal.ValueOf(canary)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%T", "%p", "%c", "%U", "%e", "%b", "%o", "%100s", "%.3s", "% x", "%!"} {
		for name, arg := range map[string]any{
			"a value":              v,
			"a pointer to a value": &v,
			"a list":               []seal.Value{v},
			"a map":                map[string]seal.Value{"k": v},
			"a struct":             *newHolder(),
			"a pointer to struct":  newHolder(),
			"a nested struct":      struct{ h holder }{*newHolder()},
		} {
			if out := fmt.Sprintf(verb, arg); leaks(out) {
				t.Errorf("%s of %s shows the value: %s", verb, name, out)
			}
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%100s"} {
		if got := fmt.Sprintf(verb, v); got != "[redacted]" {
			t.Errorf("%s = %q, want [redacted]", verb, got)
		}
	}
	if err := fmt.Errorf("with %v: %w", v, fmt.Errorf("%s", v)); leaks(err.Error()) {
		t.Error("an error shows the value")
	}
}

func TestEncodersAndLoggersShowNoValue(t *testing.T) {
	marshal := func(f func(any) ([]byte, error)) func(any) string {
		return func(v any) string {
			b, err := f(v)
			return fmt.Sprint(string(b), err)
		}
	}
	gobEncode := func(v any) ([]byte, error) {
		var b bytes.Buffer
		err := gob.NewEncoder(&b).Encode(v)
		return b.Bytes(), err
	}
	printers := map[string]func(any) string{
		"encoding/json": marshal(json.Marshal),
		"encoding/xml":  marshal(xml.Marshal),
		"encoding/gob":  marshal(gobEncode),
		"yaml":          marshal(yaml.Marshal),
		"spew without methods, as Kubernetes uses it": dump.Pretty,
		"spew on one line":                            dump.OneLine,
		"log/slog as text": func(v any) string {
			var b bytes.Buffer
			slog.New(slog.NewTextHandler(&b, nil)).Info("Message", "v", v)
			return b.String()
		},
		"log/slog as JSON": func(v any) string {
			var b bytes.Buffer
			slog.New(slog.NewJSONHandler(&b, nil)).Info("Message", "v", v)
			return b.String()
		},
		"klog": func(v any) string {
			var b bytes.Buffer
			textlogger.NewLogger(textlogger.NewConfig(textlogger.Output(&b))).Info("Message", "v", v)
			return b.String()
		},
		"zap": func(v any) string {
			return zapLine(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), v)
		},
		"zap for the console": func(v any) string {
			return zapLine(zapcore.NewConsoleEncoder(zap.NewDevelopmentEncoderConfig()), v)
		},
		"cmp.Diff": func(v any) string {
			return cmp.Diff(v, struct{}{}, cmp.AllowUnexported(holder{}))
		},
	}
	v := seal.ValueOf(canary)
	for name, show := range printers {
		for what, arg := range map[string]any{"a value": v, "a pointer": &v, "a struct": newHolder(), "a list": []seal.Value{v}} {
			if out := show(arg); leaks(out) {
				t.Errorf("%s of %s shows the value: %s", name, what, out)
			}
		}
	}
	for _, name := range []string{"encoding/json", "encoding/xml", "yaml", "log/slog as text", "log/slog as JSON", "klog", "zap"} {
		if out := printers[name](v); !strings.Contains(out, "[redacted]") {
			t.Errorf("%s does not say [redacted]: %s", name, out)
		}
	}
}

func zapLine(encoder zapcore.Encoder, v any) string {
	var b bytes.Buffer
	zap.New(zapcore.NewCore(encoder, zapcore.AddSync(&b), zap.DebugLevel)).Info("Message", zap.Any("v", v), zap.Reflect("r", v))
	return b.String()
}

func TestValueHoldsACopy(t *testing.T) {
	b := []byte(canary)
	v := seal.NewValue(b)
	b[0] = 'X'
	v.Reveal()[1] = 'X'
	if got := string(v.Reveal()); got != canary {
		t.Errorf("Reveal() = %q, want %q", got, canary)
	}
	if got := v.Len(); got != len(canary) {
		t.Errorf("Len() = %d, want %d", got, len(canary))
	}
}

func TestValueEqual(t *testing.T) {
	for name, tc := range map[string]struct {
		a, b seal.Value
		want bool
	}{
		"the same secret is equal":                  {seal.ValueOf("a"), seal.ValueOf("a"), true},
		"another secret is not":                     {seal.ValueOf("a"), seal.ValueOf("b"), false},
		"a prefix is not":                           {seal.ValueOf("a"), seal.ValueOf("ab"), false},
		"nothing is not something":                  {seal.Value{}, seal.ValueOf("a"), false},
		"the zero value equals an empty secret":     {seal.Value{}, seal.ValueOf(""), true},
		"an empty secret equals one made of no nil": {seal.NewValue([]byte{}), seal.NewValue(nil), true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tc.a.Equal(tc.b); got != tc.want {
				t.Errorf("a.Equal(b) = %v, want %v", got, tc.want)
			}
			if got := tc.b.Equal(tc.a); got != tc.want {
				t.Errorf("b.Equal(a) = %v, want %v", got, tc.want)
			}
		})
	}
	if got := (seal.Value{}).Reveal(); got == nil || len(got) != 0 {
		t.Errorf("Reveal() of nothing = %v, want no bytes", got)
	}
}
