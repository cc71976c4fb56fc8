// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package pod

import (
	"encoding/json"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
)

// operation is one operation of a JSON patch (RFC 6902).
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}

// difference returns the JSON patch from one spec to another that differs in the
// volumes and, for each container, in envFrom and volumeMounts.
//
// It does not compare the two as JSON: such a patch would rewrite whole elements that
// only moved, and so lose fields of a newer API than this binary knows. An element that
// is in both lists is never touched.
func difference(from, to *corev1.PodSpec) []operation {
	var ops []operation
	ops = list(ops, "/spec/volumes", from.Volumes, to.Volumes)
	ops = containers(ops, "/spec/initContainers/", from.InitContainers, to.InitContainers)
	return containers(ops, "/spec/containers/", from.Containers, to.Containers)
}

func containers(ops []operation, path string, from, to []corev1.Container) []operation {
	for i := range from {
		at := path + strconv.Itoa(i)
		ops = list(ops, at+"/envFrom", from[i].EnvFrom, to[i].EnvFrom)
		ops = list(ops, at+"/volumeMounts", from[i].VolumeMounts, to[i].VolumeMounts)
	}
	return ops
}

// list appends the operations that turn one list into the other.
func list[T any](ops []operation, path string, from, to []T) []operation {
	switch {
	case len(from) == 0 && len(to) == 0:
		return ops
	case len(from) == 0: // the member may be missing
		return append(ops, operation{Op: "add", Path: path, Value: to})
	case len(to) == 0:
		return append(ops, operation{Op: "remove", Path: path})
	}
	// In between, the list is to[:at] followed by from[next:].
	later := elements[T]{of: to}
	next := 0
	for at := 0; at < len(to); {
		switch {
		case next < len(from) && equality.Semantic.DeepEqual(from[next], to[at]):
			next++
			at++
		case next < len(from) && !later.has(from[next], at):
			ops = append(ops, operation{Op: "remove", Path: path + "/" + strconv.Itoa(at)})
			next++
		default:
			ops = append(ops, operation{Op: "add", Path: path + "/" + strconv.Itoa(at), Value: to[at]})
			at++
		}
	}
	for range from[next:] {
		ops = append(ops, operation{Op: "remove", Path: path + "/" + strconv.Itoa(len(to))})
	}
	return ops
}

// fewElements is the length up to which a list is searched directly. Most lists are
// this short.
const fewElements = 16

// elements finds out whether an element is in the rest of a list. It reads the list
// once, because a pod can have as many elements as fit in a request.
type elements[T any] struct {
	of   []T
	last map[string]int // the last index of each element; nil until it is needed
}

func (e *elements[T]) has(one T, from int) bool {
	if len(e.of) <= fewElements {
		return slices.ContainsFunc(e.of[from:], func(other T) bool { return equality.Semantic.DeepEqual(one, other) })
	}
	if e.last == nil {
		e.last = make(map[string]int, len(e.of))
		for i := range e.of {
			e.last[text(e.of[i])] = i
		}
	}
	last, there := e.last[text(one)]
	return there && last >= from
}

// text returns a text that is equal for two elements only if they are equal.
func text(element any) string {
	raw, err := json.Marshal(element)
	if err != nil {
		return "" // each of the API's own types can be encoded
	}
	return string(raw)
}
