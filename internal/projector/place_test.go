// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package projector_test

import (
	"strings"
	"testing"

	"github.com/latchkey-dev/latchkey/internal/projector"
)

// homeCase projects ~/.netrc into one container, as root.
func homeCase(metadata, container, wantPath string, options projector.Options, wantWarnings ...string) projectCase {
	pod := func(more, volumes string) string {
		return metadata + "\nspec: {containers: [{name: app, $root" + container + more + "}]" + volumes + "}"
	}
	return projectCase{
		pod: pod("", ""), content: withNetrc, options: options,
		wantPod:      pod(", volumeMounts: [$userMount, "+netrc(wantPath)+"]", ", volumes: [$userVolume, $netrcVolume]"),
		wantWarnings: append(wantWarnings, asOfStart),
	}
}

// TestProject_HomeIsWhereProgramsAre_OnlyHiddenNamesAreAHomes is a home in a place of the system.
func TestProject_HomeIsWhereProgramsAre_OnlyHiddenNamesAreAHomes(t *testing.T) {
	const outside = "it lies outside of the directories for files"
	in := func(home, file, reason string) projectCase {
		container := "env: [{name: HOME, value: " + home + "}], command: [/srv/app/server]"
		pod := func(more, volumes string) string {
			return "spec: {containers: [{name: app, $root, " + container + more + "}]" + volumes + "}"
		}
		c := projectCase{pod: pod("", ""), content: files("netrc", file)}
		if reason != "" {
			c.wantPod = pod(", volumeMounts: [$userMount]", ", volumes: [$userVolume]")
			c.wantWarnings = []string{`latchkey: file "` + file + `" left out: ` + reason}
			return c
		}
		place := strings.Replace(file, "~", strings.TrimSuffix(home, "/"), 1)
		c.wantPod = pod(", volumeMounts: [$userMount, "+netrc(place)+"]", ", volumes: [$userVolume, $netrcVolume]")
		c.wantWarnings = []string{asOfStart}
		return c
	}
	runProjectCases(t, map[string]projectCase{
		"the root: passwd":          in("/", "~/etc/passwd", outside),
		"the root: a place for all": in("/", "~/run/app/token", ""),
		"the root: hidden":          in("/", "~/.config/gh/token", ""),
		"/usr: a library":           in("/usr", "~/share/x", outside),
		"a program's own: a file":   in("/usr/share/app", "~/main", outside),
		"a program's own: hidden":   in("/usr/share/app", "~/.netrc", ""),
		"a user's":                  in("/home/dev", "~/token", ""),
		"what the container runs":   in("/srv/app", "~/server", "it is what the container runs"),
	})
}

func TestProjectHome(t *testing.T) {
	none := projector.Options{}
	ignored := "latchkey: annotation latchkey.dev/home is ignored: it must be an absolute path"
	guessed := `latchkey: HOME is not literal: ~/ is "/root"; set annotation latchkey.dev/home`
	runProjectCases(t, map[string]projectCase{
		"the default if nothing says": homeCase("", "", "/root/.netrc", none),
		"the configured default":      homeCase("", "", "/home/user/.netrc", projector.Options{DefaultHome: "/home/user/"}),
		"a literal HOME":              homeCase("", ", env: [{name: HOME, value: /home/dev/}]", "/home/dev/.netrc", none),
		"HOME is the root":            homeCase("", `, env: [{name: HOME, value: "/"}]`, "/.netrc", none),
		"the last HOME of several, as in the container": homeCase("",
			", env: [{name: HOME, value: /a}, {name: HOME, value: /b}, {name: OTHER, value: x}]", "/b/.netrc", none),
		"the annotation goes before HOME": homeCase("metadata: {annotations: {latchkey.dev/home: /home/me/}}",
			", env: [{name: HOME, value: /home/dev}]", "/home/me/.netrc", none),
		"the annotation goes before a HOME that is not known": homeCase("metadata: {annotations: {latchkey.dev/home: /home/me}}",
			", env: [{name: HOME, valueFrom: {configMapKeyRef: {name: a, key: b}}}]", "/home/me/.netrc", none),
		"an annotation that is not absolute is ignored": homeCase("metadata: {annotations: {latchkey.dev/home: home/me}}",
			", env: [{name: HOME, value: /home/dev}]", "/home/dev/.netrc", none, ignored),
		"an annotation that goes up is ignored": homeCase("metadata: {annotations: {latchkey.dev/home: /home/..}}",
			"", "/root/.netrc", none, ignored),
		"an annotation that points into a reserved place is ignored": homeCase("metadata: {annotations: {latchkey.dev/home: /proc/self}}",
			"", "/root/.netrc", none, ignored),
		"a HOME from elsewhere is not known": homeCase("",
			", env: [{name: HOME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]", "/root/.netrc", none, guessed),
		"a HOME with a reference is not literal": homeCase("",
			", env: [{name: U, value: me}, {name: HOME, value: /home/$(U)}]", "/root/.netrc", none, guessed),
		"a relative HOME is no path": homeCase("", ", env: [{name: HOME, value: home}]", "/root/.netrc", none, guessed),
		"a HOME that is not known does not matter without a file below it": {
			pod: `spec: {containers: [{name: app, $root,
				env: [{name: HOME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]}]}`,
			content: files("netrc", "/srv/netrc"),
			wantPod: `spec: {containers: [{name: app, $root,
				env: [{name: HOME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}],
				volumeMounts: [$userMount, ` + netrc("/srv/netrc") + `]}], volumes: [$userVolume, $netrcVolume]}`,
			wantWarnings: []string{asOfStart},
		},
	})
}

