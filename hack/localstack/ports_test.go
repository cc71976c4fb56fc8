// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestClaim(t *testing.T) {
	for name, test := range map[string]struct {
		remembered map[string]int
		running    bool
		taken      int // by something else
		wantKept   bool
	}{
		"a first claim gets a port":                                       {},
		"a remembered port that is free is kept":                          {remembered: map[string]int{"etcd/client": 20500}, wantKept: true},
		"a remembered port that its running process holds is kept":        {remembered: map[string]int{"etcd/client": 20500}, running: true, taken: 20500, wantKept: true},
		"a remembered port that something else took meanwhile is changed": {remembered: map[string]int{"etcd/client": 20500}, taken: 20500},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "ports.json")
			book, err := loadPorts(path)
			if err != nil {
				t.Fatal(err)
			}
			for key, number := range test.remembered {
				book.numbers[key] = number
			}
			book.free = func(number int) bool { return number != test.taken }
			if err := book.claim("etcd", test.running, "client"); err != nil {
				t.Fatal(err)
			}
			got := book.number("etcd", "client")
			if kept := got == 20500; kept != test.wantKept {
				t.Errorf("port %d, want the remembered one kept: %t", got, test.wantKept)
			}
			if got < firstPort || got >= lastPort {
				t.Errorf("port %d is outside of the range", got)
			}
			if err := book.save(); err != nil {
				t.Fatal(err)
			}
			again, err := loadPorts(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(book.numbers, again.numbers); diff != "" {
				t.Errorf("remembered (-want +got):\n%s", diff)
			}
		})
	}
}

func TestClaimGivesNoPortTwice(t *testing.T) {
	book := &portBook{numbers: map[string]int{}, free: func(int) bool { return true }}
	for i := range 100 {
		if err := book.claim(serverName(i), false, "webhook", "rest", "metrics", "health"); err != nil {
			t.Fatal(err)
		}
	}
	owners := map[int]string{}
	for key, number := range book.numbers {
		if other, twice := owners[number]; twice {
			t.Errorf("%s and %s share port %d", key, other, number)
		}
		owners[number] = key
	}
}

func TestClaimFailsWhenNoPortIsFree(t *testing.T) {
	book := &portBook{numbers: map[string]int{}, free: func(int) bool { return false }}
	if err := book.claim("etcd", false, "client"); err == nil {
		t.Error("no error")
	}
}

func TestPortIsFree(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", loopback+":0")
	if err != nil {
		t.Fatal(err)
	}
	number := listener.Addr().(*net.TCPAddr).Port
	if portIsFree(number) {
		t.Error("a port that is listened on is called free")
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	if !portIsFree(number) {
		t.Error("a port that nobody listens on is not called free")
	}
}
