// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"errors"
	"os"
)

// ErrNoMemory says that there is no file system in memory.
var ErrNoMemory = errors.New("this machine has no file system in memory that is yours to write, so files would lie on a disk")

// Files is a folder in memory with the files of a command.
type Files struct {
	// Path is where it is.
	Path string

	place *os.Root
	name  string
	lock  *os.File
}

// Remove removes it.
func (f *Files) Remove() error {
	return errors.Join(f.place.RemoveAll(f.name), f.lock.Close(), f.place.Close())
}

// write fills the folder: a folder for each group, a file for each key.
func (f *Files) write(groups map[string]map[string][]byte) error {
	for group, files := range groups {
		path := f.name + "/" + group
		if err := f.place.Mkdir(path, 0o700); err != nil {
			return err
		}
		if err := writeGroup(f.place, path, files); err != nil {
			return err
		}
	}
	return nil
}

func writeGroup(place *os.Root, path string, files map[string][]byte) error {
	folder, err := place.OpenRoot(path) // no name of a file leads out of it
	if err != nil {
		return err
	}
	defer func() { _ = folder.Close() }()
	for name, content := range files {
		file, err := folder.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o400)
		if err != nil {
			return err
		}
		_, err = file.Write(content)
		if err := errors.Join(err, file.Close()); err != nil {
			return err
		}
	}
	return nil
}
