// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// Labels and annotations that tenants and platform teams set on a Namespace.
const (
	// LabelUser makes a Namespace a user; its value is the username.
	LabelUser = "latchkey.dev/user"
	// LabelUserID carries over a user's id (a UUID). Without it, the id is the
	// Namespace's UID.
	LabelUserID = "latchkey.dev/user-id"
	// LabelEnvironment makes a Namespace an agent environment; its value is the
	// environment's name.
	LabelEnvironment = "latchkey.dev/environment"
	// LabelEnvironmentID carries over an environment's id (a UUID). Without it, the id
	// is the Namespace's UID.
	LabelEnvironmentID = "latchkey.dev/environment-id"
	// AnnotationSubjects lists the Kubernetes user names of the user whose Namespace
	// this is, one per line. Without it, the user name equals the value of LabelUser.
	AnnotationSubjects = "latchkey.dev/subjects"
	// LabelInjection makes Latchkey project into new pods of a Namespace: with the
	// value InjectionEnabled into all, with InjectionOptIn into those that ask for it.
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
	// LabelBundle marks a Secret as a bundle of Latchkey. Its value is "user" or
	// "agent".
	LabelBundle = "latchkey.dev/bundle"
	// AnnotationLayout is a keyed digest of the paths at which pods see the keys of a
	// files bundle. The paths themselves are only in the objects: an annotation would
	// grow with them, and the API server bounds annotations.
	AnnotationLayout = "latchkey.dev/layout"
	// AnnotationMAC is a keyed digest of a bundle's content. It reveals drift, but not
	// the content.
	AnnotationMAC = "latchkey.dev/mac"
	// AnnotationRecord describes what each key of a bundle was made from, and when, as
	// keyed digests; see package bundle. Only Latchkey can make it.
	AnnotationRecord = "latchkey.dev/record"
	// AnnotationUpdatedAt is the time of a secret's last change, as RFC 3339 with
	// nanoseconds. Without it, the time of creation counts. Admission or the REST API
	// sets it.
	AnnotationUpdatedAt = "latchkey.dev/updated-at"
	// AnnotationPending marks an object of an import that is not committed yet. Its
	// value is the id of the import. The object holds its claims and counts toward the
	// limits, but the REST API does not show it and it is not projected.
	AnnotationPending = "latchkey.dev/import-pending"
	// AnnotationCommitted marks the one object whose annotation commits an import.
	AnnotationCommitted = "latchkey.dev/import-committed"
	// AnnotationCanonicalPath, with the value "true", says that an AgentSecret's
	// spec.path is canonical already. Admission sets it. Backups contain it, because
	// converting a canonical path again can change it.
	AnnotationCanonicalPath = "latchkey.dev/canonical-path"
	// AnnotationSourceApproval records that a user who may get the Secret named by a
	// UserSecret's valueFrom approved its use for the object's targets. It is a keyed
	// digest: only Latchkey can make it, and it is valid for one state of one object.
	AnnotationSourceApproval = "latchkey.dev/source-approval"
)

// Labels, annotations and names of the Secrets that hold sealing keys, in Latchkey's
// own namespace.
const (
	// LabelSealingKey marks the Secrets that hold sealing keys. Its value is "true".
	// Caches select by it.
	LabelSealingKey = "latchkey.dev/sealing-key"
	// SecretTypeSealingKey is the type of those Secrets.
	SecretTypeSealingKey = "latchkey.dev/sealing-key"
	// AnnotationCreated is the time at which a key was made, as RFC 3339 with
	// nanoseconds. The object's creation time cannot be used: it has seconds only, and
	// it changes when a backup is restored.
	AnnotationCreated = "latchkey.dev/created"
	// AnnotationRotateRequested, on the Secret of the newest key, asks for a new key
	// now. It is the time of the request, as RFC 3339, and counts if it is later than
	// AnnotationCreated. So each request is carried out once, whichever replica leads.
	AnnotationRotateRequested = "latchkey.dev/rotate-requested"
	// AnnotationBackedUp is the time at which the plugin last wrote the key into a
	// backup, as RFC 3339. Only advice depends on it.
	AnnotationBackedUp = "latchkey.dev/backed-up"
	// SealingKeyPrefix begins the names of those Secrets. The key's id follows.
	SealingKeyPrefix = "latchkey-key-"
)

// SecretTypeBundle is the type of every bundle. A Secret's type cannot change. So the
// API server refuses to turn a Secret that does not belong to Latchkey into a bundle.
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

// AnnotationRestart asks, with the value "true", for a restart of a Deployment,
// StatefulSet or DaemonSet when its secrets change.
const AnnotationRestart = "latchkey.dev/restart-on-change"
