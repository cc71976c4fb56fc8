// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/latchkey-dev/latchkey/hack/internal/supervise"
)

// unsuitableError lists why no node can run on this machine.
type unsuitableError struct{ reasons []string }

func (e *unsuitableError) Error() string {
	return "no node can run on this machine:\n  - " + strings.Join(e.reasons, "\n  - ")
}

// requirement is a program and the package of Debian and its kin that has it.
type requirement struct{ program, pkg string }

var requirements = []requirement{
	{"containerd", "containerd"}, {"ctr", "containerd"}, {"runc", "runc"},
	{"busybox", "busybox-static"}, {"ip", "iproute2"}, {"nft", "nftables"},
	{"mount", "mount"}, {"umount", "mount"}, {"nsenter", "util-linux"}, {"unshare", "util-linux"},
}

// The network plugins are programs too, in a folder of their own: Debian's, and the one that most others use.
var (
	cniFolders  = []string{"/usr/lib/cni", "/opt/cni/bin"}
	cniPrograms = []string{"host-local", "loopback", "ptp"}
)

const cniPackage = "containernetworking-plugins"

// probe tries out something that the kernel may lack or refuse, in a namespace of its own that vanishes with it.
type probe struct {
	feature string
	argv    []string
}

var probes = []probe{
	{"network namespaces", []string{"unshare", "--net", "true"}},
	{"mount namespaces", []string{"unshare", "--mount", "true"}},
	{"pairs of network devices (veth)", []string{"unshare", "--net", "ip", "link", "add", "probe0", "type", "veth", "peer", "name", "probe1"}},
	{"address translation with nftables", []string{"unshare", "--net", "nft",
		"add table ip probe; add chain ip probe nat { type nat hook prerouting priority 0; }; add rule ip probe nat ip daddr 198.18.0.9 dnat to 198.18.0.2"}},
}

// longestSocket is how long the path of a Unix socket may be, without the closing zero byte.
const longestSocket = 107

// preflight installs missing packages where it can, and returns an unsuitableError if a node cannot run here.
func (n *node) preflight(ctx context.Context) error {
	if runtime.GOOS != "linux" {
		return &unsuitableError{[]string{"it runs " + runtime.GOOS + ", not Linux"}}
	}
	if os.Geteuid() != 0 {
		return &unsuitableError{[]string{"this needs root, for namespaces, mounts and containers"}}
	}
	var reasons []string
	if missing := missingPackages(); len(missing) > 0 {
		err := supervise.Step(ctx, "packages "+strings.Join(missing, " "), func(ctx context.Context) (string, error) {
			return "installed", install(ctx, missing)
		})
		if err != nil {
			reasons = append(reasons, err.Error())
		}
		if missing = missingPackages(); len(missing) > 0 {
			// Without these programs nothing else can be tried out.
			return &unsuitableError{append(reasons, "these Debian packages, or what they hold, are missing: "+strings.Join(missing, " "))}
		}
	}
	n.cniBin = findCNI()
	for _, p := range probes {
		if _, err := run(ctx, p.argv...); err != nil {
			reasons = append(reasons, fmt.Sprintf("the kernel lacks or refuses %s: %v", p.feature, err))
		}
	}
	for _, check := range []func() error{checkBusybox, checkCgroups, checkHostAddresses, n.checkPaths, n.checkOtherKubelet} {
		if err := check(); err != nil {
			reasons = append(reasons, err.Error())
		}
	}
	if len(reasons) > 0 {
		return &unsuitableError{reasons}
	}
	n.overlay = overlayWorks(ctx, filepath.Join(n.root, "bin"))
	return nil
}

// missingPackages lists the packages of the programs that are not there.
func missingPackages() []string {
	var missing []string
	for _, r := range requirements {
		if _, err := exec.LookPath(r.program); err != nil && !slices.Contains(missing, r.pkg) {
			missing = append(missing, r.pkg)
		}
	}
	if findCNI() == "" {
		missing = append(missing, cniPackage)
	}
	return missing
}

