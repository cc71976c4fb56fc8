// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package golem is the agent-secrets REST dialect: the paths, bodies, rules and
// words that a Golem client expects of /v1/envs/{environment_id}/agent-secrets,
// /v1/agent-secrets/{agent_secret_id} and, for deletion alone,
// /v1/agent-secret/{agent_secret_id}. The source is the agent-secrets REST
// contract; its vectors are run against this package.
//
// It owns everything between an authenticated request and the store: routing,
// reading bodies, the order of the checks, the check of a value against its
// type, who is shown a value, and the mapping of errors to answers. What an
// environment is, what a caller may do and where secrets are kept come through
// [Directory], [Authorizer] and [Secrets]. It reads the caller from the
// request's context, where the server's authentication put it, and keeps
// nothing between requests.
//
// # Order of the checks
//
// Credentials (401); route (404, 405); the id in the path and the revision in
// the query (400); content type (415); body (413, 400). Then, for
//
//   - list: environment (404), role (403);
//   - create: environment (404), role (403), type and value (400), limit (422),
//     path free (409);
//   - read: secret visible (404);
//   - update: secret visible (404), role (403), revision (409), value (400),
//     limit (422);
//   - delete: secret visible (404), role (403), revision (409).
//
// The body comes before the environment, but only its form is judged there:
// that it is JSON, which holds no number beyond float64, that the members are
// there and the path can be a path. What the type and the value mean is looked
// at for those alone who may write.
//
// Whether a revision is still the current one is for the store to say, since
// nobody else can while other replicas write. The one that was read is compared
// only to choose between two refusals.
//
// # Values
//
// Only a caller with the right to agentsecrets/value is answered one, which is
// asked before anything is written: a write is never done and then answered
// with "this could not be decided". All others are answered null, whatever is
// stored and whatever they sent.
//
// No message repeats what was sent or what is stored. Messages name the place
// and what is expected there, and nothing of encoding/json's own errors but an
// offset gets into them.
package golem
