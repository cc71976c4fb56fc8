// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package golem is the agent-secrets REST dialect: the paths, bodies, rules and texts
// that a Golem client expects of /v1/envs/{environment_id}/agent-secrets,
// /v1/agent-secrets/{agent_secret_id} and, only for deletion,
// /v1/agent-secret/{agent_secret_id}. The source is the agent-secrets REST contract;
// its vectors are run against this package.
//
// It owns everything between an authenticated request and the store: routing, reading
// bodies, the order of the checks, the check of a value against its type, who may see a
// value, and the mapping of errors to answers. Environments, rights and stored secrets
// are behind [Directory], [Access], [Secrets] and [Opener]. It reads the caller from the
// request's context, where the server's authentication put it, and stores nothing
// between requests.
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
// The body comes before the environment, but only its form is checked there: that it is
// JSON without numbers beyond float64, that the members exist, and that the path can be
// a path. The type and the value are parsed only for callers who may write.
//
// Only the store decides whether a revision is still current, because other replicas
// may write. The revision that was read is compared only to choose between two
// refusals.
//
// # Values
//
// Only a caller with the right to agentsecrets/value gets a value. The right is checked
// before anything is written, so that no completed write is answered with an error of
// that check. All others get null, whatever is stored and whatever they sent.
//
// No message repeats what was sent or what is stored. Messages name the place and what
// is expected there. Of encoding/json's own errors, they contain only an offset.
package golem
