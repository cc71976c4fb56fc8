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
	got := Use{}.Add(3, true).Add(5, false)
	if diff := cmp.Diff(Use{Secrets: 2, ValueBytes: 8, EnvValueBytes: 3}, got); diff != "" {
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
		"exactly at every limit is within it":       {use: Use{2, 100, 10}},
		"one secret more than the count is refused": {Use{3, 0, 0}, &Excess{Count, 2, 3}, "3 secrets exceed the tenant's limit of 2: delete some"},
		"one byte more than the sum is refused": {
			Use{2, 101, 10}, &Excess{ValueBytes, 100, 101}, "101 bytes of values exceed the tenant's limit of 100: shorten or delete some",
		},
		"one byte more in variables is refused": {
			Use{2, 100, 11}, &Excess{EnvValueBytes, 10, 11},
			"11 bytes of values in environment variables exceed the tenant's limit of 10: shorten them, or project some as files",
		},
		"of several limits the count is told first": {Use{3, 101, 11}, &Excess{Count, 2, 3}, "3 secrets exceed the tenant's limit of 2: delete some"},
		"the sum is told before the sum of variables": {
			Use{2, 101, 11}, &Excess{ValueBytes, 100, 101}, "101 bytes of values exceed the tenant's limit of 100: shorten or delete some",
		},
	} {
		t.Run(name, func(t *testing.T) {
			wantExcess(t, l.Check(tt.use), tt.want, tt.wantMsg)
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
		"exactly at every limit is within it":       {use: Use{2, 100, 0}},
		"one secret more than the count is refused": {Use{3, 101, 0}, &Excess{Count, 2, 3}, "3 secrets exceed the tenant's limit of 2: delete some"},
		"one byte more than the sum is refused": {
			Use{2, 101, 0}, &Excess{ValueBytes, 100, 101}, "101 bytes of values exceed the tenant's limit of 100: shorten or delete some",
		},
		"variables have no limit of their own": {use: Use{2, 100, 1000}},
	} {
		t.Run(name, func(t *testing.T) {
			wantExcess(t, l.Check(tt.use), tt.want, tt.wantMsg)
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
