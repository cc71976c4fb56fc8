// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package projector

import (
	"path"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// homes finds what "~/" stands for in each container of one pod.
type homes struct {
	annotated, fallback string
}

func newHomes(pod *corev1.Pod, fallback string, warn *warnings) homes {
	h := homes{fallback: fallback}
	value, set := pod.Annotations[AnnotationHome]
	switch {
	case set && isHome(value):
		h.annotated = path.Clean(value)
	case set:
		warn.add("annotation " + AnnotationHome + " is ignored: it must be an absolute path")
	}
	return h
}

// of returns the home of the container. It is guessed if the container has a HOME that is unknown during admission.
func (h homes) of(c *corev1.Container) (home string, guessed bool) {
	if h.annotated != "" {
		return h.annotated, false
	}
	// The kubelet lets the last of several entries win.
	for i := len(c.Env) - 1; i >= 0; i-- {
		env := &c.Env[i]
		if env.Name != "HOME" {
			continue
		}
		// The kubelet puts other variables in for $(NAME).
		if env.ValueFrom == nil && isHome(env.Value) && !strings.Contains(env.Value, "$(") {
			return path.Clean(env.Value), false
		}
		return h.fallback, true
	}
	return h.fallback, false
}

// isHome reports whether the path can be that of a home: files can be below it.
func isHome(p string) bool {
	return strings.HasPrefix(p, "/") && !strings.Contains(p+"/", "/../") && Projectable(path.Join(p, "file")) == ""
}

// resolve returns the place in a container of a path that is Projectable.
func resolve(p, home string) string {
	if rest, ok := strings.CutPrefix(p, "~/"); ok {
		return path.Join(home, rest)
	}
	return path.Clean(p)
}