// linkCase projects a file at a path into a container as root that mounts volume v. The file is placed unless a reason
// is given.
func linkCase(file, mount, volume, reason string) projectCase {
	pod := func(mounts, volumes string) string {
		return "spec: {containers: [{name: app, $root, volumeMounts: [" + mounts + "]}], volumes: [" + volumes + "]}"
	}
	mount = "{name: v, mountPath: " + mount + "}"
	if reason != "" {
		return projectCase{
			pod: pod(mount, volume), content: files("netrc", file), wantPod: pod(mount+", $userMount", volume+", $userVolume"),
			wantWarnings: []string{`latchkey: file "` + file + `" left out: ` + reason},
		}
	}
	return projectCase{
		pod: pod(mount, volume), content: files("netrc", file),
		wantPod:      pod(mount+", $userMount, "+netrc(file), volume+", $userVolume, $netrcVolume"),
		wantWarnings: []string{asOfStart},
	}
}

// TestProject_PodMountsThePlaceByAnotherName_LeavesTheFileOut is one place with two names.
func TestProject_PodMountsThePlaceByAnotherName_LeavesTheFileOut(t *testing.T) {
	const (
		config   = "{name: v, configMap: {name: c}}"
		scratch  = "{name: v, emptyDir: {}}"
		readOnly = "it lies in a read-only volume of the pod"
		left     = "left to the pod, which mounts that path"
	)
	runProjectCases(t, map[string]projectCase{
		"a read-only volume around it, by the link":      linkCase("/run/app/token", "/var/run/app", config, readOnly),
		"a read-only volume around it, by the directory": linkCase("/var/run/app/token", "/run/app", config, readOnly),
		"the link with slashes and dots":                 linkCase("/run/app/token", "//var/./run//app/", config, readOnly),
		"a way up":                                       linkCase("/run/app/token", "/var/lib/../run/app", config, readOnly),
		"the root of a process":                          linkCase("/run/app/token", "/proc/self/root/run/app", config, readOnly),
		"a link's own link":                              linkCase("/run/lock/token", "/var/lock", config, readOnly),
		"the path itself":                                linkCase("/srv/x/token", "/proc/1/root/srv/x/token", scratch, left),
		"the path itself, by a link":                     linkCase("/run/app/token", "/var/run/app/token", scratch, left),
		"something below it":                             linkCase("/run/app/token", "/var/run/app/token/d", scratch, "the pod mounts something below it"),
		"a volume that hides the link":                   linkCase("/var/run/app/token", "/var", config, readOnly),
		"a writable volume is no obstacle":               linkCase("/run/app/token", "/var/run/app", scratch, ""),
		"another directory":                              linkCase("/run/app/token", "/var/running/app", config, ""),
		"the working directory, by a link": {
			pod:          `spec: {containers: [{name: app, $root, workingDir: /var/run/app}]}`,
			content:      files("netrc", "/run/app"),
			wantPod:      `spec: {containers: [{name: app, $root, workingDir: /var/run/app, volumeMounts: [$userMount]}], volumes: [$userVolume]}`,
			wantWarnings: []string{`latchkey: file "/run/app" left out: it is the home or working directory`},
		},
		"the live directory, by a link": {
			pod: `spec: {containers: [{name: app, $root, volumeMounts: [{name: v, mountPath: /var/run/latchkey/user}]}],
				volumes: [` + scratch + `]}`,
			content:      userFiles,
			wantWarnings: []string{`latchkey: directory "/run/latchkey/user" left out: left to the pod, which mounts that path`},
		},
	})
}

