// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package limits holds the limits of a tenant. The defaults are those of the REST
// contracts. Pure.
package limits

import "fmt"

// User limits the user secrets of one tenant.
type User struct {
	// Secrets is how many there may be.
	Secrets int
	// ValueBytes is the sum of all values, in plaintext bytes.
	ValueBytes int
	// EnvValueBytes is the sum of the values that have a variable.
	EnvValueBytes int
}

// Agent limits the agent secrets of one tenant.
type Agent struct {
	// Secrets is how many there may be.
	Secrets int
	// ValueBytes is the size of one value, in bytes of its canonical JSON.
	ValueBytes int
	// TotalValueBytes is the sum of all values.
	TotalValueBytes int
}

// DefaultUser are the limits of the user-secrets contract.
func DefaultUser() User {
	return User{Secrets: 50, ValueBytes: 204800, EnvValueBytes: 24576}
}

// DefaultAgent are the limits of the agent-secrets contract.
func DefaultAgent() Agent {
	return Agent{Secrets: 500, ValueBytes: 64 << 10, TotalValueBytes: 900 << 10}
}

// Use is what some secrets take of a tenant's limits.
type Use struct {
	// Secrets is their number.
	Secrets int
	// ValueBytes is the sum of their values.
	ValueBytes int
	// EnvValueBytes is the sum of the values that have a variable.
	EnvValueBytes int
}

// Add returns u with one more secret of size bytes.
func (u Use) Add(size int, env bool) Use {
	u.Secrets++
	u.ValueBytes += size
	if env {
		u.EnvValueBytes += size
	}
	return u
}

// Kind names a limit.
type Kind string

// Kinds of limits.
const (
	// Count limits the number of secrets.
	Count Kind = "Count"
	// ValueBytes limits the sum of values.
	ValueBytes Kind = "ValueBytes"
	// EnvValueBytes limits the sum of values that have a variable.
	EnvValueBytes Kind = "EnvValueBytes"
)

// Excess says which limit was exceeded.
type Excess struct {
	// Kind is the limit.
	Kind Kind
	// Max is its size; Would is what the tenant would have.
	Max, Would int
}

// Error says which limit, in words for people.
func (e *Excess) Error() string {
	switch e.Kind {
	case Count:
		return fmt.Sprintf("%d secrets exceed the tenant's limit of %d: delete some", e.Would, e.Max)
	case EnvValueBytes:
		return fmt.Sprintf("%d bytes of values in environment variables exceed the tenant's limit of %d: shorten them, or project some as files", e.Would, e.Max)
	default:
		return fmt.Sprintf("%d bytes of values exceed the tenant's limit of %d: shorten or delete some", e.Would, e.Max)
	}
}

// Check returns the first limit that use exceeds, or nil.
func (l User) Check(use Use) *Excess {
	switch {
	case use.Secrets > l.Secrets:
		return &Excess{Kind: Count, Max: l.Secrets, Would: use.Secrets}
	case use.ValueBytes > l.ValueBytes:
		return &Excess{Kind: ValueBytes, Max: l.ValueBytes, Would: use.ValueBytes}
	case use.EnvValueBytes > l.EnvValueBytes:
		return &Excess{Kind: EnvValueBytes, Max: l.EnvValueBytes, Would: use.EnvValueBytes}
	}
	return nil
}

// Check returns the first limit that use exceeds, or nil.
func (l Agent) Check(use Use) *Excess {
	switch {
	case use.Secrets > l.Secrets:
		return &Excess{Kind: Count, Max: l.Secrets, Would: use.Secrets}
	case use.ValueBytes > l.TotalValueBytes:
		return &Excess{Kind: ValueBytes, Max: l.TotalValueBytes, Would: use.ValueBytes}
	}
	return nil
}
