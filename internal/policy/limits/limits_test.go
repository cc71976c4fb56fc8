// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package limits

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheDefaultsAreThoseOfTheContracts(t *testing.T) {
	if diff := cmp.Diff(User{Secrets: 50, ValueBytes: 204800, EnvValueBytes: 24576}, DefaultUser()); diff != "" {
		t.Errorf("user secrets (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Agent{Secrets: 500, ValueBytes: 65536, TotalValueBytes: 921600}, DefaultAgent()); diff != "" {
		t.Errorf("agent secrets (-want +got):\n%s", diff)
	}
}

func TestAdd(t *testing.T) {
	got := Use{1, 3, 3, 40, 50}.Add(Use{1, 5, 0, 0, 60})
	if diff := cmp.Diff(Use{2, 8, 3, 40, 110}, got); diff != "" {
		t.Errorf("Add (-want +got):\n%s", diff)
	}
}

func TestUserCheck(t *testing.T) {
	l := User{Secrets: 2, ValueBytes: 100, EnvValueBytes: 10}
	for name, tt := range map[string]struct {
		use     Use
		want    *Excess
		wantMsg string
	}{
		"nothing is within every limit":             {},
		"exactly at every limit is within it":       {use: Use{Secrets: 2, ValueBytes: 100, EnvValueBytes: 10}},
		"one secret more than the count is refused": {Use{Secrets: 3, ValueBytes: 0, EnvValueBytes: 0}, &Excess{Count, 2, 3}, "3 secrets exceed the tenant's limit of 2: delete 1"},
		"one byte more than the sum is refused": {
			Use{Secrets: 2, ValueBytes: 101, EnvValueBytes: 10}, &Excess{ValueBytes, 100, 101}, "101 bytes of values exceed the tenant's limit of 100: free 1 by shortening or deleting some",
		},
		"one byte more in variables is refused": {
			Use{Secrets: 2, ValueBytes: 100, EnvValueBytes: 11}, &Excess{EnvValueBytes, 10, 11},
			"11 bytes of values in environment variables exceed the tenant's limit of 10: shorten them by 1, or project some as files",
		},
		"exactly at the bound of a bundle is within it": {use: Use{EnvBundle: MaxBundleBytes, FilesBundle: MaxBundleBytes}},
		"one byte more of variables than a Secret can take is refused": {
			Use{EnvBundle: MaxBundleBytes + 1}, &Excess{EnvBundle, 983040, 983041},
			"the Secret of the tenant's variables would take 983041 bytes and can take 983040: free 1 by shortening or deleting secrets",
		},
		"one byte more of files than a Secret can take is refused": {
			Use{FilesBundle: MaxBundleBytes + 1}, &Excess{FilesBundle, 983040, 983041},
			"the Secret of the tenant's files would take 983041 bytes and can take 983040: free 1 by shortening or deleting secrets",
		},
		"of several limits the count is told first": {Use{Secrets: 3, ValueBytes: 101, EnvValueBytes: 11}, &Excess{Count, 2, 3}, "3 secrets exceed the tenant's limit of 2: delete 1"},
		"the sum is told before the sum of variables": {
			Use{Secrets: 2, ValueBytes: 101, EnvValueBytes: 11}, &Excess{ValueBytes, 100, 101}, "101 bytes of values exceed the tenant's limit of 100: free 1 by shortening or deleting some",
		},
	} {
		t.Run(name, func(t *testing.T) {
			wantExcess(t, l.Check(Use{}, tt.use), tt.want, tt.wantMsg)
		})
	}
}

// TestCheck_AboveALimit_OnlyGrowthIsRefused holds that a tenant above a limit, since it
// was lowered, can make itself smaller, whichever limit it is.
func TestCheck_AboveALimit_OnlyGrowthIsRefused(t *testing.T) {
	user, agent := User{Secrets: 2, ValueBytes: 100, EnvValueBytes: 10}, Agent{Secrets: 2, TotalValueBytes: 100}
	above := Use{Secrets: 9, ValueBytes: 900, EnvValueBytes: 90, EnvBundle: 1 << 20, FilesBundle: 1 << 20}
	for name, tt := range map[string]struct {
		more        Use
		user, agent *Excess
	}{
		"what stays is fine":           {},
		"what shrinks is fine":         {more: Use{ValueBytes: -1, EnvValueBytes: -1, EnvBundle: -1, FilesBundle: -1}},
		"one more secret is refused":   {Use{Secrets: 1}, &Excess{Count, 2, 10}, &Excess{Count, 2, 10}},
		"more bytes are refused":       {Use{ValueBytes: 1}, &Excess{ValueBytes, 100, 901}, &Excess{ValueBytes, 100, 901}},
		"more in variables is refused": {Use{EnvValueBytes: 1}, &Excess{EnvValueBytes, 10, 91}, nil},
		"a longer name of a variable is refused": {
			Use{EnvBundle: 1}, &Excess{EnvBundle, MaxBundleBytes, 1<<20 + 1}, &Excess{EnvBundle, MaxBundleBytes, 1<<20 + 1},
		},
		"more in files is refused, though other use shrinks": {
			Use{ValueBytes: -9, FilesBundle: 1}, &Excess{FilesBundle, MaxBundleBytes, 1<<20 + 1}, &Excess{FilesBundle, MaxBundleBytes, 1<<20 + 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			is := above.Add(tt.more)
			got := []*Excess{user.Check(above, is), agent.Check(above, is)}
			if diff := cmp.Diff([]*Excess{tt.user, tt.agent}, got); diff != "" {
				t.Errorf("Check of users, of agents (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAgentCheck(t *testing.T) {
	l := Agent{Secrets: 2, ValueBytes: 60, TotalValueBytes: 100}
	for name, tt := range map[string]struct {
		use     Use
		want    *Excess
		wantMsg string
	}{
		"exactly at every limit is within it":       {use: Use{Secrets: 2, ValueBytes: 100, EnvValueBytes: 0}},
		"one secret more than the count is refused": {Use{Secrets: 3, ValueBytes: 101, EnvValueBytes: 0}, &Excess{Count, 2, 3}, "3 secrets exceed the tenant's limit of 2: delete 1"},
		"one byte more than the sum is refused": {
			Use{Secrets: 2, ValueBytes: 101, EnvValueBytes: 0}, &Excess{ValueBytes, 100, 101}, "101 bytes of values exceed the tenant's limit of 100: free 1 by shortening or deleting some",
		},
		"variables have no limit of their own": {use: Use{Secrets: 2, ValueBytes: 100, EnvValueBytes: 1000}},
	} {
		t.Run(name, func(t *testing.T) {
			wantExcess(t, l.Check(Use{}, tt.use), tt.want, tt.wantMsg)
		})
	}
}

func wantExcess(t *testing.T, got, want *Excess, message string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Check (-want +got):\n%s", diff)
	}
	if got != nil && got.Error() != message {
		t.Errorf("Error() = %q, want %q", got.Error(), message)
	}
}
