// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package projector

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/latchkey-dev/latchkey/internal/policy/rules"
)

// Names of the bundle Secrets. They are the same in every tenant, which is what makes projection reversible.
const (
	UserEnvBundle    = "latchkey-user-env"
	UserFilesBundle  = "latchkey-user-files"
	AgentEnvBundle   = "latchkey-agent-env"
	AgentFilesBundle = "latchkey-agent-files"
)

// Defaults of Options.
const (
	DefaultHome     = "/root"
	DefaultUserDir  = "/run/latchkey/user"
	DefaultAgentDir = "/run/latchkey/agent"
)

// Content is what the tenant's bundles hold, as far as projection needs to know: no values.
type Content struct {
	// UserEnv, UserFiles, AgentEnv and AgentFiles are the names of the bundle Secrets, UserEnvBundle and so on; empty
	// for a kind that is not projected. No other name is projected.
	UserEnv, UserFiles, AgentEnv, AgentFiles string

	// Files are the user files that go to a path of their own, the earliest claim first.
	Files []File
}

// File is a user file with a path of its own.
type File struct {
	// Key is the file's key in the user-files Secret.
	Key string
	// Path is the path as the user wrote it: "~/…" or absolute.
	Path string
}

// Options are the settings of the installation. Empty fields take the defaults.
type Options struct {
	// DefaultHome is what "~/" stands for in a container that does not say.
	DefaultHome string
	// UserDir and AgentDir are where the whole files bundles are mounted.
	UserDir, AgentDir string
	// Targets judges where files may be, once it is known where a container's home is.
	Targets *rules.Targets
}

// Result is the outcome of a projection.
type Result struct {
	// Pod is a copy of the pod with the projection applied.
	Pod *corev1.Pod
	// Warnings tell the pod's author what is not as they may expect. They are few, short and without any value.
	Warnings []string
}

// Project returns a copy of the pod with the content projected into it. It never fails: what cannot be projected is
// left out, with a warning. Projecting the result again changes nothing.
func Project(pod *corev1.Pod, content Content, options Options) Result {
	out := pod.DeepCopy()
	var warn warnings
	content = content.known()
	if content.empty() || !injectable(out, &warn) {
		return Result{Pod: out, Warnings: warn.list()}
	}
	newProjection(out, content, options.withDefaults(), &warn).apply()
	return Result{Pod: out, Warnings: warn.list()}
}

// Unproject returns a copy of the pod without what Project adds. Fields that Project leaves empty become nil.
func Unproject(pod *corev1.Pod) *corev1.Pod {
	out := pod.DeepCopy()
	names := foreignVolumes(out.Spec.Volumes)
	for c := range containers(&out.Spec) {
		c.EnvFrom = settleEnv(c.EnvFrom, nil)
		c.VolumeMounts = settle(c.VolumeMounts, nil, names.isOurMount)
	}
	out.Spec.Volumes = settle(out.Spec.Volumes, nil, isOurVolume)
	return out
}

// known drops names that are not those of bundles: Unproject could not find them again.
func (c Content) known() Content {
	only := func(name, bundle string) string {
		if name == bundle {
			return name
		}
		return ""
	}
	c.UserEnv = only(c.UserEnv, UserEnvBundle)
	c.UserFiles = only(c.UserFiles, UserFilesBundle)
	c.AgentEnv = only(c.AgentEnv, AgentEnvBundle)
	c.AgentFiles = only(c.AgentFiles, AgentFilesBundle)
	if c.UserFiles == "" {
		c.Files = nil
	}
	return c
}

func (c Content) empty() bool {
	return c.UserEnv == "" && c.UserFiles == "" && c.AgentEnv == "" && c.AgentFiles == ""
}

func (o Options) withDefaults() Options {
	or := func(value, fallback string) string {
		if value == "" {
			return fallback
		}
		return absolute(value)
	}
	return Options{
		DefaultHome: or(o.DefaultHome, DefaultHome),
		UserDir:     or(o.UserDir, DefaultUserDir),
		AgentDir:    or(o.AgentDir, DefaultAgentDir),
		Targets:     o.Targets,
	}
}
