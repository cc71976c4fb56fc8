// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package projector

import (
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/latchkey-dev/latchkey/internal/policy/rules"
)

// MaxFiles bounds the files with paths of their own in one pod: each is a mount in every container.
const MaxFiles = 100

// projection is the projection of one pod.
type projection struct {
	spec    *corev1.PodSpec
	skip    map[string]bool
	warn    *warnings
	foreign foreign
	volumes map[string]*corev1.Volume
	homes   homes
	may     *rules.Targets

	// env is what every envFrom begins with.
	env []corev1.EnvFromSource
	// directories are the live directories that are possible in this pod.
	directories []directory
	// files are those whose paths can be files, the earliest claim first.
	files []File
	// usesHome: at least one of the files is below "~/".
	usesHome bool

	// mounted holds the volumes that a container mounts, and placed the keys of the files that one does; rootOnly
	// stays true until a container is not known to run as root.
	mounted  map[string]bool
	placed   map[string]bool
	rootOnly bool
}

type directory struct {
	volume, bundle, path string
}

func newProjection(pod *corev1.Pod, content Content, options Options, warn *warnings) *projection {
	p := &projection{
		spec:     &pod.Spec,
		skip:     skipped(pod),
		warn:     warn,
		foreign:  foreignVolumes(pod.Spec.Volumes),
		volumes:  make(map[string]*corev1.Volume, len(pod.Spec.Volumes)),
		homes:    newHomes(pod, options.DefaultHome, warn),
		may:      options.Targets,
		mounted:  map[string]bool{},
		placed:   map[string]bool{},
		rootOnly: true,
	}
	for i := range pod.Spec.Volumes {
		v := &pod.Spec.Volumes[i]
		p.volumes[v.Name] = v
	}
	// The later entry wins: the user's.
	for _, name := range []string{content.AgentEnv, content.UserEnv} {
		if name != "" {
			p.env = append(p.env, bundleEnv(name))
		}
	}
	if content.UserFiles != "" && p.has(UserVolume) {
		p.directories = append(p.directories, directory{UserVolume, content.UserFiles, options.UserDir})
	}
	if content.AgentFiles != "" && p.has(AgentVolume) {
		p.directories = append(p.directories, directory{AgentVolume, content.AgentFiles, options.AgentDir})
	}
	if len(content.Files) > 0 && p.has(UserPathsVolume) {
		p.files = p.projectable(content.Files)
	}
	return p
}

// has reports whether the projection can have the volume.
func (p *projection) has(volume string) bool {
	if p.foreign[volume] {
		p.warn.add("the pod has a volume named " + volume + " of its own: files are left out")
		return false
	}
	return true
}

// projectable returns the files whose paths can be files in some container.
func (p *projection) projectable(all []File) []File {
	files := make([]File, 0, min(len(all), MaxFiles))
	for _, f := range all {
		reason := Projectable(f.Path)
		if reason == "" && len(validation.IsConfigMapKey(f.Key)) > 0 {
			// A bundle has no such key; the API server would refuse the pod.
			reason = "its key in the bundle is not valid"
		}
		if reason != "" {
			p.leaveOut(f.Path, reason)
			continue
		}
		if len(files) == MaxFiles {
			p.warn.add("only the first " + strconv.Itoa(MaxFiles) + " files are at paths of their own, all are in the live directory")
			break
		}
		files = append(files, f)
		p.usesHome = p.usesHome || f.Path[0] == '~'
	}
	return files
}

func (p *projection) leaveOut(file, reason string) {
	p.warn.add("file " + quote(file) + " left out: " + reason)
}

// apply changes the pod.
func (p *projection) apply() {
	for c := range containers(p.spec) {
		var mounts []corev1.VolumeMount
		if !p.skip[c.Name] {
			c.EnvFrom = settleEnv(c.EnvFrom, p.env)
			mounts = p.mounts(c)
		}
		c.VolumeMounts = settle(c.VolumeMounts, mounts, p.foreign.isOurMount)
	}
	p.spec.Volumes = settle(p.spec.Volumes, p.wantedVolumes(), isOurVolume)
	if p.mounted[UserPathsVolume] {
		p.warn.add("files at paths of their own are as of the container's start, the live directory is current")
	}
}

// mounts decides what is mounted in the container.
func (p *projection) mounts(c *corev1.Container) []corev1.VolumeMount {
	size := len(p.directories) + len(p.files)
	if size == 0 {
		return nil
	}
	home, guessed := p.homes.of(c)
	if guessed && p.usesHome {
		p.warn.add("HOME is not literal: ~/ is " + quote(home) + "; set annotation " + AnnotationHome)
	}
	own := newGround(c, home, p.volumes, p.foreign.isOurMount)
	taken := newClaims(size)
	mounts := make([]corev1.VolumeMount, 0, size)
	for _, d := range p.directories {
		place := rules.Place(d.path)
		reason := own.refuses(d.path, place)
		if _, free := taken.add(place, 0); reason == "" && !free {
			reason = "another directory is in the way"
		}
		if reason != "" {
			p.warn.add("directory " + quote(d.path) + " left out: " + reason)
			continue
		}
		mounts = append(mounts, corev1.VolumeMount{Name: d.volume, ReadOnly: true, MountPath: d.path})
		p.mounted[d.volume] = true
	}
	for _, f := range p.files {
		target := resolve(f.Path, home)
		if reason := p.refusal(&own, taken, f.Path, home, target); reason != "" {
			p.leaveOut(f.Path, reason)
			continue
		}
		mounts = append(mounts, corev1.VolumeMount{
			Name: UserPathsVolume, ReadOnly: true, MountPath: target, SubPath: f.Key,
		})
		p.mounted[UserPathsVolume] = true
		p.placed[f.Key] = true
	}
	if len(mounts) > 0 && !runsAsRoot(p.spec, c) {
		p.rootOnly = false
	}
	return mounts
}

// refusal says why a file cannot be at the target, which is its path with the container's home. If it can, the place
// is taken.
func (p *projection) refusal(own *ground, taken claims, file, home, target string) (reason string) {
	// With the home, the path can break rules that the path as it was written did not break.
	place, reason := placed(target)
	if reason != "" {
		return reason
	}
	if reason := own.refusesFile(target, place); reason != "" {
		return reason
	}
	if rest, below := strings.CutPrefix(file, "~/"); below {
		if reason := p.may.InHome(home, rest); reason != "" {
			return reason
		}
	}
	if _, free := taken.add(place, 0); !free {
		return "the path of another secret is in the way"
	}
	return ""
}

// wantedVolumes returns the volumes of all mounts, with the mode that the containers can read.
func (p *projection) wantedVolumes() []corev1.Volume {
	mode := modeOwner
	if !p.rootOnly && !hasFSGroup(p.spec) {
		mode = modeAll
		p.warn.add("secret files are readable by all users in the containers: set fsGroup, or runAsUser: 0")
	}
	var volumes []corev1.Volume
	for _, d := range p.directories {
		if p.mounted[d.volume] {
			volumes = append(volumes, directoryVolume(d.volume, d.bundle, mode))
		}
	}
	if p.mounted[UserPathsVolume] {
		keys := make([]string, 0, len(p.placed))
		for _, f := range p.files {
			if p.placed[f.Key] && !slices.Contains(keys, f.Key) {
				keys = append(keys, f.Key)
			}
		}
		volumes = append(volumes, pathsVolume(keys, mode))
	}
	return volumes
}
