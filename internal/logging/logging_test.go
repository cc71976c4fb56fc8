// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package logging

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
)

// first is what controller-runtime's logger writes: it keeps the first logger of a
// process, and here that is one at the highest verbosity.
var first bytes.Buffer

func TestMain(m *testing.M) {
	o := Options{Verbosity: 10, Format: "text"}
	o.Setup(&first)
	m.Run()
}

func TestControllerRuntimePrintsNoBodies(t *testing.T) {
	first.Reset()
	for l := range 21 {
		ctrl.Log.WithName("x").V(l).Info("V" + string(rune('0'+l)))
	}
	if lines := strings.Count(first.String(), "\n"); lines != 8 || !strings.Contains(first.String(), "V7") {
		t.Errorf("it prints %d lines, want those of 0 to 7:\n%s", lines, &first)
	}
}

// parse returns the options of a command line.
func parse(t *testing.T, args ...string) Options {
	t.Helper()
	var o Options
	fs := pflag.NewFlagSet("test", pflag.ContinueOnError)
	o.AddFlags(fs)
	if err := fs.Parse(args); err != nil {
		t.Fatal(err)
	}
	return o
}

// setup makes the process's loggers write into the returned buffer until the test
// ends.
func setup(t *testing.T, args ...string) (logr.Logger, *bytes.Buffer) {
	t.Helper()
	o := parse(t, args...)
	if err := o.Validate(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		klog.ClearLogger()
		var level klog.Level
		if err := level.Set("0"); err != nil {
			t.Error(err)
		}
	})
	var out bytes.Buffer
	return o.Setup(&out), &out
}

func TestWhatEachVerbosityPrints(t *testing.T) {
	for name, tt := range map[string]struct {
		args []string
		want []string
	}{
		"by default the operator's lines alone":            {nil, []string{"V0"}},
		"at 4 everything up to 4":                          {[]string{"--v=4"}, []string{"V0", "V1", "V2", "V3", "V4"}},
		"at 7 everything up to 7":                          {[]string{"--v=7"}, []string{"V0", "V1", "V2", "V3", "V4", "V5", "V6", "V7"}},
		"at 8, where bodies begin, no more than at 7":      {[]string{"-v8"}, []string{"V0", "V1", "V2", "V3", "V4", "V5", "V6", "V7"}},
		"at 10, in JSON, no more than at 7":                {[]string{"-v10", "--log-format=json"}, []string{"V0", "V1", "V2", "V3", "V4", "V5", "V6", "V7"}},
		"at any level that a number can be, no more still": {[]string{"--v=2147483647"}, []string{"V0", "V1", "V2", "V3", "V4", "V5", "V6", "V7"}},
	} {
		t.Run(name, func(t *testing.T) {
			log, out := setup(t, tt.args...)
			for what, say := range map[string]func(level int, message string){
				"our own logger":             func(l int, m string) { log.V(l).Info(m) },
				"a named logger with values": func(l int, m string) { log.WithName("x").WithValues("k", "v").V(l).Info(m) },
				"levels that add up":         func(l int, m string) { log.V(l / 2).V(l - l/2).Info(m) },
				"client-go's logger":         func(l int, m string) { klog.Background().V(l).Info(m) },
				"client-go's printing":       func(l int, m string) { klog.V(klog.Level(l)).Info(m) },
				"client-go's lines of pairs": func(l int, m string) { klog.V(klog.Level(l)).InfoS(m, "k", "v") },
				"a logger out of a context": func(l int, m string) {
					klog.FromContext(logr.NewContext(context.Background(), log)).V(l).Info(m)
				},
			} {
				out.Reset()
				for l := range 21 {
					say(l, "V"+string(rune('0'+l)))
				}
				var got []string
				for l := range 21 {
					if m := "V" + string(rune('0'+l)); strings.Contains(out.String(), m) {
						got = append(got, m)
					}
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("%s prints (-want +got):\n%s", what, diff)
				}
				if lines := strings.Count(out.String(), "\n"); lines != len(tt.want) {
					t.Errorf("%s prints %d lines, want %d:\n%s", what, lines, len(tt.want), out)
				}
			}
		})
	}
}

// TestNothingPreparesABody asks as client-go does before it dumps a body.
func TestNothingPreparesABody(t *testing.T) {
	log, out := setup(t, "--v=10")
	handler := logr.ToSlogHandler(log)
	for level := range 100 {
		want := level <= 7
		if got := log.V(level).Enabled(); got != want {
			t.Errorf("the logger is enabled at %d: %t, want %t", level, got, want)
		}
		if got := handler.Enabled(t.Context(), slog.Level(-level)); got != want {
			t.Errorf("the handler is enabled at %d: %t, want %t", level, got, want)
		}
		if got := klog.V(klog.Level(level)).Enabled(); got != want {
			t.Errorf("klog is enabled at %d: %t, want %t", level, got, want)
		}
		if got := klog.Background().V(level).Enabled(); got != want {
			t.Errorf("client-go's logger is enabled at %d: %t, want %t", level, got, want)
		}
		if got := ctrl.Log.V(level).Enabled(); got != want {
			t.Errorf("controller-runtime's logger is enabled at %d: %t, want %t", level, got, want)
		}
	}
	log.V(8).Error(context.Canceled, "Errors are printed at any level")
	if !strings.Contains(out.String(), "Errors are printed") {
		t.Error("an error is not printed")
	}
}

func TestFormats(t *testing.T) {
	log, out := setup(t, "--log-format=json")
	log.Info("Hello", "key", "value")
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil || line["msg"] != "Hello" || line["key"] != "value" {
		t.Errorf("the line is %q (%v), want JSON with the message and the pair", out, err)
	}
	log, out = setup(t)
	log.Info("Hello", "key", "value")
	if !strings.Contains(out.String(), "msg=Hello key=value") {
		t.Errorf("the line is %q, want text with the message and the pair", out)
	}
}

func TestValidate(t *testing.T) {
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"the defaults are fine":           {nil, ""},
		"a negative verbosity is refused": {[]string{"--v=-1"}, "--v must be 0 or more, not -1"},
		"another format is refused":       {[]string{"--log-format=xml"}, "--log-format must be text or json"},
	} {
		t.Run(name, func(t *testing.T) {
			o := parse(t, tt.args...)
			got := ""
			if err := o.Validate(); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("Validate() = %q, want %q", got, tt.want)
			}
		})
	}
}
