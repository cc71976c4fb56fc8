// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package supervise

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEnvFileIsReadByAShell(t *testing.T) {
	for name, test := range map[string]struct {
		variables []Variable
		want      string
	}{
		"a value is exported":                                {[]Variable{{Name: "A", Value: "b"}}, "A=b\n"},
		"a variable without a value is left out":             {[]Variable{{"A", ""}, {"B", "c"}}, "B=c\n"},
		"spaces, quotes and expansions stay what they are":   {[]Variable{{"A", `/a b/it's $HOME "x" \`}}, `A=/a b/it's $HOME "x" \` + "\n"},
		"several values keep their order and their own line": {[]Variable{{"A", "1"}, {"B", "2"}}, "A=1\nB=2\n"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "env")
			if err := os.WriteFile(path, RenderEnv("a comment", test.variables), 0o600); err != nil {
				t.Fatal(err)
			}
			command := exec.CommandContext(t.Context(), "sh", "-c", `. "$1"; env | grep -E '^(A|B)=' | sort`, "sh", path)
			command.Env = []string{"PATH=" + os.Getenv("PATH")}
			got, err := command.Output()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, string(got)); diff != "" {
				t.Errorf("environment (-want +got):\n%s", diff)
			}
		})
	}
}
