// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// Labels and annotations that tenants and platform teams set on a Namespace.
const (
	// LabelUser makes a Namespace a user; its value is the username.
	LabelUser = "latchkey.dev/user"
	// LabelUserID carries over a user's id (a UUID); without it the id is the
	// Namespace's UID.
	LabelUserID = "latchkey.dev/user-id"
	// LabelEnvironment makes a Namespace an agent environment; its value is the
	// environment's name.
	LabelEnvironment = "latchkey.dev/environment"
	// LabelEnvironmentID carries over an environment's id (a UUID); without it
	// the id is the Namespace's UID.
	LabelEnvironmentID = "latchkey.dev/environment-id"
	// AnnotationSubjects lists the Kubernetes user names that are the user of a
	// Namespace, one per line. Without it, the subject equals the username.
	AnnotationSubjects = "latchkey.dev/subjects"
	// LabelInjection makes Latchkey project into new pods of a Namespace: into all
	// with the value InjectionEnabled, into those that ask with InjectionOptIn.
	LabelInjection = "latchkey.dev/injection"
)

// Values of LabelInjection.
const (
	// InjectionEnabled projects into every pod that does not opt out.
	InjectionEnabled = "enabled"
	// InjectionOptIn projects into pods with the annotation
	// latchkey.dev/inject: "true".
	InjectionOptIn = "opt-in"
)

// Labels and annotations that Latchkey sets.
const (
	// LabelBundle marks a Secret as Latchkey's; its value is "user" or "agent".
	LabelBundle = "latchkey.dev/bundle"
	// AnnotationLayout is a keyed digest of the paths that pods have a files bundle's
	// keys at. The paths themselves are in the objects alone: an annotation grows with
	// them, and the API server bounds it.
	AnnotationLayout = "latchkey.dev/layout"
	// AnnotationMAC is a keyed digest of a bundle's content; it shows drift
	// without showing the content.
	AnnotationMAC = "latchkey.dev/mac"
	// AnnotationRecord is what a bundle was made from, and since when it holds what it
	// holds: keyed digests for each key, see package bundle. Latchkey alone can make it.
	AnnotationRecord = "latchkey.dev/record"
	// AnnotationUpdatedAt says when a secret was last changed, as RFC 3339 with
	// nanoseconds; without it, when it was created. Admission sets it, or the REST API.
	AnnotationUpdatedAt = "latchkey.dev/updated-at"
	// AnnotationPending marks an object of an import that is not committed yet; its
	// value is the import. The object holds its claims and counts, and is neither
	// shown by the REST API nor projected.
	AnnotationPending = "latchkey.dev/import-pending"
	// AnnotationCommitted marks the one object whose mark commits an import.
	AnnotationCommitted = "latchkey.dev/import-committed"
	// AnnotationCanonicalPath, with the value "true", says that an AgentSecret's
	// spec.path is canonical already. Admission sets it; it travels with backups,
	// because converting a canonical path again can change it.
	AnnotationCanonicalPath = "latchkey.dev/canonical-path"
	// AnnotationSourceApproval says that somebody who may get the Secret that a
	// UserSecret's valueFrom names let it feed the targets that the object names. It
	// is a keyed digest: Latchkey alone can make it, and it is good for one state of
	// one object.
	AnnotationSourceApproval = "latchkey.dev/source-approval"
)

// What is on the Secrets of sealing keys, in Latchkey's own namespace.
const (
	// LabelSealingKey marks the Secrets that hold sealing keys; its value is "true".
	// Caches select by it.
	LabelSealingKey = "latchkey.dev/sealing-key"
	// SecretTypeSealingKey is the type of those Secrets.
	SecretTypeSealingKey = "latchkey.dev/sealing-key"
	// AnnotationCreated says when a key was made, as RFC 3339 with nanoseconds. The
	// object's own creation time will not do: it has seconds only, and changes when a
	// backup is restored.
	AnnotationCreated = "latchkey.dev/created"
	// AnnotationRotateRequested asks for a successor of the newest key now, on its
	// Secret. It is the time of the request, as RFC 3339, and counts if it is later than
	// AnnotationCreated; so a request is done once, by whoever leads.
	AnnotationRotateRequested = "latchkey.dev/rotate-requested"
	// AnnotationBackedUp is when the plugin last wrote the key into a backup, as RFC 3339.
	// Nothing but advice depends on it.
	AnnotationBackedUp = "latchkey.dev/backed-up"
	// SealingKeyPrefix begins the names of those Secrets; the key's id follows.
	SealingKeyPrefix = "latchkey-key-"
)

// SecretTypeBundle is the type of every bundle. A Secret's type cannot change, so
// applying a bundle over a Secret that is not Latchkey's fails and changes nothing.
const SecretTypeBundle = "latchkey.dev/bundle"

// Names of the bundles: the native Secrets of a tenant.
const (
	// BundleUserEnv holds the environment variables of a user's secrets.
	BundleUserEnv = "latchkey-user-env"
	// BundleUserFiles holds the files of a user's secrets.
	BundleUserFiles = "latchkey-user-files"
	// BundleAgentEnv holds the environment variables of an environment's secrets.
	BundleAgentEnv = "latchkey-agent-env"
	// BundleAgentFiles holds the files of an environment's secrets.
	BundleAgentFiles = "latchkey-agent-files"
)

// AnnotationRestart asks with the value "true" for a restart of a Deployment, StatefulSet
// or DaemonSet when its secrets change.
const AnnotationRestart = "latchkey.dev/restart-on-change"