// groundCase projects ~/.netrc into a container as root that brings mounts along. The file is placed unless a reason
// is given.
func groundCase(container, mounts, volumes, reason string) projectCase {
	pod := func(mounts, volumes string) string {
		return "spec: {containers: [{name: app, $root" + container + ", volumeMounts: [" + mounts + "]}], volumes: [" + volumes + "]}"
	}
	if reason != "" {
		return projectCase{
			pod: pod(mounts, volumes), content: withNetrc,
			wantPod:      pod(mounts+", $userMount", volumes+", $userVolume"),
			wantWarnings: []string{`latchkey: file "~/.netrc" left out: ` + reason},
		}
	}
	return projectCase{
		pod: pod(mounts, volumes), content: withNetrc,
		wantPod:      pod(mounts+", $userMount, "+netrc("/root/.netrc"), volumes+", $userVolume, $netrcVolume"),
		wantWarnings: []string{asOfStart},
	}
}

func TestProjectExistingMounts(t *testing.T) {
	const (
		atRoot   = "{name: v, mountPath: /root}"
		readOnly = "it lies in a read-only volume of the pod"
		left     = "left to the pod, which mounts that path"
	)
	runProjectCases(t, map[string]projectCase{
		"a path that the pod mounts is left to it": groundCase("",
			"{name: v, mountPath: /root/.netrc}", "{name: v, emptyDir: {}}", left),
		"the same path spelt otherwise": groundCase("",
			"{name: v, mountPath: //root/./.netrc/}", "{name: v, emptyDir: {}}", left),
		"the same path, relative to the root": groundCase("",
			"{name: v, mountPath: root/.netrc}", "{name: v, emptyDir: {}}", left),
		"a block device at the path": groundCase(", volumeDevices: [{name: d, devicePath: /root/.netrc}]",
			"$token", "{name: d, persistentVolumeClaim: {claimName: c}}", left),
		"the termination message at the path": groundCase(", terminationMessagePath: /root/.netrc", "$token", "{name: v, emptyDir: {}}", left),
		"a mount below the path makes it a directory": groundCase("",
			"{name: v, mountPath: /root/.netrc/d}", "{name: v, emptyDir: {}}", "the pod mounts something below it"),
		"a path with the same beginning is another": groundCase("", "{name: v, mountPath: /root/.netrc2}", "{name: v, emptyDir: {}}", ""),
		"a home on an emptyDir":                     groundCase("", atRoot, "{name: v, emptyDir: {}}", ""),
		"a home on a persistent volume":             groundCase("", atRoot, "{name: v, persistentVolumeClaim: {claimName: c}}", ""),
		"a home on a directory of the node":         groundCase("", atRoot, "{name: v, hostPath: {path: /p, type: Directory}}", ""),
		"a home on a read-only claim": groundCase("", atRoot,
			"{name: v, persistentVolumeClaim: {claimName: c, readOnly: true}}", readOnly),
		"a home that is mounted read-only": groundCase("",
			"{name: v, mountPath: /root, readOnly: true}", "{name: v, emptyDir: {}}", readOnly),
		"a home from a ConfigMap":        groundCase("", atRoot, "{name: v, configMap: {name: c}}", readOnly),
		"a home from a Secret":           groundCase("", atRoot, "{name: v, secret: {secretName: c}}", readOnly),
		"a home from a projected volume": groundCase("", atRoot, "{name: v, projected: {}}", readOnly),
		"a home from the downward API":   groundCase("", atRoot, "{name: v, downwardAPI: {}}", readOnly),
		"a home from an image":           groundCase("", atRoot, "{name: v, image: {reference: r}}", readOnly),
		"a home from a read-only CSI volume": groundCase("", atRoot,
			"{name: v, csi: {driver: d, readOnly: true}}", readOnly),
		"a home from read-only NFS": groundCase("", atRoot, "{name: v, nfs: {server: s, path: /p, readOnly: true}}", readOnly),
		"a home that is a file of the node": groundCase("", atRoot,
			"{name: v, hostPath: {path: /p, type: File}}", readOnly),
		"the nearest volume decides: writable in read-only": {
			pod: `spec: {containers: [{name: app, $root, env: [{name: HOME, value: /data/me}],
				volumeMounts: [{name: v, mountPath: /data/me}, {name: r, mountPath: /data, readOnly: true}]}],
				volumes: [{name: r, emptyDir: {}}, {name: v, emptyDir: {}}]}`,
			content: withNetrc,
			wantPod: `spec: {containers: [{name: app, $root, env: [{name: HOME, value: /data/me}],
				volumeMounts: [{name: v, mountPath: /data/me}, {name: r, mountPath: /data, readOnly: true}, $userMount, ` + netrc("/data/me/.netrc") + `]}],
				volumes: [{name: r, emptyDir: {}}, {name: v, emptyDir: {}}, $userVolume, $netrcVolume]}`,
			wantWarnings: []string{asOfStart},
		},
		"the nearest volume decides: read-only in writable": groundCase("",
			"{name: r, mountPath: /root, readOnly: true}, {name: v, mountPath: /}", "{name: r, emptyDir: {}}, {name: v, emptyDir: {}}", readOnly),
		"a root file system that is read-only is no obstacle": {
			pod:     `spec: {containers: [{name: app, securityContext: {runAsUser: 0, readOnlyRootFilesystem: true}}]}`,
			content: withNetrc,
			wantPod: `spec: {containers: [{name: app, securityContext: {runAsUser: 0, readOnlyRootFilesystem: true},
				volumeMounts: [$userMount, ` + netrc("/root/.netrc") + `]}], volumes: [$userVolume, $netrcVolume]}`,
			wantWarnings: []string{asOfStart},
		},
		"what one container mounts does not matter to another": {
			pod: `spec: {containers: [
				{name: a, $root, volumeMounts: [{name: v, mountPath: /root/.netrc}]}, {name: b, $root}],
				volumes: [{name: v, emptyDir: {}}]}`,
			content: withNetrc,
			wantPod: `spec: {containers: [
				{name: a, $root, volumeMounts: [{name: v, mountPath: /root/.netrc}, $userMount]},
				{name: b, $root, volumeMounts: [$userMount, ` + netrc("/root/.netrc") + `]}],
				volumes: [{name: v, emptyDir: {}}, $userVolume, $netrcVolume]}`,
			wantWarnings: []string{`latchkey: file "~/.netrc" left out: left to the pod, which mounts that path`, asOfStart},
		},
		"the live directory is left to a pod that mounts it": {
			pod: `spec: {containers: [{name: app, $root, volumeMounts: [{name: v, mountPath: /run/latchkey/user}]}],
				volumes: [{name: v, secret: {secretName: latchkey-user-files}}]}`,
			content:      userFiles,
			wantWarnings: []string{`latchkey: directory "/run/latchkey/user" left out: left to the pod, which mounts that path`},
		},
		"the live directory may be the working directory": {
			pod:     `spec: {containers: [{name: app, $root, workingDir: /run/latchkey/user}]}`,
			content: userFiles,
			wantPod: `spec: {containers: [{name: app, $root, workingDir: /run/latchkey/user, volumeMounts: [$userMount]}], volumes: [$userVolume]}`,
		},
		"a volume of a reserved name and of the bundle, but required or of a part of it, stays the pod's": {
			pod: `spec: {containers: [{name: app, $root, volumeMounts: [{name: latchkey-user, mountPath: /mine}]}], volumes: [
				{name: latchkey-user, secret: {secretName: latchkey-user-files}},
				{name: latchkey-agent, secret: {secretName: latchkey-agent-files, optional: true, items: [{key: a, path: a}]}}]}`,
			content: projector.Content{UserFiles: "latchkey-user-files", AgentFiles: "latchkey-agent-files"},
			wantWarnings: []string{
				"latchkey: the pod has a volume named latchkey-user of its own: files are left out",
				"latchkey: the pod has a volume named latchkey-agent of its own: files are left out",
			},
		},
		"a volume of a reserved name that is something else stays the pod's": {
			pod: `spec: {containers: [{name: app, $root, volumeMounts: [{name: latchkey-user, mountPath: /mine}]}],
				volumes: [{name: latchkey-user, emptyDir: {}}, {name: latchkey-user-paths, secret: {secretName: s}}]}`,
			content: both,
			wantPod: `spec: {containers: [{name: app, $root, envFrom: [$agentEnv, $userEnv],
				volumeMounts: [{name: latchkey-user, mountPath: /mine}, $agentMount]}],
				volumes: [{name: latchkey-user, emptyDir: {}}, {name: latchkey-user-paths, secret: {secretName: s}}, $agentVolume]}`,
			wantWarnings: []string{
				"latchkey: the pod has a volume named latchkey-user of its own: files are left out",
				"latchkey: the pod has a volume named latchkey-user-paths of its own: files are left out",
			},
		},
	})
}

