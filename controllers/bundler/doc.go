// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package bundler reconciles the bundles of one kind of object. It reads the
// UserSecrets or AgentSecrets of a tenant, and writes the tenant's native Secrets and
// the objects' status. What differs between the kinds is in user.go and agent.go.
//
// The unit of work is a tenant, not an object, so any number of changes becomes one
// write for each bundle. The package reads objects, bundles and the metadata of other
// Secrets from caches, and the Secrets that valueFrom names from the API server. While
// nothing changes, it sends no request and opens no value.
package bundler
