// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// release is how Latchkey is installed: by the commands of the README's section
// "Install", as they stand there.
type release struct {
	// root is the folder of the repository, in which the commands run.
	root string
	// path has helm and kubectl, and then what the caller's has.
	path string
	// commands are the section's, a block at a time.
	commands [][]string
	// extra goes to helm where it installs or upgrades: E2E_HELM_ARGS, for an image that
	// is elsewhere.
	extra string
}

// ours is the release of this run; nil where Latchkey was there before, which then is
// left as it is.
var ours *release

// install installs Latchkey unless it is there.
func install(ctx context.Context) {
	GinkgoHelper()
	err := api.Get(ctx, client.ObjectKey{Namespace: systemNamespace, Name: serverName}, &appsv1.Deployment{})
	if err == nil {
		GinkgoWriter.Println("Latchkey is installed already, and is tested as it is")
		return
	}
	Expect(apierrors.IsNotFound(err)).To(BeTrue(), "%v", err)
	ours, err = newRelease()
	Expect(err).NotTo(HaveOccurred())
	began := time.Now()
	for _, command := range ours.commands[0] {
		ours.run(ctx, command)
	}
	report("the README's commands, until all pods are ready", time.Since(began))
	if os.Getenv("E2E_KEEP") == "" {
		DeferCleanup(func(ctx SpecContext) {
			ours.run(ctx, ours.command("helm uninstall"))
			run(ctx, "delete", "crd", "usersecrets.latchkey.dev", "agentsecrets.latchkey.dev", "--wait=false")
			run(ctx, "delete", "namespace", systemNamespace, "--wait=false")
		})
	}
}

func newRelease() (*release, error) {
	helm := os.Getenv("HELM")
	if helm == "" {
		return nil, errors.New("Latchkey is not installed, and HELM does not name the program to install it with: run `make e2e`")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		return nil, err
	}
	tools := GinkgoT().TempDir()
	for name, program := range map[string]string{"helm": helm, "kubectl": valueOr(os.Getenv("KUBECTL"), "kubectl")} {
		if program, err = exec.LookPath(program); err != nil {
			return nil, err
		}
		if program, err = filepath.Abs(program); err != nil {
			return nil, err
		}
		if err := os.Symlink(program, filepath.Join(tools, name)); err != nil {
			return nil, err
		}
	}
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		return nil, err
	}
	r := &release{root: root, path: tools + ":" + os.Getenv("PATH"), commands: installCommands(string(readme)), extra: os.Getenv("E2E_HELM_ARGS")}
	if len(r.commands) < 3 {
		return nil, fmt.Errorf("the README's section Install has %d blocks of commands for a cluster, want 3", len(r.commands))
	}
	return r, nil
}

// installCommands returns the commands of the section "Install", those for the local
// stack left out.
func installCommands(readme string) [][]string {
	_, section, _ := strings.Cut(readme, "\n## Install")
	section, _, _ = strings.Cut(section, "\n## ")
	var blocks [][]string
	for {
		_, rest, found := strings.Cut(section, "```sh\n")
		if !found {
			return blocks
		}
		var block string
		block, section, _ = strings.Cut(rest, "```")
		if !strings.Contains(block, "make ") {
			blocks = append(blocks, strings.Split(strings.TrimSpace(block), "\n"))
		}
	}
}

// command returns the only command that begins so.
func (r *release) command(prefix string) string {
	GinkgoHelper()
	var found []string
	for _, block := range r.commands {
		for _, command := range block {
			if strings.HasPrefix(command, prefix) {
				found = append(found, command)
			}
		}
	}
	Expect(found).To(HaveLen(1), "commands of the README that begin with %s", prefix)
	return found[0]
}

// run runs a command in a shell.
func (r *release) run(ctx context.Context, command string) {
	GinkgoHelper()
	if strings.HasPrefix(command, "helm install") || strings.HasPrefix(command, "helm upgrade") {
		command = strings.TrimSpace(command + " " + r.extra)
	}
	r.sh(ctx, command)
}

// sh runs a command in a shell as it is.
func (r *release) sh(ctx context.Context, command string) {
	GinkgoHelper()
	By("$ " + command)
	shell := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", command)
	shell.Dir = r.root
	shell.Env = append(os.Environ(), "PATH="+r.path)
	out, err := shell.CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), "%s\n%s", command, out)
}
