// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package peers makes the replicas of the server agree on what has been
// acknowledged: before a write is answered, every replica that serves has seen it,
// so a client reads its own writes whichever replica it reaches.
//
// Every replica keeps a Lease with its address. A writer asks each replica whose
// Lease is alive to say when its cache has come to the write. A replica that does
// not answer is waited for until its Lease has run out, and a replica that cannot
// renew its Lease stops answering readers before that: so a writer and a reader
// can never disagree about who serves. A replica whose port refuses connections is
// not serving, and is not waited for.
package peers