func TestProjectPathsInTheWay(t *testing.T) {
	const root = `spec: {containers: [{name: app, $root}]}`
	placed := func(mounts ...string) string {
		return `spec: {containers: [{name: app, $root, volumeMounts: [` + strings.Join(append([]string{"$userMount"}, mounts...), ", ") +
			`]}], volumes: [$userVolume, $netrcVolume]}`
	}
	nothing := `spec: {containers: [{name: app, $root, volumeMounts: [$userMount]}], volumes: [$userVolume]}`
	runProjectCases(t, map[string]projectCase{
		"a path that cannot be a file is left out, the others are placed": {
			pod: root, content: files("a", "~/", "b", "/etc/", "c", "~/../x", "d", "/proc/x", "netrc", "~/.netrc"),
			wantPod: placed(netrc("/root/.netrc")),
			wantWarnings: []string{
				`latchkey: file "~/" left out: path names a directory`,
				`latchkey: file "/etc/" left out: path names a directory`,
				`latchkey: file "~/../x" left out: path contains a .. segment`,
				`latchkey: file "/proc/x" left out: path is reserved for the container's own use`,
				asOfStart,
			},
		},
		"one path below another: the earlier wins": {
			pod: root, content: files("netrc", "~/a", "b", "~/a/b"), wantPod: placed(netrc("/root/a")),
			wantWarnings: []string{`latchkey: file "~/a/b" left out: the path of another secret is in the way`, asOfStart},
		},
		"one path above another: the earlier wins": {
			pod: root, content: files("netrc", "~/a/b", "b", "~/a"), wantPod: placed(netrc("/root/a/b")),
			wantWarnings: []string{`latchkey: file "~/a" left out: the path of another secret is in the way`, asOfStart},
		},
		"two paths that are one in this container": {
			pod: root, content: files("netrc", "~/a", "b", "/root/a"), wantPod: placed(netrc("/root/a")),
			wantWarnings: []string{`latchkey: file "/root/a" left out: the path of another secret is in the way`, asOfStart},
		},
		"a path that is left to the pod stands in no other's way": {
			pod:     `spec: {containers: [{name: app, $root, volumeMounts: [{name: v, mountPath: /root/a}]}], volumes: [{name: v, emptyDir: {}}]}`,
			content: files("a", "~/a", "netrc", "~/a/netrc"),
			wantPod: `spec: {containers: [{name: app, $root, volumeMounts: [{name: v, mountPath: /root/a}, $userMount, ` + netrc("/root/a/netrc") + `]}],
				volumes: [{name: v, emptyDir: {}}, $userVolume, $netrcVolume]}`,
			wantWarnings: []string{`latchkey: file "~/a" left out: left to the pod, which mounts that path`, asOfStart},
		},
		"a path that is the home, or above it": {
			pod:     `spec: {containers: [{name: app, $root, env: [{name: HOME, value: /data/home}]}]}`,
			content: files("a", "/data/home", "b", "/data"),
			wantPod: `spec: {containers: [{name: app, $root, env: [{name: HOME, value: /data/home}], volumeMounts: [$userMount]}], volumes: [$userVolume]}`,
			wantWarnings: []string{
				`latchkey: file "/data/home" left out: it is the home or working directory`,
				`latchkey: file "/data" left out: it is the home or working directory`,
			},
		},
		"a path that is the working directory": {
			pod:          `spec: {containers: [{name: app, $root, workingDir: /work/}]}`,
			content:      files("a", "/work"),
			wantPod:      `spec: {containers: [{name: app, $root, workingDir: /work/, volumeMounts: [$userMount]}], volumes: [$userVolume]}`,
			wantWarnings: []string{`latchkey: file "/work" left out: it is the home or working directory`},
		},
		"a path that is reserved with this home": {
			pod:     "metadata: {annotations: {latchkey.dev/home: /run}}\n" + root,
			content: files("a", "~/latchkey", "b", "~/secrets"),
			wantPod: "metadata: {annotations: {latchkey.dev/home: /run}}\n" + nothing,
			wantWarnings: []string{
				`latchkey: file "~/latchkey" left out: path is reserved for the container's own use`,
				`latchkey: file "~/secrets" left out: path names a directory`,
			},
		},
		"a path in a live directory that is elsewhere": {
			pod: root, content: files("a", "/secrets/a"), options: projector.Options{UserDir: "/secrets"},
			wantPod:      `spec: {containers: [{name: app, $root, volumeMounts: [{name: latchkey-user, mountPath: /secrets, readOnly: true}]}], volumes: [$userVolume]}`,
			wantWarnings: []string{`latchkey: file "/secrets/a" left out: the path of another secret is in the way`},
		},
	})
}
