// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package projector

import (
	"path"

	corev1 "k8s.io/api/core/v1"

	"github.com/latchkey-dev/latchkey/internal/policy/rules"
)

// ground is what a container has at places of its file system, as far as the pod says. A place is where a path leads
// (rules.Place).
type ground struct {
	mounts []ownMount
	// directories must stay directories: the home and the working directory.
	directories []string
	// program is what the container runs, if the pod says so.
	program string
}

type ownMount struct {
	path string
	// closed: the runtime can make no mount point in it.
	closed bool
}

func newGround(c *corev1.Container, home string, volumes map[string]*corev1.Volume, ours func(*corev1.VolumeMount) bool) ground {
	g := ground{
		mounts:      make([]ownMount, 0, len(c.VolumeMounts)+len(c.VolumeDevices)+1),
		directories: []string{rules.Place(home)},
	}
	for i := range c.VolumeMounts {
		if m := &c.VolumeMounts[i]; !ours(m) {
			closed := m.ReadOnly || isClosed(volumes[m.Name])
			g.mounts = append(g.mounts, ownMount{path: rules.Place(absolute(m.MountPath)), closed: closed})
		}
	}
	for i := range c.VolumeDevices {
		g.mounts = append(g.mounts, ownMount{path: rules.Place(absolute(c.VolumeDevices[i].DevicePath)), closed: true})
	}
	if c.TerminationMessagePath != "" {
		g.mounts = append(g.mounts, ownMount{path: rules.Place(absolute(c.TerminationMessagePath)), closed: true})
	}
	if len(c.Command) > 0 && path.IsAbs(c.Command[0]) {
		g.program = rules.Place(c.Command[0])
	}
	if c.WorkingDir != "" {
		g.directories = append(g.directories, rules.Place(absolute(c.WorkingDir)))
	}
	return g
}

// refusesFile says why no file can be mounted at the target, which leads to the place; the reason is empty where it can.
func (g *ground) refusesFile(target, place string) (reason string) {
	if place == g.program {
		return "it is what the container runs"
	}
	for _, dir := range g.directories {
		if dir == place || isBelow(dir, place) {
			return "it is the home or working directory"
		}
	}
	return g.refuses(target, place)
}

// refuses says why nothing can be mounted at the target, a clean path; the reason is empty where it can. A volume of
// the pod may hide a link, so the target counts as it is written too.
func (g *ground) refuses(target, place string) (reason string) {
	if reason := g.mountRefuses(target); reason != "" || target == place {
		return reason
	}
	return g.mountRefuses(place)
}

func (g *ground) mountRefuses(place string) (reason string) {
	var around *ownMount
	for i := range g.mounts {
		m := &g.mounts[i]
		switch {
		case m.path == place:
			return "left to the pod, which mounts that path"
		case isBelow(m.path, place):
			return "the pod mounts something below it"
		case isBelow(place, m.path) && (around == nil || len(m.path) > len(around.path)):
			around = m
		}
	}
	if around != nil && around.closed {
		return "it lies in a read-only volume of the pod"
	}
	return ""
}

// isClosed reports whether the volume's source makes it read-only, or it is not a directory. It reports false for
// storage that may turn out to be read-only.
func isClosed(v *corev1.Volume) bool {
	if v == nil {
		return false
	}
	switch {
	case v.Secret != nil, v.ConfigMap != nil, v.DownwardAPI != nil, v.Projected != nil, v.Image != nil:
		return true
	case v.PersistentVolumeClaim != nil:
		return v.PersistentVolumeClaim.ReadOnly
	case v.CSI != nil:
		return isTrue(v.CSI.ReadOnly)
	case v.NFS != nil:
		return v.NFS.ReadOnly
	case v.ISCSI != nil:
		return v.ISCSI.ReadOnly
	case v.FC != nil:
		return v.FC.ReadOnly
	case v.HostPath != nil && v.HostPath.Type != nil:
		switch *v.HostPath.Type {
		case corev1.HostPathFile, corev1.HostPathFileOrCreate, corev1.HostPathSocket, corev1.HostPathCharDev, corev1.HostPathBlockDev:
			return true
		}
	}
	return false
}
