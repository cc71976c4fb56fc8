// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

// Package projector makes the content of a tenant's bundles appear in a pod. It is pure: a pod goes in, a changed
// copy comes out. It reads no cluster, holds no value of any secret and keeps no state, so a dry run, a repeated
// admission and a re-invoked one give the same answer. It owns the rules of projection; which pods are asked about
// and what the bundles hold is decided by its callers.
//
// # What is added
//
// To every container and init container (native sidecars are init containers), never to ephemeral ones, which do
// not exist yet when a pod is created:
//
//   - envFrom entries for the environment bundles, optional and first in the list;
//   - the files bundles as directories, /run/latchkey/user and /run/latchkey/agent;
//   - each user file that names a path, at that path.
//
// Volumes are added for these, and nothing else: no container, no annotation, no change of the security context. A
// pod with user namespaces, volumes that are mounted read-only, or Pod Security "restricted" stays what it was.
//
// # Which variable wins
//
// The kubelet takes envFrom in order, a later entry replaces an earlier one, and env replaces both. So what the pod
// itself sets always wins over a bundle. Of the two bundles the user's comes second and wins: what somebody chose
// for themselves is more specific than what an environment offers to everybody in it. Variables are as of the start
// of the container.
//
// # When files change
//
// The directories are live: the kubelet swaps their whole content atomically, so new values, new files and deletions
// appear without a restart. A file at its own path is a subPath mount, which the kubelet resolves once: its content
// is as of the start of the container. After a change the container keeps the old content until it restarts, and a
// file that is new gets its path only in pods that are created later.
//
// A secret may vanish between admission and the start of a container (a pod that waits for a node, a restart after
// the user deleted a secret). With a plain Secret volume the kubelet would then make a directory of that name, in the
// live directory too, and a container whose home is a persistent volume would not start any more: a directory cannot
// be mounted onto the file that an earlier start left as the mount point. The paths therefore have a volume of their
// own, whose first source is an empty file for each of them (the downward API of an annotation that is not there) and
// whose second is the bundle: the later source replaces the earlier. A file whose secret is gone is an empty file,
// never a directory, and the pod starts in any case.
//
// # Who can read the files
//
// Secret volumes belong to root. Where the pod sets fsGroup, files have mode 0400, to which the kubelet adds the
// group: 0440 for that group, which every container is a member of. Where every container is known to run as user 0,
// files have mode 0400. In all other cases, when a container runs as another user or as whatever its image says, only
// mode 0444 is sure to be readable: it is given, with a warning. The volume is visible in this pod's containers only,
// which hold the same tenant's variables. Changing the pod's identity (setting fsGroup) would change the ownership of
// its other volumes, and is left to its author.
//
// # Where ~/ is
//
// The annotation latchkey.dev/home of the pod; else the last literal HOME in the container's env; else the configured
// default. A HOME from a ConfigMap, Secret or field is not known at admission: the default is used, with a warning.
//
// # When a file is not placed
//
// The pod is never broken for a secret. Left out, with a warning, and still in the live directory, is a path
//
//   - that cannot be a file or belongs to the container runtime, see [Projectable];
//   - that the installation refuses, see [rules.Targets], which its callers ask; where a home is elsewhere than homes
//     are, Project asks again;
//   - of or below another secret's path, see [Conflicts]: the earlier claim wins;
//   - that the pod mounts something at (it is left to the pod) or below (it must be a directory);
//   - in a volume that is read-only: the runtime could not create the mount point;
//   - that is, or is above, the container's home or working directory, or is what the container runs;
//   - after the first [MaxFiles].
//
// The live directories obey the same rules. What is a directory in the image or in a volume cannot be known at
// admission, beyond the well-known ones: a container does not start if a file's path is one. A file below a writable
// volume (a home on a persistent volume) leaves an empty file behind there, as the mount point. Directories on the way
// that do not exist are created by the runtime and belong to root.
//
// Paths are compared by where they lead in usual images, see [rules.Place].
//
// # Updates
//
// What a stored pod mounts cannot change. [Keep] puts back what an update lacks of it, and adds nothing.
//
// # Opting out
//
// The pod annotation latchkey.dev/inject: "false" leaves the pod untouched; latchkey.dev/skip-containers: "a,b" names
// containers and init containers that are left alone. Pods for Windows and mirrors of static pods are not projected.
// Pods in a user namespace (hostUsers: false) are not either, unless latchkey.dev/inject is "true": every volume of
// theirs must support ID-mapped mounts, which for Secret volumes takes Linux 6.3 and a recent runtime; elsewhere an
// added volume would keep the pod from starting.
//
// # Idempotence
//
// What Latchkey added is told by its shape: volumes of reserved names and sources with the mounts of them, and the
// run of optional bundle entries that envFrom begins with. An element that is right stays in place, even after other
// webhooks have added to the lists, so projecting a projected pod changes nothing, and [Unproject] takes away what
// [Project] added.
package projector
