// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// AgentSecretSpec is what an agent developer asks for.
//
// +kubebuilder:validation:XValidation:rule="self.path == oldSelf.path",message="path is immutable: delete this AgentSecret and create another",fieldPath=".path"
type AgentSecretSpec struct {
	// path names the secret within its environment, segment by segment. It is
	// stored in canonical form (camelCase) and cannot be changed. It has 1 to 16 segments of
	// 1 to 128 bytes.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=128
	Path []string `json:"path"`

	// secretType is the type of the value, in the type language of the
	// agent-secrets REST contract, such as {type: Str}. It cannot be changed.
	// +required
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=object
	// +structType=atomic
	// +kubebuilder:pruning:PreserveUnknownFields
	SecretType runtime.RawExtension `json:"secretType"`

	// value is the secret itself: JSON of the type secretType. It is write only:
	// admission checks it, seals it into sealedValue and removes it. The schema refuses
	// to store it.
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:pruning:PreserveUnknownFields
	Value *WriteOnly `json:"value,omitempty"`

	// sealedValue is the value, sealed for this object alone: for its kind, namespace
	// and name. Without it, the secret has no value yet.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=131072
	// +kubebuilder:validation:Pattern=`^lk1\.[0-9a-f]{16}\.[A-Za-z0-9_-]+$`
	SealedValue string `json:"sealedValue,omitempty"`

	// envName overrides the environment variable that is derived from the path. It starts
	// with a letter or underscore, followed by letters, digits or underscores, at most 256
	// in all.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="self == '' || self.matches('^[a-zA-Z_][a-zA-Z0-9_]*$')",message="must start with a letter or underscore, followed by letters, digits, or underscores"
	EnvName string `json:"envName,omitempty"`

	// filePath overrides the file that is derived from the path. It is relative to the
	// environment's directory, and has letters, digits, dots, dashes and underscores, with
	// slashes between segments, of which none is . or starts with .., at most 1024 in all.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="self == '' || self.matches('^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$')",message="must be a relative path of letters, digits, dots, dashes and underscores"
	// +kubebuilder:validation:XValidation:rule="!self.split('/').exists(s, s == '.' || s == '..' || s.startsWith('..'))",message="must not contain a segment that is . or starts with .."
	FilePath string `json:"filePath,omitempty"`

	// revision counts the writes to the value, from 0. Only Latchkey sets it.
	// +optional
	// +default=0
	// +kubebuilder:validation:Minimum=0
	Revision int64 `json:"revision"`
}

// AgentSecret is one typed secret of one agent environment. Its tenant is its
// namespace.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,shortName=asec,categories=latchkey
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Path",type=string,JSONPath=`.spec.path`
// +kubebuilder:printcolumn:name="Type",type=string,JSONPath=`.spec.secretType.type`
// +kubebuilder:printcolumn:name="Revision",type=integer,JSONPath=`.spec.revision`
// +kubebuilder:printcolumn:name="Env",type=string,JSONPath=`.status.env.key`
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:selectablefield:JSONPath=`.spec.envName`
// +kubebuilder:selectablefield:JSONPath=`.spec.filePath`
// +kubebuilder:selectablefield:JSONPath=`.spec.revision`
type AgentSecret struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what the agent developer asks for.
	// +required
	Spec AgentSecretSpec `json:"spec"`
	// status is what Latchkey observed and did.
	// +optional
	Status SecretStatus `json:"status,omitempty"`
}

// AgentSecretList is a list of AgentSecrets.
//
// +kubebuilder:object:root=true
type AgentSecretList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`
	// items are the AgentSecrets.
	// +required
	Items []AgentSecret `json:"items"`
}
