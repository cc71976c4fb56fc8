// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// Condition types of UserSecret and AgentSecret.
const (
	// ConditionReady sums up an object. True: everything that the object asks for is
	// done, or it asks for nothing, because it is disabled or has no target. False:
	// something prevents that; the reason names it and the message says what to do.
	// Unknown: the object was not reconciled yet.
	ConditionReady = "Ready"
)

// Reasons of Ready=True.
const (
	// ReasonProjected says that the value is in the tenant's bundle under every
	// target that the object names.
	ReasonProjected = "Projected"
	// ReasonStoredWithoutTarget says that the secret is stored but not projected,
	// because it names neither a variable nor a file.
	ReasonStoredWithoutTarget = "StoredWithoutTarget"
	// ReasonDisabled says that spec.enabled is false: the secret is stored and keeps
	// its claims, but it is not projected.
	ReasonDisabled = "Disabled"
	// ReasonNoValue says that an AgentSecret has no value yet.
	ReasonNoValue = "NoValue"
	// ReasonNotAVariable says that the value is projected as a file only: its bytes
	// cannot be the value of the variable that is derived from the path. If
	// spec.envName asks for the variable, this is a reason of Ready=False.
	ReasonNotAVariable = "NotAVariable"
)

// Reasons of Ready=False.
const (
	// ReasonConflict says that an earlier object of the tenant holds the name, path,
	// variable or file that this object claims. This object is not projected.
	ReasonConflict = "Conflict"
	// ReasonUnsealable says that sealedValue cannot be opened: it was sealed for
	// another object, or altered.
	ReasonUnsealable = "Unsealable"
	// ReasonKeyNotFound says that sealedValue needs a sealing key that Latchkey does
	// not have. What the bundles contain of the object stays in them. The object
	// becomes ready when the key is restored.
	ReasonKeyNotFound = "KeyNotFound"
	// ReasonSourceNotFound says that the Secret or key that valueFrom names does not
	// exist. What the bundles contain from it stays in them, unless the controller runs
	// with --drop-missing-sources.
	ReasonSourceNotFound = "SourceNotFound"
	// ReasonSourceNotApproved says that the use of the Secret that valueFrom names was
	// not approved for these targets by a user who may get that Secret, for example
	// because the object was stored without admission. The value is not projected.
	ReasonSourceNotApproved = "SourceNotApproved"
	// ReasonInvalidValue says that the value breaks a rule that can only be checked
	// once the value is known, such as a NUL byte in an environment variable.
	ReasonInvalidValue = "InvalidValue"
	// ReasonTypeMismatch says that an AgentSecret's value does not match its
	// secretType.
	ReasonTypeMismatch = "TypeMismatch"
	// ReasonLimitExceeded says that this object exceeds the tenant's limits. Earlier
	// objects are not affected.
	ReasonLimitExceeded = "LimitExceeded"
	// ReasonPathNotProjectable says that a file path cannot be a file, or a path
	// cannot be a variable. Other targets of the object are projected.
	ReasonPathNotProjectable = "PathNotProjectable"
	// ReasonTargetRefused says that the installation does not allow this variable or
	// file path, because programs in other users' pods would run code from it. Other
	// targets of the object are projected.
	ReasonTargetRefused = "TargetRefused"
	// ReasonBundleBlocked says that a Secret that does not belong to Latchkey has the
	// bundle's name, or that the bundle was made immutable. Latchkey does not change
	// it: delete or rename it.
	ReasonBundleBlocked = "BundleBlocked"
	// ReasonBundleRefused says that the API server refused to write the bundle, for
	// example because of a quota or a policy, or that the bundle is changed while it is
	// stored. The value is not in the bundle, or was not removed from it. Latchkey
	// tries again.
	ReasonBundleRefused = "BundleRefused"
)
