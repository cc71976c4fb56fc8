// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"strings"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
)

// Resources of the two kinds.
const (
	UserSecrets  = "usersecrets"
	AgentSecrets = "agentsecrets"
)

// Item is an object of one of the two kinds; the other is nil.
type Item struct {
	User  *v1alpha1.UserSecret
	Agent *v1alpha1.AgentSecret
}

// Resource returns the resource of the item's kind.
func (i Item) Resource() string {
	if i.User != nil {
		return UserSecrets
	}
	return AgentSecrets
}

// Kind returns the kind.
func (i Item) Kind() string {
	if i.User != nil {
		return "UserSecret"
	}
	return "AgentSecret"
}

// Object returns the object.
func (i Item) Object() runtime.Object {
	if i.User != nil {
		return i.User
	}
	return i.Agent
}

// Meta returns the metadata.
func (i Item) Meta() *metav1.ObjectMeta {
	if i.User != nil {
		return &i.User.ObjectMeta
	}
	return &i.Agent.ObjectMeta
}

// Status returns the status.
func (i Item) Status() *v1alpha1.SecretStatus {
	if i.User != nil {
		return &i.User.Status
	}
	return &i.Agent.Status
}

// Known returns the name by which the REST APIs know the secret: a name, or a path with
// slashes.
func (i Item) Known() string {
	if i.User != nil {
		return i.User.SecretName()
	}
	return strings.Join(i.Agent.Spec.Path, "/")
}

// Named reports whether a person who says name may mean the item.
func (i Item) Named(name string) bool { return i.Meta().Name == name || i.Known() == name }

// Env and File return the targets: what landed, else what is asked for.
func (i Item) Env() string {
	switch {
	case i.User != nil:
		return i.User.Spec.EnvName
	case i.Agent.Status.Env != nil:
		return i.Agent.Status.Env.Key
	}
	return i.Agent.Spec.EnvName
}

// File returns the file that the secret asks for.
func (i Item) File() string {
	if i.User != nil {
		return i.User.Spec.FilePath
	}
	return i.Agent.Spec.FilePath
}

// Sealed returns the sealed value; "" where there is none.
func (i Item) Sealed() string {
	if i.User != nil {
		return i.User.Spec.SealedValue
	}
	return i.Agent.Spec.SealedValue
}

// Ready returns the condition that sums the item up, if it speaks of the item as it is.
func (i Item) Ready() *metav1.Condition {
	c := apimeta.FindStatusCondition(i.Status().Conditions, v1alpha1.ConditionReady)
	if c == nil || i.Status().ObservedGeneration != i.Meta().Generation {
		return nil
	}
	return c
}
