// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
)

// objectList is what `kubectl get` answers, as far as readiness is concerned.
type objectList struct {
	Items []object `json:"items"`
}

type object struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name       string `json:"name"`
		Namespace  string `json:"namespace"`
		Generation int64  `json:"generation"`
	} `json:"metadata"`
	Status struct {
		Conditions []struct {
			Type               string `json:"type"`
			Status             string `json:"status"`
			Reason             string `json:"reason"`
			ObservedGeneration int64  `json:"observedGeneration"`
		} `json:"conditions"`
	} `json:"status"`
}

// isOurs says whether the object is of one of Latchkey's kinds.
func (o object) isOurs() bool {
	return strings.HasPrefix(o.APIVersion, v1alpha1.GroupVersion.Group+"/")
}

// wait says what the object still waits for, or nothing.
func (o object) wait() string {
	who := fmt.Sprintf("%s %s/%s", o.Kind, o.Metadata.Namespace, o.Metadata.Name)
	for _, condition := range o.Status.Conditions {
		if condition.Type != v1alpha1.ConditionReady {
			continue
		}
		if condition.ObservedGeneration < o.Metadata.Generation {
			return who + " was changed and not looked at again"
		}
		if condition.Status != "True" {
			return fmt.Sprintf("%s is not Ready: %s", who, condition.Reason)
		}
		return ""
	}
	return who + " has no Ready condition yet"
}

// notReady lists what Latchkey's objects wait for.
func (l objectList) notReady() []string {
	var waits []string
	for _, o := range l.Items {
		if o.isOurs() && o.wait() != "" {
			waits = append(waits, o.wait())
		}
	}
	return waits
}

// ours counts Latchkey's objects.
func (l objectList) ours() int {
	n := 0
	for _, o := range l.Items {
		if o.isOurs() {
			n++
		}
	}
	return n
}
