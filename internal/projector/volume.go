// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package projector

import (
	corev1 "k8s.io/api/core/v1"
)

// Names of the volumes that Project adds. A pod with a volume of such a name but of another source keeps it, and does
// not get that part of the projection.
const (
	// UserVolume is the live directory of the user's files.
	UserVolume = "latchkey-user"
	// UserPathsVolume holds the user's files that are mounted at paths of their own.
	UserPathsVolume = "latchkey-user-paths"
	// AgentVolume is the live directory of the agent's files.
	AgentVolume = "latchkey-agent"
)

// Modes of the files, see "Who can read the files" in the package's documentation.
const (
	modeOwner int32 = 0o400
	modeAll   int32 = 0o444
)

// absentField is a field that is the empty string in every pod: an annotation that is
// never set.
const absentField = "metadata.annotations['latchkey.dev/absent']"

// foreign is the set of reserved volume names that the pod uses for volumes of its own.
type foreign map[string]bool

func foreignVolumes(volumes []corev1.Volume) foreign {
	var names foreign
	for i := range volumes {
		if v := &volumes[i]; isReserved(v.Name) && !isOurVolume(v) {
			if names == nil {
				names = foreign{}
			}
			names[v.Name] = true
		}
	}
	return names
}

func (f foreign) isOurMount(m *corev1.VolumeMount) bool {
	return isReserved(m.Name) && !f[m.Name]
}

func isReserved(name string) bool {
	return name == UserVolume || name == UserPathsVolume || name == AgentVolume
}

// isOurVolume reports whether Project added a volume, by its name and its source. It
// ignores the mode and the list of paths: an earlier admission of the pod may have
// chosen others.
func isOurVolume(v *corev1.Volume) bool {
	switch v.Name {
	case UserVolume:
		return isBundleSource(v.Secret, UserFilesBundle)
	case AgentVolume:
		return isBundleSource(v.Secret, AgentFilesBundle)
	case UserPathsVolume:
		if v.Projected == nil || len(v.Projected.Sources) != 2 {
			return false
		}
		secret := v.Projected.Sources[1].Secret
		return secret != nil && secret.Name == UserFilesBundle && isTrue(secret.Optional)
	}
	return false
}

func isBundleSource(s *corev1.SecretVolumeSource, bundle string) bool {
	return s != nil && s.SecretName == bundle && isTrue(s.Optional) && len(s.Items) == 0
}

// directoryVolume makes the volume of a live directory. Without items, new keys of the Secret appear in it.
func directoryVolume(name, bundle string, mode int32) corev1.Volume {
	return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{
		Secret: &corev1.SecretVolumeSource{SecretName: bundle, DefaultMode: &mode, Optional: new(true)},
	}}
}

// pathsVolume makes the volume of the files with paths of their own. Every field that the API server would default is
// set, so that a re-invoked admission finds the volume as it was made.
func pathsVolume(keys []string, mode int32) corev1.Volume {
	empty := make([]corev1.DownwardAPIVolumeFile, len(keys))
	for i, key := range keys {
		empty[i] = corev1.DownwardAPIVolumeFile{
			Path:     key,
			FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: absentField},
		}
	}
	return corev1.Volume{Name: UserPathsVolume, VolumeSource: corev1.VolumeSource{
		Projected: &corev1.ProjectedVolumeSource{DefaultMode: &mode, Sources: []corev1.VolumeProjection{
			{DownwardAPI: &corev1.DownwardAPIProjection{Items: empty}},
			// Without items: the API server refuses a path that two sources list.
			{Secret: &corev1.SecretProjection{
				LocalObjectReference: corev1.LocalObjectReference{Name: UserFilesBundle},
				Optional:             new(true),
			}},
		}},
	}}
}

// runsAsRoot reports whether the container is known to run as user 0.
func runsAsRoot(pod *corev1.PodSpec, c *corev1.Container) bool {
	if s := c.SecurityContext; s != nil && s.RunAsUser != nil {
		return *s.RunAsUser == 0
	}
	s := pod.SecurityContext
	return s != nil && s.RunAsUser != nil && *s.RunAsUser == 0
}

func hasFSGroup(pod *corev1.PodSpec) bool {
	return pod.SecurityContext != nil && pod.SecurityContext.FSGroup != nil
}

func isTrue(b *bool) bool { return b != nil && *b }