// findCNI finds the folder that has the network plugins.
func findCNI() string {
	for _, folder := range cniFolders {
		lacks := func(program string) bool {
			_, err := os.Stat(filepath.Join(folder, program))
			return err != nil
		}
		if !slices.ContainsFunc(cniPrograms, lacks) {
			return folder
		}
	}
	return ""
}

// install installs Debian packages, with newer lists of them where those that are there do not do.
func install(ctx context.Context, packages []string) error {
	const script = `install() { apt-get install -q -y --no-install-recommends "$@"; }
export DEBIAN_FRONTEND=noninteractive
install "$@" || { apt-get update -q && install "$@"; }`
	_, err := run(ctx, append([]string{"sh", "-c", script, "sh"}, packages...)...)
	return err
}

// checkBusybox makes sure that the busybox that goes into images needs no libraries.
func checkBusybox() error {
	path, err := exec.LookPath("busybox")
	if err != nil {
		return err
	}
	program, err := elf.Open(path)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer func() { _ = program.Close() }()
	if slices.ContainsFunc(program.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		return fmt.Errorf("%s is dynamically linked: install busybox-static", path)
	}
	return nil
}

func checkCgroups() error {
	points, err := hierarchies(cgroupFolder)
	if err != nil {
		return err
	}
	have := controllers(points)
	lacks := slices.DeleteFunc(slices.Clone(needControllers), func(c string) bool { return slices.Contains(have, c) })
	if len(lacks) > 0 {
		return fmt.Errorf("cgroup controllers are missing below /sys/fs/cgroup: %s", strings.Join(lacks, " "))
	}
	for _, point := range points {
		trial := filepath.Join(point, nodeName+"-trial")
		if err := os.Mkdir(trial, 0o755); err != nil {
			return fmt.Errorf("cgroups cannot be made: %w", err)
		}
		if err := os.Remove(trial); err != nil {
			return err
		}
	}
	return nil
}

func checkHostAddresses() error {
	addresses, err := hostAddresses()
	if err != nil {
		return err
	}
	return checkAddresses(addresses)
}

// checkPaths makes sure that the sockets' paths are not too long, of which this is the longest.
func (n *node) checkPaths() error {
	longest := n.dir("kubelet", "pod-resources", "kubelet.sock") + "12345678" // it is made under a name of its own first
	if excess := len(longest) - longestSocket; excess > 0 {
		return fmt.Errorf("the path of the source tree is %d characters too long for the sockets below it: %s", excess, n.root)
	}
	return nil
}

// checkOtherKubelet makes sure that the socket for device plugins, which has a fixed place, is nobody else's: a kubelet
// empties its folder when it starts.
func (n *node) checkOtherKubelet() error {
	m, known, err := n.loadMachine()
	if err != nil || known && slices.Contains(m.Missing, kubeletFolder) {
		return err
	}
	if _, err := os.Stat(filepath.Join(kubeletFolder, "device-plugins", "kubelet.sock")); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(fmt.Errorf("it has a kubelet already: %s is in use", kubeletFolder), err)
	}
	return nil
}

// overlayWorks tries whether an overlay can be mounted on a folder in dir: not where that is an overlay itself, as in a
// container.
func overlayWorks(ctx context.Context, dir string) bool {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	trial, err := os.MkdirTemp(dir, ".overlay-*")
	if err != nil {
		return false
	}
	defer func() { _ = os.RemoveAll(trial) }()
	for _, folder := range []string{"lower", "upper", "work", "merged"} {
		if err := os.Mkdir(filepath.Join(trial, folder), 0o700); err != nil {
			return false
		}
	}
	// The shell changes into the folder, since a comma or a colon in its path would be taken for the options' own.
	_, err = run(ctx, "unshare", "--mount", "sh", "-c",
		`cd "$1" && mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged`, "sh", trial)
	return err == nil
}
