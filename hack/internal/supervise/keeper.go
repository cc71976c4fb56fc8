// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package supervise

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// Keeper starts, asks and ends the parent of one stack.
type Keeper struct {
	Dir    string // working directory of the processes
	Logs   string
	Socket string   // where the parent answers
	Argv   []string // the command that calls Keep
}

// Failure is a failure of a process that its log explains.
type Failure struct {
	Log string
	Err error
}

// Error returns the text of the failure, without the log.
func (f *Failure) Error() string { return f.Err.Error() }

// Unwrap returns the failure itself.
func (f *Failure) Unwrap() error { return f.Err }

// Log is the path of the log of a process.
func (k Keeper) Log(name string) string { return filepath.Join(k.Logs, name+".log") }

// Start starts the parent, unless there is one.
func (k Keeper) Start(ctx context.Context) error {
	if k.Running(ctx) {
		return nil
	}
	for _, folder := range []string{k.Logs, filepath.Dir(k.Socket)} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return err
		}
	}
	log, err := os.OpenFile(k.Log("keeper"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	command := exec.CommandContext(context.WithoutCancel(ctx), k.Argv[0], k.Argv[1:]...)
	command.Dir, command.Env = k.Dir, environment()
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // it outlives this command and its terminal
	if err := command.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	err = Eventually(ctx, 10*time.Second, func(ctx context.Context) error {
		select {
		case err := <-ended:
			return Permanent(fmt.Errorf("the parent of the processes ended: %w", err))
		default:
		}
		_, err := k.ask(ctx, http.MethodGet, "", nil)
		return err
	})
	if err != nil {
		return &Failure{Log: k.Log("keeper"), Err: err}
	}
	return nil
}

// Running reports whether there is a parent.
func (k Keeper) Running(ctx context.Context) bool {
	_, err := k.ask(ctx, http.MethodGet, "", nil)
	return err == nil
}

// List returns the processes, in the order in which they were first started; none where there is no parent.
func (k Keeper) List(ctx context.Context) ([]Status, error) {
	answer, err := k.ask(ctx, http.MethodGet, "", nil)
	if errors.Is(err, errNotThere) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []Status
	err = json.Unmarshal(answer, &list)
	return list, err
}

// Ensure leaves a process running as p describes it, and ready. It says what it had to do.
func (k Keeper) Ensure(ctx context.Context, p Process) (string, error) {
	fingerprint, err := p.fingerprint()
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(Status{Name: p.Name, Argv: p.Argv, Fingerprint: fingerprint})
	if err != nil {
		return "", err
	}
	content, err := k.ask(ctx, http.MethodPut, p.Name, body)
	if err != nil {
		return "", err
	}
	var begun answer
	if err := json.Unmarshal(content, &begun); err != nil {
		return "", err
	}
	err = Eventually(ctx, p.Patience, func(ctx context.Context) error {
		list, err := k.List(ctx)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(list, func(s Status) bool { return s.Name == p.Name })
		if i < 0 || list[i].Exits > begun.Exits {
			return Permanent(errors.New("the process ended before it was ready"))
		}
		return p.Ready(ctx)
	})
	switch {
	case errors.Is(err, context.Canceled): // interrupted: the log has nothing to say about that
		return "", err
	case err != nil:
		return "", &Failure{Log: k.Log(p.Name), Err: err}
	}
	return begun.Outcome, nil
}

// EnsureAll ensures processes in their order, each as a step.
func (k Keeper) EnsureAll(ctx context.Context, processes ...Process) error {
	for _, p := range processes {
		if err := Step(ctx, p.Name, func(ctx context.Context) (string, error) { return k.Ensure(ctx, p) }); err != nil {
			return err
		}
	}
	return nil
}

// Stop ends a process, and reports whether there was one.
func (k Keeper) Stop(ctx context.Context, name string) (bool, error) {
	_, err := k.ask(ctx, http.MethodDelete, name, nil)
	if errors.Is(err, errNotThere) {
		return false, nil
	}
	return err == nil, err
}

// End ends the parent with the processes that it has left.
func (k Keeper) End(ctx context.Context) error {
	if _, err := k.ask(ctx, http.MethodDelete, "", nil); err != nil && !errors.Is(err, errNotThere) {
		return err
	}
	return Eventually(ctx, gracePeriod, func(ctx context.Context) error {
		if k.Running(ctx) {
			return errors.New("the parent of the processes does not end")
		}
		return nil
	})
}

// errNotThere is the error where there is no such process, or no parent.
var errNotThere = errors.New("it does not run")

func (k Keeper) ask(ctx context.Context, method, name string, body []byte) ([]byte, error) {
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", k.Socket)
	}}
	request, err := http.NewRequestWithContext(ctx, method, "http://keeper/"+name, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	response, err := transport.RoundTrip(request)
	if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ECONNREFUSED) {
		return nil, errNotThere
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return nil, err
	case response.StatusCode == http.StatusNotFound:
		return nil, errNotThere
	case response.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s %s: %s: %s", method, name, response.Status, answer)
	}
	return answer, nil
}
