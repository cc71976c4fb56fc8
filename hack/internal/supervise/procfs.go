// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package supervise

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// State is what /proc says about a process.
type State struct {
	Ended     bool // gone but not yet collected by its parent
	StartTime uint64
	Argv      []string
}

// ReadState reads what /proc says about a process now.
func ReadState(pid int) (State, error) {
	if pid <= 0 {
		return State{}, errors.New("no process")
	}
	dir := "/proc/" + strconv.Itoa(pid)
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return State{}, err
	}
	state, err := parseStat(string(stat))
	if err != nil {
		return State{}, err
	}
	cmdline, err := os.ReadFile(dir + "/cmdline")
	if err != nil {
		return State{}, err
	}
	state.Argv = parseCmdline(cmdline)
	return state, nil
}

// parseStat reads the state and the start time, fields 3 and 22 of proc_pid_stat(5). Field 2 is the name in
// parentheses and may itself hold spaces and parentheses.
func parseStat(stat string) (State, error) {
	end := strings.LastIndexByte(stat, ')')
	if end < 0 {
		return State{}, errors.New("unexpected format of /proc/PID/stat")
	}
	fields := strings.Fields(stat[end+1:])
	if len(fields) < 20 {
		return State{}, errors.New("unexpected format of /proc/PID/stat")
	}
	startTime, err := strconv.ParseUint(fields[19], 10, 64)
	if err != nil {
		return State{}, fmt.Errorf("start time in /proc/PID/stat: %w", err)
	}
	return State{Ended: fields[0] == "Z" || fields[0] == "X", StartTime: startTime}, nil
}

// parseCmdline splits the arguments; there are none before a program is set up and after it ended.
func parseCmdline(cmdline []byte) []string {
	var argv []string
	if len(cmdline) == 0 {
		return nil
	}
	for _, arg := range bytes.Split(bytes.TrimSuffix(cmdline, []byte{0}), []byte{0}) {
		argv = append(argv, string(arg))
	}
	return argv
}
