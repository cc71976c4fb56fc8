// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package sealing is what the admission of UserSecrets and AgentSecrets has in
// common: how a value on its way in is sealed, what a refusal looks like, and how
// the answer is put together. It reads the keyring and writes nothing: an answer
// to the API server is all that admission makes, so dry runs are the same.
package sealing
