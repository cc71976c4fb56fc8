// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package limits holds the limits of a tenant. The defaults are those of the REST
// contracts. Pure.
package limits

import "fmt"

// User limits the user secrets of one tenant.
type User struct {
	// Secrets is the maximum number of secrets.
	Secrets int `json:"secrets"`
	// ValueBytes is the maximum sum of all values, in plaintext bytes.
	ValueBytes int `json:"valueBytes"`
	// EnvValueBytes is the maximum sum of the values that have a variable.
	EnvValueBytes int `json:"envValueBytes"`
}

// Agent limits the agent secrets of one tenant.
type Agent struct {
	// Secrets is the maximum number of secrets.
	Secrets int `json:"secrets"`
	// ValueBytes is the maximum size of one value, in bytes of its canonical JSON.
	ValueBytes int `json:"valueBytes"`
	// TotalValueBytes is the maximum sum of all values.
	TotalValueBytes int `json:"totalValueBytes"`
}

// Limits are all limits, as they are published for clients.
type Limits struct {
	// User and Agent are those of the two kinds.
	User  User  `json:"user"`
	Agent Agent `json:"agent"`
	// BundleBytes is MaxBundleBytes.
	BundleBytes int `json:"bundleBytes"`
}

// Of returns all limits of an installation.
func Of(user User, agent Agent) Limits {
	return Limits{User: user, Agent: agent, BundleBytes: MaxBundleBytes}
}

// DefaultUser are the limits of the user-secrets contract.
func DefaultUser() User {
	return User{Secrets: 50, ValueBytes: 204800, EnvValueBytes: 24576}
}

// DefaultAgent are the limits of the agent-secrets contract.
func DefaultAgent() Agent {
	return Agent{Secrets: 500, ValueBytes: 64 << 10, TotalValueBytes: 900 << 10}
}

// MaxBundleBytes is the maximum size of one native Secret of a tenant, computed as the
// API server counts and stores it. The API server allows 1 MiB for the values of a
// Secret, and etcd 1.5 MiB for the whole object. The rest is reserved for metadata,
// also of other writers.
const MaxBundleBytes = 960 << 10

// Use is what some secrets use of a tenant's limits.
type Use struct {
	// Secrets is their number.
	Secrets int
	// ValueBytes is the sum of their values.
	ValueBytes int
	// EnvValueBytes is the sum of the values that have a variable.
	EnvValueBytes int
	// EnvBundle and FilesBundle are upper bounds of what they take of the native
	// Secrets of variables and of files, as stored.
	EnvBundle, FilesBundle int
}

// Add returns the sum of u and o.
func (u Use) Add(o Use) Use {
	u.Secrets += o.Secrets
	u.ValueBytes += o.ValueBytes
	u.EnvValueBytes += o.EnvValueBytes
	u.EnvBundle += o.EnvBundle
	u.FilesBundle += o.FilesBundle
	return u
}

// Kind names a limit.
type Kind string

// Kinds of limits.
const (
	// Count limits the number of secrets.
	Count Kind = "Count"
	// OneValueBytes limits each value of an agent secret.
	OneValueBytes Kind = "OneValueBytes"
	// ValueBytes limits the sum of values.
	ValueBytes Kind = "ValueBytes"
	// EnvValueBytes limits the sum of values that have a variable.
	EnvValueBytes Kind = "EnvValueBytes"
	// EnvBundle and FilesBundle limit the sizes of the native Secrets of variables and
	// of files.
	EnvBundle   Kind = "EnvBundle"
	FilesBundle Kind = "FilesBundle"
)

// Excess is the error of an exceeded limit; of several, it names the first.
type Excess struct {
	// Kind is the limit.
	Kind Kind
	// Max is the limit; Would is what the tenant would use.
	Max, Would int
}

// Error names the limit, and how much must be freed.
func (e *Excess) Error() string {
	much := e.Would - e.Max
	switch e.Kind {
	case Count:
		return fmt.Sprintf("%d secrets exceed the tenant's limit of %d: delete %d", e.Would, e.Max, much)
	case OneValueBytes:
		return fmt.Sprintf("the value exceeds the limit of %d bytes: shorten it", e.Max)
	case EnvValueBytes:
		return fmt.Sprintf("%d bytes of values in environment variables exceed the tenant's limit of %d: shorten them by %d, or project some as files", e.Would, e.Max, much)
	case EnvBundle:
		return fmt.Sprintf("the Secret of the tenant's variables would take %d bytes and can take %d: free %d by shortening or deleting secrets", e.Would, e.Max, much)
	case FilesBundle:
		return fmt.Sprintf("the Secret of the tenant's files would take %d bytes and can take %d: free %d by shortening or deleting secrets", e.Would, e.Max, much)
	default:
		return fmt.Sprintf("%d bytes of values exceed the tenant's limit of %d: free %d by shortening or deleting some", e.Would, e.Max, much)
	}
}

// Check returns the first limit that a change of a tenant's use exceeds, or nil. A
// value that does not grow exceeds nothing: a tenant that is above a lowered limit can
// still reduce its use.
func (l User) Check(was, is Use) *Excess {
	return first(
		check(Count, l.Secrets, was.Secrets, is.Secrets),
		check(ValueBytes, l.ValueBytes, was.ValueBytes, is.ValueBytes),
		check(EnvValueBytes, l.EnvValueBytes, was.EnvValueBytes, is.EnvValueBytes),
		check(EnvBundle, MaxBundleBytes, was.EnvBundle, is.EnvBundle),
		check(FilesBundle, MaxBundleBytes, was.FilesBundle, is.FilesBundle),
	)
}

// Check returns the first limit that a change of a tenant's use exceeds, or nil. A
// value that does not grow exceeds nothing.
func (l Agent) Check(was, is Use) *Excess {
	return first(
		check(Count, l.Secrets, was.Secrets, is.Secrets),
		check(ValueBytes, l.TotalValueBytes, was.ValueBytes, is.ValueBytes),
		check(EnvBundle, MaxBundleBytes, was.EnvBundle, is.EnvBundle),
		check(FilesBundle, MaxBundleBytes, was.FilesBundle, is.FilesBundle),
	)
}

// CheckValue returns the limit that a value of this size exceeds, or nil. A value that
// does not grow exceeds nothing.
func (l Agent) CheckValue(was, is int) *Excess { return check(OneValueBytes, l.ValueBytes, was, is) }

func check(kind Kind, limit, was, is int) *Excess {
	if is <= limit || is <= was {
		return nil
	}
	return &Excess{Kind: kind, Max: limit, Would: is}
}

func first(all ...*Excess) *Excess {
	for _, e := range all {
		if e != nil {
			return e
		}
	}
	return nil
}
