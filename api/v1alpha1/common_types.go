// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"encoding/json"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// WriteOnly is a JSON value that a client sends and never reads back: admission seals
// and removes it, and the CRD refuses to store it. It marshals to the plain value,
// since clients must be able to send it. It prints as [redacted] everywhere else.
//
// +kubebuilder:object:generate=false
type WriteOnly struct {
	raw json.RawMessage `json:"-"`
}

// NewWriteOnly returns the JSON text raw as a WriteOnly.
func NewWriteOnly(raw []byte) *WriteOnly {
	return &WriteOnly{raw: append(json.RawMessage(nil), raw...)}
}

// WriteOnlyString returns the string s as a WriteOnly.
func WriteOnlyString(s string) *WriteOnly {
	raw, _ := json.Marshal(s) // a string always marshals
	return &WriteOnly{raw: raw}
}

// Raw returns the JSON text. The caller must not log, store or return it.
func (w *WriteOnly) Raw() []byte { return w.raw }

// MarshalJSON returns the JSON text, for sending it to the API server.
func (w WriteOnly) MarshalJSON() ([]byte, error) {
	if len(w.raw) == 0 {
		return []byte("null"), nil
	}
	return w.raw, nil
}

// UnmarshalJSON keeps a copy of the JSON text.
func (w *WriteOnly) UnmarshalJSON(b []byte) error {
	w.raw = append(w.raw[:0:0], b...)
	return nil
}

// DeepCopyInto copies w into out.
func (w *WriteOnly) DeepCopyInto(out *WriteOnly) { out.raw = slices.Clone(w.raw) }

// DeepCopy returns a copy of w.
func (w *WriteOnly) DeepCopy() *WriteOnly {
	if w == nil {
		return nil
	}
	out := new(WriteOnly)
	w.DeepCopyInto(out)
	return out
}

// String hides the value.
func (WriteOnly) String() string { return "[redacted]" }

// GoString hides the value.
func (WriteOnly) GoString() string { return "[redacted]" }

// Format hides the value from every verb.
func (WriteOnly) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[redacted]")) }

// ClaimKind is the kind of thing that an object claims.
//
// +kubebuilder:validation:Enum=Name;Path;Env;File
type ClaimKind string

// Kinds of claims. Within a tenant, and for each kind of object, each claim has one
// holder.
const (
	// ClaimName is a UserSecret's spec.name.
	ClaimName ClaimKind = "Name"
	// ClaimPath is an AgentSecret's spec.path.
	ClaimPath ClaimKind = "Path"
	// ClaimEnv is an environment variable's name.
	ClaimEnv ClaimKind = "Env"
	// ClaimFile is a file's path.
	ClaimFile ClaimKind = "File"
)

// Claim records when an object first claimed something. Of two objects with the same
// claim, the one with the lower since holds it.
type Claim struct {
	// kind is the kind of thing claimed.
	// +required
	Kind ClaimKind `json:"kind"`
	// value is the name, path or variable claimed.
	// +required
	// +kubebuilder:validation:MaxLength=4096
	Value string `json:"value"`
	// since is the resourceVersion at which Latchkey first saw the claim.
	// +required
	// +kubebuilder:validation:MaxLength=64
	Since string `json:"since"`
}

// Landing is the place that a value was written to.
type Landing struct {
	// secretName is the native Secret, in the object's own namespace.
	// +required
	// +kubebuilder:validation:MaxLength=253
	SecretName string `json:"secretName"`
	// key is the key in that Secret.
	// +required
	// +kubebuilder:validation:MaxLength=253
	Key string `json:"key"`
}

// ValueStatus is what is known about a projected value.
type ValueStatus struct {
	// changedAt is the time at which the API server acknowledged the write of a native
	// Secret that carried this value. A process that starts later and reads the value
	// gets this value or a newer one. The time stays when the same value is sealed
	// again and keeps its place; a write that repairs drift sets it.
	// +optional
	ChangedAt *metav1.MicroTime `json:"changedAt,omitempty"`
}

// SecretStatus is the status of both kinds.
type SecretStatus struct {
	// observedGeneration is the generation that this status describes.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// observedUID is the UID of the object that this status describes. A status that
	// was restored from a backup has the UID of another object and is ignored.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	ObservedUID string `json:"observedUID,omitempty"`
	// conditions has one condition, Ready, which sums up the object.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// env is where the value is projected as an environment variable.
	// +optional
	Env *Landing `json:"env,omitempty"`
	// file is where the value is projected as a file.
	// +optional
	File *Landing `json:"file,omitempty"`
	// source is the Secret and key that the projected value was read from, if the
	// object uses valueFrom.
	// +optional
	Source *SecretKeyRef `json:"source,omitempty"`
	// value is what is known about the projected value; absent if none is projected.
	// +optional
	Value *ValueStatus `json:"value,omitempty"`
	// claims are what the object claims within its tenant, and since when.
	// +optional
	// +listType=map
	// +listMapKey=kind
	// +kubebuilder:validation:MaxItems=4
	Claims []Claim `json:"claims,omitempty"`
}
