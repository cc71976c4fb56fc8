// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/controllers/keyrotation"
)

func TestTheDefaultsAreValid(t *testing.T) {
	for name, o := range map[string]interface {
		addFlags(*pflag.FlagSet)
		validate() error
	}{
		"controller": &controllerOptions{}, "server": &serverOptions{},
	} {
		t.Run(name, func(t *testing.T) {
			fs := pflag.NewFlagSet(name, pflag.ContinueOnError)
			o.addFlags(fs)
			if err := fs.Parse(nil); err != nil {
				t.Fatal(err)
			}
			if err := o.validate(); err != nil {
				t.Errorf("validate() = %v", err)
			}
			fs.VisitAll(func(f *pflag.Flag) {
				if f.Usage == "" {
					t.Errorf("--%s does not say what it is for", f.Name)
				}
			})
		})
	}
}

func TestKeyRetention(t *testing.T) {
	for name, tt := range map[string]struct {
		flags []string
		want  bool
	}{
		"a year is the default":                       {nil, true},
		"for ever":                                    {[]string{"--key-retention=0"}, true},
		"a day is the least":                          {[]string{"--key-retention=24h"}, true},
		"less than a day is refused":                  {[]string{"--key-retention=23h"}, false},
		"also where keys are not rotated any more":    {[]string{"--key-rotation=0", "--key-retention=1m"}, false},
		"a retention below the rotation is a choice":  {[]string{"--key-rotation=2160h", "--key-retention=168h"}, true},
		"a quick rotation does not shorten retention": {[]string{"--key-rotation=1h", "--key-retention=1h"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			o, fs := &controllerOptions{}, pflag.NewFlagSet(name, pflag.ContinueOnError)
			o.addFlags(fs)
			if err := fs.Parse(tt.flags); err != nil {
				t.Fatal(err)
			}
			if err := o.validate(); (err == nil) != tt.want {
				t.Errorf("validate() = %v, want it to be valid: %t", err, tt.want)
			}
		})
	}
}

// TestAWrongFlagIsNamed runs the commands: they refuse before they reach for a
// cluster.
func TestAWrongFlagIsNamed(t *testing.T) {
	both := map[string]string{
		"--v=-1":                              "--v must be 0 or more, not -1",
		"--log-format=xml":                    "--log-format must be text or json",
		"--namespace=":                        "--namespace must be the name of a namespace",
		"--namespace=a/b":                     "--namespace must be the name of a namespace",
		"--namespace=a-":                      "--namespace must be the name of a namespace",
		"--tenant-namespaces=a,b/c":           `--tenant-namespaces must be names of namespaces other than Latchkey's own, not "b/c"`,
		"--tenant-namespaces=latchkey-system": `--tenant-namespaces must be names of namespaces other than Latchkey's own, not "latchkey-system"`,
		"--user-max-secrets=0":                "--user-max-secrets must be 1 or more, not 0",
		"--user-max-value-bytes=-5":           "--user-max-value-bytes must be 1 or more, not -5",
		"--user-max-env-value-bytes=0":        "--user-max-env-value-bytes must be 1 or more, not 0",
		"--agent-max-secrets=0":               "--agent-max-secrets must be 1 or more, not 0",
		"--agent-max-value-bytes=0":           "--agent-max-value-bytes must be 1 or more, not 0",
		"--agent-max-value-bytes=65537":       "--agent-max-value-bytes must be at most 65536, since a sealed value has to fit its field",
		"--agent-max-total-value-bytes=0":     "--agent-max-total-value-bytes must be 1 or more, not 0",
	}
	controller := map[string]string{
		"--workers=0":                 "--workers must be 1 to 256, not 0",
		"--workers=257":               "--workers must be 1 to 256, not 257",
		"--key-rotation=-1s":          "--key-rotation and --key-retention must not be negative",
		"--key-retention=-1s":         "--key-rotation and --key-retention must not be negative",
		"--key-retention=1ns":         "--key-retention must be 0 or at least 24h0m0s, not 1ns: a deleted key opens nothing any more",
		"--key-retention=23h59m59s":   "--key-retention must be 0 or at least 24h0m0s, not 23h59m59s: a deleted key opens nothing any more",
		"--reseal-rate=0":             "--reseal-rate must be above 0",
		"--reseal-rate=-1":            "--reseal-rate must be above 0",
		"--reseal-rate=NaN":           "--reseal-rate must be above 0",
		"--key-check-interval=0":      "--key-check-interval must be above 0",
		"--restart-delay=-1s":         "--restart-delay must not be negative, and --max-concurrent-rollouts must be 1 or more",
		"--unregister-apis-after=-1s": "--unregister-apis-after must not be negative, but is -1s",
		"--restart-min-interval=-1s":  "--restart-min-interval must be 0 to 24h, not -1s",
		"--restart-min-interval=25h":  "--restart-min-interval must be 0 to 24h, not 25h0m0s",
		"--rollout-timeout=0":         "--rollout-timeout must be 1s to 1h, not 0s",
		"--rollout-timeout=2h":        "--rollout-timeout must be 1s to 1h, not 2h0m0s",
		"--max-concurrent-rollouts=0": "--restart-delay must not be negative, and --max-concurrent-rollouts must be 1 or more",
	}
	server := map[string]string{
		"--webhook-bind-address=9443":   `--webhook-bind-address must be an address such as :9443, not "9443"`,
		"--webhook-bind-address=:0":     `--webhook-bind-address must be an address such as :9443, not ":0"`,
		"--webhook-bind-address=:65536": `--webhook-bind-address must be an address such as :9443, not ":65536"`,
		"--webhook-bind-address=:https": `--webhook-bind-address must be an address such as :9443, not ":https"`,
		"--default-home=home":           "--default-home must be an absolute path in which files can be",
		"--default-home=/proc":          "--default-home must be an absolute path in which files can be",
	}
	for name, tt := range map[string]struct {
		command func() *cobra.Command
		wrong   []map[string]string
	}{
		"controller": {controllerCommand, []map[string]string{both, controller}},
		"server":     {serverCommand, []map[string]string{both, server}},
	} {
		for _, flags := range tt.wrong {
			for flag, want := range flags {
				t.Run(name+" "+flag, func(t *testing.T) {
					cmd := tt.command()
					cmd.SilenceUsage, cmd.SilenceErrors = true, true
					cmd.SetArgs([]string{flag})
					if err := cmd.ExecuteContext(t.Context()); err == nil || err.Error() != want {
						t.Errorf("it ends with %v, want %q", err, want)
					}
				})
			}
		}
		t.Run(name+" tells all at once", func(t *testing.T) {
			cmd := tt.command()
			cmd.SilenceUsage, cmd.SilenceErrors = true, true
			cmd.SetArgs([]string{"--v=-1", "--namespace=", "--user-max-secrets=0"})
			err := cmd.ExecuteContext(t.Context())
			for _, want := range []string{"--v ", "--namespace ", "--user-max-secrets "} {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("it ends with %v, want %s in it", err, want)
				}
			}
		})
		t.Run(name+" takes no arguments", func(t *testing.T) {
			cmd := tt.command()
			cmd.SilenceUsage, cmd.SilenceErrors = true, true
			cmd.SetArgs([]string{"surprise"})
			if err := cmd.ExecuteContext(t.Context()); err == nil {
				t.Error("it takes one")
			}
		})
	}
}

