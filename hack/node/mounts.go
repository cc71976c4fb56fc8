// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// mount is one line of /proc/self/mountinfo.
type mount struct {
	point  string
	fsType string
	// options are those of the file system itself: of a cgroup hierarchy, its controllers.
	options []string
}

func readMounts() ([]mount, error) {
	file, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	return parseMounts(file)
}

// parseMounts reads the format of proc_pid_mountinfo(5): six fields, any number of tags, a hyphen, and three fields
// more.
func parseMounts(lines io.Reader) ([]mount, error) {
	var mounts []mount
	scanner := bufio.NewScanner(lines)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		fields := strings.Fields(scanner.Text())
		hyphen := slices.Index(fields, "-")
		if hyphen < 6 || len(fields) < hyphen+4 {
			return nil, fmt.Errorf("unexpected line in mountinfo: %q", scanner.Text())
		}
		mounts = append(mounts, mount{
			point:   unescape(fields[4]),
			fsType:  fields[hyphen+1],
			options: strings.Split(fields[hyphen+3], ","),
		})
	}
	return mounts, scanner.Err()
}

// unescape undoes what the kernel does to the characters that would end a field.
var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace

// below lists the mount points in a folder, the last mounted first.
func below(mounts []mount, folder string) []string {
	var points []string
	for _, m := range slices.Backward(mounts) {
		if strings.HasPrefix(m.point, folder+"/") {
			points = append(points, m.point)
		}
	}
	return points
}

// unmountBelow unmounts everything below a folder, and says how much that was.
func unmountBelow(ctx context.Context, folder string) (int, error) {
	count := 0
	var last error
	for range 5 { // one mount may lie on top of another, at the same place
		mounts, err := readMounts()
		if err != nil {
			return count, err
		}
		points := below(mounts, folder)
		if len(points) == 0 {
			return count, nil
		}
		last = nil
		for _, point := range points {
			// Lazily: a file that somebody has open must not leave the mount there for ever.
			if _, err := run(ctx, "umount", "--lazy", point); err != nil {
				last = errors.Join(last, err)
				continue
			}
			count++
		}
	}
	return count, errors.Join(fmt.Errorf("there are still mounts below %s", folder), last)
}
