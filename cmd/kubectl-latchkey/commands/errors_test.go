// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"bytes"
	"context"
	"encoding/base64"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/internal/seal/sealtest"
)

// ran runs a command line with an input, and returns its code and what it said.
func ran(t *testing.T, stdin string, args ...string) (code int, said string) {
	t.Helper()
	var out bytes.Buffer
	streams := cli.Streams{IOStreams: genericiooptions.IOStreams{In: strings.NewReader(stdin), Out: &out, ErrOut: &out}}
	return Run(t.Context(), streams, "dev", args), out.String()
}

func written(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const config = `apiVersion: v1
kind: Config
current-context: c
contexts: [{name: c, context: {cluster: c, user: u, namespace: alice}}]
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: USER}]
`

// configOf leads to where nobody listens.
func configOf(t *testing.T, user string) string {
	t.Helper()
	return written(t, "config", strings.ReplaceAll(config, "USER", user))
}

// asking are command lines that ask a cluster, of every command that does.
func asking(t *testing.T) map[string][]string {
	t.Helper()
	user := written(t, "m.yaml", "apiVersion: latchkey.dev/v1alpha1\nkind: UserSecret\nmetadata: {name: t, namespace: alice}\nspec: {value: something}\n")
	env := written(t, "a.env", "A=b\n")
	return map[string][]string{
		"set": {"t"}, "list": nil, "enable": {"t"}, "disable": {"t"}, "delete": {"t", "--yes"}, "describe": {"t"}, "usage": nil, "wait": {"t"},
		"import": {env, "--yes"}, "seal": {"-f", user}, "reseal": {user}, "validate": {"--server", "-f", user}, "plan": {"-f", user},
		"agent list": nil, "agent get": {"a"}, "agent set": {"a", "--type", "string"}, "agent unset": {"a"}, "agent delete": {"a", "--yes"},
		"run": {"--", "true"}, "keys list": nil, "keys rotate": nil,
		"keys backup": {"--recipient", "age1yt3tfqlfrwdwx0z0ynwplcr6qxcxfaqycuprpmy89nr83ltx74tqdpszlw", "-O", filepath.Join(t.TempDir(), "b")},
		"doctor":      nil, "whoami": nil, "can-i": {"set"}, "version": nil,
	}
}

func TestCommands_AllThatAskACluster_AreAsked(t *testing.T) {
	// The backup has to be read before anything is asked; the page asks when it is looked at.
	without := []string{"agent", "keys", "keys restore", "ui", "completion"}
	asks := asking(t)
	for _, words := range everyCommand(NewRoot(cli.Streams{}, "dev")) {
		command := strings.Join(words, " ")
		if _, is := asks[command]; !is && !slices.Contains(without, command) && words[0] != "completion" {
			t.Errorf("%s is in no table", command)
		}
	}
}

func TestCommands_WithoutACluster_SayWhyAndWhatToTry(t *testing.T) {
	empty := written(t, "empty", "")
	for name, tt := range map[string]struct {
		args []string
		code int
		want string
	}{
		"nobody listens": {
			[]string{"--kubeconfig", configOf(t, "{}")}, cli.CodeFailed,
			"error: the API server https://127.0.0.1:1 cannot be reached: connection refused. Try: kubectl cluster-info\n",
		},
		"a login by a program that is not there": {
			[]string{"--kubeconfig", configOf(t, "{exec: {apiVersion: client.authentication.k8s.io/v1, command: no-such-login, interactiveMode: Never}}")}, cli.CodeFailed,
			"error: the kubeconfig's login for the API server https://127.0.0.1:1 failed: executable no-such-login not found. Try: kubectl auth whoami\n",
		},
		"no such kubeconfig":   {[]string{"--kubeconfig", "/nowhere"}, cli.CodeUsage, "error: kubeconfig /nowhere cannot be read: no such file or directory. Try: kubectl config get-contexts\n"},
		"an empty kubeconfig":  {[]string{"--kubeconfig", empty}, cli.CodeUsage, "error: there is no kubeconfig with a cluster: choose one with --kubeconfig. Try: kubectl config get-contexts\n"},
		"a kubeconfig of junk": {[]string{"--kubeconfig", written(t, "junk", "users: [{name: u, user: {token: ["+typed+"}}]")}, cli.CodeUsage, "error: the kubeconfig cannot be read. Try: kubectl config view\n"},
		"no such context": {
			[]string{"--kubeconfig", configOf(t, "{}"), "--context", "other"}, cli.CodeUsage,
			"error: the kubeconfig has no context of this name. Try: kubectl config get-contexts\n",
		},
	} {
		for command, args := range asking(t) {
			t.Run(name+", "+command, func(t *testing.T) {
				code, said := ran(t, "a value", slices.Concat(strings.Fields(command), tt.args, args)...)
				if code != tt.code {
					t.Errorf("the exit code is %d, want %d", code, tt.code)
				}
				if command == "version" {
					said = strings.TrimPrefix(said, "plugin dev\n")
				}
				if diff := cmp.Diff(tt.want, said); diff != "" {
					t.Errorf("said (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// next is what to do after an error: a command, or where it is found.
var next = regexp.MustCompile(`\bkubectl |Try: (age-keygen|ls|date) `)

func TestCommands_RefusedBeforeAnythingIsAsked_SayWhatToDoNext(t *testing.T) {
	for line, want := range map[string]int{
		"": 0, "lsit": 2, "set": 2, "set a b": 2, "set a=b": 2, "set t --from x": 2, "set t --generate=3": 2, "set t --env PATH": 3, "set t --env A --file x": 3,
		"set t --value-file /not/there": 1, "list x": 2, "list -o toml": 2, "list --kind both": 2, "delete": 2, "set t --dry-run=maybe": 2,
		"agent set a --type list<str>": 2, "agent set a --type @/not/there": 1, "agent get a --reveal -o json": 2, "agent fetch": 2,
		"import -": 2, "import - --format toml": 2, "import /not/there.env": 1, "seal": 2, "seal x -f y": 2, "seal -f - -i": 2, "seal t --key /not/there": 2, "seal t -n a --key /not/there": 1,
		"reseal": 2, "reseal --key x y": 2, "validate": 2, "validate -f /not/there": 1, "validate -f x --key y --server": 2, "plan": 2, "plan -f /not/there": 1,
		"ui --port 70000": 2, "run true": 2, "run -- A=b": 2, "run --user --agent -- true": 2, "keys backup": 2, "keys restore": 2, "keys restore /not/there": 2,
		"keys restore /not/there --identity /not/there": 1, "keys restore x --identity y -o wide": 2, "keys rotate --dry-run=maybe": 2, "keys fetch": 2, "can-i fly": 2, "completion csh": 2, "version -o toml": 2, "list --nope": 2, "wait t --timeout": 2,
		"wait t --timeout soon": 2,
	} {
		t.Run(line, func(t *testing.T) {
			code, said := ran(t, "", append(strings.Fields(line), "--kubeconfig", configOf(t, "{}"))...)
			if strings.HasSuffix(line, "--timeout") {
				code, said = ran(t, "", strings.Fields(line)...)
			}
			if code != want {
				t.Errorf("the exit code is %d, want %d: %s", code, want, said)
			}
			if code != 0 && (!strings.HasPrefix(said, "error: ") || !next.MatchString(strings.TrimSpace(said))) {
				t.Errorf("it does not say what to do next: %s", said)
			}
		})
	}
}

// waiting is an input that somebody interrupts while it is waited for.
type waiting struct{ interrupt func() }

func (w waiting) Read([]byte) (int, error) {
	w.interrupt()
	select {}
}

func TestCommands_InterruptedWhileTheyWaitForInput_End(t *testing.T) {
	for _, line := range []string{"import - --format env", "plan -f -", "validate -f -", "seal x -n alice --key KEY", "seal -f - --key KEY"} {
		t.Run(line, func(t *testing.T) {
			ctx, interrupt := context.WithCancel(t.Context())
			t.Cleanup(interrupt)
			public, _ := sealtest.NewKey(t)
			key := written(t, "public.b64", base64.StdEncoding.EncodeToString(public.Bytes()))
			var out bytes.Buffer
			streams := cli.Streams{IOStreams: genericiooptions.IOStreams{In: waiting{interrupt}, Out: &out, ErrOut: &out}}
			args := append(strings.Fields(strings.ReplaceAll(line, "KEY", key)), "--kubeconfig", configOf(t, "{}"))
			if code := Run(ctx, streams, "dev", args); code != cli.CodeInterrupted || out.String() != "" {
				t.Errorf("the exit code is %d, want %d: %s", code, cli.CodeInterrupted, out.String())
			}
		})
	}
}

func TestCommands_ThatWrite_HaveTheSameFlags(t *testing.T) {
	var writing []string
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for _, below := range c.Commands() {
			walk(below)
		}
		if c.Flags().Lookup("dry-run") == nil {
			return
		}
		writing = append(writing, strings.TrimPrefix(c.CommandPath(), "kubectl latchkey "))
		if output := c.Flags().Lookup("output"); output == nil || output.Usage != "output format: json|yaml|name" || output.Shorthand != "o" {
			t.Errorf("%s has another -o: %v", c.CommandPath(), output)
		}
		if yes := c.Flags().Lookup("yes"); yes != nil && yes.Shorthand != "y" {
			t.Errorf("%s has no -y", c.CommandPath())
		}
	}
	walk(NewRoot(cli.Streams{}, "dev"))
	slices.Sort(writing)
	want := []string{"agent delete", "agent set", "agent unset", "delete", "disable", "enable", "import", "keys restore", "keys rotate", "set"}
	if diff := cmp.Diff(want, writing); diff != "" {
		t.Errorf("the commands that write (-want +got):\n%s", diff)
	}
}
