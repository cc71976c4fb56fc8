// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// UserSecretSpec is what a user asks for.
//
// The field rules are those of the user-secrets REST contract, so that kubectl and REST
// accept the same values.
//
// +kubebuilder:validation:XValidation:rule="has(self.sealedValue) != has(self.valueFrom)",message="exactly one of value, sealedValue and valueFrom must be set"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.name) || (has(self.name) && self.name == oldSelf.name)",message="name is immutable: delete this UserSecret and create another",fieldPath=".name"
type UserSecretSpec struct {
	// name is the secret's documented name, unique among the tenant's user
	// secrets. It defaults to metadata.name and cannot be changed. It has 1 to 253 bytes,
	// none of them /, ?, # or null, no whitespace at its ends, and is neither "." nor "..".
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="!self.matches('^[\\\\s\\\\x0B\\\\x{85}\\\\p{Z}]*$')",message="Name is required."
	// +kubebuilder:validation:XValidation:rule="!self.matches('(^[\\\\s\\\\x0B\\\\x{85}\\\\p{Z}])|([\\\\s\\\\x0B\\\\x{85}\\\\p{Z}]$)')",message="Name must not have leading or trailing whitespace."
	// +kubebuilder:validation:XValidation:rule="!self.matches('[/?#]')",message="Name must not contain /, ?, or #."
	// +kubebuilder:validation:XValidation:rule="self != '.' && self != '..' && !self.matches('\\\\x00')",message="Name must not be . or .. and must not contain null bytes."
	// +kubebuilder:validation:XValidation:rule="size(bytes(self)) <= 253",message="Name must not exceed 253 bytes."
	Name string `json:"name,omitempty"`

	// description is free text for people: at most 4096 bytes, without null bytes.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	// +kubebuilder:validation:XValidation:rule="!self.matches('\\\\x00')",message="description must not contain null bytes"
	// +kubebuilder:validation:XValidation:rule="size(bytes(self)) <= 4096",message="description must not exceed 4096 bytes"
	Description string `json:"description,omitempty"`

	// envName is the environment variable in which pods find the value. Without it, the
	// secret is not projected as a variable. It starts with a letter or underscore, followed
	// by letters, digits or underscores, at most 256 in all. Reserved are variables of shells
	// and systems, such as PATH, HOME, USER, LANG, TERM and TMPDIR, and names that begin with
	// CODER_, GIT_, LC_, LD_ or DYLD_.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="self == '' || self.matches('^[a-zA-Z_][a-zA-Z0-9_]*$')",message="must start with a letter or underscore, followed by letters, digits, or underscores"
	// +kubebuilder:validation:XValidation:rule="!(self.upperAscii() in ['PATH','HOME','SHELL','USER','LOGNAME','PWD','OLDPWD','LANG','TERM','IFS','CDPATH','ENV','BASH_ENV','TMPDIR','TMP','TEMP','HOSTNAME','SSH_AUTH_SOCK','SSH_CLIENT','SSH_CONNECTION','SSH_TTY','EDITOR','VISUAL','PAGER','VSCODE_PROXY_URI','CS_DISABLE_GETTING_STARTED_OVERRIDE','XDG_RUNTIME_DIR','XDG_CONFIG_HOME','XDG_DATA_HOME','XDG_CACHE_HOME','XDG_STATE_HOME'])",message="is a reserved environment variable name"
	// +kubebuilder:validation:XValidation:rule="self.upperAscii() != 'CODER' && !self.upperAscii().startsWith('CODER_')",message="environment variable names starting with CODER_ are reserved for internal use"
	// +kubebuilder:validation:XValidation:rule="!self.upperAscii().matches('^(GIT|LC|LD|DYLD)_')",message="environment variables starting with GIT_, LC_, LD_ or DYLD_ are reserved"
	EnvName string `json:"envName,omitempty"`

	// filePath is the file in which pods find the value: absolute, or below the home
	// directory (~/). Without it, the secret is not projected as a file. It starts with ~/
	// or /, and has at most 4096 bytes without null bytes.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	// +kubebuilder:validation:XValidation:rule="self == '' || self.startsWith('/') || self.startsWith('~/')",message="file path must start with ~/ or /"
	// +kubebuilder:validation:XValidation:rule="!self.matches('\\\\x00')",message="file path must not contain null bytes"
	// +kubebuilder:validation:XValidation:rule="size(bytes(self)) <= 4096",message="file path must not exceed 4096 bytes"
	FilePath string `json:"filePath,omitempty"`

	// enabled, when false, leaves the secret stored but not projected. It still claims
	// its name and targets. The default is true.
	// +optional
	// +default=true
	Enabled *bool `json:"enabled,omitempty"`

	// value is the secret itself, a string of 1 to 24576 bytes without null bytes. It is
	// write only: admission checks it, seals it into sealedValue and removes it. The schema
	// refuses to store a value. It declares no type, because the API server quotes a value of a
	// wrong type in its messages and logs.
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:pruning:PreserveUnknownFields
	Value *WriteOnly `json:"value,omitempty"`

	// sealedValue is the value, sealed for this object alone: for its kind, namespace
	// and name.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=65536
	// +kubebuilder:validation:Pattern=`^lk1\.[0-9a-f]{16}\.[A-Za-z0-9_-]+$`
	SealedValue string `json:"sealedValue,omitempty"`

	// valueFrom takes the value from a native Secret of the same namespace. The author
	// of this field must be allowed to get that Secret.
	// +optional
	ValueFrom *ValueSource `json:"valueFrom,omitempty"`
}

