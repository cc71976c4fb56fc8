// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEnvironment_BundlesOverWhatIsInherited_LaterOnesWin(t *testing.T) {
	inherited := []string{"PATH=/bin", "T=mine", "LATCHKEY_FILES=/of/another/run", "EMPTY="}
	agent := map[string][]byte{"T": []byte("agent"), "A": []byte("1\n2"), "LATCHKEY_FILES": []byte("/forged")}
	user := map[string][]byte{"T": []byte("user")}
	for name, tt := range map[string]struct {
		folder string
		want   []string
	}{
		"with files":    {"/dev/shm/x", []string{"PATH=/bin", "EMPTY=", "A=1\n2", "LATCHKEY_FILES=/dev/shm/x", "T=user"}},
		"without files": {"", []string{"PATH=/bin", "EMPTY=", "A=1\n2", "T=user"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, left := Environment(inherited, tt.folder, agent, nil, user)
			if diff := cmp.Diff(tt.want, got); diff != "" || left != nil {
				t.Errorf("left out: %v, environment (-want +got):\n%s", left, diff)
			}
		})
	}
}

// Who may write a secret of the namespace must not run code on the machines of others.
func TestEnvironment_VariablesThatRunCode_AreLeftOutWithAReason(t *testing.T) {
	for _, name := range []string{"PATH", "LD_PRELOAD", "GIT_SSH_COMMAND", "NODE_OPTIONS", "BASH_ENV", "bash_env", "X_EDITOR", "HOME"} {
		env, left := Environment([]string{name + "=mine"}, "", map[string][]byte{name: []byte("canary-1d")})
		if diff := cmp.Diff([]string{name + "=mine"}, env); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if len(left) != 1 {
			t.Errorf("%s: reasons %v", name, left)
		}
	}
}

func TestEnvironment_WhatIsNoVariable_IsLeftOutWithoutItsValue(t *testing.T) {
	env, left := Environment(nil, "", map[string][]byte{"A": []byte("canary-1d\x00x"), "": []byte("x"), "OK": []byte("x")})
	want := []string{"variable  is left out: that is no name of a variable", "variable A is left out: its value has a NUL byte"}
	if diff := cmp.Diff(want, left); diff != "" {
		t.Errorf("left out (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"OK=x"}, env); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
}
