// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
)

// logKeeper follows the logs of all of Latchkey's containers, also of those that specs
// end, whose logs are gone afterwards.
type logKeeper struct {
	dir    string
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu   sync.Mutex
	errs []error
	// followed are the containers whose logs are read, by pod, name and start.
	followed map[string]bool
}

// keepLogs begins to follow, into files of a folder.
func keepLogs(dir string) *logKeeper {
	ctx, cancel := context.WithCancel(context.Background())
	k := &logKeeper{dir: dir, cancel: cancel, followed: map[string]bool{}}
	k.done.Go(func() {
		wait.UntilWithContext(ctx, k.look, 500*time.Millisecond)
	})
	return k
}

// stop ends the following and waits for it.
func (k *logKeeper) stop() {
	k.cancel()
	k.done.Wait()
}

// look follows the containers that were not followed before.
func (k *logKeeper) look(ctx context.Context) {
	pods, err := core.CoreV1().Pods(systemNamespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return // the next look is soon
	}
	for _, pod := range pods.Items {
		for _, status := range pod.Status.ContainerStatuses {
			if status.State.Running == nil {
				continue
			}
			name := fmt.Sprintf("%s.%s.%d", pod.Name, status.Name, status.RestartCount)
			k.mu.Lock()
			known := k.followed[name]
			k.followed[name] = true
			k.mu.Unlock()
			if !known {
				k.done.Go(func() { k.follow(ctx, pod.Name, status.Name, name) })
			}
		}
	}
}

// follow copies a container's log to a file until it ends.
func (k *logKeeper) follow(ctx context.Context, pod, container, name string) {
	stream, err := core.CoreV1().Pods(systemNamespace).
		GetLogs(pod, &corev1.PodLogOptions{Container: container, Follow: true}).Stream(ctx)
	if err == nil {
		err = k.save(stream, name)
	}
	if err != nil && ctx.Err() == nil {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.errs = append(k.errs, fmt.Errorf("log of %s: %w", name, err))
	}
}

func (k *logKeeper) save(stream io.ReadCloser, name string) error {
	file, err := os.Create(filepath.Join(k.dir, name+".log"))
	if err != nil {
		return errors.Join(err, stream.Close())
	}
	_, err = io.Copy(file, stream)
	return errors.Join(err, stream.Close(), file.Close())
}

// read returns the logs so far, by container.
func (k *logKeeper) read() map[string][]byte {
	files, err := filepath.Glob(filepath.Join(k.dir, "*.log"))
	Expect(err).NotTo(HaveOccurred())
	logs := map[string][]byte{}
	for _, file := range files {
		logs[filepath.Base(file)], err = os.ReadFile(file)
		Expect(err).NotTo(HaveOccurred())
	}
	return logs
}
