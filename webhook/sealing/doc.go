// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package sealing has what the admission of UserSecrets and AgentSecrets share: how a
// submitted value is sealed, how a request is refused, and how the answer is built. It
// reads the keyring and writes nothing: admission only answers the API server, so dry
// runs are the same.
package sealing