func TestHostPort(t *testing.T) {
	for name, tt := range map[string]struct {
		address, wantHost string
		wantPort          int
	}{
		"every address of the machine": {":9443", "", 9443},
		"one address":                  {"10.0.0.1:443", "10.0.0.1", 443},
		"an IPv6 address":              {"[::1]:65535", "::1", 65535},
	} {
		t.Run(name, func(t *testing.T) {
			host, port, err := hostPort("x", tt.address)
			if host != tt.wantHost || port != tt.wantPort || err != nil {
				t.Errorf("hostPort = %q, %d, %v, want %q, %d", host, port, err, tt.wantHost, tt.wantPort)
			}
		})
	}
}

func TestConfig(t *testing.T) {
	file := filepath.Join(t.TempDir(), "kubeconfig")
	err := os.WriteFile(file, []byte(`{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: k}}],
clusters: [{name: k, cluster: {server: "https://example.invalid"}}]}`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	o := commonOptions{kubeconfig: file}
	cfg, err := o.config(logr.Discard())
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Host != "https://example.invalid" || cfg.QPS >= 0 || !strings.HasPrefix(cfg.UserAgent, "latchkey/") {
		t.Errorf("config reaches %s at %v requests a second as %s", cfg.Host, cfg.QPS, cfg.UserAgent)
	}
	o.kubeconfig = file + "-missing"
	if _, err := o.config(logr.Discard()); err == nil || !strings.Contains(err.Error(), "--kubeconfig") {
		t.Errorf("without a cluster, config = %v, want it to name the flag", err)
	}
}

func TestTheSchemeKnowsWhatIsReadAndWritten(t *testing.T) {
	scheme := newScheme()
	for _, kind := range []string{"UserSecret", "UserSecretList", "AgentSecret", "AgentSecretList"} {
		if !scheme.Recognizes(v1alpha1.GroupVersion.WithKind(kind)) {
			t.Errorf("%s is not known", kind)
		}
	}
	if !scheme.Recognizes(corev1.SchemeGroupVersion.WithKind("Secret")) {
		t.Error("Secret is not known")
	}
}

func TestKeysAreKeptByWhoSeesOnlySomeNamespaces(t *testing.T) {
	for name, tt := range map[string]struct {
		tenants []string
		want    time.Duration
	}{
		"all namespaces": {nil, time.Hour},
		"some":           {[]string{"alice"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			o := &controllerOptions{commonOptions: commonOptions{tenants: tt.tenants}, rotation: keyrotation.Options{Retention: time.Hour, Rotation: time.Minute}}
			if got := o.keys(); got.Retention != tt.want || got.Rotation != time.Minute {
				t.Errorf("keys() = %+v, want keys kept for %s", got, tt.want)
			}
		})
	}
}