// ValueSource names the place that a value comes from.
type ValueSource struct {
	// secretKeyRef is a key of a native Secret.
	// +required
	SecretKeyRef SecretKeyRef `json:"secretKeyRef"`
}

// SecretKeyRef names a key of a native Secret of the same namespace.
//
// +structType=atomic
// +kubebuilder:validation:XValidation:rule="!(self.name in ['latchkey-user-env','latchkey-user-files','latchkey-agent-env','latchkey-agent-files'])",message="a bundle that Latchkey makes cannot be a source"
type SecretKeyRef struct {
	// name of the Secret: lower case letters, digits, dashes and dots, at most 253. The
	// bundles that Latchkey makes cannot be a source.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="must be the name of a Secret of this namespace"
	Name string `json:"name"`
	// key in the Secret: letters, digits, dashes, dots and underscores, at most 253.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[-._a-zA-Z0-9]+$')",message="must be a key of a Secret: letters, digits, dashes, dots and underscores"
	Key string `json:"key"`
}

// UserSecret is one secret of one user. Its tenant is its namespace.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,shortName=usec,categories=latchkey
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Env",type=string,JSONPath=`.spec.envName`
// +kubebuilder:printcolumn:name="File",type=string,JSONPath=`.spec.filePath`
// +kubebuilder:printcolumn:name="Name in API",type=string,JSONPath=`.spec.name`,priority=1
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:selectablefield:JSONPath=`.spec.name`
// +kubebuilder:selectablefield:JSONPath=`.spec.envName`
// +kubebuilder:selectablefield:JSONPath=`.spec.filePath`
type UserSecret struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what the user asks for.
	// +required
	Spec UserSecretSpec `json:"spec"`
	// status is what Latchkey observed and did.
	// +optional
	Status SecretStatus `json:"status,omitempty"`
}

// SecretName returns the documented name: spec.name, else metadata.name.
func (u *UserSecret) SecretName() string {
	if u.Spec.Name != "" {
		return u.Spec.Name
	}
	return u.Name
}

// IsEnabled reports whether the secret is to be projected.
func (u *UserSecret) IsEnabled() bool { return u.Spec.Enabled == nil || *u.Spec.Enabled }

// UserSecretList is a list of UserSecrets.
//
// +kubebuilder:object:root=true
type UserSecretList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`
	// items are the UserSecrets.
	// +required
	Items []UserSecret `json:"items"`
}
