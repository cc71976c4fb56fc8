// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// Condition types of UserSecret and AgentSecret.
const (
	// ConditionReady sums an object up. True: everything the object asks for is
	// done (also when it asks for nothing: disabled, or without a target).
	// False: something is in the way; the reason says what, the message what to
	// do. Unknown: not looked at yet.
	ConditionReady = "Ready"
)

// Reasons of Ready=True.
const (
	// ReasonProjected says that the value is in the tenant's bundle under every
	// target that the object names.
	ReasonProjected = "Projected"
	// ReasonStoredWithoutTarget says that the secret is stored and, as it names
	// neither a variable nor a file, not projected.
	ReasonStoredWithoutTarget = "StoredWithoutTarget"
	// ReasonDisabled says that spec.enabled is false: stored, holding its name
	// and targets, not projected.
	ReasonDisabled = "Disabled"
	// ReasonNoValue says that an AgentSecret has no value yet.
	ReasonNoValue = "NoValue"
	// ReasonNotAVariable says that the value is projected as a file and not as the
	// variable that is made from the path, since no variable can hold its bytes. Where
	// spec.envName asks for the variable, it is a reason of Ready=False.
	ReasonNotAVariable = "NotAVariable"
)

// Reasons of Ready=False.
const (
	// ReasonConflict says that an earlier object of the tenant holds the name,
	// path, variable or file that this one claims. It is not projected.
	ReasonConflict = "Conflict"
	// ReasonUnsealable says that sealedValue cannot be opened: sealed for another
	// object, or altered.
	ReasonUnsealable = "Unsealable"
	// ReasonKeyNotFound says that sealedValue needs a sealing key that Latchkey does
	// not have. What the bundles hold of the object stays in them. It becomes ready when
	// the key is restored.
	ReasonKeyNotFound = "KeyNotFound"
	// ReasonSourceNotFound says that the Secret or key that valueFrom names does
	// not exist. What the bundles hold from it stays in them, unless the controller
	// runs with --drop-missing-sources.
	ReasonSourceNotFound = "SourceNotFound"
	// ReasonSourceNotApproved says that nobody who may get the Secret that valueFrom
	// names has let it feed what the object names, as where the object was stored
	// without admission. The value is not projected.
	ReasonSourceNotApproved = "SourceNotApproved"
	// ReasonInvalidValue says that the value breaks a rule that can only be
	// judged once it is known, such as a NUL byte in an environment variable.
	ReasonInvalidValue = "InvalidValue"
	// ReasonTypeMismatch says that an AgentSecret's value does not match its
	// secretType.
	ReasonTypeMismatch = "TypeMismatch"
	// ReasonLimitExceeded says that the tenant's limits leave no room for this
	// object; earlier objects keep theirs.
	ReasonLimitExceeded = "LimitExceeded"
	// ReasonPathNotProjectable says that a file path cannot be a file, or a path
	// cannot be a variable. Other targets of the object are projected.
	ReasonPathNotProjectable = "PathNotProjectable"
	// ReasonTargetRefused says that a variable or a file path is one by which programs
	// of others' pods would run code, and so is not projected, by the installation's
	// choice. Other targets of the object are projected.
	ReasonTargetRefused = "TargetRefused"
	// ReasonBundleBlocked says that a Secret that Latchkey does not own has the
	// bundle's name, or that somebody made the bundle immutable. It is left alone;
	// delete or rename it.
	ReasonBundleBlocked = "BundleBlocked"
	// ReasonBundleRefused says that the API server refused to write the bundle, such as
	// by a quota or a policy, or that something changes it on its way. What the object
	// asks for is not in the bundle, or still is. It is tried again.
	ReasonBundleRefused = "BundleRefused"
)
